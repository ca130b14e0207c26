//! The records of connections: lists, filters, cursors, waiting, forgetting.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{TestApp, address};

/// One client that says `text` and has its answer.
async fn say(app: &TestApp, listener: &Value, text: &str) {
    let mut peer = app.connect(listener).await;
    peer.send(text).await;
    peer.read_to_end().await;
}

fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap()
}

fn first_texts(list: &Value) -> Vec<&str> {
    items(list).iter().map(|c| c["messages"][0]["text"].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_client_that_has_its_reply_is_on_record() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    for n in 1..=50 {
        say(&app, &listener, "hello").await;
        let list = app.get("/connections?limit=1000").await.expect(200).json();
        assert_eq!(items(&list).len(), n);
        assert_eq!(list["items"][0]["received"]["bytes"], 5);
    }
}

#[tokio::test]
async fn connections_are_listed_newest_first_and_in_pages_that_miss_nothing() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"encoding": "utf-8"})).await;
    let texts: Vec<String> = (0..7).map(|n| format!("client {n}")).collect();
    for text in &texts {
        say(&app, &listener, text).await;
    }
    let newest_first = app.get("/connections").await.expect(200).json();
    let mut expected: Vec<_> = texts.iter().map(String::as_str).collect();
    expected.reverse();
    assert_eq!(first_texts(&newest_first), expected);
    assert_eq!((&newest_first["next"], &newest_first["evicted_before"]), (&Value::Null, &Value::Null));
    for order in ["asc", "desc"] {
        let (mut path, mut seen) = (format!("/connections?order={order}&limit=3"), Vec::new());
        loop {
            let page = app.get(&path).await.expect(200).json();
            assert!(items(&page).len() <= 3);
            seen.extend(first_texts(&page).into_iter().map(str::to_owned));
            match page["next"].as_str() {
                Some(next) => path = format!("/connections?order={order}&limit=3&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 7, "{order}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 7, "{order}");
        assert_eq!(seen.is_sorted(), order == "asc");
    }
}

#[tokio::test]
async fn a_list_can_be_narrowed() {
    let app = TestApp::start().await;
    let gate = app.open(json!({"name": "gate"})).await;
    let door = app.open(json!({"encoding": "utf-8"})).await;
    let gbk = encoding_rs::GBK.encode("用户登录").0;
    let mut peer = app.connect(&gate).await;
    peer.send(&gbk).await;
    peer.read_to_end().await;
    say(&app, &door, "login 登录").await;
    let silent = app.connect(&door).await;
    let id = door["id"].as_str().unwrap();
    app.get(&format!("/connections?listener={id}&state=open&wait=20s")).await.expect(200);
    let enc = "%E7%99%BB%E5%BD%95";
    for (query, count) in [
        (String::new(), 3),
        ("?listener=gate".into(), 1),
        (format!("?listener={id}"), 2),
        ("?listener=nobody".into(), 0),
        ("?peer=127.0.0.1".into(), 3),
        ("?peer=127.0.0.0/8".into(), 3),
        ("?peer=10.0.0.0/8".into(), 0),
        ("?state=open&listener=".to_owned() + id, 1),
        // The same word in two encodings, looked for in each listener's own.
        (format!("?contains={enc}"), 2),
        (format!("?contains={enc}&listener=gate"), 1),
        ("?contains=logout".into(), 0),
        ("?contains_hex=6c%206f%2067".into(), 1),
        ("?contains_hex=6c6f67&listener=gate".into(), 0),
        ("?since=2020-01-01T00:00:00Z".into(), 3),
        ("?until=2020-01-01T00:00:00Z".into(), 0),
    ] {
        let list = app.get(&format!("/connections{query}")).await.expect(200).json();
        assert_eq!(items(&list).len(), count, "{query}: {list}");
    }
    drop(silent);
}

#[tokio::test]
async fn a_wait_answers_as_soon_as_there_is_something() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"encoding": "utf-8"})).await;
    say(&app, &listener, "first").await;
    let page = app.get("/connections?wait=10s&after=start").await.expect(200).json();
    assert_eq!(first_texts(&page), ["first"]);
    let path = format!("/connections?wait=20s&after={}", page["next"].as_str().unwrap());
    let (list, ()) = tokio::join!(app.get(&path), say(&app, &listener, "second"));
    assert_eq!(items(&list.expect(200).json()).len(), 1);
    let path = format!("/connections?wait=30ms&contains=never&after={}", page["next"].as_str().unwrap());
    let nothing = app.get(&path).await.expect(200).json();
    assert!(items(&nothing).is_empty() && nothing["next"].is_string(), "{nothing}");
}

#[tokio::test]
async fn a_wait_ends_when_the_service_stops() {
    let app = TestApp::start().await;
    let waiting = app.get("/connections?wait=60s");
    let stopping = async {
        // The wait is there once the service has taken its request.
        while !app.get("/metrics").await.text().contains("answerback_listeners 0") {
            tokio::task::yield_now().await;
        }
        app.shutdown();
    };
    let (list, ()) = tokio::join!(waiting, stopping);
    assert!(items(&list.expect(200).json()).is_empty());
}

#[tokio::test]
async fn a_connection_shows_its_messages_and_a_list_their_beginnings() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}, "encoding": "utf-8"})).await;
    let mut peer = app.connect(&listener).await;
    for n in 0..12 {
        let message = format!("{n:06}").repeat(1000);
        peer.send(&message).await;
        peer.read(6000).await;
    }
    let listed = &app.connections(&listener).await[0];
    let messages = listed["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 10);
    assert_eq!(listed["received"]["bytes"], 72_000);
    assert!(listed["more_messages"].as_u64().unwrap() >= 14);
    let cut = messages.iter().find(|m| m["size"].as_u64().unwrap() > 4096).unwrap();
    assert_eq!(cut["truncated_in_list"], true);
    assert_eq!(data_encoding::BASE64.decode(cut["base64"].as_str().unwrap().as_bytes()).unwrap().len(), 4096);
    let id = listed["id"].as_str().unwrap();
    let whole = app.get(&format!("/connections/{id}")).await.expect(200).json();
    let received: String = whole["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["direction"] == "received")
        .map(|m| m["text"].as_str().unwrap())
        .collect();
    assert_eq!(received.len(), 72_000);
    assert_eq!(whole["more_messages"], 0);
}

#[tokio::test]
async fn the_raw_bytes_of_each_direction_can_be_had() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"hex": "00 ff 0a"}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send(b"\x00<script>\xff").await;
    peer.read_to_end().await;
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    for (query, bytes) in [
        ("", &b"\x00<script>\xff"[..]),
        ("?direction=received", b"\x00<script>\xff"),
        ("?direction=sent", b"\x00\xff\n"),
    ] {
        let payload = app.get(&format!("/connections/{id}/payload{query}")).await.expect(200);
        assert_eq!(&payload.body[..], bytes, "{query}");
        assert_eq!(payload.header("content-type"), "application/octet-stream");
        assert!(payload.header("content-disposition").starts_with("attachment"));
        assert_eq!(payload.header("x-content-type-options"), "nosniff");
    }
    app.get(&format!("/connections/{id}/payload?direction=up")).await.problem(422, "invalid-field");
}

#[tokio::test]
async fn records_can_be_forgotten_and_open_connections_stay() {
    let app = TestApp::start().await;
    let gate = app.open(json!({"name": "gate"})).await;
    let echo = app.open(json!({"name": "echo", "reply": {"echo": true}})).await;
    say(&app, &gate, "x").await;
    app.only_closed_connection(&gate).await;
    let mut open = app.connect(&echo).await;
    open.send("y").await;
    open.read(1).await;
    let none = app.delete("/connections?listener=nobody").await.expect(200).json();
    assert_eq!(none, json!({"forgotten": 0, "kept_open": 0}));
    let some = app.delete("/connections").await.expect(200).json();
    assert_eq!(some, json!({"forgotten": 1, "kept_open": 1}));
    let left = app.get("/connections").await.json();
    assert_eq!((items(&left).len(), &left["evicted_before"]), (1, &Value::Null));
    assert_eq!(left["items"][0]["listener"]["name"], "echo");
}

#[tokio::test]
async fn a_reset_closes_everything_and_forgets_everything() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read(1).await;
    app.request("POST", "/reset", &[], "").await.expect(204);
    assert_eq!(app.get("/listeners").await.json()["items"], json!([]));
    assert_eq!(app.get("/connections").await.json()["items"], json!([]));
    drop(std::net::TcpListener::bind(address(&listener)).unwrap());
}

#[tokio::test]
async fn what_the_bound_of_the_journal_removed_is_said() {
    let app = TestApp::start_with(|config| config.retain_bytes = Some(256 << 10)).await;
    let listener = app.open(json!({})).await;
    let first_cursor = {
        say(&app, &listener, "the first").await;
        app.connections(&listener).await[0]["cursor"].as_str().unwrap().to_owned()
    };
    for _ in 0..100 {
        say(&app, &listener, &"x".repeat(8 << 10)).await;
    }
    let newest = app.get("/connections?limit=1").await.json();
    assert_eq!(newest["evicted_before"], Value::Null, "a page of the newest does not reach that far");
    let all = app.get("/connections?limit=1000").await.json();
    assert!(items(&all).len() < 100 && all["evicted_before"].is_string(), "{}", items(&all).len());
    let after = app.get(&format!("/connections?order=asc&after={first_cursor}")).await.json();
    assert!(after["evicted_before"].is_string());
    let metrics = app.get("/metrics").await.text();
    assert!(!metrics.contains("answerback_journal_evicted_records_total 0\n"), "{metrics}");
}

/// A client whose messages are control characters: the longest JSON that bytes can become.
async fn say_much(app: &TestApp, listener: &Value, messages: usize, size: usize) {
    let mut peer = app.connect(listener).await;
    for _ in 0..messages {
        peer.send(vec![1; size]).await;
        peer.read(size).await;
    }
}

#[tokio::test]
async fn a_page_is_bounded_by_its_json_and_misses_nothing() {
    const MOST: usize = (4 << 20) + (64 << 10);
    let app = TestApp::start().await;
    let listener = app
        .open(json!({"encoding": "utf-8", "reply": {"echo": true}, "limits": {"stored_bytes": "4MiB"}}))
        .await;
    say_much(&app, &listener, 40, 64 << 10).await;
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    for list in ["/messages".to_owned(), format!("/connections/{id}/messages")] {
        for query in ["payload=hex", "payload=base64", "payload=none", "payload=hex&order=desc"] {
            let first = format!("{list}?limit=1000&direction=received&{query}");
            let (mut path, mut bytes, mut pages) = (first.clone(), 0, 0);
            loop {
                let answer = app.get(&path).await.expect(200);
                assert!(answer.body.len() <= MOST, "{path}: {}", answer.body.len());
                let page = answer.json();
                bytes += items(&page).iter().map(|m| m["size"].as_u64().unwrap()).sum::<u64>();
                pages += 1;
                let Some(next) = page["next"].as_str() else { break };
                path = format!("{first}&after={next}");
            }
            assert_eq!(bytes, 40 * (64 << 10), "{first}");
            assert!(pages > 3, "{first}: {pages}");
        }
    }
    let whole = app.get(&format!("/connections/{id}?payload=hex")).await.expect(200);
    assert!(whole.body.len() <= MOST, "{}", whole.body.len());
    let whole = whole.json();
    let (shown, more) =
        (whole["messages"].as_array().unwrap().len() as u64, whole["more_messages"].as_u64().unwrap());
    assert_eq!(
        shown + more,
        whole["received"]["messages"].as_u64().unwrap() + whole["sent"]["messages"].as_u64().unwrap()
    );
    assert!(shown > 0);
}

#[tokio::test]
async fn a_page_of_connections_is_bounded_by_its_json() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"encoding": "utf-8", "reply": {"echo": true}})).await;
    for _ in 0..20 {
        say_much(&app, &listener, 5, 4 << 10).await;
    }
    let mut path = "/connections?limit=1000&payload=hex".to_owned();
    let mut seen = BTreeSet::new();
    loop {
        let answer = app.get(&path).await.expect(200);
        assert!(answer.body.len() <= (4 << 20) + (64 << 10), "{}", answer.body.len());
        let page = answer.json();
        seen.extend(items(&page).iter().map(|c| c["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/connections?limit=1000&payload=hex&after={next}");
    }
    assert_eq!(seen.len(), 20);
}

#[tokio::test]
async fn a_cursor_that_was_given_out_is_taken() {
    let app = TestApp::start().await;
    let nothing = app.get("/connections?wait=0s").await.expect(200).json();
    for order in ["", "&order=asc"] {
        let path = format!("/connections?after={}{order}", nothing["next"].as_str().unwrap());
        assert!(items(&app.get(&path).await.expect(200).json()).is_empty());
    }
    app.get("/connections?after=start").await.problem(422, "invalid-field");
}
