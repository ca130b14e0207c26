//! The commands that ask a running service, as a shell runs them.

mod terminal;
mod words;

use serde_json::{Value, json};

use crate::support::{Ended, Launch, Program, TestApp, Tool, address};

/// Runs `answerback ARGS` against the service.
async fn run(app: &TestApp, args: &[&str]) -> Ended {
    Launch::new(args).env("ANSWERBACK_URL", &format!("http://{}", app.api)).end().await
}

/// Runs it; it must go well. What it says.
async fn said(app: &TestApp, args: &[&str]) -> String {
    let ended = run(app, args).await;
    assert_eq!((ended.code, ended.said.err()), (Some(0), String::new()), "{args:?}: {}", ended.said.out());
    ended.said.out()
}

async fn json_of(app: &TestApp, args: &[&str]) -> Value {
    let text = said(app, args).await;
    serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{args:?}: {fault}: {text}"))
}

#[tokio::test]
async fn a_port_is_opened_changed_listed_and_closed() {
    let app = TestApp::start().await;
    let flags =
        ["open", "0", "--host", "127.0.0.1", "--name", "gate", "--encoding", "utf-8", "--reply", "OK\n"];
    assert!(said(&app, &flags).await.starts_with("gate  127.0.0.1:"));
    let listed = said(&app, &["ls"]).await;
    assert!(listed.contains("gate") && listed.contains("OK\\n") && !listed.contains('\x1b'), "{listed}");
    let gate = app.get("/listeners/gate").await.expect(200).json();
    let place = address(&gate).to_string();
    assert_eq!(said(&app, &["send", &place, "hello"]).await, "OK\n");
    said(&app, &["set", "gate", "--reply-hex", "06 0d", "--idle", "30s"]).await;
    let gate = app.get("/listeners/gate").await.expect(200).json();
    assert_eq!((&gate["reply"], &gate["limits"]["idle"]), (&json!({"hex": "06 0d"}), &json!("30s")));
    let listed = json_of(&app, &["ls", "--json"]).await;
    assert_eq!(listed["items"][0]["name"], "gate");
    said(&app, &["close", "gate", "--drain", "1s"]).await;
    assert_eq!(json_of(&app, &["ls", "--json"]).await["items"], json!([]));
}

#[tokio::test]
async fn every_part_of_a_spec_can_be_said() {
    let app = TestApp::start().await;
    let rule = r#"{"name":"ping","when":{"equals":"PING"},"reply":"PONG\n"}"#;
    let flags = [
        "open",
        "0",
        "--json",
        "--host",
        "127.0.0.1",
        "--framing",
        "lines",
        "--rule",
        rule,
        "--silent",
        "--then",
        "keep",
        "--greeting",
        "hi\n",
        "--fault",
        r#"{"type":"latency","delay":"1ms"}"#,
        "--every",
        r#"{"every":"10s","send":"tick\n"}"#,
        "--connections",
        "7",
        "--lifetime",
        "1h",
        "--max-connections-total",
        "9",
        "--ttl",
        "1h",
        "--backlog",
        "5",
    ];
    let made = json_of(&app, &flags).await;
    assert_eq!(made["framing"]["type"], "delimiter");
    assert_eq!((&made["reply"], &made["then"], &made["backlog"]), (&Value::Null, &json!("keep"), &json!(5)));
    assert_eq!((&made["limits"]["connections"], &made["limits"]["lifetime"]), (&json!(7), &json!("1h")));
    assert_eq!((&made["max_connections_total"], &made["ttl"]), (&json!(9), &json!("1h")));
    for (part, count) in [("rules", 1), ("faults", 1), ("sends", 1)] {
        assert_eq!(made[part].as_array().unwrap().len(), count, "{part}");
    }
    let place = address(&made).to_string();
    assert_eq!(said(&app, &["send", &place, "PING\n"]).await, "hi\nPONG\n");
    let file = "name = \"filed\"\nport = 0\nhost = \"127.0.0.1\"\nreply = \"from a file\"\n";
    let launch = Launch::new(["open", "--file", "spec.toml", "--json"]).file("spec.toml", file);
    let ended = launch.env("ANSWERBACK_URL", &format!("http://{}", app.api)).end().await;
    assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    assert_eq!(app.get("/listeners/filed").await.expect(200).json()["reply"]["text"], "from a file");
}

#[tokio::test]
async fn what_was_sent_is_shown_and_never_acted_on() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "encoding": "utf-8", "reply": "bye"})).await;
    let mut peer = app.connect(&listener).await;
    let hostile = "red \x1b[31m \u{202e}txet\u{61c} \u{9b}2J \0 end";
    peer.send(hostile).await;
    peer.read_to_end().await;
    let closed = app.only_closed_connection(&listener).await;
    let id = closed["id"].as_str().unwrap();
    for args in [&["tail"][..], &["tail", "--hex"], &["connections"], &["show", id]] {
        let text = said(&app, args).await;
        assert!(text.contains("red \\u{1b}[31m \\u{202e}txet\\u{61c}"), "{args:?}: {text}");
        let bad = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{61c}');
        assert!(!text.contains(bad), "{args:?}: {text:?}");
    }
    let shown = said(&app, &["show", id]).await;
    assert!(shown.contains("72 65 64 20 1b 5b 33 31  6d 20"), "{shown}");
    assert!(shown.contains("< 3 bytes  bye") && shown.contains("closed by endpoint: replied"), "{shown}");
    let listed = json_of(&app, &["connections", "--listener", "gate", "--contains", "red", "--json"]).await;
    assert_eq!(listed["items"][0]["id"], id);
    assert_eq!(said(&app, &["connections", "--peer", "10.0.0.0/8"]).await, "nobody\n");
}

#[tokio::test]
async fn a_follower_is_told_what_comes_and_ends_with_its_reader() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "encoding": "utf-8", "reply": "OK"})).await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_answerback"));
    command.args(["tail", "-f", "-n", "0", "--url", &format!("http://{}", app.api)]);
    let tail = Program::start(command, None);
    // Whoever comes before the stream has begun is told by the next who comes.
    let seen =
        async { tail.until(|said| said.out().contains("> hello") && said.out().contains("- replied")).await };
    let come = async {
        loop {
            let mut peer = app.connect(&listener).await;
            peer.send("hello").await;
            peer.read_to_end().await;
        }
    };
    let told = tokio::select! {
        told = seen => told,
        () = come => unreachable!(),
    };
    assert!(told.out().contains(" gate 127.0.0.1:") && told.out().contains(" +\n"), "{}", told.out());
    let Some(sh) = Tool::find("sh") else { return };
    let line =
        format!("{} tail -n 1000 --url http://{} | head -n 1", env!("CARGO_BIN_EXE_answerback"), app.api);
    let ended = sh.run(&["-c", &line], "").await;
    assert_eq!((ended.code, ended.said.err()), (Some(0), String::new()), "a closed pipe is no fault");
}

#[tokio::test]
async fn an_expectation_is_an_exit_code() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "encoding": "utf-8"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("ORDER 4711").await;
    peer.read_to_end().await;
    let met = said(&app, &["expect", "--listener", "gate", "--starts-with", "ORDER"]).await;
    assert!(met.contains("met: 1 of 1") && met.contains("> ORDER 4711"), "{met}");
    let unmet = run(&app, &["expect", "--equals", "ORDER 4712", "--within", "0s"]).await;
    assert_eq!(unmet.code, Some(1));
    assert!(unmet.said.out().contains("differs at byte 9"), "{}", unmet.said.out());
    let none = run(&app, &["expect", "--never", "--contains", "ORDER", "--json"]).await;
    let outcome: Value = serde_json::from_str(&none.said.out()).unwrap();
    assert_eq!((none.code, &outcome["met"], &outcome["matched"]), (Some(1), &json!(false), &json!(1)));
    let wrong = run(&app, &["expect", "--match", "{"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.said.err());
}

#[tokio::test]
async fn records_are_taken_away_whole_and_never_over_what_is_there() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"encoding": "utf-8", "reply": "OK"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("hello").await;
    peer.read_to_end().await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["all.pcapng", "all.ndjson", "all.txt"] {
        let file = folder.path().join(name);
        let file = file.to_str().unwrap();
        assert!(said(&app, &["export", file]).await.contains("B at"));
        let format = name.rsplit('.').next().unwrap().replace("txt", "hexdump");
        let same = app.get(&format!("/export?format={format}")).await.expect(200);
        // A capture says when it was made up, nothing else differs.
        assert_eq!(std::fs::read(file).unwrap().len(), same.body.len(), "{name}");
        let again = run(&app, &["export", file]).await;
        assert!(again.code == Some(1) && again.said.err().contains("--force"), "{}", again.said.err());
        said(&app, &["export", file, "--force"]).await;
    }
    let printed = said(&app, &["export", "--format", "hexdump", "-"]).await;
    assert!(printed.contains("68 65 6c 6c 6f"), "{printed}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing half is left");
}

#[tokio::test]
async fn all_listeners_are_as_a_file_says_or_the_line_is_named() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.api);
    let apply = async |text: &str, flags: &[&str]| {
        let args = ["apply", "all.toml"].iter().chain(flags);
        Launch::new(args).file("all.toml", text).env("ANSWERBACK_URL", &url).end().await
    };
    let two = "[[listeners]]\nname = \"a\"\nport = 0\nhost = \"127.0.0.1\"\n\n[[listeners]]\nname = \"b\"\nport = 0\nhost = \"127.0.0.1\"\n";
    let first = apply(two, &[]).await;
    assert_eq!((first.code, first.said.out().as_str()), (Some(0), "opened: a, b\n"), "{}", first.said.err());
    let one = "[[listeners]]\nname = \"a\"\nport = 0\nhost = \"127.0.0.1\"\nreply = \"new\"\n";
    let second = apply(one, &["--prune"]).await;
    assert_eq!(second.said.out(), "changed: a\nclosed: b\n", "{}", second.said.err());
    let wrong = apply("[[listeners]]\nport = 0\n\nname = \"A b\"\n", &[]).await;
    assert!(wrong.code == Some(1) && wrong.said.err().contains("line 4"), "{}", wrong.said.err());
    let refused = run(&app, &["reset"]).await;
    assert!(refused.code == Some(2) && refused.said.err().contains("--yes"), "{}", refused.said.err());
    said(&app, &["reset", "--yes"]).await;
    assert_eq!(app.get("/listeners").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn what_goes_wrong_says_what_to_do() {
    let app = TestApp::start_with(|config| {
        config.token =
            answerback::config::TokenSetting::Given(answerback::config::Secret::new("swordfish-7"));
    })
    .await;
    let shut = run(&app, &["ls"]).await;
    assert!(shut.code == Some(1) && shut.said.err().contains("--token"), "{}", shut.said.err());
    said(&app, &["ls", "--token", "swordfish-7"]).await;
    let url = format!("http://{}", app.api);
    let by_variable = Launch::new(["ls"]).env("ANSWERBACK_URL", &url).env("ANSWERBACK_TOKEN", "swordfish-7");
    assert_eq!(by_variable.end().await.code, Some(0));
    let nobody = Launch::new(["ls", "--url", "http://127.0.0.1:1"]).end().await;
    assert!(
        nobody.code == Some(1) && nobody.said.err().contains("answerback serve"),
        "{}",
        nobody.said.err()
    );
    for args in [
        &["ls", "--url", "gopher://x"][..],
        &["open"],
        &["set", "gate"],
        &["send", "127.0.0.1:1", "--hex", "zz"],
    ] {
        let ended = run(&app, args).await;
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.said.err());
    }
    let missing = run(&app, &["close", "nobody", "--token", "swordfish-7"]).await;
    assert!(
        missing.code == Some(1) && missing.said.err().contains("no listener `nobody`"),
        "{}",
        missing.said.err()
    );
}

#[tokio::test]
async fn every_command_has_help_with_examples_that_can_be_typed() {
    let commands = [
        "open",
        "ls",
        "set",
        "close",
        "connections",
        "show",
        "tail",
        "send",
        "expect",
        "export",
        "apply",
        "reset",
        "completions",
        "man",
        "health",
        "backup",
        "serve",
    ];
    for command in commands {
        let help = Launch::new([command, "--help"]).end().await;
        let text = help.said.out();
        assert_eq!(help.code, Some(0), "{command}");
        let examples: Vec<_> =
            text.lines().filter_map(|line| line.trim().strip_prefix("answerback ")).collect();
        assert!(!examples.is_empty(), "{command} has no example: {text}");
    }
    let Some(bash) = Tool::find("bash") else { return };
    let line =
        format!("source <({} completions bash) && complete -p answerback", env!("CARGO_BIN_EXE_answerback"));
    let completes = bash.run(&["-c", &line], "").await;
    assert!(
        completes.code == Some(0) && completes.said.out().contains("_answerback"),
        "{}",
        completes.said.err()
    );
    let page = Launch::new(["man"]).end().await.said.out();
    assert!(page.contains(".TH answerback") && page.contains("expect"), "{page}");
}

#[tokio::test]
async fn a_client_sends_what_it_is_told_and_prints_what_comes_back() {
    let app = TestApp::start().await;
    let echo = app.open(json!({"reply": {"echo": true}})).await;
    let place = address(&echo).to_string();
    assert_eq!(
        said(&app, &["send", &place, "--encoding", "gbk", "你好", "--dump"]).await,
        "    00000000  c4 e3 ba c3                                       |....|\n"
    );
    assert_eq!(said(&app, &["send", &place, "--hex", "68 69"]).await, "hi");
    let file = Launch::new(["send", &place, "--file", "f"]).file("f", "from a file").end().await;
    assert_eq!(file.said.out(), "from a file");
    let Some(sh) = Tool::find("sh") else { return };
    let megabytes = format!(
        "head -c 3000000 /dev/zero | {} send {place} --wait 60s | wc -c",
        env!("CARGO_BIN_EXE_answerback")
    );
    assert_eq!(sh.run(&["-c", &megabytes], "").await.said.out().trim(), "3000000");
    let silent = app.open(json!({"reply": null, "then": "keep"})).await;
    let nothing = run(&app, &["send", &address(&silent).to_string(), "x", "--keep", "--wait", "10ms"]).await;
    assert!(
        nothing.code == Some(1) && nothing.said.err().contains("nothing came back"),
        "{}",
        nothing.said.err()
    );
    let unencodable = run(&app, &["send", &place, "--encoding", "latin1", "问"]).await;
    assert_eq!(unencodable.code, Some(2), "{}", unencodable.said.err());
}
