//! The contract and its reader, as they were compiled in: `/openapi.yaml`, `/openapi.json`, `/docs` and its assets.
//!
//! The JSON form is made from the YAML when it is first asked for. A second file beside it could differ, and a build
//! script would need the same YAML reader and make every build slower; a reading takes milliseconds.

use std::sync::{Arc, LazyLock};

use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};

use super::compiled::Document;
use super::error::ApiError;
use super::extract::PathParam;

const OPENAPI_YAML: &str = include_str!("../../openapi.yaml");

macro_rules! asset {
    ($name:literal, $media:literal) => {
        ($name, $media, include_bytes!(concat!("docs/", $name)).as_slice())
    };
}

/// The files of the page. A name that is not here is not there.
const ASSETS: [(&str, &str, &[u8]); 5] = [
    asset!("docs.css", "text/css; charset=utf-8"),
    asset!("elements.js", "text/javascript; charset=utf-8"),
    asset!("operation.js", "text/javascript; charset=utf-8"),
    asset!("page.js", "text/javascript; charset=utf-8"),
    asset!("schema.js", "text/javascript; charset=utf-8"),
];

/// `GET /openapi.yaml`.
pub(super) fn yaml<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    Document::new("application/yaml", OPENAPI_YAML.as_bytes()).serve()
}

/// `GET /openapi.json`.
pub(super) fn json<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    static JSON: LazyLock<Result<Document, String>> = LazyLock::new(convert);
    get(|headers: HeaderMap| async move {
        match &*JSON {
            Ok(document) => document.answer(&headers),
            Err(cause) => ApiError::internal(cause).into_response(),
        }
    })
}

/// `GET /docs`.
pub(super) fn docs<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    Document::new("text/html; charset=utf-8", include_bytes!("docs/index.html").as_slice()).serve()
}

/// `GET /docs/{asset}`.
pub(super) fn asset<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    let assets = ASSETS.map(|(name, media, bytes)| (name, Document::new(media, bytes)));
    let assets = Arc::new(assets);
    get(move |PathParam(wanted): PathParam, headers: HeaderMap| async move {
        match assets.iter().find(|(name, _)| *name == wanted) {
            Some((_, document)) => document.answer(&headers),
            None => ApiError::not_found("such file of the page; GET /docs is the page").into_response(),
        }
    })
}

fn convert() -> Result<Document, String> {
    let value: serde_json::Value = serde_norway::from_str(OPENAPI_YAML).map_err(|e| e.to_string())?;
    let text = serde_json::to_vec(&value).map_err(|e| e.to_string())?;
    Ok(Document::new("application/json", text))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn ask(path: &str, tag: Option<&str>) -> (StatusCode, HeaderMap, Bytes) {
        let router: Router = Router::new()
            .route("/openapi.yaml", yaml())
            .route("/openapi.json", json())
            .route("/docs", docs())
            .route("/docs/{asset}", asset());
        let mut request = Request::get(path);
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        (parts.status, parts.headers, axum::body::to_bytes(body, 1 << 24).await.unwrap())
    }

    #[tokio::test]
    async fn the_contract_is_the_same_in_both_forms_and_of_this_version() {
        let (_, headers, text) = ask("/openapi.yaml", None).await;
        assert_eq!(headers[CONTENT_TYPE], "application/yaml");
        assert_eq!(text, OPENAPI_YAML);
        let (_, headers, text) = ask("/openapi.json", None).await;
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(document["paths"]["/listeners"]["post"]["responses"]["201"].is_object());
    }

    #[tokio::test]
    async fn the_page_has_all_its_files_and_no_others() {
        let (status, headers, page) = ask("/docs", None).await;
        assert_eq!(
            (status, &headers[CONTENT_TYPE]),
            (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
        );
        assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("script-src 'self'"));
        assert!(std::str::from_utf8(&page).unwrap().contains("/docs/page.js"));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/docs");
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let expected = if name == "index.html" { StatusCode::NOT_FOUND } else { StatusCode::OK };
            assert_eq!(ask(&format!("/docs/{name}"), None).await.0, expected, "{name}");
        }
        for name in ["..%2f..%2fmod.rs", "DOCS.CSS", "docs.css%00", "%ff", "nope"] {
            assert_eq!(ask(&format!("/docs/{name}"), None).await.0, StatusCode::NOT_FOUND, "{name}");
        }
    }

    #[tokio::test]
    async fn what_a_browser_holds_is_not_sent_again() {
        for path in ["/docs", "/docs/docs.css", "/openapi.yaml", "/openapi.json"] {
            let (_, headers, _) = ask(path, None).await;
            let tag = headers[ETAG].to_str().unwrap();
            for held in [tag, &format!("\"x\", W/{tag}"), "*"] {
                let (status, headers, body) = ask(path, Some(held)).await;
                assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{path} {held}");
                assert_eq!(headers[ETAG], tag);
                // The browser takes it over into what it holds.
                assert_eq!(headers.contains_key(CONTENT_SECURITY_POLICY), path == "/docs");
            }
            assert_eq!(ask(path, Some("\"x\"")).await.0, StatusCode::OK);
        }
    }
}
