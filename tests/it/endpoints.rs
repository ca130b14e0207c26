//! Endpoints as their clients see them.

use serde_json::{Value, json};

use crate::support::{End, STANDARD_REPLY, TUTORIAL_MESSAGE, TestApp};

#[tokio::test]
async fn the_tutorials_client_gets_17_bytes_and_its_27_are_on_record() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    let mut peer = app.connect(&listener).await;
    let own = peer.address();
    peer.send(TUTORIAL_MESSAGE).await;
    assert_eq!(peer.read_to_end().await, (STANDARD_REPLY.to_vec(), End::Fin));
    let list = app.get("/connections").await.expect(200).json();
    let connection = &list["items"][0];
    assert_eq!(connection["peer"], json!({"ip": "127.0.0.1", "port": own.port()}));
    assert_eq!(connection["received"], json!({"bytes": 27, "messages": 1}));
    assert_eq!(connection["sent"], json!({"bytes": 17, "messages": 1}));
    let message = &connection["messages"][0];
    assert_eq!((&message["direction"], &message["size"]), (&json!("received"), &json!(27)));
    assert_eq!(message["base64"], data_encoding::BASE64.encode(TUTORIAL_MESSAGE.as_bytes()));
    assert_eq!((&message["encoding"], &message["malformed"]), (&json!("gbk"), &json!(true)));
    assert_eq!(message["detected_encoding"], "utf-8");
    let reply = &connection["messages"][1];
    assert_eq!((&reply["direction"], &reply["text"]), (&json!("sent"), &json!("问题正在处理中...")));
    let id = connection["id"].as_str().unwrap();
    let anew = app.get(&format!("/connections/{id}/messages?encoding=utf-8")).await.expect(200).json();
    assert_eq!(anew["items"][0]["text"], TUTORIAL_MESSAGE);
    assert_eq!(anew["items"][0]["malformed"], false);
}

#[tokio::test]
async fn a_client_that_sends_gbk_reads_as_text() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    let mut peer = app.connect(&listener).await;
    let (gbk, _, _) = encoding_rs::GBK.encode(TUTORIAL_MESSAGE);
    peer.send(&gbk).await;
    peer.read_to_end().await;
    let message = &app.connections(&listener).await[0]["messages"][0];
    assert_eq!((&message["text"], &message["malformed"]), (&json!(TUTORIAL_MESSAGE), &json!(false)));
    assert_eq!(message["detected_encoding"], "gbk");
}

#[tokio::test]
async fn every_form_of_reply_leaves_as_it_was_given() {
    let app = TestApp::start().await;
    for (reply, bytes) in [
        (json!("嗨"), &[0xe0, 0xcb][..]),
        (json!({"text": "嗨"}), &[0xe0, 0xcb][..]),
        (json!({"text": "嗨", "encoding": "utf-8"}), "嗨".as_bytes()),
        (json!({"text": "嗨", "encoding": "utf-16be"}), &[0x55, 0xe8][..]),
        (json!({"text": "日", "encoding": "shift_jis"}), &[0x93, 0xfa][..]),
        (json!({"hex": "78 78 05 01 00 01 D9 DC 0D 0A"}), b"\x78\x78\x05\x01\x00\x01\xd9\xdc\r\n"),
        (json!({"base64": "DQo="}), b"\r\n"),
        (json!({"hex": ""}), b""),
        (Value::Null, b""),
    ] {
        let listener = app.open(json!({"reply": reply})).await;
        let mut peer = app.connect(&listener).await;
        peer.send("?").await;
        assert_eq!(peer.read_to_end().await, (bytes.to_vec(), End::Fin), "{reply}");
    }
}

#[tokio::test]
async fn an_echo_returns_what_came_and_keeps_the_connection() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    for message in ["one", "two", "three"] {
        peer.send(message).await;
        assert_eq!(peer.read(message.len()).await, message.as_bytes());
    }
    peer.finish_sending().await;
    assert_eq!(peer.read_to_end().await, (vec![], End::Fin));
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!((&record["closed_by"], &record["close_reason"]), (&json!("peer"), &json!("peer_closed")));
    assert_eq!(record["sent"], json!({"bytes": 11, "messages": 3}));
}

#[tokio::test]
async fn what_follows_the_reply_is_as_asked_for() {
    let app = TestApp::start().await;
    for (then, end, reason) in [
        ("close", End::Fin, "replied"),
        ("half_close", End::Fin, "peer_closed"),
        ("reset", End::Reset, "replied"),
    ] {
        let listener = app.open(json!({"reply": "ok", "then": then})).await;
        let mut peer = app.connect(&listener).await;
        peer.send("x").await;
        if then == "reset" {
            // A reset may overtake what has not been read yet: that is what it is for.
            let (bytes, seen) = peer.read_to_end().await;
            assert!(bytes.is_empty() || bytes == b"ok");
            assert_eq!(seen, end);
        } else {
            assert_eq!(peer.read_to_end().await, (b"ok".to_vec(), end), "{then}");
            peer.send("after the fin").await;
        }
        drop(peer);
        let record = app.only_closed_connection(&listener).await;
        assert_eq!(record["close_reason"], reason, "{then}");
        let expected = if then == "reset" { 1 } else { 14 };
        assert_eq!(record["received"]["bytes"], expected, "{then}");
    }
}

#[tokio::test]
async fn a_kept_connection_is_answered_message_by_message() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": "ok", "then": "keep", "greeting": "hello "})).await;
    let mut peer = app.connect(&listener).await;
    assert_eq!(peer.read(6).await, b"hello ");
    for _ in 0..3 {
        peer.send("x").await;
        assert_eq!(peer.read(2).await, b"ok");
    }
    let messages = &app.connections(&listener).await[0]["messages"];
    let directions: Vec<_> =
        messages.as_array().unwrap().iter().map(|m| m["direction"].as_str().unwrap()).collect();
    assert_eq!(directions, ["sent", "received", "sent", "received", "sent", "received", "sent"]);
    assert_eq!((&messages[6]["seq"], &messages[6]["offset"]), (&json!(4), &json!(10)));
}

#[tokio::test]
async fn the_peers_own_encoding_is_answered_in_kind() {
    let app = TestApp::start().await;
    let reply = json!({"text": "收到", "encoding": "peer"});
    let listener = app.open(json!({"reply": reply, "then": "keep"})).await;
    let mut utf8 = app.connect(&listener).await;
    utf8.send("登录请求").await;
    assert_eq!(utf8.read(6).await, "收到".as_bytes());
    let mut gbk = app.connect(&listener).await;
    gbk.send(encoding_rs::GBK.encode("登录请求").0).await;
    assert_eq!(gbk.read(4).await, encoding_rs::GBK.encode("收到").0[..]);
    let auto = app.open(json!({"encoding": "auto", "reply": "收到"})).await;
    let mut peer = app.connect(&auto).await;
    peer.send(encoding_rs::GBK.encode("登录请求，请回答").0).await;
    assert_eq!(peer.read_to_end().await.0, encoding_rs::GBK.encode("收到").0[..]);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_a_connection_too() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    let peer = app.connect(&listener).await;
    let path =
        format!("/connections?state=open&after=start&wait=20s&listener={}", listener["id"].as_str().unwrap());
    let open = app.get(&path).await.expect(200).json();
    assert_eq!((&open["items"][0]["state"], &open["items"][0]["closed_at"]), (&json!("open"), &Value::Null));
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!((&record["state"], &record["close_reason"]), (&json!("closed"), &json!("peer_closed")));
    assert_eq!(record["messages"], json!([]));
}

#[tokio::test]
async fn a_client_that_resets_is_recorded_as_one() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read(1).await;
    peer.reset();
    let record = app.only_closed_connection(&listener).await;
    assert_eq!((&record["closed_by"], &record["close_reason"]), (&json!("peer"), &json!("peer_reset")));
}

#[tokio::test]
async fn limits_end_a_connection_and_say_which_one_it_was() {
    let app = TestApp::start().await;
    for (limits, reason) in
        [(json!({"idle": "30ms"}), "idle_timeout"), (json!({"idle": null, "lifetime": "30ms"}), "lifetime")]
    {
        let listener = app.open(json!({"limits": limits})).await;
        let mut peer = app.connect(&listener).await;
        assert_eq!(peer.read_to_end().await, (vec![], End::Fin));
        assert_eq!(app.only_closed_connection(&listener).await["close_reason"], reason);
    }
}

#[tokio::test]
async fn one_client_too_many_is_refused_with_a_reset_and_on_record() {
    let app = TestApp::start().await;
    let listener =
        app.open(json!({"name": "gate", "reply": {"echo": true}, "limits": {"connections": 1}})).await;
    let mut first = app.connect(&listener).await;
    first.send("x").await;
    first.read(1).await;
    let mut second = app.connect(&listener).await;
    assert_eq!(second.read_to_end().await, (vec![], End::Reset));
    let refused = &app.connections(&listener).await[1];
    assert_eq!((&refused["close_reason"], &refused["closed_by"]), (&json!("limit"), &json!("endpoint")));
    let metrics = app.get("/metrics").await.expect(200).text();
    assert!(
        metrics.contains(r#"answerback_connections_refused_total{reason="listener_limit"} 1"#),
        "{metrics}"
    );
    drop(first);
    app.get("/connections?state=closed&after=start&wait=20s&limit=1").await.expect(200);
    while app.get("/listeners/gate").await.json()["connections"]["open"] != 0 {
        tokio::task::yield_now().await;
    }
    let mut third = app.connect(&listener).await;
    third.send("y").await;
    assert_eq!(third.read(1).await, b"y");
}

#[tokio::test]
async fn a_mebibyte_in_one_go_is_recorded_whole_and_in_order() {
    let app = TestApp::start().await;
    let bytes: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_be_bytes).collect();
    for spec in [json!({}), json!({"reply": null, "then": "keep"})] {
        let listener = app.open(spec).await;
        let mut peer = app.connect(&listener).await;
        peer.send(&bytes).await;
        peer.finish_sending().await;
        peer.read_to_end().await;
        drop(peer);
        let record = app.only_closed_connection(&listener).await;
        let path = format!("/connections/{}/payload?direction=received", record["id"].as_str().unwrap());
        let payload = app.get(&path).await.expect(200);
        assert!(payload.body[..] == bytes[..], "{} bytes, or others, came back", payload.body.len());
        assert_eq!(payload.header("x-payload-size"), (1 << 20).to_string());
    }
}

#[tokio::test]
async fn a_reply_is_not_lost_when_the_client_is_still_sending() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    let mut peer = app.connect(&listener).await;
    // More than is read before the reply: a close without lingering would answer it with a RST.
    let _ = peer.send(vec![b'x'; 4 << 20]).await;
    assert_eq!(peer.read_to_end().await, (STANDARD_REPLY.to_vec(), End::Fin));
    drop(peer);
    assert_eq!(app.only_closed_connection(&listener).await["received"]["bytes"], 4 << 20);
}

#[tokio::test]
async fn a_message_beyond_the_cap_is_counted_and_hashed_and_said_to_be_cut() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"limits": {"stored_bytes": "1KiB"}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send(vec![b'a'; 1500]).await;
    peer.read_to_end().await;
    let message = &app.connections(&listener).await[0]["messages"][0];
    assert_eq!((&message["size"], &message["stored"]), (&json!(1500), &json!(1024)));
    assert_eq!(message["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(message["text"].as_str().unwrap().len(), 1024);
}

#[tokio::test]
async fn a_thousand_clients_do_not_wait_for_the_one_that_never_reads() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}})).await;
    let mut greedy = app.connect(&listener).await;
    // It fills every buffer on the way: its echo cannot leave, so nothing more of it is read.
    let flood = tokio::spawn(async move {
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), async {
            loop {
                greedy.send(vec![0; 1 << 20]).await;
            }
        })
        .await;
        greedy
    });
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(app.connect(&listener).await);
    }
    let mut talking = tokio::task::JoinSet::new();
    for n in 0..500_u32 {
        let mut peer = app.connect(&listener).await;
        talking.spawn(async move {
            for round in 0..5_u32 {
                let message = (n * 10 + round).to_be_bytes();
                peer.send(message).await;
                assert_eq!(peer.read(4).await, message);
            }
        });
    }
    while let Some(done) = talking.join_next().await {
        done.unwrap();
    }
    drop(flood.await.unwrap());
}
