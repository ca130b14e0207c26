//! The files of the page, as they were compiled in.
//!
//! The scripts and style sheets stand in a folder that is named after what is in them, so a browser may keep them for
//! good: a version with another byte in it has another folder. The one file that is asked for each time is the index,
//! which names that folder.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::super::compiled::Document;
use super::super::error::ApiError;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

macro_rules! files {
    ($($name:literal $media:ident,)*) => {
        &[$(($name, $media, include_bytes!($name).as_slice())),*]
    };
}

/// Name, media type and content. A name that is not here is not there.
const FILES: &[(&str, &str, &[u8])] = files![
    "api.js" JAVASCRIPT,
    "app.js" JAVASCRIPT,
    "base.css" CSS,
    "bytes.js" JAVASCRIPT,
    "connections.js" JAVASCRIPT,
    "conversation.js" JAVASCRIPT,
    "dialogs.js" JAVASCRIPT,
    "elements.js" JAVASCRIPT,
    "feed.js" JAVASCRIPT,
    "found.js" JAVASCRIPT,
    "layout.css" CSS,
    "list.js" JAVASCRIPT,
    "listener.js" JAVASCRIPT,
    "listeners.js" JAVASCRIPT,
    "menu.js" JAVASCRIPT,
    "message.js" JAVASCRIPT,
    "plot.js" JAVASCRIPT,
    "query.js" JAVASCRIPT,
    "reading.js" JAVASCRIPT,
    "search.js" JAVASCRIPT,
    "send.js" JAVASCRIPT,
    "stream.js" JAVASCRIPT,
    "text.js" JAVASCRIPT,
    "view.js" JAVASCRIPT,
    "welcome.js" JAVASCRIPT,
    "words.js" JAVASCRIPT,
    "zh.js" JAVASCRIPT,
];

/// What the index has where the name of the folder belongs.
const HASH: &str = "{hash}";
const INDEX: &str = include_str!("index.html");

/// The name of the folder: a digest of all that is in it.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for (name, _, bytes) in FILES {
        digest.update(name);
        digest.update([0]);
        digest.update(bytes);
    }
    HEXLOWER.encode(&digest.finalize()[..8])
});

/// `GET /`
pub(in super::super) fn index<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    Document::new("text/html; charset=utf-8", INDEX.replace(HASH, &FOLDER)).serve()
}

/// `GET /ui/{hash}/{asset}`
pub(in super::super) fn asset<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    let files: Vec<_> =
        FILES.iter().map(|(name, media, bytes)| (*name, Document::new(media, *bytes))).collect();
    let files = Arc::new(files);
    get(move |path: Result<Path<(String, String)>, PathRejection>, headers: HeaderMap| async move {
        let wanted = path.ok().filter(|Path((folder, _))| *folder == *FOLDER);
        let file = wanted.and_then(|Path((_, wanted))| files.iter().find(|(name, _)| *name == wanted));
        match file {
            Some((_, document)) => document.answer_for_good(&headers),
            None => ApiError::not_found("such file of the page; GET / is the page").into_response(),
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    /// All files together, in bytes: a page that is opened over a slow line to a device's network must be there at once.
    const LARGEST: usize = 150 * 1024;

    async fn ask(path: &str) -> (StatusCode, HeaderMap, Bytes) {
        let router: Router = Router::new().route("/", index()).route("/ui/{hash}/{asset}", asset());
        let answer = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        (parts.status, parts.headers, axum::body::to_bytes(body, 1 << 24).await.unwrap())
    }

    #[tokio::test]
    async fn the_index_is_asked_for_anew_and_its_files_are_kept() {
        let (status, headers, page) = ask("/").await;
        assert_eq!((status, &headers[CACHE_CONTROL]), (StatusCode::OK, &"no-cache".parse().unwrap()));
        assert!(headers.contains_key(ETAG));
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = std::str::from_utf8(&page).unwrap();
        assert!(!page.contains(HASH) && !page.contains("://"), "{page}");
        let named: Vec<_> = page.split('"').filter(|part| part.starts_with("/ui/")).collect();
        assert!(named.len() > 2, "{page}");
        for path in named {
            let (status, headers, _) = ask(path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(headers[CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{path}");
        }
    }

    #[tokio::test]
    async fn the_page_has_all_its_files_and_no_others_and_all_are_small() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/ui");
        let mut size = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let served = name.ends_with(".js") || name.ends_with(".css");
            let expected = if served { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(ask(&format!("/ui/{}/{name}", *FOLDER)).await.0, expected, "{name}");
            if !name.ends_with(".rs") {
                let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
                assert!(text.lines().count() <= 400, "{name}: {} lines", text.lines().count());
                size += text.len();
            }
        }
        assert!(size < LARGEST, "{size} bytes");
    }

    #[tokio::test]
    async fn another_folder_and_another_name_are_not_there() {
        for path in ["/ui/0/app.js", "/ui/{hash}/app.js"] {
            assert_eq!(
                ask(&path.replace('{', "%7b").replace('}', "%7d")).await.0,
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
        for name in ["..%2fmod.rs", "APP.JS", "app.js%00", "%ff", "nope"] {
            assert_eq!(ask(&format!("/ui/{}/{name}", *FOLDER)).await.0, StatusCode::NOT_FOUND, "{name}");
        }
    }
}
