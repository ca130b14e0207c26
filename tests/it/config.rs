//! All listeners as one document: over the API, and from a file.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{End, Moody, TestApp, address};

/// What became of the listeners.
fn applied(created: &[&str], changed: &[&str], unchanged: &[&str], closed: &[&str]) -> Value {
    json!({"created": created, "changed": changed, "unchanged": unchanged, "closed": closed})
}

async fn put(app: &TestApp, listeners: Value, query: &str) -> Value {
    let document = json!({"listeners": listeners});
    app.json("PUT", &format!("/config{query}"), &document).await.expect(200).json()
}

/// The names of all listeners and their states.
async fn listed(app: &TestApp) -> Vec<(String, String)> {
    let list = app.get("/listeners").await.expect(200).json();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    list["items"].as_array().unwrap().iter().map(|l| (text(&l["name"]), text(&l["state"]))).collect()
}

#[tokio::test]
async fn what_is_exported_can_be_imported_again_and_again_and_elsewhere() {
    let app = TestApp::start().await;
    app.open(json!({"name": "plain"})).await;
    let rules = json!([{"when": {"any": [{"equals": {"hex": "00"}}, {"regex": "^a"}]}, "reply": ["b", null],
                        "faults": [{"type": "truncate", "bytes": 1}]}]);
    let framing = json!({"type": "delimiter", "delimiters": ["\n"], "frame_replies": true});
    let sends = json!([{"every": "1h", "send": "tick"}]);
    let all = json!({"name": "all", "encoding": "utf-8", "then": "keep", "rules": rules, "framing": framing,
                     "greeting": {"template": "{{ connection.seq }}"}, "sends": sends,
                     "faults": [{"type": "latency", "delay": "1ms", "ttl": "1h"}], "limits": {"idle": null}});
    let listener = app.open(all).await;
    let unnamed = app.open(json!({})).await;
    let mut peer = app.connect(&listener).await;
    let exported = app.get("/config").await.expect(200).json();
    assert_eq!(exported["listeners"][2]["port"], unnamed["port"], "it is found by its port");
    for _ in 0..2 {
        let id = unnamed["id"].as_str().unwrap();
        let same = app.json("PUT", "/config?prune=true", &exported).await.expect(200).json();
        assert_eq!(same, applied(&[], &[], &["plain", "all", id], &[]));
    }
    assert_eq!(peer.read(2).await, b"1\n");
    peer.send("abc\n").await;
    assert_eq!(peer.read(1).await, b"b", "nobody was dropped");
    let other = TestApp::start().await;
    app.request("POST", "/reset", &[], "").await.expect(204);
    other.json("PUT", "/config", &exported).await.expect(200);
    assert_eq!(other.get("/config").await.expect(200).json(), exported);
}

#[tokio::test]
async fn a_document_creates_changes_keeps_and_closes() {
    let app = TestApp::start().await;
    let keep = json!({"name": "keep", "port": 0, "host": "127.0.0.1"});
    let change = json!({"name": "change", "port": 0, "host": "127.0.0.1"});
    put(&app, json!([keep, change]), "").await;
    let other = app.open(json!({"name": "other"})).await;
    let mut peer = app.connect(&other).await;
    let mut changed = change.clone();
    changed["reply"] = json!("new");
    let new = json!({"name": "new", "port": 0, "host": "127.0.0.1"});
    let said = put(&app, json!([keep, changed, new]), "").await;
    assert_eq!(said, applied(&["new"], &["change"], &["keep"], &[]));
    assert_eq!(listed(&app).await.len(), 4, "others stay");
    let said = put(&app, json!([keep, changed, new]), "?prune=true").await;
    assert_eq!(said, applied(&[], &[], &["keep", "change", "new"], &["other"]));
    assert_eq!(peer.read_to_end().await.1, End::Reset);
    assert_eq!(put(&app, json!([]), "?prune=true").await["closed"].as_array().unwrap().len(), 3);
    assert_eq!(listed(&app).await, []);
}

#[tokio::test]
async fn what_is_pruned_gives_its_port_and_its_place_to_what_is_new() {
    let app = TestApp::start_with(|config| config.max_listeners = 1).await;
    let old = app.open(json!({"name": "old"})).await;
    let new = json!({"name": "new", "port": old["port"], "host": "127.0.0.1"});
    let full = app.json("PUT", "/config", &json!({"listeners": [new]})).await;
    assert!([409, 503].contains(&full.status.as_u16()));
    assert_eq!(put(&app, json!([new]), "?prune=true").await, applied(&["new"], &[], &[], &["old"]));
    let other = json!({"name": "other", "port": 0, "host": "127.0.0.1"});
    assert_eq!(put(&app, json!([other]), "?prune=true").await, applied(&["other"], &[], &[], &["new"]));
}

#[tokio::test]
async fn what_cannot_be_changes_nothing() {
    let app = TestApp::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let one = json!({"name": "one", "port": 0, "host": "127.0.0.1", "reply": "1"});
    let two = json!({"name": "two", "port": 0, "host": "127.0.0.1"});
    put(&app, json!([one, two]), "").await;
    let before = app.get("/config").await.expect(200).json();
    let mut changed = one.clone();
    changed["reply"] = json!("2");
    let new = json!({"name": "new", "port": 0, "host": "127.0.0.1"});
    let cannot = json!({"name": "cannot", "port": port, "host": "127.0.0.1"});
    let document = json!({"listeners": [changed, new, cannot]});
    let problem = app.json("PUT", "/config?prune=true", &document).await.expect(409).json();
    assert_eq!(problem["code"], "port-in-use");
    assert!(problem["detail"].as_str().unwrap().starts_with("listener 2 (cannot): "), "{problem}");
    assert_eq!(app.get("/config").await.expect(200).json(), before);
    let away = json!({"listeners": [{"name": "away", "port": 0, "host": "192.0.2.7"}]});
    let problem = app.json("PUT", "/config", &away).await.expect(422).json();
    assert_eq!(problem["errors"][0]["pointer"], "/listeners/0/host");
    for (document, pointer) in [
        (json!([]), ""),
        (json!({}), "/listeners"),
        (json!({"listeners": {}}), "/listeners"),
        (json!({"listeners": [], "max_listeners": 1}), "/max_listeners"),
        (json!({"listeners": [{"port": 0}]}), "/listeners/0/name"),
        (json!({"listeners": [one, {"port": 70_000}]}), "/listeners/1/port"),
        (json!({"listeners": [one, one]}), "/listeners/1/name"),
        (json!({"listeners": [{"port": 9000}, {"name": "b", "port": 9000}]}), "/listeners/1/port"),
        (json!({"listeners": [{"port": 9000, "rules": [{"when": {"x": 1}}]}]}), "/listeners/0/rules/0/when"),
    ] {
        let problem = app.json("PUT", "/config", &document).await.expect(422).json();
        let found = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(found.starts_with(pointer), "{document}: {problem}");
    }
    app.json("PUT", "/config?prune=yes", &json!({"listeners": []})).await.expect(422);
    assert_eq!(app.get("/config").await.expect(200).json(), before);
}

/// Lets the one client of a listener come and go, and waits until the listener has closed by itself.
async fn serve_its_last_client(app: &TestApp, listener: &Value) {
    let mut peer = app.connect(listener).await;
    peer.send("x").await;
    peer.read_to_end().await;
    drop(peer);
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    while app.get(&path).await.expect(200).json()["state"] != "closed" {
        tokio::task::yield_now().await;
    }
}

/// A document that cannot be applied: the port of its last listener is taken.
fn impossible(first: &Value, taken: &std::net::TcpListener) -> Value {
    let port = taken.local_addr().unwrap().port();
    json!({"listeners": [first, {"name": "cannot", "port": port, "host": "127.0.0.1"}]})
}

#[tokio::test]
async fn what_had_closed_by_itself_stays_closed_when_a_document_is_taken_back() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let once = json!({"name": "once", "port": 0, "host": "127.0.0.1", "max_connections_total": 1});
    for pruned in [false, true] {
        let app = TestApp::start().await;
        let listener = app.open(once.clone()).await;
        serve_its_last_client(&app, &listener).await;
        let other = json!({"name": "other", "port": listener["port"], "host": "127.0.0.1"});
        let document = impossible(if pruned { &other } else { &once }, &taken);
        app.json("PUT", "/config?prune=true", &document).await.problem(409, "port-in-use");
        assert!(listed(&app).await.iter().all(|(_, state)| state == "closed"), "{:?}", listed(&app).await);
        std::net::TcpListener::bind(address(&listener)).expect("nobody listens there");
    }
}

/// While one listener is changed another closes by itself, before its turn comes.
#[tokio::test]
async fn what_closes_by_itself_meanwhile_stays_closed_when_a_document_is_taken_back() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let journal = Arc::new(Moody::default());
    let (now, meanwhile) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let told = (Arc::clone(&now), Arc::clone(&meanwhile));
    journal.on_keep(move |record| {
        let (now, meanwhile) = (Arc::clone(&told.0), Arc::clone(&told.1));
        Box::pin(async move {
            if record.spec.contains("changed") {
                now.notify_one();
                meanwhile.notified().await;
            }
            Ok(())
        })
    });
    let app = TestApp::start_over(journal, |_| ()).await.unwrap();
    let first = json!({"name": "first", "port": 0, "host": "127.0.0.1"});
    app.open(first.clone()).await;
    let once = json!({"name": "once", "port": 0, "host": "127.0.0.1", "max_connections_total": 1});
    let listener = app.open(once.clone()).await;
    let mut document = impossible(&first, &taken);
    document["listeners"][0]["reply"] = json!("changed");
    document["listeners"].as_array_mut().unwrap().insert(1, once);
    let closes = async {
        now.notified().await;
        serve_its_last_client(&app, &listener).await;
        meanwhile.notify_one();
    };
    let (answer, ()) = tokio::join!(app.json("PUT", "/config", &document), closes);
    answer.problem(409, "port-in-use");
    let first = ("first".to_owned(), "open".to_owned());
    assert_eq!(listed(&app).await, [first], "all is as it was, but for what has ended");
    std::net::TcpListener::bind(address(&listener)).expect("nobody listens there");
}

#[tokio::test]
async fn two_documents_at_once_do_not_mix() {
    let app = TestApp::start().await;
    let of = |name: &str| {
        let all: Vec<_> = (0..8).map(|n| json!({"name": format!("{name}{n}"), "port": 0})).collect();
        json!({"listeners": all})
    };
    let (a, b) = (of("a"), of("b"));
    for _ in 0..5 {
        let both = tokio::join!(
            app.json("PUT", "/config?prune=true", &a),
            app.json("PUT", "/config?prune=true", &b),
        );
        both.0.expect(200);
        both.1.expect(200);
        let names: Vec<_> = listed(&app).await.into_iter().map(|(name, _)| name[..1].to_owned()).collect();
        assert!(names.len() == 8 && names.iter().all(|name| *name == names[0]), "{names:?}");
    }
}

/// Starts the service with a file of this name, and gives what it is then.
async fn start_with(name: &str, text: &str) -> Result<TestApp, String> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(name);
    std::fs::write(&file, text).unwrap();
    let inputs = answerback::config::Inputs {
        flags: Vec::new(),
        file: Some(file),
        environment: Vec::new(),
        directory: home.path().to_owned(),
    };
    let loaded = answerback::config::load(&inputs).map_err(|error| error.to_string())?;
    Ok(TestApp::start_with(|config| config.listeners = loaded.config.listeners).await)
}

#[tokio::test]
async fn a_file_in_any_of_three_languages_opens_its_listeners() {
    let toml = r#"
        max_connections_per_listener = 7
        [[listeners]]
        name = "gate"
        port = 0
        host = "127.0.0.1"
        encoding = "utf-8"
        then = "keep"
        framing = { type = "delimiter", delimiters = ["\n"] }
        reply = { hex = "" }
        [[listeners.rules]]
        when = { equals = "PING" }
        reply = "PONG"
    "#;
    let json = r#"{"max_connections_per_listener": 7, "listeners": [
        {"name": "gate", "port": 0, "host": "127.0.0.1", "encoding": "utf-8", "then": "keep", "reply": null,
         "framing": {"type": "delimiter", "delimiters": ["\n"]},
         "rules": [{"when": {"equals": "PING"}, "reply": "PONG"}]}]}"#;
    let yaml = "
max_connections_per_listener: 7
listeners:
  - name: gate
    port: 0
    host: 127.0.0.1
    encoding: utf-8
    then: keep
    framing: {type: delimiter, delimiters: [\"\\n\"]}
    reply: null
    rules:
      - when: {equals: PING}
        reply: PONG
";
    for (name, text) in [("a.toml", toml), ("a.json", json), ("a.yaml", yaml), ("a.yml", yaml)] {
        let app = start_with(name, text).await.unwrap();
        let listener = app.get("/listeners/gate").await.expect(200).json();
        assert_eq!(listener["limits"]["connections"], 7, "what it does not say is as in the settings");
        let mut peer = crate::support::Peer::connect(address(&listener)).await;
        peer.send("PING\n").await;
        assert_eq!(peer.read(4).await, b"PONG");
    }
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_said_with_its_line() {
    for (name, text, line, what) in [
        ("a.toml", "[[listeners]]\nport = 1\nprot = 2\n", 3, "did you mean"),
        ("a.toml", "[[listeners]]\nname = \"a\"\nport = 70000\n", 3, "listeners/0/port"),
        ("a.toml", "listeners = 1\n", 1, "must be an array"),
        ("a.json", "{\"listeners\": [\n {\"port\": 9000,\n  \"reply\": {\"text\": \"😀\"}}]}", 3, "U+1F600"),
        (
            "a.yaml",
            "listeners:\n  - port: 9000\n    rules:\n      - when:\n          regex: \"(\"\n",
            5,
            "regex",
        ),
        ("a.yaml", "listeners:\n  - port: 9000\n  - port: 9000\n", 3, "twice"),
        ("a.yaml", "listeners:\n  - host: 127.0.0.1\n", 2, "is required"),
    ] {
        let said = start_with(name, text).await.err().unwrap();
        assert!(said.contains(what) && said.contains(&format!("{name}, line {line})")), "{text}\n{said}");
    }
}
