//! The page, in a real browser: `tests/ui` says what is done there.

use std::time::Duration;

use crate::support::{TestApp, Tool, node_package};

/// All of it takes about a minute and a half on two processors that have nothing else to do.
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::test]
async fn the_page_does_in_a_browser_what_it_is_for() {
    let (Some(node), Some(chromium)) = (Tool::find("node"), Tool::find("chromium")) else { return };
    let (Some(packages), Some(_)) = (node_package("playwright-core"), node_package("axe-core")) else {
        return;
    };
    let main = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ui/main.mjs");
    let pictures = concat!(env!("CARGO_TARGET_TMPDIR"), "/page");
    let (browser, packages) = (chromium.path().to_str().unwrap(), packages.to_str().unwrap());
    let args = [main, env!("CARGO_BIN_EXE_answerback"), browser, packages, pictures];
    let ended = node.run_within(PATIENCE, &args, "").await;
    let said = ended.said.out();
    assert_eq!(ended.code, Some(0), "{said}\n{}", ended.said.err());
    // What was measured, for who runs it with --nocapture.
    said.lines().filter(|line| line.contains("page: ")).for_each(|line| println!("{line}"));
}

#[tokio::test]
async fn the_page_is_asked_for_each_time_and_its_files_are_kept() {
    let app = TestApp::start().await;
    let page = app.get("/").await.expect(200);
    assert_eq!(page.header("cache-control"), "no-cache");
    let (policy, html) = (page.header("content-security-policy"), page.text());
    let files: Vec<_> = html.split('"').filter(|part| part.starts_with("/ui/")).collect();
    assert!(files.len() > 2, "{html}");
    for file in &files {
        let first = app.get(file).await.expect(200);
        assert!(first.header("cache-control").contains("immutable"), "{file}");
        let held = [("if-none-match", &*first.header("etag"))];
        assert!(app.request("GET", file, &held, "").await.expect(304).body.is_empty());
    }
    // The browser takes the policy of a 304 over into what it holds.
    let held = app.request("GET", "/", &[("if-none-match", &*page.header("etag"))], "").await.expect(304);
    assert_eq!(held.header("content-security-policy"), policy);
    for gone in ["/ui/0123456789abcdef/app.js", &files[0].replace(".css", ".rs")] {
        app.get(gone).await.problem(404, "not-found");
    }
}
