//! Changes of listeners that meet each other, fail, or come at a bad moment.

use serde_json::{Value, json};

use crate::support::{End, Peer, TestApp, address, refused};

async fn echo(peer: &mut Peer, text: &str) {
    peer.send(text).await;
    assert_eq!(peer.read(text.len()).await, text.as_bytes());
}

#[tokio::test]
async fn a_move_that_fails_keeps_the_clients_and_a_delete_still_ends_them() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "host": "0.0.0.0", "reply": {"echo": true}})).await;
    // With the port written out, the old socket is in the way of the new one.
    let spec = json!({"port": listener["port"], "host": "0.0.0.0", "reply": {"echo": true}});
    app.json("PUT", "/listeners/gate", &spec).await.expect(200);
    let reachable = ([127, 0, 0, 1], address(&listener).port()).into();
    let mut peer = Peer::connect(reachable).await;
    echo(&mut peer, "before").await;
    app.json("PATCH", "/listeners/gate", &json!({"host": "203.0.113.7"}))
        .await
        .problem(422, "address-not-available");
    echo(&mut peer, "after").await;
    let mut other = Peer::connect(reachable).await;
    echo(&mut other, "new").await;
    app.delete("/listeners/gate").await.expect(204);
    assert_eq!(peer.read_to_end().await.1, End::Reset);
    assert_eq!(other.read_to_end().await.1, End::Reset);
}

#[tokio::test]
async fn the_port_that_the_kernel_chose_can_be_written_back() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    echo(&mut peer, "one").await;
    let spec = json!({"port": listener["port"], "host": "127.0.0.1", "reply": {"echo": true}});
    app.json("PUT", "/listeners/gate", &spec).await.expect(200);
    echo(&mut peer, "two").await;
}

#[tokio::test]
async fn a_draining_listener_takes_changes_without_dropping_its_clients() {
    let app = TestApp::start().await;
    let spec =
        json!({"port": 0, "host": "127.0.0.1", "reply": "one", "then": "keep", "max_connections_total": 1});
    let listener = app.json("PUT", "/listeners/once", &spec).await.expect(201).json();
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    assert_eq!(peer.read(3).await, b"one");
    while app.get("/listeners/once").await.json()["state"] != "draining" {
        tokio::task::yield_now().await;
    }
    let again = app.json("PUT", "/listeners/once", &spec).await.expect(200).json();
    assert_eq!((&again["state"], &again["port"]), (&json!("draining"), &listener["port"]));
    app.json("PATCH", "/listeners/once", &json!({"reply": "two"})).await.expect(200);
    peer.send("x").await;
    assert_eq!(peer.read(3).await, b"two");
    // More to serve: it opens again, beside the client that it has.
    let more = json!({"port": listener["port"], "max_connections_total": 2});
    let more = app.json("PATCH", "/listeners/once", &more).await.expect(200).json();
    assert_eq!((&more["state"], &more["port"]), (&json!("open"), &listener["port"]));
    let mut second = app.connect(&listener).await;
    second.send("x").await;
    assert_eq!(second.read(3).await, b"two");
    peer.send("x").await;
    assert_eq!(peer.read(3).await, b"two");
}

#[tokio::test]
async fn a_total_that_is_lowered_to_what_was_served_closes_the_listener() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate"})).await;
    for _ in 0..3 {
        let mut peer = app.connect(&listener).await;
        peer.send("x").await;
        peer.read_to_end().await;
    }
    app.json("PATCH", "/listeners/gate", &json!({"max_connections_total": 3})).await.expect(200);
    refused(address(&listener)).await;
    while app.get("/listeners/gate").await.json()["state"] != "closed" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_second_delete_hurries_a_drain() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    echo(&mut peer, "x").await;
    let slow = app.delete("/listeners/gate?drain=60s");
    let hurry = async {
        while app.get("/listeners/gate").await.json()["state"] != "draining" {
            tokio::task::yield_now().await;
        }
        // Its name is not free yet, and nothing brings it back.
        app.json("PUT", "/listeners/gate", &json!({"port": 0})).await.problem(409, "name-in-use");
        app.json("PATCH", "/listeners/gate", &json!({"reply": "x"})).await.problem(404, "not-found");
        app.delete("/listeners/gate").await.expect(204);
    };
    let (slow, ()) = tokio::join!(slow, hurry);
    slow.expect(204);
    assert_eq!(peer.read_to_end().await.1, End::Reset);
    app.open(json!({"name": "gate"})).await;
}

#[tokio::test]
async fn two_that_want_one_name_do_not_both_get_it() {
    let app = TestApp::start().await;
    for round in 0..20 {
        let old = app.open(json!({"host": "127.0.0.1", "reply": {"echo": true}})).await;
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut peer = app.connect(&old).await;
            echo(&mut peer, "x").await;
            clients.push(peer);
        }
        let path = format!("/listeners/{}", old["id"].as_str().unwrap());
        let patch = json!({"name": "x", "host": "127.0.0.2"});
        let post = json!({"port": 0, "host": "127.0.0.1", "name": "x"});
        let (moved, made) =
            tokio::join!(app.json("PATCH", &path, &patch), app.json("POST", "/listeners", &post));
        let statuses = (moved.status.as_u16(), made.status.as_u16());
        assert!(matches!(statuses, (200, 409) | (409, 201)), "round {round}: {statuses:?}");
        let listed = app.get("/listeners").await.json();
        let items = listed["items"].as_array().unwrap();
        assert_eq!(items.iter().filter(|l| l["name"] == "x").count(), 1, "{listed}");
        assert_eq!(items.len(), if statuses.0 == 200 { 1 } else { 2 });
        app.request("POST", "/reset", &[], "").await.expect(204);
    }
}

#[tokio::test]
async fn a_listener_cannot_be_opened_while_the_service_stops() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    echo(&mut peer, "x").await;
    app.stop().await;
    assert_eq!(peer.read_to_end().await, (vec![], End::Fin));
    refused(address(&listener)).await;
}

#[tokio::test]
async fn what_was_sent_reads_in_the_encoding_it_was_sent_in() {
    let app = TestApp::start().await;
    for (reply, encoding) in [
        (json!({"text": "问题 ok", "encoding": "utf-8"}), "utf-8"),
        (json!({"text": "问题 ok", "encoding": "peer"}), "gbk"),
        (json!("问题 ok"), "gbk"),
    ] {
        let listener = app.open(json!({"reply": reply})).await;
        let mut peer = app.connect(&listener).await;
        peer.send(encoding_rs::GBK.encode("登录请求，请回答").0).await;
        peer.read_to_end().await;
        let sent = &app.connections(&listener).await[0]["messages"][1];
        assert_eq!((&sent["text"], &sent["encoding"]), (&json!("问题 ok"), &json!(encoding)), "{reply}");
        let id = listener["id"].as_str().unwrap();
        let found = app.get(&format!("/messages?listener={id}&contains=%E9%97%AE%E9%A2%98")).await.json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{reply}");
    }
}

#[tokio::test]
async fn of_a_flood_of_refused_clients_the_beginning_is_on_record_and_all_are_counted() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}, "limits": {"connections": 1}})).await;
    let mut first = app.connect(&listener).await;
    echo(&mut first, "evidence").await;
    for _ in 0..200 {
        let mut refused = app.connect(&listener).await;
        assert_eq!(refused.read_to_end().await, (vec![], End::Reset));
    }
    let metrics = app.get("/metrics").await.text();
    assert!(
        metrics.contains(r#"answerback_connections_refused_total{reason="listener_limit"} 200"#),
        "{metrics}"
    );
    let path = format!("/connections?limit=1000&order=asc&listener={}", listener["id"].as_str().unwrap());
    let list: Value = app.get(&path).await.json();
    let refused = list["items"].as_array().unwrap().iter().filter(|c| c["close_reason"] == "limit").count();
    assert!((20..200).contains(&refused), "{refused}");
}
