//! Is the process alive, and can it do its work.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde_json::json;

use super::answer::Json;
use super::error::ApiError;

/// Says whether the service can do its work, or why not.
pub type Readiness = Arc<dyn Fn() -> Result<(), ApiError> + Send + Sync>;

/// `GET /healthz`: answers as long as the process can answer at all.
pub fn live<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    get(|| async { Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})) })
}

/// `GET /readyz`: 503 while the service could not keep a record.
pub fn ready<S: Clone + Send + Sync + 'static>(readiness: Readiness) -> MethodRouter<S> {
    get(move || async move { show(readiness()) })
}

fn show(state: Result<(), ApiError>) -> Response {
    match state {
        Ok(()) => Json(json!({"status": "ready"})).into_response(),
        Err(reason) => reason.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn ask(route: MethodRouter) -> (u16, serde_json::Value) {
        let request = Request::get("/").body(Body::empty()).unwrap();
        let answer = Router::new().route("/", route).oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_process_that_answers_is_alive() {
        assert_eq!(ask(live()).await, (200, json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})));
    }

    #[tokio::test]
    async fn readiness_says_why_not() {
        assert_eq!(ask(ready(Arc::new(|| Ok(())))).await, (200, json!({"status": "ready"})));
        let (status, body) = ask(ready(Arc::new(|| Err(ApiError::shutting_down())))).await;
        assert_eq!((status, &body["code"]), (503, &json!("shutting-down")));
    }
}
