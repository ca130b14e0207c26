//! Journals that earlier versions have made. Each released schema has a file in `golden`, made by that version:
//!
//! ```text
//! answerback serve --data-dir golden --open 127.0.0.1:18080
//! printf 'hello\n' | nc -N 127.0.0.1 18080; printf '\xce\xca\xcc\xe2' | nc -N 127.0.0.1 18080
//! ```
//!
//! and ended with SIGTERM, so that all of it is in the one file.

use std::fs;
use std::path::Path;

use super::{Home, echo, received, say};

#[tokio::test]
async fn every_schema_that_was_released_opens_with_all_its_records() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/journal/golden");
    let mut seen = 0;
    for entry in fs::read_dir(golden).unwrap() {
        let file = entry.unwrap().path();
        let home = Home::new();
        fs::create_dir(home.directory()).unwrap();
        fs::copy(&file, home.database()).unwrap();
        let service = home.start(&[]).await;
        assert_eq!(received(&service).await, ["hello\n", "问题"], "{}", file.display());
        let connections = service.get("/connections?order=asc").await.expect(200).json();
        let first = &connections["items"][0];
        assert_eq!(
            (&first["close_reason"], &first["messages"][1]["text"]),
            (&"replied".into(), &"问题正在处理中...".into())
        );
        assert_eq!(first["received"]["messages"], 1);
        let listeners = service.get("/listeners").await.expect(200).json();
        assert_eq!(listeners["items"][0]["port"], 18_080);
        let listener = echo(&service).await;
        say(&service, &listener, ["it goes on"]).await;
        assert_eq!(received(&service).await, ["hello\n", "问题", "it goes on"]);
        seen += 1;
    }
    assert_eq!(seen, 2, "a file for each schema");
}
