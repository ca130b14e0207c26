//! What can be said, and what is answered to programs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use super::{json_of, run, said};
use crate::support::{Launch, PATIENCE, Program, TestApp, address};

#[tokio::test]
async fn a_change_changes_what_it_says_and_nothing_else() {
    let app = TestApp::start().await;
    app.open(json!({"name": "gate", "reply": "OK", "limits": {"idle": "7s", "write": "3s"}})).await;
    let silent = json_of(&app, &["set", "gate", "--silent", "--json"]).await;
    assert_eq!(silent["reply"], json!({"hex": ""}), "silence, and not the standard reply");
    assert!(said(&app, &["ls"]).await.contains("silence"));
    let flags = ["set", "gate", "-e", "--reply", r"a\r\n\u{95ee}", "--idle", "9s", "--json"];
    let loud = json_of(&app, &flags).await;
    assert_eq!((&loud["reply"]["text"], &loud["limits"]["idle"]), (&json!("a\r\n问"), &json!("9s")));
    assert_eq!(loud["limits"]["write"], "3s");
    let wrong = run(&app, &["set", "gate", "--escapes", "--reply", r"a\q"]).await;
    assert!(wrong.code == Some(2) && wrong.said.err().contains("--escapes"), "{}", wrong.said.err());
    let plain = json_of(&app, &["set", "gate", "--reply", r"a\n", "--json"]).await;
    assert_eq!(plain["reply"]["text"], r"a\n");
}

#[tokio::test]
async fn a_flag_goes_before_the_file_and_leaves_the_rest_of_it() {
    let app = TestApp::start().await;
    let file =
        r#"{"port": 0, "host": "127.0.0.1", "reply": "file", "limits": {"idle": "7s", "write": "3s"}}"#;
    let flags = ["--write-timeout", "4s", "--stored-bytes", "1KiB", "--reply", "flag", "--json"];
    let launch = Launch::new(["open", "--file", "s.json"].iter().chain(&flags)).file("s.json", file);
    let ended = launch.env("ANSWERBACK_URL", &format!("http://{}", app.api)).end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    let made: Value = serde_json::from_str(&ended.said.out()).unwrap();
    assert_eq!(made["reply"]["text"], "flag");
    let limits = ["idle", "write", "stored_bytes"].map(|name| made["limits"][name].clone());
    assert_eq!(limits, [json!("7s"), json!("4s"), json!(1024)]);
}

#[tokio::test]
async fn a_framing_can_be_said_in_short() {
    let app = TestApp::start().await;
    for (short, member, value) in [
        ("delimiter:0d0a", "delimiters", json!([{"hex": "0d 0a"}])),
        ("fixed:64", "size", json!(64)),
        ("length_prefixed:4", "width", json!(4)),
        ("ascii_length:3", "width", json!(3)),
        ("idle_gap:50ms", "gap", json!("50ms")),
        ("octet_counting", "type", json!("octet_counting")),
        (r#"{"type":"fixed","size":3}"#, "size", json!(3)),
    ] {
        let args = ["open", "0", "--host", "127.0.0.1", "--framing", short, "--json"];
        assert_eq!(json_of(&app, &args).await["framing"][member], value, "{short}");
    }
    let wrong = run(&app, &["open", "0", "--framing", "fixed:many"]).await;
    assert!(wrong.code == Some(2) && wrong.said.err().contains("`many`"), "{}", wrong.said.err());
}

#[tokio::test]
async fn every_command_answers_programs_in_json() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "reply": "好"})).await;
    let place = address(&listener).to_string();
    let sent = json_of(&app, &["send", &place, "hello", "--json"]).await;
    assert_eq!((&sent["size"], &sent["base64"]), (&json!(2), &json!("usM=")));
    assert_eq!(json_of(&app, &["health", "--json"]).await, json!({"ready": true}));
    let down = Launch::new(["health", "--json", "--url", "http://127.0.0.1:1"]).end().await;
    let answer: Value = serde_json::from_str(&down.said.out()).unwrap();
    assert!(down.code == Some(1) && answer["detail"].as_str().unwrap().contains("refused"), "{answer}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.txt");
    let exported = json_of(&app, &["export", file.to_str().unwrap(), "--json"]).await;
    assert_eq!(exported["bytes"], json!(std::fs::metadata(&file).unwrap().len()));
    let tail = said(&app, &["tail", "--json"]).await;
    let first: Value = serde_json::from_str(tail.lines().next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["data"]["text"]), (&json!("message"), &json!("hello")));
    assert_eq!(json_of(&app, &["close", "gate", "--json"]).await, json!({"closed": "gate"}));
    assert_eq!(json_of(&app, &["reset", "--yes", "--json"]).await, json!({"reset": true}));
}

#[tokio::test]
async fn a_backup_answers_programs_in_json() {
    let home = tempfile::tempdir().unwrap();
    let [data, copy] = ["data", "copy.db"].map(|name| home.path().join(name).to_str().unwrap().to_owned());
    let service = Launch::serve(&["--data-dir", &data]).start().await;
    let ended = Launch::new(["backup", &copy, "--data-dir", &data, "--json"]).end().await;
    let answer: Value = serde_json::from_str(&ended.said.out()).unwrap();
    assert_eq!(answer, json!({"file": copy, "bytes": std::fs::metadata(&copy).unwrap().len()}));
    service.terminate().await;
}

#[tokio::test]
async fn every_fault_of_a_spec_is_said_once() {
    let app = TestApp::start().await;
    let wrong = run(&app, &["open", "0", "--encoding", "klingon", "--then", "sleep"]).await;
    let said = wrong.said.err();
    assert_eq!(
        (wrong.code, said.lines().count(), said.matches("klingon").count()),
        (Some(1), 2, 1),
        "{said}"
    );
    assert!(said.contains("/then: must be one of"), "{said}");
    let taken = app.open(json!({"name": "gate"})).await;
    let wrong = run(&app, &["open", &taken["port"].to_string(), "--host", "127.0.0.1"]).await;
    assert!(wrong.said.err().contains("gate"), "{}", wrong.said.err());
}

#[tokio::test]
async fn the_token_of_the_settings_is_for_their_service_alone() {
    let app = TestApp::start_with(|config| {
        config.token =
            answerback::config::TokenSetting::Given(answerback::config::Secret::new("swordfish-7"));
    })
    .await;
    let settings = format!("listen = \"{}\"\ntoken = \"swordfish-7\"\n", app.api);
    let own = Launch::new(["ls"]).file("answerback.toml", &settings).end().await;
    assert_eq!(own.code, Some(0), "{}", own.said.err());
    let url = format!("http://{}", app.api);
    let other = Launch::new(["ls", "--url", &url]).file("answerback.toml", &settings).end().await;
    assert!(other.code == Some(1) && other.said.err().contains("--token"), "{}", other.said.err());
}

#[tokio::test]
async fn an_export_that_is_interrupted_leaves_nothing() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_answerback"));
    command.args(["export", "--url", &url]).arg(folder.path().join("all.ndjson"));
    let export = Program::start(command, None);
    let (mut stream, _) = server.accept().unwrap();
    assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{}\n\r\n").unwrap();
    let part = folder.path().join("all.ndjson.part");
    // Nothing tells when another process makes a file, so this looks again and again.
    let mut look = tokio::time::interval(std::time::Duration::from_millis(20));
    let begun = async {
        while !part.exists() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("it begins");
    export.signal("TERM");
    let ended = export.ended().await;
    assert!(ended.code == Some(1) && ended.said.err().contains("SIGTERM"), "{}", ended.said.err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_follower_tells_the_past_and_what_comes_each_once_and_outlives_the_service() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().to_str().unwrap().to_owned();
    let service = Launch::serve(&["--data-dir", &data]).start().await;
    let listener = service.open(json!({"name": "gate", "encoding": "utf-8", "reply": null})).await;
    let place = address(&listener).to_string();
    let send = async |text: &str| {
        let ended = Launch::new(["send", &place, text, "--wait", "0s"]).end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    };
    send("one").await;
    service.get("/messages?contains=one&wait=20s").await.expect(200);
    let api = service.api.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_answerback"));
    command.args(["tail", "-f", "--direction", "received", "--url", &format!("http://{api}")]);
    let tail = Program::start(command, None);
    tail.until(|said| said.out().contains("> one")).await;
    send("two").await;
    tail.until(|said| said.out().contains("> two")).await;
    service.terminate().await;
    tail.until(|said| said.err().contains("waiting for it") || said.err().contains("trying again")).await;
    let service = Launch::new(["serve", "--listen", &api, "--data-dir", &data]).start().await;
    send("three").await;
    let said = tail.until(|said| said.out().contains("> three")).await.out();
    let texts: Vec<_> = said.lines().filter_map(|line| line.split(" > ").nth(1)).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    service.terminate().await;
}
