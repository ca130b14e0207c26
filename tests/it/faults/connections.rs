//! Faults of whole connections, under live clients.

use serde_json::json;

use crate::support::{End, TestApp};

use super::{change, endpoint, received};

#[tokio::test]
async fn a_connection_ends_as_soon_as_it_has_begun() {
    let app = TestApp::start().await;
    for (kind, end) in [("reset", End::Reset), ("close", End::Fin)] {
        let fault = json!([{"type": kind, "when": "accept"}]);
        let listener = app.open(json!({"greeting": "hello", "faults": fault})).await;
        let mut peer = app.connect(&listener).await;
        assert_eq!(peer.read_to_end().await, (Vec::new(), end));
        drop(peer);
        let record = app.only_closed_connection(&listener).await;
        assert_eq!((&record["close_reason"], &record["sent"]["bytes"]), (&json!("fault"), &json!(0)));
    }
}

#[tokio::test]
async fn a_stalled_endpoint_records_and_answers_again_when_the_fault_is_gone() {
    let app = TestApp::start().await;
    let faults = json!([{"type": "stall"}]);
    let sends = json!([{"every": "10ms", "send": "tick"}]);
    let spec = json!({"greeting": "hi", "reply": "!", "then": "close", "faults": faults, "sends": sends});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    peer.send("one").await;
    assert_eq!(received(&app, &listener, 1).await[0]["text"], "one");
    let record = app.connections(&listener).await[0].clone();
    assert_eq!((&record["state"], &record["sent"]["bytes"]), (&json!("open"), &json!(0)));
    change(&app, &listener, json!([])).await;
    let id = listener["id"].as_str().unwrap();
    app.json("PATCH", &format!("/listeners/{id}"), &json!({"sends": null})).await.expect(200);
    peer.send("two").await;
    let (got, end) = peer.read_to_end().await;
    let text = String::from_utf8(got).unwrap();
    assert!(text.trim_start_matches("tick") == "!" && end == End::Fin, "{text}");
}

#[tokio::test]
async fn a_fault_comes_over_those_who_are_connected_and_switches_itself_off() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([])).await;
    let mut peer = app.connect(&listener).await;
    peer.send("a").await;
    assert_eq!(peer.read(10).await, b"0123456789");
    change(&app, &listener, json!([{"type": "stop_reading", "ttl": "300ms"}])).await;
    let struck = std::time::Instant::now();
    peer.send("b").await;
    // It is read when the fault is over, by itself: nothing else happens on this connection.
    assert_eq!(peer.read(10).await, b"0123456789");
    assert!(struck.elapsed().as_millis() >= 250, "{:?}", struck.elapsed());
    let shown = app.get(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.json();
    assert_eq!(shown["faults"][0]["ttl"], "300ms");
}

#[tokio::test]
async fn an_endpoint_that_stops_reading_has_read_exactly_so_many_bytes() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([{"type": "stop_reading", "after_bytes": 5}])).await;
    let mut peer = app.connect(&listener).await;
    peer.send("abcdefgh").await;
    assert_eq!(peer.read(10).await, b"0123456789");
    assert_eq!(received(&app, &listener, 1).await[0]["text"], "abcde");
    change(&app, &listener, json!([])).await;
    assert_eq!(peer.read(10).await, b"0123456789");
    assert_eq!(received(&app, &listener, 2).await[1]["text"], "fgh");
}

#[tokio::test]
async fn a_rule_may_silence_its_connection_and_no_other() {
    let app = TestApp::start().await;
    let rules = json!([{"when": {"equals": "crash"}, "reply": "no", "faults": [{"type": "stall"}]}]);
    let listener = app.open(json!({"reply": "ok", "then": "keep", "rules": rules})).await;
    let (mut one, mut other) = (app.connect(&listener).await, app.connect(&listener).await);
    one.send("crash").await;
    received(&app, &listener, 1).await;
    one.send("hello?").await;
    received(&app, &listener, 2).await;
    other.send("hello?").await;
    assert_eq!(other.read(2).await, b"ok");
    let connections = app.connections(&listener).await;
    assert_eq!(connections[0]["sent"]["bytes"], 0);
    assert_eq!(connections[1]["sent"]["bytes"], 2);
}

#[tokio::test]
async fn some_of_many_connections_are_struck_and_the_same_ones_again() {
    let app = TestApp::start().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let fault = json!({"type": "reset", "when": "accept", "probability": 0.5, "seed": 7});
        let listener = endpoint(&app, json!([fault])).await;
        let mut ends = Vec::new();
        for _ in 0..40 {
            let mut peer = app.connect(&listener).await;
            // A client that is reset meanwhile cannot send.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut peer.0, b"a").await;
            let _ = tokio::io::AsyncWriteExt::shutdown(&mut peer.0).await;
            ends.push(peer.read_to_end().await.1);
        }
        runs.push(ends);
    }
    assert_eq!(runs[0], runs[1]);
    let struck = runs[0].iter().filter(|end| **end == End::Reset).count();
    assert!((8..=32).contains(&struck), "{struck} of 40");
}
