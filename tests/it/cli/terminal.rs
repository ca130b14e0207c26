//! What people see on a terminal: a real one, made by `script`.

use serde_json::{Value, json};

use super::said;
use crate::support::{Ended, TestApp, Tool, address};

/// What would steer a terminal, or deceive who looks at it: a colour, a title, bidirectional controls, C1, a bell, DEL.
const HOSTILE: &str =
    "red \x1b[31m\x1b]0;title\x07 \u{202e}txet\u{2066}\u{61c}\u{200f} \u{9b}2J\u{7f}\r over\0 end";

/// Runs `PREFIX answerback ARGS` on a terminal.
async fn run_after(prefix: &str, app: &TestApp, args: &[&str]) -> Option<Ended> {
    let script = Tool::find("script")?;
    let quoted: Vec<_> = args.iter().map(|arg| format!("'{arg}'")).collect();
    let line = format!(
        "{prefix} env ANSWERBACK_URL=http://{} LC_ALL=C.UTF-8 '{}' {}",
        app.api,
        env!("CARGO_BIN_EXE_answerback"),
        quoted.join(" ")
    );
    Some(script.run(&["-qec", &line, "/dev/null"], "").await)
}

/// The same, without colours; it must go well. What stands there then.
async fn seen(app: &TestApp, args: &[&str]) -> Option<String> {
    let ended = run_after("NO_COLOR=1", app, args).await?;
    assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.said.out());
    Some(ended.said.out())
}

#[tokio::test]
async fn whatever_a_client_sent_nothing_of_it_reaches_the_terminal_raw() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "encoding": "utf-8", "reply": {"echo": true}})).await;
    let place = address(&listener).to_string();
    let mut peer = app.connect(&listener).await;
    peer.send(HOSTILE).await;
    peer.finish_sending().await;
    peer.read_to_end().await;
    app.only_closed_connection(&listener).await;
    let without_nul = HOSTILE.replace('\0', "");
    for args in [
        &["tail"][..],
        &["tail", "--hex"],
        &["tail", "--json"],
        &["connections"],
        &["connections", "--json"],
        &["show", "last"],
        &["show", "last", "--json"],
        &["expect", "--starts-with", "red"],
        &["expect", "--starts-with", "red", "--json"],
        &["export", "-", "--format", "ndjson"],
        &["export", "-", "--format", "hexdump"],
        &["send", &place, &without_nul],
        &["send", &place, &without_nul, "--json"],
        &["send", &place, &without_nul, "--dump"],
    ] {
        let Some(text) = seen(&app, args).await else { return };
        assert!(text.contains("red"), "{args:?}: {text}");
        let steers = |c: char| {
            c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{2066}' | '\u{61c}' | '\u{200f}')
        };
        // The terminal itself makes its line ends of two.
        assert!(!text.replace("\r\n", "\n").contains(steers), "{args:?}: {text:?}");
        if args.contains(&"--json") {
            let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next();
            assert!(first.is_some_and(|value| value.is_ok()), "{args:?}: it is still JSON: {text}");
        }
    }
}

#[tokio::test]
async fn the_first_reply_that_anybody_gets_can_be_read() {
    let app = TestApp::start().await;
    let place = address(&app.open(json!({})).await).to_string();
    let Some(text) = seen(&app, &["send", &place, "hello"]).await else { return };
    assert_eq!(text, "问题正在处理中...\r\n");
    let tutorial = seen(&app, &["send", &place, "请帮我处理这个问题"]).await.unwrap();
    assert_eq!(tutorial, "问题正在处理中...\r\n");
}

#[tokio::test]
async fn an_id_is_as_long_as_it_must_be_and_is_taken_so() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "encoding": "utf-8"})).await;
    for text in ["one", "two", "three"] {
        said(&app, &["send", &address(&listener).to_string(), text]).await;
    }
    let Some(table) = seen(&app, &["connections"]).await else { return };
    let rows: Vec<_> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 3, "{table}");
    for (row, text) in rows.iter().zip(["three", "two", "one"]) {
        let id = row.split(' ').next().unwrap();
        assert!((13..36).contains(&id.len()), "{table}");
        let shown = said(&app, &["show", id]).await;
        assert!(shown.starts_with(id) && shown.contains(text), "{id}: {shown}");
    }
    let piped = said(&app, &["connections"]).await;
    assert!(piped.lines().skip(1).all(|row| row.split(' ').next().unwrap().len() == 36), "{piped}");
    assert!(said(&app, &["show", "last"]).await.contains("three"));
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    let unknown = super::run(&app, &["show", "01a202c0-9c1b"]).await;
    assert!(unknown.code == Some(1) && unknown.said.err().contains("begins with"), "{}", unknown.said.err());
    // All but the bits that tell processes apart.
    let out = said(&app, &["export", "-", "--format", "hexdump", "--connection", &id[..28]]).await;
    assert!(out.contains("6f 6e 65"), "{out}");
}

#[tokio::test]
async fn a_table_is_as_wide_as_its_terminal_and_in_colour_only_there() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "encoding": "utf-8"})).await;
    said(&app, &["send", &address(&listener).to_string(), "问题正在处理中问题正在处理中"]).await;
    let Some(narrow) = run_after("stty cols 60; NO_COLOR=1", &app, &["connections"]).await else { return };
    let narrow = narrow.said.out();
    let lines: Vec<_> = narrow.lines().collect();
    assert_eq!(lines.len(), 2, "{narrow}");
    assert!(lines.iter().all(|line| line.chars().count() <= 60 && line.ends_with('…')), "{narrow}");
    let coloured = run_after("", &app, &["ls"]).await.unwrap().said.out();
    assert!(coloured.contains("\x1b[1m") && coloured.contains("gate"), "{coloured:?}");
    assert!(!said(&app, &["ls"]).await.contains('\x1b'));
}

#[tokio::test]
async fn an_export_shows_how_far_it_is() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"encoding": "utf-8"})).await;
    said(&app, &["send", &address(&listener).to_string(), "hello"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.ndjson");
    let Some(text) = seen(&app, &["export", file.to_str().unwrap()]).await else { return };
    assert!(text.contains(" B/s") && text.ends_with("/s\r\n"), "{text:?}");
    let pcapng = run_after("", &app, &["export", "-", "--format", "pcapng"]).await.unwrap();
    assert_eq!(pcapng.code, Some(2), "a capture is nothing for a terminal: {}", pcapng.said.out());
}
