//! The guard before every route, through the real socket. The routes are those of the contract, so that none can be
//! forgotten; unknown paths and methods are added.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Request};
use serde_json::json;

use super::raw;
use crate::support::{Contract, Launch, Service, send};

/// Every operation of the contract with its path filled in, and what is none.
fn requests() -> Vec<(String, String)> {
    let filled = |path: &str| {
        let path = path.replace("{key}", "gate").replace("{hash}", "0").replace("{asset}", "page.js");
        // Without a fault it would be answered without end; what is before every route is before this answer too.
        let path = path.replace("/events", "/events?after=nowhere");
        path.replace("{id}", "01980000-0000-7000-8000-000000000000")
    };
    let routes: Vec<_> = Contract::get().paths().into_iter().map(|(m, path)| (m, filled(&path))).collect();
    assert!(routes.len() > 15 && routes.iter().all(|(_, path)| !path.contains('{')), "{routes:?}");
    let unknown = ["/nothing", "/listeners/gate/nothing", "//", "/docs/../listeners", "/%2e%2e/listeners"];
    let paths = routes.iter().map(|(_, path)| path.clone()).chain(unknown.map(str::to_owned));
    let methods = ["GET", "POST", "HEAD", "OPTIONS", "BREW"];
    let others = paths.flat_map(|path| methods.map(|method| (method.to_owned(), path.clone())));
    let mut all: Vec<_> = routes.iter().cloned().chain(others).collect();
    all.sort();
    all.dedup();
    all
}

/// One request with these headers, a header a line.
async fn ask(service: &Service, method: &str, path: &str, headers: &str) -> (u16, HeaderMap) {
    let mut request = Request::builder().method(method).uri(path);
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let answer = send(service.api, request.body(Full::new(Bytes::new())).unwrap()).await;
    let cors = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(cors, None, "{method} {path} with {headers}");
    assert!(!answer.header("x-request-id").is_empty(), "{method} {path} with {headers}");
    (answer.status.as_u16(), answer.headers)
}

/// A service with something to lose.
async fn guarded() -> Service {
    let service = Launch::serve(&[]).start().await;
    let listener = service.open(json!({"name": "gate"})).await;
    let mut peer = service.connect(&listener).await;
    peer.send("hello").await;
    peer.read_to_end().await;
    drop(peer);
    service.only_closed_connection(&listener).await;
    service
}

async fn has_lost_nothing(service: &Service) {
    assert_eq!(service.get("/listeners").await.expect(200).json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(service.get("/connections").await.expect(200).json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_foreign_host_gets_nothing_from_any_route() {
    let service = guarded().await;
    let port = service.api.port();
    let foreign = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.nip.io:{port}"),
        format!("localhost.:{port}"),
        "127.0.0.1".to_owned(),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
    ];
    for (method, path) in requests() {
        for host in &foreign {
            let (status, _) = ask(&service, &method, &path, &format!("host: {host}")).await;
            assert_eq!(status, 421, "{method} {path} for {host}");
        }
        let (status, _) = ask(&service, &method, &path, &format!("host: {0}\nhost: {0}", service.api)).await;
        assert_eq!(status, 400, "{method} {path} with two hosts");
    }
    has_lost_nothing(&service).await;
}

#[tokio::test]
async fn a_request_without_a_host_gets_nothing_from_any_route() {
    let service = guarded().await;
    for (method, path) in requests() {
        let forwarded = format!("x-forwarded-host: {0}\r\nforwarded: host={0}", service.api);
        let request = format!("{method} {path} HTTP/1.1\r\n{forwarded}\r\nconnection: close\r\n\r\n");
        let (status, answer) = raw(service.api, request).await;
        assert_eq!(status, 400, "{method} {path}: {answer}");
        assert!(!answer.to_lowercase().contains("access-control-"), "{method} {path}: {answer}");
    }
    has_lost_nothing(&service).await;
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing_from_any_route() {
    let service = guarded().await;
    let port = service.api.port();
    let foreign = [
        "origin: http://evil.example".to_owned(),
        format!("origin: http://evil.example:{port}"),
        "origin: null".to_owned(),
        format!("origin: http://localhost:{port}"),
        "sec-fetch-site: cross-site".to_owned(),
        "sec-fetch-site: same-site".to_owned(),
        "sec-fetch-site: cross-site\nsec-fetch-mode: no-cors\nsec-fetch-dest: image".to_owned(),
        "sec-fetch-site: cross-site\nsec-fetch-mode: navigate\nsec-fetch-dest: iframe".to_owned(),
        "origin: http://evil.example\naccess-control-request-method: DELETE".to_owned(),
    ];
    for (method, path) in requests() {
        for headers in &foreign {
            let (status, _) = ask(&service, &method, &path, headers).await;
            assert_eq!(status, 403, "{method} {path} with {headers}");
        }
        // Following a link reads; nothing that changes anything can be done with one.
        let link = "sec-fetch-site: cross-site\nsec-fetch-mode: navigate\nsec-fetch-dest: document";
        let (status, _) = ask(&service, &method, &path, link).await;
        assert_eq!(status == 403, method != "GET", "{method} {path} by a link: {status}");
    }
    has_lost_nothing(&service).await;
}

#[tokio::test]
async fn a_form_or_a_plain_text_changes_nothing_on_any_route() {
    let service = guarded().await;
    let changing =
        requests().into_iter().filter(|(method, _)| !["GET", "HEAD", "OPTIONS"].contains(&&**method));
    for (method, path) in changing {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let (status, _) = ask(&service, &method, &path, &format!("content-type: {kind}")).await;
            assert_eq!(status, 415, "{method} {path} as {kind}");
        }
    }
    has_lost_nothing(&service).await;
}

#[tokio::test]
async fn the_own_page_and_programs_are_let_in() {
    let service = guarded().await;
    let port = service.api.port();
    let own = [
        String::new(),
        format!("host: localhost:{port}"),
        format!("host: [::1]:{port}"),
        format!("origin: http://{}\nsec-fetch-site: same-origin", service.api),
        "sec-fetch-site: none\nsec-fetch-mode: navigate\nsec-fetch-dest: document".to_owned(),
    ];
    for headers in own {
        for path in ["/listeners", "/connections", "/healthz", "/docs", "/metrics"] {
            assert_eq!(ask(&service, "GET", path, &headers).await.0, 200, "{path} with {headers}");
        }
    }
    let allowed = Launch::serve(&["--allow-host", "answerback.test"]).start().await;
    let (status, _) = ask(&allowed, "GET", "/listeners", "host: answerback.test").await;
    assert_eq!(status, 200);
    let (status, _) = ask(&allowed, "GET", "/listeners", "host: other.test").await;
    assert_eq!(status, 421);
}

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let service = Launch::serve(&[]).start().await;
    let mut made = Vec::new();
    for (method, path) in requests() {
        let (_, headers) = ask(&service, &method, &path, "x-request-id: build-7.a_b").await;
        assert_eq!(headers["x-request-id"], "build-7.a_b", "{method} {path}");
        let (_, headers) = ask(&service, &method, &path, "x-request-id: <script>").await;
        made.push(headers["x-request-id"].to_str().unwrap().to_owned());
    }
    let count = made.len();
    made.sort();
    made.dedup();
    assert!(made.len() == count && !made.iter().any(|id| id.contains('<')), "{made:?}");
    let named = [("x-request-id", "build-8")];
    let problem = service.request("GET", "/nothing", &named, "").await.problem(404, "not-found");
    assert_eq!(problem["request_id"], "build-8");
}
