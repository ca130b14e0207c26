//! What was compiled in and is served as it is: the contract, its reader, the page.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A page may load what this service serves, and nothing else; no script may write HTML.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);

/// A year, which is as long as caches keep anything (RFC 2616 named it the most).
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Something that does not change while the process lives.
pub(super) struct Document {
    media: &'static str,
    bytes: Bytes,
    etag: HeaderValue,
}

impl Document {
    /// What is served as `media`.
    pub(super) fn new(media: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = HEXLOWER.encode(&Sha256::digest(&bytes)[..16]);
        let etag =
            HeaderValue::from_str(&format!("\"{digest}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { media, bytes, etag }
    }

    /// A browser keeps it, but asks each time whether it is still true: the next version has the same names.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let caching = [(ETAG, self.etag.clone()), (CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
        let mut answer = if self.is_held_by(request) {
            (StatusCode::NOT_MODIFIED, caching).into_response()
        } else {
            let media = [(CONTENT_TYPE, HeaderValue::from_static(self.media))];
            (caching, media, self.bytes.clone()).into_response()
        };
        // Only a page has a policy of its own; the layers give the others theirs. A 304 has it too: what it says takes the
        // place of what the browser holds (RFC 9111, section 4.3.4), and under the others' policy no page works.
        if self.media.starts_with("text/html") {
            answer.headers_mut().insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        }
        answer
    }

    /// The route that answers with it.
    pub(super) fn serve<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        let document = Arc::new(self);
        get(move |headers: HeaderMap| async move { document.answer(&headers) })
    }

    /// The same for a path that no other content will ever have: a browser need not ask again.
    pub(super) fn answer_for_good(&self, request: &HeaderMap) -> Response {
        let mut answer = self.answer(request);
        answer.headers_mut().insert(CACHE_CONTROL, FOR_GOOD);
        answer
    }

    /// Tags compare weakly here (RFC 9110, section 13.1.2), so a `W/` that a proxy put before one does not count.
    fn is_held_by(&self, request: &HeaderMap) -> bool {
        let held = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        held.flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.etag.as_bytes())
    }
}
