//! What the API answers when it cannot do what was asked.
//!
//! One constructor for each row of the contract's table of errors, so that a status and its `code` stand in one place.
//! Lower floors know no status codes; their errors become an [`ApiError`] here or beside the handler that calls them.
//! The client gets a code and a sentence that says what to do next. The cause goes to the log, once, and never out.

use std::fmt;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::domain::FieldError;
use crate::store::JournalError;

use super::answer::line;
use super::quote;
use super::types::{Problem, ProblemField};

/// The media type of every error answer (RFC 9457).
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What a handler returns.
pub type ApiResult<T> = Result<T, ApiError>;

/// An error answer.
///
/// Boxed, because it is the rare arm of every handler's `Result`.
#[derive(Debug, Clone)]
pub struct ApiError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    expectation: Option<serde_json::Value>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, errors, headers) = (quote::sentence(detail.into()), Vec::new(), Vec::new());
        Self(Box::new(Inner { status, code, detail, errors, headers, expectation: None }))
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// 400: the body is no JSON. `detail` says where and what instead.
    pub fn malformed_json(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed-json", detail)
    }

    /// 415: the body says that it is something else than JSON. `wanted` is what to send as `Content-Type`.
    pub fn unsupported_media_type(wanted: &str) -> Self {
        let detail = format!("send the body as JSON, with the header Content-Type: {wanted}");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
    }

    /// 413: the body is larger than `limit` bytes.
    pub fn body_too_large(limit: usize) -> Self {
        let detail = format!("the body is larger than {limit} bytes; send less in one request");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
    }

    /// 422: fields are wrong, unknown or out of range. All of them are named, up to a hundred.
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [] => "the request is wrong".to_owned(),
            [one] => located(one),
            [first, rest @ ..] => format!("{} (and {} more, see errors)", located(first), rest.len()),
        };
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-field", detail);
        error.0.errors = quote::faults(errors);
        error
    }

    /// 422: one field is wrong. `pointer` as in [`FieldError`].
    pub fn invalid_field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError::new(pointer, detail)])
    }

    /// 422: the query parameter `name` is wrong.
    pub fn invalid_query(name: &str, detail: impl Into<String>) -> Self {
        Self::invalid_field(format!("?{name}"), detail)
    }

    /// 409: `address` is taken, by the listener `holder` (its name or id) or by somebody who is not ours.
    pub fn port_in_use(address: SocketAddr, holder: Option<&str>) -> Self {
        let detail = match holder {
            Some(holder) => format!(
                "{address} is taken by the listener {holder}; DELETE /listeners/{holder} first, or choose another \
                 port (0 lets the system choose)"
            ),
            None => format!(
                "{address} is taken by another program; stop it, or choose another port (0 lets the system choose)"
            ),
        };
        Self::new(StatusCode::CONFLICT, "port-in-use", detail)
    }

    /// 409: a listener of this name is there already.
    pub fn name_in_use(name: &str) -> Self {
        let detail =
            format!("there is a listener {name}; choose another name, or PUT /listeners/{name} to change it");
        Self::new(StatusCode::CONFLICT, "name-in-use", detail)
    }

    /// 403: this port may not be opened. `detail` says why and which may.
    pub fn port_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "port-not-allowed", detail)
    }

    /// 422: `host` is no address of this machine.
    pub fn address_not_available(host: impl fmt::Display) -> Self {
        let detail = format!(
            "{host} is no address of this machine; use one that is, or 0.0.0.0 or :: for all that there are"
        );
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "address-not-available", detail);
        error.0.errors = vec![FieldError::new("/host", "no address of this machine")];
        error
    }

    /// 503: `max` listeners are open, more are not allowed.
    pub fn listener_limit(max: usize) -> Self {
        let detail =
            format!("{max} listeners are open, the most that --max-listeners allows; DELETE one first");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "listener-limit", detail)
    }

    /// 503: the process has no file descriptor left.
    pub fn fd_limit() -> Self {
        let detail = "the process has no file descriptor left; close listeners or connections, or raise its limit \
                      (ulimit -n), then try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "fd-limit", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 503: the journal cannot be written or read. `cause` is logged.
    pub fn journal_unavailable(cause: impl fmt::Display) -> Self {
        tracing::warn!(%cause, "the journal is unavailable");
        Self::journal_out_of_reach()
    }

    /// 503: the same, where its cause is in the log already.
    pub(super) fn journal_out_of_reach() -> Self {
        let detail = "the journal cannot be reached now; GET /readyz tells when it is back, then try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal-unavailable", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 503: the service is about to end, and takes nothing on any more.
    pub fn shutting_down() -> Self {
        let detail = "the service is stopping; ask its successor";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 404: `what` is not there. Written after "there is no", e.g. `listener gate; GET /listeners lists them`.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no {what}"))
    }

    /// 405: this path is there, but takes only the methods in `allow` (as in an `Allow` header).
    pub fn method_not_allowed(allow: HeaderValue) -> Self {
        let methods = allow.to_str().unwrap_or_default();
        let detail = match methods {
            "" => "this path takes no such method; GET /docs shows what there is".to_owned(),
            methods => format!("this path takes {methods}; GET /docs shows what there is"),
        };
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail).with_header(ALLOW, allow)
    }

    /// 401: the token is missing or wrong. The same answer for both.
    pub fn unauthorized() -> Self {
        let detail = "send the token of this service, in the header Authorization: Bearer TOKEN";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 421: the `Host` is none of ours. `detail` says which are and how to allow more.
    pub fn host_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "host-not-allowed", detail)
    }

    /// 409: what was expected did not happen. `detail` says what did, and `outcome` shows it.
    pub fn expectation_unmet(detail: impl Into<String>, outcome: &impl serde::Serialize) -> Self {
        let mut error = Self::new(StatusCode::CONFLICT, "expectation-unmet", detail);
        error.0.expectation = serde_json::to_value(outcome).ok();
        error
    }

    /// The same error about a part of what was asked for: `pointer` leads to it, and `what` begins the sentence.
    #[must_use]
    pub fn within(mut self, pointer: &str, what: &str) -> Self {
        self.0.detail.insert_str(0, what);
        let errors = std::mem::take(&mut self.0.errors);
        self.0.errors = errors.into_iter().map(|error| error.below(pointer)).collect();
        self
    }

    /// 409: the client is gone, or nothing can be sent to it any more.
    pub fn connection_closed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "connection-closed", detail)
    }

    /// 503: as much waits to be sent to a client as may.
    pub fn connection_busy() -> Self {
        let detail = "64 messages wait to be sent to this client, which does not take them; try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "connection-busy", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 503: `max` readers follow the events already.
    pub fn reader_limit(max: usize) -> Self {
        let detail = format!(
            "{max} readers follow the events, the most at one time; end one, or ask the lists with `wait`"
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "reader-limit", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 403: the request comes from another site's page.
    pub fn origin_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "origin-not-allowed", detail)
    }

    /// 400: the request is no good HTTP for us, e.g. without a `Host` or with two.
    pub fn malformed_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed-request", detail)
    }

    /// 431: more or longer header fields than the API reads.
    pub fn headers_too_large() -> Self {
        let detail = "the request's header is larger than this service reads; send fewer or shorter fields";
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", detail)
    }

    /// 408: the request took too long to arrive or to answer.
    pub fn timeout() -> Self {
        let detail = "the request took too long; send it in one go, and ask for less at once";
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
    }

    /// 500: a fault of ours. `cause` is logged.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed inside");
        Self::internal_logged()
    }

    /// 500: a fault of ours whose cause is in the log already.
    pub(super) fn internal_logged() -> Self {
        let detail =
            "this is a fault of the service, not of the request; its log says more under this request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence that says what to do next.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What is wrong, field by field.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.errors
    }

    fn problem(&self) -> Problem {
        let errors = self.0.errors.iter();
        Problem {
            kind: "about:blank".to_owned(),
            title: title(self.0.status).to_owned(),
            status: self.0.status.as_u16(),
            detail: self.0.detail.clone(),
            code: self.0.code.to_owned(),
            request_id: None,
            errors: errors
                .map(|e| ProblemField { pointer: e.pointer.clone(), detail: e.detail.clone() })
                .collect(),
            expectation: self.0.expectation.clone(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl std::error::Error for ApiError {}

impl From<JournalError> for ApiError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Unavailable(cause) => Self::journal_unavailable(cause),
        }
    }
}

impl From<Vec<FieldError>> for ApiError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::invalid_fields(errors)
    }
}

/// The answer also carries its [`Problem`] as an extension, for the layer that writes the request's id into it.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut response = Response::new(render(&problem));
        *response.status_mut() = self.0.status;
        response.headers_mut().extend(self.0.headers);
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response.extensions_mut().insert(problem);
        response
    }
}

/// A fault with its place; the whole document has no name.
fn located(fault: &FieldError) -> String {
    if fault.pointer.is_empty() { fault.detail.clone() } else { fault.to_string() }
}

/// The status in words, as RFC 9110 has them; for two of them the `http` crate still has older ones.
fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Content Too Large",
        StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Content",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}

/// The problem as a body.
pub(super) fn render(problem: &Problem) -> Body {
    // Strings and a number: serialising cannot fail, and an empty body would still carry the status.
    Body::from(line(problem).unwrap_or_default())
}
