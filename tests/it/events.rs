//! Following what happens.

use std::collections::HashSet;

use answerback::config::JournalSetting;
use serde_json::{Value, json};

use crate::support::{Events, TestApp};

/// An endpoint of lines that keeps its clients and answers nothing.
async fn lines(app: &TestApp, name: &str) -> Value {
    let framing = json!({"type": "delimiter", "delimiters": ["\n"]});
    app.open(json!({"name": name, "encoding": "utf-8", "framing": framing, "reply": null, "then": "keep"}))
        .await
}

#[tokio::test]
async fn a_client_is_told_from_its_coming_to_its_end() {
    for journal in [JournalSetting::Sqlite, JournalSetting::Memory] {
        let app = TestApp::start_with(|config| config.journal = journal).await;
        let listener = app.open(json!({"name": "gate"})).await;
        let mut events = Events::follow(&app, "", None).await;
        let first = events.next().await.unwrap();
        assert_eq!(
            (first.name.as_str(), &first.data["name"], &first.id),
            ("listener", &json!("gate"), &None)
        );
        assert_eq!(events.next().await.unwrap().name, "ready");
        let mut peer = app.connect(&listener).await;
        let opened = events.next().await.unwrap();
        assert_eq!((opened.name.as_str(), &opened.data["state"]), ("opened", &json!("open")));
        assert_eq!(opened.data["peer"]["port"], peer.address().port());
        peer.send("\u{95ee}").await;
        let received = events.next().await.unwrap();
        assert_eq!((received.name.as_str(), &received.data["direction"]), ("message", &json!("received")));
        assert_eq!(received.data["base64"], "6Zeu");
        let sent = events.next().await.unwrap();
        assert_eq!(sent.data["text"], "问题正在处理中...");
        let closed = events.next().await.unwrap();
        assert_eq!((closed.name.as_str(), &closed.data["close_reason"]), ("closed", &json!("replied")));
        assert_eq!((&closed.data["id"], &closed.data["sent"]["bytes"]), (&opened.data["id"], &json!(17)));
        let ids = [&opened, &received, &sent, &closed].map(|event| event.id.clone().unwrap());
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "{ids:?}");
        assert_eq!(opened.data["cursor"], json!(ids[0]));
        assert_eq!(received.data["cursor"], json!(ids[1]));
        // The same again, from the record.
        let mut again = Events::follow(&app, "?event=opened,message,closed&after=start", None).await;
        assert_eq!(again.next().await.unwrap().name, "ready");
        for event in [opened, received, sent, closed] {
            assert_eq!(again.next().await.unwrap(), event);
        }
        app.stop().await;
        assert_eq!(again.next().await, None, "it ends with the service");
    }
}

#[tokio::test]
async fn listeners_are_told_as_they_change() {
    let app = TestApp::start().await;
    let mut events = Events::follow(&app, "?event=listener", None).await;
    assert_eq!(events.next().await.unwrap().name, "ready");
    let mut only = Events::follow(&app, "?event=listener&listener=two", None).await;
    assert_eq!(only.next().await.unwrap().name, "ready");
    let one = app.open(json!({"name": "one"})).await;
    assert_eq!(events.next_named("listener").await.data["id"], one["id"]);
    app.json("PATCH", "/listeners/one", &json!({"reply": "new"})).await.expect(200);
    let changed = events.next_named("listener").await;
    assert_eq!(changed.data["reply"], json!({"text": "new"}));
    app.open(json!({"name": "two", "max_connections_total": 1})).await;
    assert_eq!(events.next_named("listener").await.data["name"], "two");
    app.delete("/listeners/one").await.expect(204);
    let gone = events.next_named("listener_deleted").await;
    assert_eq!(gone.data, json!({"id": one["id"], "name": "one"}));
    let two = app.get("/listeners/two").await.expect(200).json();
    let mut peer = app.connect(&two).await;
    peer.send("x").await;
    while only.next().await.unwrap().data["state"] != "closed" {}
}

#[tokio::test]
async fn only_what_fits_is_told() {
    let app = TestApp::start().await;
    let (a, b) = (lines(&app, "a").await, lines(&app, "b").await);
    let (mut on_a, mut on_b) = (app.connect(&a).await, app.connect(&b).await);
    on_a.send("LOGIN bob\nPING\nLOGIN 登录\n").await;
    on_b.send("LOGIN eve\n").await;
    app.get("/messages?contains=eve&wait=20s").await.expect(200);
    let texts = async |query: &str, most: usize| {
        let mut events = Events::follow(&app, &format!("?event=message&after=start&{query}"), None).await;
        let mut texts = Vec::new();
        while texts.len() < most {
            texts.push(events.next_named("message").await.data["text"].as_str().unwrap().to_owned());
        }
        texts
    };
    assert_eq!(texts("", 4).await.len(), 4);
    assert_eq!(texts("listener=b", 1).await, ["LOGIN eve"]);
    assert_eq!(texts("listener=a&contains=LOGIN", 2).await, ["LOGIN bob", "LOGIN 登录"]);
    assert_eq!(texts("contains=%E7%99%BB%E5%BD%95", 1).await, ["LOGIN 登录"]);
    let id = app.connections(&b).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(texts(&format!("connection={id}"), 1).await, ["LOGIN eve"]);
    let mut opened =
        Events::follow(&app, &format!("?connection={id}&after=start&event=opened,closed"), None).await;
    assert_eq!(opened.next_named("opened").await.data["id"], json!(id));
    drop(on_b);
    assert_eq!(opened.next_named("closed").await.data["close_reason"], "peer_closed");
    let none = Events::follow(&app, "?event=message&direction=sent&peer=10.0.0.0/8", None);
    drop(none.await);
}

#[tokio::test]
async fn a_wrong_question_is_refused_and_a_crowd_is_bounded() {
    let app = TestApp::start().await;
    for (query, pointer) in [
        ("?event=message,nonsense", "?event"),
        ("?after=yesterday", "?after"),
        ("?state=open", "?state"),
        ("?since=2026-01-01T00:00:00Z", "?since"),
        ("?connection=bob", "?connection"),
        ("?limit=5", "?limit"),
    ] {
        let problem = app.get(&format!("/events{query}")).await.problem(422, "invalid-field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let headers = [("last-event-id", "x")];
    let problem = app.request("GET", "/events", &headers, "").await.problem(422, "invalid-field");
    assert!(problem["detail"].as_str().unwrap().contains("Last-Event-ID"), "{problem}");
    let mut readers = Vec::new();
    for _ in 0..64 {
        readers.push(Events::follow(&app, "", None).await);
    }
    app.get("/events").await.problem(503, "reader-limit");
}

/// A reader that is cut off again and again has each message once, and in order.
#[tokio::test]
async fn a_reader_that_is_cut_off_again_and_again_misses_nothing() {
    const MESSAGES: usize = 10_000;
    const CUTS: usize = 100;
    let app = TestApp::start().await;
    let listener = lines(&app, "gate").await;
    let feed = async {
        for client in 0..10 {
            let mut peer = app.connect(&listener).await;
            let all: String = (0..MESSAGES / 10).map(|n| format!("{client}-{n}\n")).collect();
            peer.send(all).await;
            peer.finish_sending().await;
        }
    };
    let read = async {
        let (mut seen, mut last) = (Vec::new(), None::<String>);
        let mut cursors = Vec::new();
        while seen.len() < MESSAGES {
            let query = if last.is_none() { "?event=message&after=start" } else { "?event=message" };
            let mut events = Events::follow(&app, query, last.as_deref()).await;
            let until = seen.len() + MESSAGES / CUTS;
            while seen.len() < until.min(MESSAGES) {
                let event = events.next_named("message").await;
                seen.push(event.data["text"].as_str().unwrap().to_owned());
                cursors.push(event.id.unwrap());
            }
            last.clone_from(&events.last_id);
        }
        (seen, cursors)
    };
    let ((), (seen, cursors)) = tokio::join!(feed, read);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), MESSAGES, "each once");
    assert!(cursors.windows(2).all(|two| two[0] < two[1]), "in order");
    for client in 0..10 {
        let prefix = format!("{client}-");
        let own: Vec<_> = seen.iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
        assert!(own.iter().enumerate().all(|(n, text)| *text == n.to_string()), "client {client}");
    }
}
