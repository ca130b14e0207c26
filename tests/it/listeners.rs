//! Listeners: open, list, show, change, close.

use std::net::TcpListener as StdListener;

use serde_json::{Value, json};

use crate::support::{End, Peer, STANDARD_REPLY, TestApp, address, refused};

#[tokio::test]
async fn one_call_opens_a_port_that_accepts_before_the_answer_leaves() {
    let app = TestApp::start().await;
    let answer =
        app.json("POST", "/listeners", &json!({"port": 0, "host": "127.0.0.1", "name": "gate"})).await;
    let answer = answer.expect(201);
    let listener = answer.json();
    assert_eq!(answer.header("location"), format!("/listeners/{}", listener["id"].as_str().unwrap()));
    assert_ne!(listener["port"], 0);
    for (member, value) in [
        ("name", json!("gate")),
        ("state", json!("open")),
        ("host", json!("127.0.0.1")),
        ("backlog", json!(128)),
        ("encoding", json!("gbk")),
        ("framing", json!({"type": "none"})),
        ("greeting", Value::Null),
        ("reply", json!({"text": "问题正在处理中..."})),
        ("then", json!("close")),
        ("connections", json!({"open": 0, "total": 0})),
    ] {
        assert_eq!(listener[member], value, "{member}");
    }
    let expected =
        json!({"connections": 5000, "idle": "5m", "lifetime": null, "write": "10s", "stored_bytes": 1 << 20});
    assert_eq!(listener["limits"], expected);
    let mut peer = app.connect(&listener).await;
    peer.send("hello").await;
    assert_eq!(peer.read_to_end().await, (STANDARD_REPLY.to_vec(), End::Fin));
}

#[tokio::test]
async fn listeners_are_found_by_id_and_by_name_and_listed_in_the_order_they_were_opened() {
    let app = TestApp::start().await;
    let first = app.open(json!({"name": "first"})).await;
    let second = app.open(json!({})).await;
    let list = app.get("/listeners").await.expect(200).json();
    assert_eq!(list, json!({"items": [first, second], "next": null, "evicted_before": null}));
    assert_eq!(app.get("/listeners/first").await.expect(200).json(), first);
    let by_id = format!("/listeners/{}", second["id"].as_str().unwrap());
    assert_eq!(app.get(&by_id).await.expect(200).json(), second);
}

#[tokio::test]
async fn ipv4_ipv6_and_dual_stack_all_work() {
    let app = TestApp::start().await;
    for (host, from, shown) in [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("::1", "::1", "::1"),
        ("[::1]", "::1", "::1"),
        ("::", "::1", "::1"),
        ("::", "127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1", "127.0.0.1"),
    ] {
        let listener = app.open(json!({"host": host})).await;
        let port = address(&listener).port();
        let mut peer = Peer::connect((from.parse::<std::net::IpAddr>().unwrap(), port).into()).await;
        let own = peer.address();
        peer.send("x").await;
        peer.read_to_end().await;
        let connection = &app.connections(&listener).await[0];
        assert_eq!(connection["peer"], json!({"ip": shown, "port": own.port()}), "{host}");
        assert_eq!(connection["local"], json!({"ip": shown, "port": port}), "{host}");
    }
}

#[tokio::test]
async fn after_a_delete_the_port_is_free_and_the_clients_are_gone() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}, "name": "gate"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read(1).await;
    app.delete("/listeners/gate").await.expect(204);
    // Whoever binds now need not even ask for address reuse: no connection of the listener is left in the kernel.
    drop(StdListener::bind(address(&listener)).unwrap());
    assert_eq!(peer.read_to_end().await.1, End::Reset);
    app.get("/listeners/gate").await.problem(404, "not-found");
    app.delete("/listeners/gate").await.problem(404, "not-found");
    let record = &app.connections(&listener).await[0];
    assert_eq!(record["close_reason"], "listener_closed");
    assert_eq!(record["closed_by"], "endpoint");
}

#[tokio::test]
async fn a_drain_lets_clients_finish_and_takes_no_new_ones() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}, "name": "gate"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("one").await;
    assert_eq!(peer.read(3).await, b"one");
    let closing = app.delete("/listeners/gate?drain=20s");
    let finishing = async {
        while app.get("/listeners/gate").await.json()["state"] != "draining" {
            tokio::task::yield_now().await;
        }
        peer.send("two").await;
        assert_eq!(peer.read(3).await, b"two");
        drop(peer);
    };
    let (closed, ()) = tokio::join!(closing, finishing);
    closed.expect(204);
    assert_eq!(app.connections(&listener).await[0]["close_reason"], "peer_closed");
}

#[tokio::test]
async fn a_drain_that_is_over_ends_who_is_left() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}, "name": "gate"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read(1).await;
    app.delete("/listeners/gate?drain=50ms").await.expect(204);
    assert_eq!(peer.read_to_end().await.1, End::Reset);
    for drain in ["5", "-1s", "2m", "x"] {
        app.delete(&format!("/listeners/gate?drain={drain}")).await.problem(422, "invalid-field");
    }
}

#[tokio::test]
async fn a_port_opens_again_at_once_a_hundred_times_while_old_connections_are_in_time_wait() {
    let app = TestApp::start().await;
    let first = app.open(json!({})).await;
    let port = first["port"].clone();
    let mut listener = first;
    for round in 0..100 {
        let mut peer = app.connect(&listener).await;
        peer.send("x").await;
        // The endpoint closes first, so that TIME_WAIT is on its side.
        assert_eq!(peer.read_to_end().await, (STANDARD_REPLY.to_vec(), End::Fin), "round {round}");
        drop(peer);
        app.only_closed_connection(&listener).await;
        let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
        app.delete(&path).await.expect(204);
        listener = app.open(json!({"port": port})).await;
    }
}

#[tokio::test]
async fn put_makes_it_so_and_an_unchanged_spec_drops_no_client() {
    let app = TestApp::start().await;
    let spec = json!({"port": 0, "host": "127.0.0.1", "reply": {"text": "one"}, "then": "keep"});
    let created = app.json("PUT", "/listeners/gate", &spec).await.expect(201);
    assert!(created.header("location").starts_with("/listeners/"));
    let listener = created.json();
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    assert_eq!(peer.read(3).await, b"one");
    let again = app.json("PUT", "/listeners/gate", &spec).await.expect(200).json();
    assert_eq!((&again["id"], &again["port"]), (&listener["id"], &listener["port"]));
    let mut changed = spec.clone();
    changed["reply"] = json!("two");
    app.json("PUT", "/listeners/gate", &changed).await.expect(200);
    peer.send("x").await;
    assert_eq!(peer.read(3).await, b"two");
    assert_eq!(app.connections(&listener).await.len(), 1);
}

#[tokio::test]
async fn a_changed_address_reopens_the_listener_under_its_id() {
    let app = TestApp::start().await;
    // None of those that the kernel gives to clients: in the moment between the two sockets one of them could take it.
    let free = (20_000..30_000).find(|port| StdListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
    let listener = app.open(json!({"name": "gate", "port": free, "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read(1).await;
    // The same port on another address: the old socket is in the way of the new one.
    let port = &listener["port"];
    let spec = json!({"port": port, "host": "0.0.0.0", "reply": {"echo": true}});
    let moved = app.json("PUT", "/listeners/gate", &spec).await.expect(200).json();
    assert_eq!((&moved["id"], &moved["port"], &moved["host"]), (&listener["id"], port, &json!("0.0.0.0")));
    assert_eq!(peer.read_to_end().await.1, End::Reset);
    let mut peer = app.connect(&listener).await;
    peer.send("y").await;
    assert_eq!(peer.read(1).await, b"y");
}

#[tokio::test]
async fn an_address_that_cannot_be_had_leaves_the_listener_as_it_was() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    let taken = StdListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    app.json("PATCH", "/listeners/gate", &json!({"port": port})).await.problem(409, "port-in-use");
    let spec = json!({"port": listener["port"], "host": "203.0.113.7"});
    app.json("PUT", "/listeners/gate", &spec).await.problem(422, "address-not-available");
    peer.send("still here").await;
    assert_eq!(peer.read(10).await, b"still here");
    assert_eq!(app.get("/listeners/gate").await.json()["port"], listener["port"]);
    let mut other = app.connect(&listener).await;
    other.send("x").await;
    assert_eq!(other.read(1).await, b"x");
}

#[tokio::test]
async fn a_merge_patch_changes_what_it_names_under_live_clients() {
    let app = TestApp::start().await;
    let listener =
        app.open(json!({"name": "gate", "reply": "one", "then": "keep", "limits": {"idle": "1m"}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    assert_eq!(peer.read(3).await, b"one");
    let patch = json!({"reply": {"hex": "0d 0a"}, "limits": {"write": "3s"}, "backlog": 7});
    let patched = app.json("PATCH", "/listeners/gate", &patch).await.expect(200).json();
    assert_eq!(patched["reply"], json!({"hex": "0d 0a"}));
    assert_eq!((&patched["limits"]["idle"], &patched["limits"]["write"]), (&json!("1m"), &json!("3s")));
    assert_eq!((&patched["backlog"], &patched["port"]), (&json!(7), &listener["port"]));
    peer.send("x").await;
    assert_eq!(peer.read(2).await, b"\r\n");
    // null is back to the default.
    let merge = [("content-type", "application/merge-patch+json")];
    let patched =
        app.request("PATCH", "/listeners/gate", &merge, r#"{"reply":null,"limits":null}"#).await.expect(200);
    assert_eq!(patched.json()["reply"], json!({"text": "问题正在处理中..."}));
    assert_eq!(patched.json()["limits"]["idle"], "5m");
    peer.send("x").await;
    assert_eq!(peer.read(17).await, STANDARD_REPLY);
}

#[tokio::test]
async fn a_patch_renames_and_the_old_name_is_free() {
    let app = TestApp::start().await;
    app.open(json!({"name": "old"})).await;
    app.json("PATCH", "/listeners/old", &json!({"name": "new"})).await.expect(200);
    app.get("/listeners/old").await.problem(404, "not-found");
    app.get("/listeners/new").await.expect(200);
    app.open(json!({"name": "old"})).await;
    app.json("PATCH", "/listeners/old", &json!({"name": "new"})).await.problem(409, "name-in-use");
    let nameless = app.json("PATCH", "/listeners/new", &json!({"name": null})).await.expect(200).json();
    assert_eq!(nameless["name"], Value::Null);
    app.get("/listeners/new").await.problem(404, "not-found");
}

#[tokio::test]
async fn an_echo_that_becomes_a_text_closes_again_by_default() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate", "reply": {"echo": true}})).await;
    assert_eq!(listener["then"], "keep");
    let patched = app.json("PATCH", "/listeners/gate", &json!({"reply": "bye"})).await.expect(200).json();
    assert_eq!(patched["then"], "close");
}

#[tokio::test]
async fn a_listener_closes_itself_after_the_clients_it_was_to_serve() {
    let app = TestApp::start().await;
    let listener =
        app.open(json!({"name": "once", "max_connections_total": 1, "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    assert_eq!(peer.read(1).await, b"x");
    // The port is given up as soon as the last client is in; that client may finish.
    assert_eq!(app.get("/listeners/once").await.json()["state"], "draining");
    refused(address(&listener)).await;
    peer.send("y").await;
    assert_eq!(peer.read(1).await, b"y");
    drop(peer);
    app.only_closed_connection(&listener).await;
    let mut now = app.get("/listeners/once").await.json();
    while now["state"] != "closed" {
        tokio::task::yield_now().await;
        now = app.get("/listeners/once").await.json();
    }
    assert_eq!(
        (&now["close_reason"], &now["connections"]["total"]),
        (&json!("max_connections_total"), &json!(1))
    );
    assert!(now["closed_at"].is_string());
    // Made so again, it serves one more.
    let spec = json!({"port": listener["port"], "host": "127.0.0.1", "max_connections_total": 1});
    let again = app.json("PUT", "/listeners/once", &spec).await.expect(200).json();
    assert_eq!((&again["state"], &again["id"]), (&json!("open"), &listener["id"]));
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    assert_eq!(peer.read_to_end().await.0, STANDARD_REPLY);
}

#[tokio::test]
async fn a_listener_whose_time_is_over_closes_itself() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "brief", "ttl": "2s", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    assert_eq!(peer.read_to_end().await.1, End::Reset);
    let mut now = app.get("/listeners/brief").await.json();
    while now["state"] != "closed" {
        tokio::task::yield_now().await;
        now = app.get("/listeners/brief").await.json();
    }
    assert_eq!(now["close_reason"], "ttl");
    drop(StdListener::bind(address(&listener)).unwrap());
    // A closed listener gives its name away.
    app.open(json!({"name": "brief"})).await;
    assert_eq!(app.get("/listeners").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_ttl_can_be_taken_back() {
    let app = TestApp::start().await;
    app.open(json!({"name": "gate", "ttl": "1h"})).await;
    let patched = app.json("PATCH", "/listeners/gate", &json!({"ttl": null})).await.expect(200).json();
    assert_eq!((&patched["ttl"], &patched["state"]), (&Value::Null, &json!("open")));
    let patched = app.json("PATCH", "/listeners/gate", &json!({"ttl": "1ms"})).await.expect(200).json();
    assert_eq!(patched["ttl"], "1ms");
    while app.get("/listeners/gate").await.json()["state"] != "closed" {
        tokio::task::yield_now().await;
    }
}
