//! A JSON answer.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;

/// A body as JSON that ends its line, so that a terminal's prompt does not stick to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match line(&self.0) {
            Ok(body) => {
                let json = HeaderValue::from_static("application/json");
                (StatusCode::OK, [(CONTENT_TYPE, json)], body).into_response()
            }
            Err(cause) => ApiError::internal(cause).into_response(),
        }
    }
}

/// The value as one line.
pub(super) fn line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut body = serde_json::to_vec(value)?;
    body.push(b'\n');
    Ok(body)
}
