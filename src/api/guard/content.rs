//! Does what changes something say that it is JSON.

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method};

use crate::api::error::ApiError;
use crate::api::extract::{JSON, MERGE_PATCH, is_media_type};

/// Refuses the bodies that a form can send. Which of the two media types a route takes, the route says.
///
/// # Errors
/// 415.
pub(super) fn check(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let speaks = has_body(headers) || headers.contains_key(CONTENT_TYPE);
    if changes && speaks && !is_media_type(headers, &[JSON, MERGE_PATCH]) {
        return Err(ApiError::unsupported_media_type(JSON));
    }
    Ok(())
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| length != "0")
}
