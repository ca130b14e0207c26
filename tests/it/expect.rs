//! Waiting until something has happened.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::TestApp;

/// An endpoint of lines that are not answered.
async fn lines(app: &TestApp, name: &str) -> Value {
    let framing = json!({"type": "delimiter", "delimiters": ["\n"]});
    app.open(json!({"name": name, "encoding": "utf-8", "framing": framing, "reply": null, "then": "keep"}))
        .await
}

/// Asks, and gives the status and what came of it.
async fn expect(app: &TestApp, expectation: Value) -> (u16, Value) {
    let answer = app.json("POST", "/expect", &expectation).await;
    let (status, body) = (answer.status.as_u16(), answer.json());
    if status == 409 {
        assert_eq!(
            (&body["code"], &body["expectation"]["met"]),
            (&json!("expectation-unmet"), &json!(false))
        );
        return (status, body["expectation"].clone());
    }
    (status, body)
}

fn texts(messages: &Value) -> Vec<&str> {
    messages.as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_has_happened_or_happens_in_time_is_met_at_once_with_its_evidence() {
    let app = TestApp::start().await;
    let listener = lines(&app, "gate").await;
    let mut peer = app.connect(&listener).await;
    peer.send("LOGIN bob\n").await;
    let wanted = json!({"listener": "gate", "match": {"starts_with": "LOGIN "}, "within": "60s"});
    let (status, outcome) = expect(&app, wanted.clone()).await;
    assert_eq!((status, &outcome["matched"]), (200, &json!(1)));
    assert_eq!((texts(&outcome["evidence"]), &outcome["near_misses"]), (vec!["LOGIN bob"], &json!([])));
    // From there on it is not there yet.
    let mut again = wanted.clone();
    again["after"] = outcome["next"].clone();
    let later = async {
        peer.send("PING\nLOGIN eve\n").await;
        Instant::now()
    };
    let (met, sent) = tokio::join!(expect(&app, again), later);
    assert!(sent.elapsed() < Duration::from_secs(10), "it is answered when it has happened");
    assert_eq!((met.0, texts(&met.1["evidence"])), (200, vec!["LOGIN eve"]));
    let three = json!({"match": {"length": {"min": 1}}, "count": {"at_least": 3}, "within": "0s"});
    assert_eq!(expect(&app, three).await.0, 200);
    let elsewhere = json!({"listener": "other", "match": {"length": {"min": 1}}, "within": "0s"});
    assert_eq!(expect(&app, elsewhere).await.0, 409);
}

#[tokio::test]
async fn what_has_not_happened_says_what_came_nearest_and_where_it_differs() {
    let app = TestApp::start().await;
    let listener = lines(&app, "gate").await;
    let mut peer = app.connect(&listener).await;
    peer.send("HELLO\nLOGIN bot\nLOGIN bo\n").await;
    let all = json!({"match": {"length": {"min": 1}}, "count": {"at_least": 3}});
    assert_eq!(expect(&app, all).await.0, 200);
    let wanted = json!({"listener": "gate", "match": {"equals": "LOGIN bob"}, "within": "50ms"});
    let problem = app.json("POST", "/expect", &wanted).await.expect(409).json();
    assert_eq!(
        problem["detail"],
        "0 of 3 messages fitted; the nearest differs at byte 8: expected 62, got 74"
    );
    let near = &problem["expectation"]["near_misses"];
    assert_eq!(near[0]["message"]["text"], "LOGIN bot");
    assert_eq!(near.as_array().unwrap().len(), 3);
    assert_eq!(problem["expectation"]["looked_at"], 3);
}

#[tokio::test]
async fn counts_and_never_are_decided_as_soon_as_they_can_be() {
    let app = TestApp::start().await;
    let listener = lines(&app, "gate").await;
    let mut peer = app.connect(&listener).await;
    peer.send("a\na\nb\n").await;
    let there = json!({"match": {"equals": "b"}});
    assert_eq!(expect(&app, there).await.0, 200);
    let a = |count: Value, within: &str| json!({"match": {"equals": "a"}, "count": count, "within": within});
    let began = Instant::now();
    for (count, within, status) in [
        (json!({"exactly": 2}), "100ms", 200),
        (json!({"exactly": 1}), "60s", 409),
        (json!({"exactly": 3}), "100ms", 409),
        (json!({"at_most": 2}), "100ms", 200),
        (json!({"at_most": 1}), "60s", 409),
        (json!({"at_least": 1, "at_most": 2}), "100ms", 200),
        (json!({"at_least": 3, "at_most": 4}), "100ms", 409),
    ] {
        assert_eq!(expect(&app, a(count.clone(), within)).await.0, status, "{count}");
    }
    let never =
        |text: &str, within: &str| json!({"match": {"equals": text}, "never": true, "within": within});
    assert_eq!(expect(&app, never("c", "100ms")).await.0, 200);
    assert_eq!(expect(&app, never("a", "60s")).await.0, 409);
    assert!(began.elapsed() < Duration::from_secs(30), "too many are too many at once");
    let (broken, ()) = tokio::join!(expect(&app, never("c", "60s")), peer.send("c\n"));
    assert_eq!((broken.0, texts(&broken.1["evidence"])), (409, vec!["c"]));
}

#[tokio::test]
async fn a_sequence_is_of_one_connection() {
    let app = TestApp::start().await;
    let listener = lines(&app, "gate").await;
    let (mut one, mut other) = (app.connect(&listener).await, app.connect(&listener).await);
    let wanted = |within: &str| json!({"sequence": [{"equals": "1"}, {"equals": "2"}, {"equals": "3"}], "within": within});
    one.send("1\nx\n").await;
    other.send("2\n3\n").await;
    let seen = json!({"match": {"any": [{"equals": "x"}, {"equals": "3"}]}, "count": {"at_least": 2}});
    assert_eq!(expect(&app, seen).await.0, 200);
    let (status, outcome) = expect(&app, wanted("50ms")).await;
    assert_eq!((status, &outcome["matched"], texts(&outcome["evidence"])), (409, &json!(1), vec!["1"]));
    let (met, ()) = tokio::join!(expect(&app, wanted("60s")), one.send("2\ny\n3\n"));
    assert_eq!((met.0, texts(&met.1["evidence"])), (200, vec!["1", "2", "3"]));
    let connection = met.1["evidence"][0]["connection"].clone();
    let of = json!({"connection": connection, "match": {"equals": "y"}});
    assert_eq!(expect(&app, of).await.0, 200);
}

#[tokio::test]
async fn sent_messages_addresses_and_each_listeners_encoding_are_asked_for_too() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gbk", "reply": "好"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send([0xce, 0xca, 0xcc, 0xe2]).await;
    assert_eq!(peer.read(2).await.len(), 2);
    for (matcher, direction, status) in [
        (json!({"equals": "问题"}), "received", 200),
        (json!({"equals": "问题"}), "sent", 409),
        (json!({"equals": "好"}), "sent", 200),
        (json!({"equals": "😀"}), "received", 409),
        (json!({"peer": "127.0.0.0/8"}), "received", 200),
        (json!({"peer": "10.0.0.0/8"}), "received", 409),
        (json!({"nth": 1}), "received", 200),
    ] {
        let expectation = json!({"match": matcher, "direction": direction, "within": "0s"});
        assert_eq!(expect(&app, expectation).await.0, status, "{matcher} {direction}");
    }
    let of = json!({"listener": "gbk", "match": {"equals": "😀"}, "within": "0s"});
    let problem = app.json("POST", "/expect", &of).await.expect(422).json();
    assert_eq!(problem["errors"][0]["pointer"], "/match/equals");
}

#[tokio::test]
async fn where_records_are_gone_nothing_is_claimed() {
    let app = TestApp::start_with(|config| {
        config.journal = answerback::config::JournalSetting::Memory;
        config.retain_bytes = Some(40_000);
    })
    .await;
    let listener = lines(&app, "gate").await;
    let mut peer = app.connect(&listener).await;
    for n in 0..500 {
        peer.send(format!("{n} {}\n", "x".repeat(200))).await;
    }
    let last = json!({"match": {"starts_with": "499 "}, "within": "60s"});
    let (status, outcome) = expect(&app, last).await;
    assert_eq!((status, &outcome["unknown"]), (200, &json!(false)), "what is there is there");
    assert_ne!(outcome["evicted_before"], Value::Null);
    for (expectation, unknown) in [
        (json!({"match": {"equals": "never"}, "within": "0s"}), true),
        (json!({"match": {"equals": "never"}, "never": true, "within": "0s"}), true),
        (json!({"match": {"starts_with": "499 "}, "never": true, "within": "0s"}), false),
        (json!({"match": {"equals": "never"}, "within": "0s", "after": outcome["next"]}), false),
    ] {
        let (status, outcome) = expect(&app, expectation.clone()).await;
        assert_eq!((status, &outcome["unknown"]), (409, &json!(unknown)), "{expectation}");
    }
}

#[tokio::test]
async fn what_cannot_be_expected_is_refused_and_says_why() {
    let app = TestApp::start().await;
    let m = json!({"equals": "a"});
    for (expectation, pointer) in [
        (json!([]), ""),
        (json!({}), "/match"),
        (json!({"match": null}), "/match"),
        (json!({"match": {"like": "a"}}), "/match/like"),
        (json!({"match": {"regex": "("}}), "/match/regex"),
        (json!({"match": m, "sequence": [m]}), "/sequence"),
        (json!({"sequence": []}), "/sequence"),
        (json!({"sequence": [m, {"nth": 0}]}), "/sequence/1/nth"),
        (json!({"sequence": [m], "count": {"at_least": 1}}), "/count"),
        (json!({"match": m, "count": {}}), "/count"),
        (json!({"match": m, "count": {"exactly": 1, "at_least": 1}}), "/count/exactly"),
        (json!({"match": m, "count": {"at_least": 2, "at_most": 1}}), "/count/at_least"),
        (json!({"match": m, "count": {"at_least": -1}}), "/count/at_least"),
        (json!({"match": m, "never": true, "count": {"at_most": 1}}), "/count"),
        (json!({"match": m, "within": "61s"}), "/within"),
        (json!({"match": m, "within": 5}), "/within"),
        (json!({"match": m, "after": "x"}), "/after"),
        (json!({"match": m, "listener": "No!"}), "/listener"),
        (json!({"match": m, "connection": "7"}), "/connection"),
        (json!({"match": m, "direction": "in"}), "/direction"),
        (json!({"match": m, "whithin": "1s"}), "/whithin"),
    ] {
        let problem = app.json("POST", "/expect", &expectation).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{expectation}: {problem}");
    }
}

/// A thousand tests that run side by side, each of which waits for its own device.
#[tokio::test]
async fn a_thousand_wait_at_once_and_each_is_told_of_its_own() {
    const WAITING: usize = 1_000;
    let app = TestApp::start().await;
    let listener = lines(&app, "gate").await;
    let wait = |n: usize| {
        let wanted = json!({"match": {"equals": format!("device {n}")}, "within": "60s"});
        let app = &app;
        async move { (n, expect(app, wanted).await) }
    };
    let devices = async {
        // Some come before the expectation does, some later: it is all the same.
        let mut peer = app.connect(&listener).await;
        for n in 0..WAITING {
            peer.send(format!("device {n}\n")).await;
        }
        peer
    };
    let (told, _peer) = tokio::join!(join_all((0..WAITING).map(wait)), devices);
    for (n, (status, outcome)) in told {
        assert_eq!((status, &outcome["matched"]), (200, &json!(1)), "{n}");
        assert_eq!(texts(&outcome["evidence"]), [format!("device {n}")]);
    }
}
