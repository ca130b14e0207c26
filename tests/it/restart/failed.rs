//! Listeners that cannot come back at once.

use std::net::{SocketAddr, TcpListener as StdListener};

use answerback::domain::PortSet;
use serde_json::{Value, json};

use super::{World, ask, listed, once, show};
use crate::support::{STANDARD_REPLY, address};

/// A service over `world` whose listener `gate` is failed because its port is taken, and who has it.
async fn with_a_taken_port(world: &World, mut spec: Value) -> (crate::support::TestApp, Value, StdListener) {
    let app = world.start().await;
    spec["name"] = json!("gate");
    let listener = world.open(&app, spec).await;
    app.stop().await;
    let thief = StdListener::bind(address(&listener)).unwrap();
    let app = world.start().await;
    let failed = show(&app, &listener).await;
    assert_eq!((&failed["state"], &failed["failure"]["code"]), (&json!("failed"), &json!("port-in-use")));
    (app, listener, thief)
}

#[tokio::test]
async fn a_listener_whose_port_is_taken_is_listed_as_failed_and_comes_back_when_it_is_free() {
    let world = World::new("127.0.9.20");
    let app = world.start().await;
    let other = world.open(&app, json!({"name": "other"})).await;
    let app = world.restart(app).await;
    app.stop().await;
    let (app, listener, thief) = with_a_taken_port(&world, json!({})).await;
    let failed = show(&app, &listener).await;
    assert!(failed["failure"]["detail"].as_str().unwrap().contains("another program"), "{failed}");
    for same in ["id", "name", "port", "opened_at", "closed_at", "close_reason"] {
        assert_eq!(failed[same], listener[same], "{same}");
    }
    // The service is ready, the others run, and what is failed is not counted as open.
    app.get("/readyz").await.expect(200);
    assert_eq!(ask(&other).await, STANDARD_REPLY);
    assert!(app.get("/metrics").await.text().contains("answerback_listeners 1\n"));
    app.json("POST", "/listeners", &json!({"port": 0, "name": "gate"})).await.problem(409, "name-in-use");
    drop(thief);
    let open = once(&app, &listener, "open").await;
    assert_eq!(open, listener, "nothing else has changed");
    assert_eq!(ask(&listener).await, STANDARD_REPLY);
    assert!(app.get("/metrics").await.text().contains("answerback_listeners 2\n"));
}

#[tokio::test]
async fn a_put_or_patch_of_a_failed_listener_tries_at_once() {
    let world = World::new("127.0.9.21");
    let port = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    let asked = json!({"port": port, "max_connections_total": 1});
    let (app, listener, thief) = with_a_taken_port(&world, asked).await;
    let spec =
        json!({"port": listener["port"], "host": world.host, "max_connections_total": 1, "reply": "new"});
    app.json("PUT", "/listeners/gate", &spec).await.problem(409, "port-in-use");
    app.json("PATCH", "/listeners/gate", &json!({"reply": "new"})).await.problem(409, "port-in-use");
    let failed = show(&app, &listener).await;
    assert_eq!(
        (&failed["state"], &failed["reply"]),
        (&json!("failed"), &listener["reply"]),
        "all or nothing"
    );
    drop(thief);
    let open = app.json("PUT", "/listeners/gate", &spec).await.expect(200).json();
    assert_eq!((&open["state"], &open["failure"]), (&json!("open"), &Value::Null));
    assert_eq!(open["opened_at"], listener["opened_at"]);
    assert_eq!(ask(&listener).await, b"new");
    let app = world.restart(app).await;
    assert_eq!(show(&app, &listener).await["close_reason"], "max_connections_total");
}

#[tokio::test]
async fn a_failed_listener_that_may_have_any_port_gets_another_when_it_is_put_again() {
    let world = World::new("127.0.9.22");
    let (app, listener, thief) = with_a_taken_port(&world, json!({})).await;
    let spec = json!({"port": 0, "host": world.host});
    let open = app.json("PUT", "/listeners/gate", &spec).await.expect(200).json();
    assert_eq!((&open["state"], &open["id"]), (&json!("open"), &listener["id"]));
    assert_ne!(open["port"], listener["port"]);
    assert_eq!(ask(&open).await, STANDARD_REPLY);
    let app = world.restart(app).await;
    assert_eq!(show(&app, &listener).await["port"], open["port"]);
    drop(thief);
}

#[tokio::test]
async fn a_failed_listener_can_be_moved_or_deleted() {
    let world = World::new("127.0.9.23");
    let (app, listener, thief) = with_a_taken_port(&world, json!({})).await;
    let moved =
        app.json("PATCH", "/listeners/gate", &json!({"host": "127.0.9.123"})).await.expect(200).json();
    assert_eq!((&moved["state"], &moved["failure"]), (&json!("open"), &Value::Null));
    assert_eq!(ask(&moved).await, STANDARD_REPLY);
    app.stop().await;
    let other_thief = StdListener::bind(address(&moved)).unwrap();
    let app = world.start().await;
    assert_eq!(show(&app, &listener).await["state"], "failed");
    app.delete("/listeners/gate").await.expect(204);
    assert_eq!(listed(&app).await, [] as [Value; 0]);
    world.open(&app, json!({"name": "gate"})).await;
    assert_eq!(world.kept(&listener).await, None);
    drop((thief, other_thief));
}

#[tokio::test]
async fn a_failed_listener_does_not_hold_its_port_and_the_one_that_took_it_has_it_after_a_restart() {
    let world = World::new("127.0.9.24");
    let (app, listener, thief) = with_a_taken_port(&world, json!({})).await;
    drop(thief);
    let spec = json!({"port": listener["port"], "reply": "mine now"});
    let taker = world.open(&app, spec).await;
    let failed = |now: &Value| {
        let detail = now["failure"]["detail"].as_str().unwrap_or_default().to_owned();
        now["state"] == "failed" && detail.contains(taker["id"].as_str().unwrap())
    };
    let app = world.restart(app).await;
    let now = show(&app, &listener).await;
    assert!(failed(&now), "the holder is named: {now}");
    assert_eq!(show(&app, &taker).await, taker);
    assert_eq!(ask(&taker).await, b"mine now");
}

#[tokio::test]
async fn a_failed_listener_closes_when_its_time_is_over() {
    let world = World::new("127.0.9.25");
    let (app, listener, thief) = with_a_taken_port(&world, json!({"ttl": "1h2s"})).await;
    app.stop().await;
    world.age(&listener, 3_600).await;
    let app = world.start().await;
    let closed = once(&app, &listener, "closed").await;
    assert_eq!((&closed["close_reason"], &closed["failure"]), (&json!("ttl"), &Value::Null));
    let app = world.restart(app).await;
    assert_eq!(listed(&app).await, [closed]);
    drop(thief);
}

#[tokio::test]
async fn what_the_settings_do_not_allow_any_more_is_failed_too() {
    let world = World::new("127.0.9.26");
    let app = world.start().await;
    let any = world.open(&app, json!({})).await;
    let free = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    let named = world.open(&app, json!({"port": free})).await;
    app.stop().await;
    let code = |listener: Value| (listener["state"].clone(), listener["failure"]["code"].clone());
    // Another range: who left the choice to the kernel asked for no port in particular.
    let none = |config: &mut answerback::config::Config| config.allow_ports = PortSet::of([1..=1]);
    let app = world.start_with(none).await;
    assert_eq!(code(show(&app, &named).await), (json!("failed"), json!("port-not-allowed")));
    assert_eq!(code(show(&app, &any).await), (json!("open"), Value::Null));
    app.stop().await;
    // The control plane on the very port.
    let control = SocketAddr::from(([127, 0, 0, 1], free));
    let app = world.start_with(|config| config.listen = control).await;
    assert_eq!(code(show(&app, &named).await), (json!("failed"), json!("port-not-allowed")));
    app.stop().await;
    // Fewer listeners than there are: the newer had its port last.
    let app = world.start_with(|config| config.max_listeners = 1).await;
    assert_eq!(code(show(&app, &any).await), (json!("failed"), json!("listener-limit")));
    assert_eq!(code(show(&app, &named).await), (json!("open"), Value::Null));
    let id = any["id"].as_str().unwrap();
    app.json("PATCH", &format!("/listeners/{id}"), &json!({})).await.problem(503, "listener-limit");
    let app = world.restart(app).await;
    assert!(listed(&app).await.iter().all(|listener| listener["state"] == "open"));
}

#[tokio::test]
async fn an_address_that_is_gone_is_no_reason_not_to_start() {
    let world = World::new("127.0.9.27");
    let app = world.start().await;
    let listener = world.open(&app, json!({"name": "gate"})).await;
    app.stop().await;
    let mut record = world.kept(&listener).await.unwrap();
    record.spec = record.spec.replace(world.host, "203.0.113.7");
    record.address = SocketAddr::new([203, 0, 113, 7].into(), record.address.port());
    world.journal.keep(record).await;
    let app = world.start().await;
    let failed = show(&app, &listener).await;
    assert_eq!(
        (&failed["state"], &failed["failure"]["code"]),
        (&json!("failed"), &json!("address-not-available"))
    );
    let back = app.json("PATCH", "/listeners/gate", &json!({"host": world.host})).await.expect(200).json();
    assert_eq!(ask(&back).await, STANDARD_REPLY);
}
