//! What every request passes through, whatever its route: one stack, so that no route can be forgotten.
//!
//! From the outside in: `observe` (the request's id, its log line, its duration, and the finish of every answer), a
//! net for panics, the size of the head, the [`guard`](super::guard), the time an answer may take, the size of the body
//! and the time between its parts. Unknown paths and refused methods pass the same way.
//!
//! A log line has the method, the route's pattern, the status and the time: no path, no query, no header, no body, as
//! all of them can carry what a client sent or a secret.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};
use tracing::Instrument;

use super::error::{ApiError, PROBLEM_JSON, render};
use super::extract::MAX_BODY;
use super::guard::{Guard, admit};
use super::metrics::{RequestDurations, method_label};
use super::types::Problem;

/// The bounds of a request. Tests use shorter ones.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// How long an answer may take, its body's arrival included. 75 s: a long poll takes up to 60.
    pub answer: Duration,
    /// How long the next part of a body may take. 10 s.
    pub body: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { answer: Duration::from_secs(75), body: Duration::from_secs(10) }
    }
}

/// Fields in a head, at most. A browser sends about twenty.
const MAX_FIELDS: usize = 64;
/// Bytes in a head, at most.
const MAX_HEAD: usize = 16 * 1024;

/// Puts the stack around a finished router. To be called last: routes that are added later are outside of it.
pub fn wrap(router: Router, guard: Guard, durations: RequestDurations, limits: RequestLimits) -> Router {
    let late = StatusCode::REQUEST_TIMEOUT;
    let routes = router.fallback(unknown_path).layer(from_fn(note_route));
    // Layers of a router run inside of its routes, where the `Allow` of a refused method is not written yet. So the
    // stack is around a router that has nothing but the real one.
    Router::new()
        .fallback_service(routes)
        .layer(RequestBodyTimeoutLayer::new(limits.body))
        .layer(RequestBodyLimitLayer::new(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(late, limits.answer))
        .layer(from_fn_with_state(Arc::new(guard), admit))
        .layer(from_fn(bound_head))
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(from_fn_with_state(Observer { durations, ids: Arc::new(RequestIds::new()) }, observe))
}

async fn unknown_path(uri: Uri) -> ApiError {
    ApiError::not_found(format_args!("path {:.200}; GET /docs shows what there is", uri.path()))
}

async fn bound_head(request: Request, next: Next) -> Response {
    let fields = request.headers();
    let size: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if fields.len() > MAX_FIELDS || size + target > MAX_HEAD {
        return ApiError::headers_too_large().into_response();
    }
    next.run(request).await
}

/// The message of a panic may quote the bytes that it choked on, so it stays out of the log.
fn after_panic(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    ApiError::internal_logged().into_response()
}

#[derive(Clone)]
struct Observer {
    durations: RequestDurations,
    ids: Arc<RequestIds>,
}

/// The outermost layer: sees every request and finishes every answer.
async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(|| observer.ids.next());
    let method = request.method().clone();
    let noted = Noted::default();
    request.extensions_mut().insert(noted.clone());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let route = noted.0.get().map_or("unmatched", MatchedPath::as_str);
    span.in_scope(|| log(&method, route, response.status(), took, peer));
    observer.durations.record(&method, route, response.status(), took);
    response = as_problem(response);
    name_request(&mut response, &id);
    protect(response.headers_mut());
    response
}

/// Where the inside leaves the route's pattern for the outside.
#[derive(Debug, Clone, Default)]
struct Noted(Arc<OnceLock<MatchedPath>>);

async fn note_route(request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    if let (Some(Noted(note)), Some(route)) = (extensions.get::<Noted>(), extensions.get::<MatchedPath>()) {
        note.get_or_init(|| route.clone());
    }
    next.run(request).await
}

/// Who changed what, and with what outcome, is worth a line at the default level; who read is not.
fn log(method: &Method, route: &str, status: StatusCode, took: Duration, peer: Option<SocketAddr>) {
    let (method, status) = (method_label(method), status.as_u16());
    let peer = peer.map(tracing::field::display);
    let reads = matches!(method, "GET" | "HEAD" | "OPTIONS");
    if reads && status < 500 {
        tracing::debug!(method, route, status, ?took, peer, "answered");
    } else {
        tracing::info!(method, route, status, ?took, peer, "answered");
    }
}

/// Layers and axum itself answer errors without a problem document: they get one here.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON) {
        return response;
    }
    let allow = || response.headers().get(ALLOW).cloned().unwrap_or(HeaderValue::from_static(""));
    match status {
        StatusCode::NOT_FOUND => ApiError::not_found("such thing; GET /docs shows what there is"),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::method_not_allowed(allow()),
        StatusCode::REQUEST_TIMEOUT => ApiError::timeout(),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::body_too_large(MAX_BODY),
        other if other.is_client_error() => ApiError::malformed_request("this request cannot be understood"),
        other => ApiError::internal(format_args!("an answer with status {other} had no problem document")),
    }
    .into_response()
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Writes the id into the answer, and into its problem document if it is one.
fn name_request(response: &mut Response, id: &HeaderValue) {
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.request_id = id.to_str().ok().map(str::to_owned);
        *response.body_mut() = render(&problem);
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response.headers_mut().insert(X_REQUEST_ID, id.clone());
}

/// The client's own id, if it is one that can stand in a log.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(X_REQUEST_ID)?;
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    ((1..=64).contains(&id.len()) && id.as_bytes().iter().all(fits)).then(|| id.clone())
}

/// Makes ids that differ within this process by their counter, and between processes by their prefix.
struct RequestIds {
    prefix: u64,
    made: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        // Every `RandomState` has random keys, so that even this has a random hash.
        Self { prefix: RandomState::new().hash_one("request ids"), made: AtomicU64::new(0) }
    }

    fn next(&self) -> HeaderValue {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:016x}-{number:x}", self.prefix);
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("none"))
    }
}

/// What a browser may do with an answer: nothing, unless the answer itself says otherwise.
fn protect(headers: &mut HeaderMap) {
    const DEFAULTS: [(HeaderName, &str); 6] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt;

    use crate::api::extract::JsonBody;
    use crate::api::guard::GuardConfig;
    use crate::api::metrics::{Metrics, MetricsSnapshot};

    use super::*;

    async fn panics() -> StatusCode {
        panic!("payload")
    }

    fn stack(durations: &RequestDurations) -> Router {
        let api_addr = "127.0.0.1:7070".parse().unwrap();
        let guard = Guard::new(GuardConfig { api_addr, allow_hosts: Vec::new(), token: None });
        let limits = RequestLimits { answer: Duration::from_secs(75), body: Duration::from_secs(10) };
        let echo = |JsonBody(body): JsonBody| async move { axum::Json(body) };
        let router = Router::new()
            .route("/items/{id}", get(|| async { "item" }).post(echo))
            .route("/panic", get(panics))
            .route("/never", get(std::future::pending::<()>))
            .route("/bare", get(|| async { StatusCode::BAD_GATEWAY }))
            .route("/own", get(|| async { ([(CACHE_CONTROL, "max-age=1")], "own") }));
        wrap(router, guard, durations.clone(), limits)
    }

    fn request(method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(path).header("host", "127.0.0.1:7070")
    }

    async fn send(request: Request) -> Response {
        stack(&RequestDurations::new()).oneshot(request).await.unwrap()
    }

    async fn problem(request: Request) -> (HeaderMap, Value) {
        let (parts, body) = send(request).await.into_parts();
        let body: Value =
            serde_json::from_slice(&axum::body::to_bytes(body, 1 << 20).await.unwrap()).unwrap();
        assert_eq!(parts.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["status"], parts.status.as_u16());
        assert_eq!(body["request_id"], parts.headers["x-request-id"].to_str().unwrap());
        (parts.headers, body)
    }

    fn empty(builder: axum::http::request::Builder) -> Request {
        builder.body(Body::empty()).unwrap()
    }

    fn json(builder: axum::http::request::Builder, body: impl Into<Body>) -> Request {
        builder.header(CONTENT_TYPE, "application/json").body(body.into()).unwrap()
    }

    #[tokio::test]
    async fn unknown_paths_refused_methods_and_panics_are_problems() {
        let cases =
            [("GET", "/nope", "not-found"), ("GET", "/panic", "internal"), ("GET", "/bare", "internal")];
        for (method, path, code) in cases {
            assert_eq!(problem(empty(request(method, path))).await.1["code"], code, "{path}");
        }
        for method in ["PUT", "OPTIONS", "BREW"] {
            let (headers, body) = problem(empty(request(method, "/items/1"))).await;
            assert_eq!(body["code"], "method-not-allowed", "{method}");
            assert_eq!(headers[ALLOW], "GET,HEAD,POST");
        }
    }

    #[tokio::test]
    async fn the_guard_stands_before_every_path_and_method() {
        let paths = ["/items/1", "/nope", "/panic", "/", "/items/1/2/3"];
        for (method, path) in paths.iter().flat_map(|p| ["GET", "POST", "OPTIONS", "BREW"].map(|m| (m, p))) {
            let foreign = Request::builder().method(method).uri(*path).header("host", "evil.example");
            assert_eq!(problem(empty(foreign)).await.1["code"], "host-not-allowed", "{method} {path}");
            let page = request(method, path).header("origin", "http://evil.example");
            let (headers, body) = problem(empty(page)).await;
            assert_eq!(body["code"], "origin-not-allowed", "{method} {path}");
            assert!(headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
        }
    }

    #[tokio::test]
    async fn a_sane_request_id_is_kept_and_another_replaced() {
        let given = send(empty(request("GET", "/items/1").header(X_REQUEST_ID, "build-7.a_b"))).await;
        assert_eq!(given.headers()[X_REQUEST_ID], "build-7.a_b");
        for odd in ["", "a b", "a\tb", "\u{e9}", &"x".repeat(65), "<script>"] {
            let answer = send(empty(request("GET", "/items/1").header(X_REQUEST_ID, odd))).await;
            let id = answer.headers()[X_REQUEST_ID].to_str().unwrap();
            assert!(!id.is_empty() && id != odd, "{odd}");
        }
        let stack = stack(&RequestDurations::new());
        let first = stack.clone().oneshot(empty(request("GET", "/items/1"))).await.unwrap();
        let second = stack.oneshot(empty(request("GET", "/items/1"))).await.unwrap();
        assert_ne!(first.headers()[X_REQUEST_ID], second.headers()[X_REQUEST_ID]);
    }

    #[tokio::test]
    async fn every_answer_tells_the_browser_to_keep_its_hands_off() {
        for path in ["/items/1", "/nope", "/panic"] {
            let answer = send(empty(request("GET", path))).await;
            let headers = answer.headers();
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[REFERRER_POLICY], "no-referrer");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
            assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
        }
        assert_eq!(send(empty(request("GET", "/own"))).await.headers()[CACHE_CONTROL], "max-age=1");
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_with_and_without_a_length() {
        let told = json(request("POST", "/items/1").header(CONTENT_LENGTH, MAX_BODY + 1), "");
        assert_eq!(problem(told).await.1["code"], "body-too-large");
        let parts = (0..3).map(|_| Ok::<_, std::io::Error>(vec![b' '; MAX_BODY / 2]));
        let streamed =
            json(request("POST", "/items/1"), Body::from_stream(futures_util::stream::iter(parts)));
        assert_eq!(problem(streamed).await.1["code"], "body-too-large");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_and_an_answer_that_never_comes_time_out() {
        let started = tokio::time::Instant::now();
        let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let body = problem(json(request("POST", "/items/1"), Body::from_stream(endless))).await.1;
        assert_eq!((&body["code"], started.elapsed().as_secs()), (&Value::from("timeout"), 10));
        let body = problem(empty(request("GET", "/never"))).await.1;
        assert_eq!((&body["code"], started.elapsed().as_secs()), (&Value::from("timeout"), 85));
    }

    #[tokio::test]
    async fn a_head_beyond_the_limit_is_refused_with_a_problem() {
        let mut many = request("GET", "/items/1");
        for number in 0..MAX_FIELDS {
            many = many.header(format!("x-{number}"), "a");
        }
        let long = request("GET", "/items/1").header("x", "a".repeat(MAX_HEAD));
        let target = request("GET", &format!("/items/{}", "a".repeat(MAX_HEAD)));
        for head in [many, long, target] {
            assert_eq!(problem(empty(head)).await.1["code"], "headers-too-large");
        }
    }

    #[tokio::test]
    async fn durations_are_kept_by_pattern() {
        let durations = RequestDurations::new();
        for path in ["/items/1", "/items/2", "/nope"] {
            stack(&durations).oneshot(empty(request("GET", path))).await.unwrap();
        }
        let shown = Router::new()
            .route("/", crate::api::metrics::route(Metrics::new(MetricsSnapshot::default, &durations)));
        let answer = shown.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert!(answer.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("application/openmetrics-text"));
        let text = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        let count = |route, status| format!("_count{{method=\"GET\",route=\"{route}\",status=\"{status}\"}}");
        assert!(text.contains(&format!("{} 2", count("/items/{id}", 200))), "{text}");
        assert!(text.contains(&format!("{} 1", count("unmatched", 404))), "{text}");
    }
}
