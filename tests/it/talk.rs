//! Speaking to clients unasked: `send` and `close` of a live connection, and periodic sends.

use serde_json::{Value, json};

use crate::support::{End, Peer, TestApp};

/// An endpoint that is silent and keeps its clients, a client of it, and its connection's path.
async fn call(app: &TestApp, mut spec: Value) -> (Value, Peer, String) {
    for (name, value) in [("reply", Value::Null), ("then", json!("keep"))] {
        spec.as_object_mut().unwrap().entry(name).or_insert(value);
    }
    let listener = app.open(spec).await;
    let peer = app.connect(&listener).await;
    let path = path_of(app, &listener).await;
    (listener, peer, path)
}

/// The path of the listener's only connection, once it is there.
async fn path_of(app: &TestApp, listener: &Value) -> String {
    let list = format!("/connections?listener={}&after=start&wait=20s", listener["id"].as_str().unwrap());
    let list = app.get(&list).await.expect(200).json();
    format!("/connections/{}", list["items"][0]["id"].as_str().unwrap())
}

#[tokio::test]
async fn every_form_of_a_message_reaches_the_client_and_is_on_record() {
    let app = TestApp::start().await;
    let (listener, mut peer, path) = call(&app, json!({"name": "gate"})).await;
    let messages = [
        (json!("问题"), "ce ca cc e2"),
        (json!({"text": "é", "encoding": "utf-8"}), "c3 a9"),
        (json!({"text": "中", "encoding": "peer"}), "d6 d0"),
        (json!({"hex": "00 ff"}), "00 ff"),
        (json!({"base64": "AQI="}), "01 02"),
        (json!({"template": "{{ listener.name }}"}), "67 61 74 65"),
    ];
    for (n, (message, expected)) in messages.iter().enumerate() {
        let sent = app.json("POST", &format!("{path}/send"), message).await.expect(200).json();
        let hex = expected.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap());
        let expected: Vec<u8> = hex.collect();
        assert_eq!(peer.read(expected.len()).await, expected, "{message}");
        assert_eq!((&sent["seq"], &sent["size"]), (&json!(n + 1), &json!(expected.len())));
        assert!(path.ends_with(sent["connection"].as_str().unwrap()));
        let record = app.get(&path).await.expect(200).json();
        assert_eq!(record["messages"][n]["at"], sent["at"]);
    }
    let counted = app.get(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.json();
    assert_eq!(counted["sent"]["messages"], messages.len());
}

#[tokio::test]
async fn what_is_sent_is_framed_as_replies_are_and_leaves_half_a_message_alone() {
    let app = TestApp::start().await;
    let framing = json!({"type": "length_prefixed", "width": 2, "frame_replies": true});
    let (_, mut peer, path) = call(&app, json!({"framing": framing, "reply": "ok"})).await;
    peer.send([0, 3, b'a']).await;
    app.json("POST", &format!("{path}/send"), &json!("hello")).await.expect(200);
    assert_eq!(peer.read(7).await, b"\0\x05hello");
    peer.send(b"bc").await;
    assert_eq!(peer.read(4).await, b"\0\x02ok");
    let messages = app.get(&format!("{path}/messages?direction=received")).await.expect(200).json();
    assert_eq!(messages["items"][0]["text"], "abc");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_and_says_why() {
    let app = TestApp::start().await;
    let (_, peer, path) = call(&app, json!({})).await;
    let send = format!("{path}/send");
    for (message, pointer) in [
        (json!({"echo": true}), ""),
        (Value::Null, ""),
        (json!("😀"), ""),
        (json!({"hex": "0"}), "/hex"),
        (json!({"template": "{{"}), "/template"),
        (json!({"template": "{{ slice(5, 1) }}"}), "/template"),
        (json!({"template": ""}), "/template"),
        (json!({"text": "a", "then": "close"}), "/then"),
    ] {
        let problem = app.json("POST", &send, &message).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{message}: {problem}");
    }
    for how in [json!({}), json!({"how": "kill"}), json!("fin")] {
        app.json("POST", &format!("{path}/close"), &how).await.expect(422);
    }
    peer.reset();
    let list = app.get("/connections?state=closed&after=start&wait=20s").await.expect(200).json();
    assert_eq!(list["items"][0]["close_reason"], "peer_reset");
    for (what, body) in [("send", json!("a")), ("close", json!({"how": "fin"}))] {
        let gone = app.json("POST", &format!("{path}/{what}"), &body).await.expect(409).json();
        assert_eq!(gone["code"], "connection-closed");
        let unknown = "/connections/01980000-0000-7000-8000-000000000000";
        app.json("POST", &format!("{unknown}/{what}"), &body).await.expect(404);
        app.json("POST", &format!("/connections/nobody/{what}"), &body).await.expect(404);
    }
}

#[tokio::test]
async fn a_fin_on_request_ends_the_talk_and_what_follows_is_recorded() {
    let app = TestApp::start().await;
    let (listener, mut peer, path) = call(&app, json!({"reply": "again"})).await;
    peer.send("one").await;
    assert_eq!(peer.read(5).await, b"again");
    let told = app.json("POST", &format!("{path}/close"), &json!({"how": "fin"})).await.expect(200).json();
    assert_eq!(told["how"], "fin");
    assert_eq!(peer.read_to_end().await, (Vec::new(), End::Fin));
    peer.send("two").await;
    let refused = app.json("POST", &format!("{path}/send"), &json!("late")).await.expect(409).json();
    assert_eq!(refused["code"], "connection-closed");
    app.json("POST", &format!("{path}/close"), &json!({"how": "fin"})).await.expect(200);
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!((&record["closed_by"], &record["close_reason"]), (&json!("endpoint"), &json!("requested")));
    assert_eq!(record["received"]["messages"], 2);
    assert_eq!(record["sent"]["messages"], 1);
}

#[tokio::test]
async fn a_reset_on_request_is_at_once_whatever_the_endpoint_is_doing() {
    let app = TestApp::start().await;
    let late = json!({"rules": [{"when": {"equals": "wait"}, "reply": "late", "delay": "1h"}]});
    let closed = json!({"rules": [{"when": {"equals": "bye"}, "reply": "bye", "then": "half_close"}]});
    for (spec, says, answer) in [(json!({}), "", ""), (late, "wait", ""), (closed, "bye", "bye")] {
        let (_, mut peer, path) = call(&app, spec).await;
        peer.send(says).await;
        assert_eq!(peer.read(answer.len()).await, answer.as_bytes());
        if !says.is_empty() {
            let seen = format!("{path}/messages?after=start&wait=20s");
            app.get(&seen).await.expect(200);
        }
        app.json("POST", &format!("{path}/close"), &json!({"how": "reset"})).await.expect(200);
        let record = app.get(&path).await.expect(200).json();
        assert_eq!((&record["state"], &record["close_reason"]), (&json!("closed"), &json!("requested")));
        let (_, end) = peer.read_to_end().await;
        assert_eq!(end, if answer.is_empty() { End::Reset } else { End::Fin }, "its FIN came first");
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_fills_its_queue_and_no_other() {
    let app = TestApp::start().await;
    let (listener, _peer, path) = call(&app, json!({"limits": {"write": "1h"}})).await;
    let send = format!("{path}/send");
    let big = json!({"text": "x".repeat(1 << 20)});
    // The kernel takes some; then one waits, and 64 behind it.
    let one = || async { app.json("POST", &send, &big).await };
    let mut waiting = futures_util::stream::FuturesUnordered::new();
    let busy = loop {
        waiting.push(one());
        // Each gets its turn until it waits or is refused.
        let next = futures_util::StreamExt::next(&mut waiting);
        match tokio::time::timeout(std::time::Duration::from_millis(50), next).await {
            Ok(Some(answer)) if answer.status == 503 => break answer.json(),
            Ok(Some(answer)) => drop(answer.expect(200)),
            _ => {}
        }
    };
    assert_eq!(busy["code"], "connection-busy");
    let mut other = app.connect(&listener).await;
    let all = app.get(&format!("/connections?listener={}&order=asc", listener["id"].as_str().unwrap())).await;
    let second = all.json()["items"][1]["id"].as_str().unwrap().to_owned();
    app.json("POST", &format!("/connections/{second}/send"), &json!("hi")).await.expect(200);
    assert_eq!(other.read(2).await, b"hi");
    app.json("POST", &format!("{path}/close"), &json!({"how": "reset"})).await.expect(200);
    while let Some(answer) = futures_util::StreamExt::next(&mut waiting).await {
        assert!([200, 409, 503].contains(&answer.status.as_u16()), "{}", answer.status);
    }
}

#[tokio::test]
async fn a_periodic_send_comes_again_and_again_until_it_is_changed() {
    let app = TestApp::start().await;
    let sends = json!([{"every": "10ms", "send": "a"}, {"every": "1h", "send": "never"}]);
    let (listener, mut peer, path) = call(&app, json!({"sends": sends, "reply": "!"})).await;
    assert_eq!(listener["sends"][0], json!({"every": "10ms", "send": {"text": "a"}}));
    assert_eq!(peer.read(5).await, b"aaaaa");
    let record = app.get(&path).await.expect(200).json();
    assert!(record["sent"]["messages"].as_u64().unwrap() >= 5, "{record}");
    let listener = format!("/listeners/{}", listener["id"].as_str().unwrap());
    app.json("PATCH", &listener, &json!({"sends": [{"every": "10ms", "send": "b"}]})).await.expect(200);
    while peer.read(1).await != b"b" {}
    assert_eq!(peer.read(3).await, b"bbb");
    app.json("PATCH", &listener, &json!({"sends": null})).await.expect(200);
    // Others may have been under way. What answers two messages has nothing between.
    peer.send("x").await;
    while peer.read(1).await != b"!" {}
    app.json("PATCH", &listener, &json!({"then": "close"})).await.expect(200);
    peer.send("y").await;
    assert_eq!(peer.read_to_end().await, (b"!".to_vec(), End::Fin));
}

#[tokio::test]
async fn a_client_that_never_pauses_is_sent_to_in_time_and_one_that_waits_hears_of_a_change() {
    let app = TestApp::start().await;
    let (listener, mut peer, _) = call(&app, json!({"reply": {"echo": true}})).await;
    let listener = format!("/listeners/{}", listener["id"].as_str().unwrap());
    app.json("PATCH", &listener, &json!({"sends": [{"every": "10ms", "send": "#"}]})).await.expect(200);
    assert_eq!(peer.read(2).await, b"##");
    let mut marks = 0;
    while marks < 3 {
        peer.send([b'.'; 64]).await;
        let (mut left, mut echoed) = (64, 0);
        while echoed < 64 {
            let got = peer.read(left.min(1)).await;
            marks += u32::from(got == b"#");
            echoed += u32::from(got == b".");
            left = 64;
        }
    }
}

#[tokio::test]
async fn a_periodic_send_that_cannot_be_is_refused() {
    let app = TestApp::start().await;
    for (send, pointer) in [
        (json!({"every": "9ms", "send": "a"}), "/sends/0/every"),
        (json!({"every": "25h", "send": "a"}), "/sends/0/every"),
        (json!({"send": "a"}), "/sends/0/every"),
        (json!({"every": "1s"}), "/sends/0/send"),
        (json!({"every": "1s", "send": null}), "/sends/0/send"),
        (json!({"every": "1s", "send": {"echo": true}}), "/sends/0/send"),
        (json!({"every": "1s", "send": "😀"}), "/sends/0/send"),
        (json!({"every": "1s", "send": {"template": "{{"}}), "/sends/0/send/template"),
        (json!({"every": "1s", "send": "a", "first": "1s"}), "/sends/0/first"),
    ] {
        let spec = json!({"port": 0, "sends": [send]});
        let problem = app.json("POST", "/listeners", &spec).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{send}: {problem}");
    }
    let many: Vec<_> = (0..17).map(|_| json!({"every": "1s", "send": "a"})).collect();
    app.json("POST", "/listeners", &json!({"port": 0, "sends": many})).await.expect(422);
}

#[tokio::test]
async fn a_reply_that_is_still_to_come_when_the_connection_ends_has_not_been_sent() {
    let app = TestApp::start().await;
    let rules = json!([{"reply": "late", "delay": "1h"}]);
    let spec = json!({"greeting": "hi", "rules": rules, "limits": {"lifetime": "300ms"}});
    for how in ["reset", "delete", "lifetime"] {
        let mut spec = spec.clone();
        if how != "lifetime" {
            spec["limits"]["lifetime"] = Value::Null;
        }
        let listener = app.open(spec).await;
        let id = listener["id"].as_str().unwrap();
        let mut peer = app.connect(&listener).await;
        assert_eq!(peer.read(2).await, b"hi");
        peer.send("a").await;
        let path = path_of(&app, &listener).await;
        app.get(&format!("{path}/messages?direction=received&after=start&wait=20s")).await.expect(200);
        match how {
            "reset" => {
                drop(app.json("POST", &format!("{path}/close"), &json!({"how": "reset"})).await.expect(200))
            }
            "delete" => drop(app.delete(&format!("/listeners/{id}")).await.expect(204)),
            _ => {}
        }
        let record = app.only_closed_connection(&listener).await;
        assert_eq!(record["sent"], json!({"bytes": 2, "messages": 1}), "{how}: {record}");
        assert_eq!(record["messages"].as_array().unwrap().len(), 2, "{how}: {record}");
    }
}

#[tokio::test]
async fn a_periodic_send_does_not_keep_a_message_from_ending_with_a_pause() {
    let app = TestApp::start().await;
    let spec = json!({"framing": {"type": "idle_gap", "gap": "100ms"}, "reply": "!", "then": "close",
                      "sends": [{"every": "10ms", "send": "."}]});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    peer.send("a message").await;
    let (answer, end) = peer.read_to_end().await;
    assert!(answer.ends_with(b".!") && end == End::Fin, "{answer:?}");
}

#[tokio::test]
async fn sends_that_take_longer_than_their_time_leave_the_client_its_turn_and_all_arrive_in_order() {
    let app = TestApp::start().await;
    let faults = json!([{"type": "latency", "delay": "30ms"}]);
    let sends = json!([{"every": "10ms", "send": "a"}, {"every": "10ms", "send": "b"}]);
    let spec = json!({"faults": faults, "sends": sends, "reply": "!", "then": "close"});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    assert_eq!(peer.read(4).await, b"abab");
    peer.send("x").await;
    let (rest, end) = peer.read_to_end().await;
    assert!(rest.ends_with(b"!") && end == End::Fin, "{rest:?}");
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!(record["sent"]["bytes"], 5 + rest.len() - 1, "{record}");
}

#[tokio::test]
async fn of_a_reply_that_did_not_leave_whole_its_own_record_is_corrected() {
    let app = TestApp::start().await;
    let rules = json!([{"when": {"equals": "slow"}, "reply": "slow", "delay": "1h"}]);
    let framing = json!({"type": "delimiter", "delimiters": ["\n"]});
    let large = "x".repeat(1 << 20);
    let spec = json!({"framing": framing, "reply": {"text": large}, "then": "keep", "rules": rules});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    // More than the buffers between the two hold.
    peer.send("1\n2\n3\n4\n5\n6\n7\n8\nslow\n").await;
    peer.read(1).await;
    peer.reset();
    let record = app.only_closed_connection(&listener).await;
    let path =
        format!("/connections/{}/messages?direction=sent&payload=none", record["id"].as_str().unwrap());
    let sent = app.get(&path).await.expect(200).json();
    let sizes: Vec<_> =
        sent["items"].as_array().unwrap().iter().map(|m| m["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes.iter().sum::<u64>(), record["sent"]["bytes"].as_u64().unwrap());
    let (last, whole) = sizes.split_last().unwrap();
    assert!(whole.iter().all(|size| *size == 1 << 20) && *last <= 1 << 20 && sizes.len() < 8, "{sizes:?}");
}
