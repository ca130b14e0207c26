//! What the journal cannot keep is not done.

use std::net::TcpListener as StdListener;

use answerback::app::StartError;
use serde_json::{Value, json};

use super::{World, ask, listed, once, show};
use crate::support::{STANDARD_REPLY, TestApp, address};

const REFUSED: (u16, &str) = (503, "journal-unavailable");

async fn is_refused(app: &TestApp, method: &str, path: &str, body: &Value) {
    app.json(method, path, body).await.problem(REFUSED.0, REFUSED.1);
}

#[tokio::test]
async fn a_listener_that_cannot_be_kept_is_not_opened() {
    let world = World::new("127.0.9.40");
    let app = world.start().await;
    let port = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    let spec = json!({"port": port, "host": world.host, "name": "gate"});
    let old = world.open(&app, json!({"name": "gate", "ttl": "1ms"})).await;
    let old = once(&app, &old, "closed").await;
    world.journal.refuse(true);
    is_refused(&app, "POST", "/listeners", &spec).await;
    is_refused(&app, "PUT", "/listeners/other", &json!({"port": port, "host": world.host})).await;
    drop(StdListener::bind((world.host, port)).unwrap());
    assert_eq!(listed(&app).await, [old], "the closed one whose name was wanted is as it was");
    world.journal.refuse(false);
    let listener = app.json("POST", "/listeners", &spec).await.expect(201).json();
    let app = world.restart(app).await;
    assert_eq!(listed(&app).await, [listener]);
}

#[tokio::test]
async fn a_change_that_cannot_be_kept_leaves_the_listener_and_its_clients_as_they_were() {
    let world = World::new("127.0.9.41");
    let app = world.start().await;
    let listener = world.open(&app, json!({"name": "gate", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read(1).await;
    let before = show(&app, &listener).await;
    world.journal.refuse(true);
    let free = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    for change in [
        json!({"reply": "new"}),
        json!({"name": "door"}),
        json!({"backlog": 7, "ttl": "1h"}),
        json!({"port": free}),
        json!({"host": "127.0.9.141"}),
        // The same port on all addresses: the old socket is in the way of the new one.
        json!({"host": "0.0.0.0", "port": listener["port"]}),
    ] {
        is_refused(&app, "PATCH", "/listeners/gate", &change).await;
        assert_eq!(show(&app, &listener).await, before, "{change}");
    }
    drop(StdListener::bind((world.host, free)).unwrap());
    app.delete("/listeners/gate").await.problem(REFUSED.0, REFUSED.1);
    app.request("POST", "/reset", &[], "").await.problem(REFUSED.0, REFUSED.1);
    assert_eq!(show(&app, &listener).await, before);
    peer.send("y").await;
    assert_eq!(peer.read(1).await, b"y");
    let mut newcomer = app.connect(&listener).await;
    newcomer.send("z").await;
    assert_eq!(newcomer.read(1).await, b"z");
    world.journal.refuse(false);
    app.json("PATCH", "/listeners/gate", &json!({"name": "door"})).await.expect(200);
    app.delete("/listeners/door").await.expect(204);
}

#[tokio::test]
async fn an_end_that_cannot_be_kept_is_found_out_again() {
    let world = World::new("127.0.9.42");
    let app = world.start().await;
    let (brief, once_only) = (
        world.open(&app, json!({"ttl": "20ms"})).await,
        world.open(&app, json!({"max_connections_total": 1})).await,
    );
    world.journal.refuse(true);
    assert_eq!(ask(&once_only).await, STANDARD_REPLY);
    for listener in [&brief, &once_only] {
        once(&app, listener, "closed").await;
    }
    world.journal.refuse(false);
    let app = world.restart(app).await;
    for (listener, reason) in [(&brief, "ttl"), (&once_only, "max_connections_total")] {
        let now = show(&app, listener).await;
        assert_eq!((&now["state"], &now["close_reason"]), (&json!("closed"), &json!(reason)));
        drop(StdListener::bind(address(listener)).unwrap());
    }
}

#[tokio::test]
async fn a_service_that_does_not_know_its_listeners_does_not_start() {
    let world = World::new("127.0.9.43");
    world.journal.refuse(true);
    let refused = world.try_start(|_| ()).await.err();
    assert!(matches!(&refused, Some(StartError::Journal(_))), "{refused:?}");
    world.journal.refuse(false);
    world.start().await;
}
