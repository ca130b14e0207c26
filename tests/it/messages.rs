//! Messages: texts over message borders, pages, directions.

use serde_json::{Value, json};

use crate::support::{Peer, TestApp};

/// Sends each part as a message of its own: the next goes out when the last one was echoed.
async fn send_parts(peer: &mut Peer, parts: &[&[u8]]) {
    for part in parts {
        peer.send(part).await;
        assert_eq!(peer.read(part.len()).await, *part);
    }
}

async fn received(app: &TestApp, id: &str, query: &str) -> Vec<Value> {
    let path = format!("/connections/{id}/messages?direction=received{query}");
    app.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_character_that_is_split_over_two_messages_is_whole() {
    let app = TestApp::start().await;
    for (encoding, text) in
        [("gbk", "登录成功"), ("utf-8", "登录成功"), ("shift_jis", "日本語"), ("utf-16le", "问")]
    {
        let listener = app.open(json!({"encoding": encoding, "reply": {"echo": true}})).await;
        let mut peer = app.connect(&listener).await;
        let bytes = match encoding {
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            label => encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(text).0.into_owned(),
        };
        let parts: Vec<&[u8]> = bytes.chunks(1).collect();
        send_parts(&mut peer, &parts).await;
        let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
        let messages = received(&app, &id, "").await;
        assert_eq!(messages.len(), bytes.len());
        let whole: String = messages.iter().map(|m| m["text"].as_str().unwrap()).collect();
        assert_eq!(whole, text, "{encoding}");
        assert!(messages.iter().all(|m| m["malformed"] == false), "{encoding}");
        // From the middle, a page reads the same as in the whole.
        let cursor = messages[0]["cursor"].as_str().unwrap();
        let rest: String = received(&app, &id, &format!("&after={cursor}"))
            .await
            .iter()
            .map(|m| m["text"].as_str().unwrap())
            .collect();
        assert_eq!(messages[0]["text"].as_str().unwrap().to_owned() + &rest, text, "{encoding}");
    }
}

#[tokio::test]
async fn half_a_character_at_the_end_is_malformed_until_the_rest_comes() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    send_parts(&mut peer, &[b"ok \xce"]).await;
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    let before = &received(&app, &id, "").await[0];
    assert_eq!((&before["text"], &before["malformed"]), (&json!("ok \u{fffd}"), &json!(true)));
    send_parts(&mut peer, &[b"\xca"]).await;
    let after = received(&app, &id, "").await;
    assert_eq!((&after[0]["text"], &after[0]["malformed"]), (&json!("ok "), &json!(false)));
    assert_eq!(after[1]["text"], "问");
}

#[tokio::test]
async fn messages_are_read_in_pages_and_by_direction() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    let parts: Vec<Vec<u8>> = (0..30_u8).map(|n| vec![n; 3]).collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    send_parts(&mut peer, &parts).await;
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    let (mut path, mut offsets) = (format!("/connections/{id}/messages?limit=7&direction=sent"), Vec::new());
    loop {
        let page = app.get(&path).await.expect(200).json();
        for message in page["items"].as_array().unwrap() {
            assert_eq!(message["direction"], "sent");
            offsets.push(message["offset"].as_u64().unwrap());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/connections/{id}/messages?limit=7&direction=sent&after={next}");
    }
    assert_eq!(offsets, (0..30).map(|n| n * 3).collect::<Vec<u64>>());
    let newest = app.get(&format!("/connections/{id}/messages?order=desc&limit=1")).await.json();
    assert_eq!((&newest["items"][0]["seq"], &newest["items"][0]["direction"]), (&json!(30), &json!("sent")));
}

#[tokio::test]
async fn messages_across_connections_come_in_the_order_of_the_journal() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": null, "then": "keep", "encoding": "utf-8"})).await;
    let (mut a, mut b) = (app.connect(&listener).await, app.connect(&listener).await);
    let mut path = "/messages?wait=20s&after=start".to_owned();
    for (n, text) in ["a1", "b1", "a2", "b2"].into_iter().enumerate() {
        let peer = if n % 2 == 0 { &mut a } else { &mut b };
        peer.send(text).await;
        let page = app.get(&path).await.expect(200).json();
        assert_eq!(page["items"][0]["text"], text);
        path = format!("/messages?wait=20s&after={}", page["next"].as_str().unwrap());
    }
    let all = app.get("/messages?contains=1").await.expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_raw_view_is_as_asked_for() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    let mut peer = app.connect(&listener).await;
    peer.send(b"\x00\xffA").await;
    peer.read_to_end().await;
    for (query, base64, hex) in [
        ("", json!("AP9B"), Value::Null),
        ("?payload=base64", json!("AP9B"), Value::Null),
        ("?payload=hex", Value::Null, json!("00 ff 41")),
        ("?payload=none", Value::Null, Value::Null),
    ] {
        let message = &app.get(&format!("/messages{query}")).await.expect(200).json()["items"][0];
        assert_eq!((&message["base64"], &message["hex"]), (&base64, &hex), "{query}");
    }
}

#[tokio::test]
async fn a_byte_at_a_time_arrives_whole_and_in_order() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": null, "then": "keep"})).await;
    let mut peer = app.connect(&listener).await;
    peer.0.set_nodelay(true).unwrap();
    let bytes: Vec<u8> = (0..1_u32 << 20).map(|n| (n % 251) as u8).collect();
    for byte in &bytes {
        peer.send([*byte]).await;
    }
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    let path = format!("/connections/{}/payload", record["id"].as_str().unwrap());
    let payload = app.get(&path).await.expect(200);
    assert!(payload.body[..] == bytes[..], "{} bytes, or others, came back", payload.body.len());
}
