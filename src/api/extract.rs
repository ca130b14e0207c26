//! What handlers take in: a JSON body, the query, a part of the path. Every fault is an [`ApiError`].

use axum::body::Bytes;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::BytesMut;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::domain::FieldError;

use super::error::ApiError;
use super::json;
use super::quote;

/// The largest body that the API reads, in bytes: a spec with a reply of 1 MiB in base64, and room.
pub const MAX_BODY: usize = 2 * 1024 * 1024;
/// Bytes of a body that are read for everybody at once.
const SMALL_BODY: usize = 64 * 1024;
/// Larger ones are read so many at a time; the others wait for their turn, as long as a request may take. They are the memory
/// of a process, whatever runs in it.
static LARGE_BODIES: Semaphore = Semaphore::const_new(64);

/// The media type of a document.
pub(super) const JSON: &str = "application/json";
/// The media type of a change to a document (RFC 7396).
pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";

/// A JSON body (`application/json`).
#[derive(Debug, Clone)]
pub struct JsonBody(pub Value);

/// The body of a PATCH (`application/merge-patch+json` or `application/json`).
#[derive(Debug, Clone)]
pub struct MergePatchBody(pub Value);

/// No body. For what takes none: whoever sends one expects it to mean something.
#[derive(Debug, Clone, Copy)]
pub struct NoBody;

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_json(request, &[JSON]).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for MergePatchBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_json(request, &[MERGE_PATCH, JSON]).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if read_body(request).await?.trim_ascii().is_empty() {
            return Ok(Self);
        }
        Err(ApiError::invalid_field("", "this call takes no body; leave it out"))
    }
}

async fn read_json(request: Request, wanted: &[&str]) -> Result<Value, ApiError> {
    if !is_media_type(request.headers(), wanted) {
        return Err(ApiError::unsupported_media_type(&wanted.join(" or ")));
    }
    let body = read_body(request).await?;
    if body.trim_ascii().is_empty() {
        return Err(ApiError::malformed_json("the body is empty; send a JSON object, e.g. {\"port\":8080}"));
    }
    json::parse(&body).map_err(|fault| ApiError::malformed_json(format!("the body is no JSON: {fault}")))
}

async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let mut body = Limited::new(request.into_body(), MAX_BODY);
    let (mut read, mut turn) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|cause| body_error(cause.as_ref()))?;
        read.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
        if read.len() > SMALL_BODY && turn.is_none() {
            turn = Some(LARGE_BODIES.acquire().await.map_err(ApiError::internal)?);
        }
    }
    Ok(read.freeze())
}

/// The layers below may have cut the body short too, so the reason is looked for in the whole chain of causes.
fn body_error(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return ApiError::body_too_large(MAX_BODY);
        }
        if error.is::<tower_http::timeout::TimeoutError>() {
            return ApiError::timeout();
        }
        cause = error.source();
    }
    ApiError::malformed_request("the body ended before it was whole; send all of it")
}

/// Whether the one `Content-Type` is one of `wanted`, in UTF-8 (RFC 8259 knows no other).
pub(super) fn is_media_type(headers: &HeaderMap, wanted: &[&str]) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    wanted.iter().any(|w| essence.eq_ignore_ascii_case(w)) && parts.all(is_harmless)
}

fn is_harmless(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return parameter.is_empty() };
    let value = value.trim_matches('"');
    let utf8 = ["utf-8", "utf8", "us-ascii"].iter().any(|label| value.eq_ignore_ascii_case(label));
    !name.eq_ignore_ascii_case("charset") || utf8
}

/// The parameters of the query, decoded, each at most once.
///
/// [`take`](Self::take) what is known, then [`finish`](Self::finish).
#[derive(Debug, Clone, Default)]
pub struct QueryPairs(Vec<(String, Option<String>)>);

impl QueryPairs {
    /// The value of `name`, if it is there. A name without `=` has the value `""`.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.iter_mut().find(|(known, _)| known == name)?.1.take()
    }

    /// Whether `name` is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The names that are none of `known`, each as a fault that says what may have been meant.
    pub fn unknown(&self, known: &[&str]) -> Vec<FieldError> {
        let names = self.0.iter().map(|(name, _)| name.as_str());
        quote::unknown_names(names, known, "?", |name| format!("?{name}"))
    }

    /// Refuses names that are none of `known`.
    ///
    /// # Errors
    /// 422, with all of them.
    pub fn finish(&self, known: &[&str]) -> Result<(), ApiError> {
        match self.unknown(known) {
            none if none.is_empty() => Ok(()),
            unknown => Err(ApiError::invalid_fields(unknown)),
        }
    }

    /// Reads the part of a URI after the `?`.
    fn parse(query: &str) -> Result<Self, Vec<FieldError>> {
        let mut pairs: Vec<(String, Option<String>)> = Vec::new();
        let mut faults = Vec::new();
        for (n, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if n >= MOST_PARAMETERS {
                faults.push(FieldError::new("?", format!("has more than {MOST_PARAMETERS} parameters")));
                break;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decode(name) else {
                faults.push(FieldError::new("?", NOT_DECODABLE));
                continue;
            };
            if pairs.iter().any(|(known, _)| *known == name) {
                faults.push(FieldError::new(
                    format!("?{}", quote::name(&name)),
                    "is there more than once; give it once",
                ));
                continue;
            }
            let value = decode(value);
            if value.is_none() {
                faults.push(FieldError::new(format!("?{}", quote::name(&name)), NOT_DECODABLE));
            }
            pairs.push((name, value));
        }
        if faults.is_empty() { Ok(Self(pairs)) } else { Err(faults) }
    }
}

/// Parameters in a query. A list knows 14.
const MOST_PARAMETERS: usize = 64;

const NOT_DECODABLE: &str = "is no percent-encoded UTF-8; for raw bytes there are parameters that take hex";

impl<S: Send + Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::parse(parts.uri.query().unwrap_or_default()).map_err(ApiError::invalid_fields)
    }
}

/// `+` is a space, `%XX` a byte. None if an escape is broken or the bytes are no UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The one parameter of the route's path, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathParam(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathParam {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match RawPathParams::from_request_parts(parts, state).await {
            Ok(params) => match params.iter().next() {
                Some((_, value)) => Ok(Self(value.to_owned())),
                None => Err(ApiError::internal("a route without a parameter asked for one")),
            },
            Err(RawPathParamsRejection::InvalidUtf8InPathParam(_)) => {
                Err(ApiError::not_found("such thing: this path is no percent-encoded UTF-8"))
            }
            Err(other) => Err(ApiError::internal(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn post(content_type: Option<&str>, body: impl Into<Body>) -> Request {
        let mut request = Request::post("/listeners");
        if let Some(value) = content_type {
            request = request.header(CONTENT_TYPE, value);
        }
        request.body(body.into()).unwrap()
    }

    async fn refusal(request: Request) -> (u16, String) {
        let error = JsonBody::from_request(request, &()).await.unwrap_err();
        (error.status().as_u16(), error.to_string())
    }

    fn query(text: &str) -> Result<QueryPairs, Vec<FieldError>> {
        QueryPairs::parse(text)
    }

    #[tokio::test]
    async fn json_is_taken_in_utf8_only() {
        let taken =
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""];
        for value in taken {
            let body = JsonBody::from_request(post(Some(value), "{\"port\":1}"), &()).await;
            assert_eq!(body.unwrap().0["port"], 1, "{value}");
        }
        let refused = ["text/plain", "application/jsonp", "application/json; charset=gbk", "", MERGE_PATCH];
        for value in refused.map(Some).into_iter().chain([None]) {
            let (status, error) = refusal(post(value, "{}")).await;
            assert_eq!(status, 415, "{value:?}");
            assert!(error.contains("Content-Type: application/json"));
        }
    }

    #[tokio::test]
    async fn a_patch_is_taken_as_merge_patch_or_json() {
        for value in [MERGE_PATCH, JSON] {
            assert!(MergePatchBody::from_request(post(Some(value), "{}"), &()).await.is_ok());
        }
        assert!(MergePatchBody::from_request(post(Some("text/plain"), "{}"), &()).await.is_err());
    }

    #[tokio::test]
    async fn broken_json_is_told_with_its_place() {
        let (status, error) = refusal(post(Some(JSON), "{\"port\":\n x}")).await;
        assert_eq!(status, 400);
        assert!(error.starts_with("malformed-json") && error.contains("line 2 column 2"), "{error}");
    }

    #[tokio::test]
    async fn an_empty_body_is_told_what_to_send() {
        let (status, error) = refusal(post(Some(JSON), " \n")).await;
        assert_eq!(status, 400);
        assert!(error.contains("{\"port\":8080}"));
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_however_it_comes() {
        let chunks = (0..3).map(|_| Ok::<_, std::io::Error>(vec![b' '; MAX_BODY / 2]));
        let streamed = Body::from_stream(futures_util::stream::iter(chunks));
        assert_eq!(refusal(post(Some(JSON), streamed)).await.0, 413);
        assert_eq!(refusal(post(Some(JSON), vec![b' '; MAX_BODY + 1])).await.0, 413);
    }

    #[tokio::test]
    async fn a_call_without_a_body_takes_none() {
        assert!(NoBody::from_request(post(None, ""), &()).await.is_ok());
        assert_eq!(NoBody::from_request(post(Some(JSON), "{}"), &()).await.unwrap_err().status(), 422);
    }

    #[test]
    fn a_query_is_decoded_and_taken_apart() {
        let mut pairs = query("contains=a%2Bb+%E9%97%AE&&order=asc&flag").unwrap();
        assert_eq!(pairs.take("contains").unwrap(), "a+b 问");
        assert_eq!(pairs.take("order").unwrap(), "asc");
        assert_eq!(pairs.take("flag").unwrap(), "");
        assert_eq!(pairs.take("limit"), None);
        assert!(pairs.finish(&["contains", "order", "flag"]).is_ok());
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_a_guess() {
        let pairs = query("limti=5&zzzzzz=1&limit=5").unwrap();
        let unknown = pairs.unknown(&["limit", "after"]);
        assert_eq!(unknown[0].pointer, "?limti");
        assert!(unknown[0].detail.contains("did you mean `limit`?"));
        assert!(unknown[1].detail.contains("known are limit, after"));
        assert_eq!(unknown.len(), 2);
    }

    #[test]
    fn a_query_of_nothing_but_junk_is_refused_in_few_words() {
        let pairs = |n: usize| (0..n).map(|n| format!("x{n}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(query(&pairs(64)).unwrap().unknown(&["limit"]).len(), 21);
        assert_eq!(query(&pairs(5_000)).unwrap_err().len(), 1);
        let long = query(&"x".repeat(10_000)).unwrap().unknown(&["limit"]);
        assert_eq!(long[0].pointer.chars().count(), 82);
    }

    #[test]
    fn a_parameter_given_twice_or_undecodable_is_refused() {
        for (text, pointer) in
            [("a=1&a=2", "?a"), ("a=%zz", "?a"), ("a=%f", "?a"), ("a=%ff", "?a"), ("%ff=1", "?")]
        {
            assert_eq!(query(text).unwrap_err()[0].pointer, pointer, "{text}");
        }
    }
}
