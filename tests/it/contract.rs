//! The published contract, the router and the behaviour are one.

use std::collections::BTreeSet;

use crate::support::{Contract, TestApp};

#[tokio::test]
async fn every_route_stands_in_the_contract_and_in_the_router() {
    let app = TestApp::start().await;
    let published: BTreeSet<_> = Contract::get().paths().into_iter().collect();
    let routed: BTreeSet<_> = app.routes().iter().map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect();
    assert_eq!(published, routed);
}

#[tokio::test]
async fn the_service_serves_the_contract_that_is_published() {
    let app = TestApp::start().await;
    let yaml = app.get("/openapi.yaml").await.expect(200);
    assert_eq!(yaml.text(), include_str!("../../openapi.yaml"));
    let json = app.get("/openapi.json").await.expect(200).json();
    let published: serde_json::Value = serde_norway::from_str(include_str!("../../openapi.yaml")).unwrap();
    assert_eq!(json, published);
    assert_eq!(json["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_reader_works_without_the_internet() {
    let app = TestApp::start().await;
    let page = app.get("/docs").await.expect(200);
    let html = page.text();
    assert!(!html.contains("//cdn") && !html.contains("https://unpkg"), "{html}");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let assets = html.split('"').filter(|part| part.starts_with("/docs/")).collect::<Vec<_>>();
    assert!(!assets.is_empty());
    for asset in assets {
        let first = app.get(asset).await.expect(200);
        let etag = first.header("etag");
        let again = app.request("GET", asset, &[("if-none-match", &etag)], "").await.expect(304);
        assert!(again.body.is_empty());
    }
}
