//! Data directories that cannot be used: a clear message, exit code 1, and nothing is overwritten.

use std::fs;
use std::path::Path;

use super::{Home, echo, say};
use crate::support::{Launch, Tool, skipped};

/// A directory in which a service ran and ended in order.
async fn used() -> Home {
    let home = Home::new();
    let service = home.start(&[]).await;
    let listener = echo(&service).await;
    say(&service, &listener, ["on record"]).await;
    assert_eq!(service.terminate().await.code, Some(0));
    home
}

/// It does not start, says all of this, and leaves the file as it is.
async fn refused(home: &Home, words: &[&str]) {
    let before = fs::read(home.database()).unwrap();
    let ended = home.start_in_vain().await;
    let said = ended.said.err();
    assert_eq!((ended.code, ended.said.out().as_str()), (Some(1), ""), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{said} says not all of {words:?}");
    assert!(before == fs::read(home.database()).unwrap(), "the file was changed");
}

#[tokio::test]
async fn a_file_that_is_no_database() {
    let home = Home::new();
    fs::create_dir(home.directory()).unwrap();
    fs::write(home.database(), "this was somebody's diary\n".repeat(1_000)).unwrap();
    refused(&home, &["answerback.db is damaged", "nothing was changed", "-wal"]).await;
}

#[tokio::test]
async fn a_database_that_was_cut_short() {
    let home = used().await;
    let file = fs::OpenOptions::new().write(true).open(home.database()).unwrap();
    file.set_len(8_192).unwrap();
    refused(&home, &["answerback.db is damaged", "nothing was changed"]).await;
}

#[tokio::test]
async fn a_database_whose_schema_is_garbage() {
    let home = used().await;
    let mut bytes = fs::read(home.database()).unwrap();
    bytes[100..4_000].fill(0x5a);
    fs::write(home.database(), bytes).unwrap();
    refused(&home, &["answerback.db is damaged"]).await;
}

#[tokio::test]
async fn a_log_that_is_garbage_is_no_log() {
    let home = used().await;
    fs::write(home.directory().join("answerback.db-wal"), [0xa5; 100_000]).unwrap();
    let service = home.start(&[]).await;
    assert_eq!(super::received(&service).await, ["on record"]);
}

#[tokio::test]
async fn a_database_of_a_newer_version() {
    let home = used().await;
    change(&home.database(), "PRAGMA user_version = 4711");
    refused(&home, &["has schema 4711, which a newer answerback has made"]).await;
}

#[tokio::test]
async fn a_database_of_another_program() {
    let home = Home::new();
    fs::create_dir(home.directory()).unwrap();
    change(&home.database(), "CREATE TABLE recipes (name TEXT)");
    refused(&home, &["is a database of another program; nothing was changed"]).await;
}

#[tokio::test]
async fn a_data_directory_that_is_a_file() {
    let home = Home::new();
    fs::write(home.directory(), "not a directory").unwrap();
    let ended = home.start_in_vain().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.said.err().contains("choose another with --data-dir"), "{}", ended.said.err());
    assert_eq!(fs::read_to_string(home.directory()).unwrap(), "not a directory");
}

#[tokio::test]
async fn a_second_process() {
    let home = Home::new();
    let service = home.start(&[]).await;
    let said = home.start_in_vain().await;
    assert_eq!(said.code, Some(1));
    let pid = format!("(process {})", service.program.pid());
    assert!(said.said.err().contains(&pid), "{} does not name {pid}", said.said.err());
    let listener = echo(&service).await;
    say(&service, &listener, ["still here"]).await;
}

#[tokio::test]
async fn a_file_and_a_directory_that_may_only_be_read() {
    let Some(unshare) = Tool::find("unshare") else { return };
    let home = used().await;
    let before = fs::read(home.database()).unwrap();
    let script = r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 77
        exec "$0" serve --listen 127.0.0.1:0 --data-dir "$1""#;
    let directory = home.directory();
    let args = ["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_answerback")];
    let args: Vec<&str> = args.into_iter().chain([directory.to_str().unwrap()]).collect();
    let ended = unshare.run(&args, "").await;
    let said = ended.said.err();
    if ended.code == Some(77) || said.starts_with("unshare: ") {
        return skipped(&said);
    }
    assert_eq!((ended.code, ended.said.out()), (Some(1), String::new()), "{said}");
    assert!(said.contains("--data-dir") && said.to_lowercase().contains("read-only"), "{said}");
    assert!(before == fs::read(home.database()).unwrap());
}

#[tokio::test]
async fn less_free_disk_than_is_to_stay_free_is_a_full_disk() {
    let home = Home::new();
    let service = home.start(&["--min-free-disk", "1000TiB"]).await;
    service.get("/readyz").await.problem(503, "journal-unavailable");
    service
        .json("POST", "/listeners", &serde_json::json!({"port": 0}))
        .await
        .problem(503, "journal-unavailable");
    service.get("/connections").await.expect(200);
    let ended = service.terminate().await;
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.said.err().contains("bytes are free on its disk, and min_free_disk is"),
        "{}",
        ended.said.err()
    );
}

#[tokio::test]
async fn a_directory_is_made_for_its_user_alone() {
    let home = Home::new();
    let service = home.start(&[]).await;
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&home.directory()), 0o700);
    for name in ["answerback.db", "answerback.db-wal", "answerback.db-shm"] {
        assert_eq!(mode(&home.directory().join(name)), 0o600, "{name}");
    }
    drop(service);
    let ended = Launch::serve(&["--journal", "memory"]).start().await.terminate().await;
    assert_eq!(ended.code, Some(0));
}

fn change(database: &Path, sql: &str) {
    rusqlite::Connection::open(database).unwrap().execute_batch(sql).unwrap();
}
