//! Does a page from elsewhere ask.

use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::api::error::ApiError;

use super::authority::Authority;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Lets through what no page sent, and what our own pages sent. `host` is the authority that the request is for.
///
/// # Errors
/// 403.
pub(super) fn check(method: &Method, headers: &HeaderMap, host: &Authority) -> Result<(), ApiError> {
    if let Some(foreign) = headers.get_all(ORIGIN).iter().find(|origin| !is_same(origin, host)) {
        let origin = foreign.to_str().unwrap_or("another site");
        return Err(ApiError::origin_not_allowed(format!(
            "pages of {origin:.100} may not use this service; call it from a program, or from a page that it serves"
        )));
    }
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    if sites.all(is_own_site) || is_followed_link(method, headers) {
        return Ok(());
    }
    Err(ApiError::origin_not_allowed(
        "pages of other sites may not use this service; call it from a program, or from a page that it serves",
    ))
}

/// `null` (a sandboxed frame, a file) and what has another scheme are no origin of ours.
fn is_same(origin: &HeaderValue, host: &Authority) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let (rest, default_port) = match (origin.strip_prefix("http://"), origin.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        _ => return false,
    };
    Authority::parse(rest)
        .is_some_and(|o| o.host == host.host && o.port_or(default_port) == host.port_or(default_port))
}

/// `same-site` is not ours: every port of localhost is the same site.
fn is_own_site(site: &HeaderValue) -> bool {
    matches!(site.as_bytes(), b"same-origin" | b"none")
}

/// A link to here on another site's page: the browser shows our answer, and the page sees nothing of it.
fn is_followed_link(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name, value: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|v| v == value) && values.next().is_none()
    };
    *method == Method::GET && is(SEC_FETCH_MODE, "navigate") && is(SEC_FETCH_DEST, "document")
}
