//! Listeners that come back, and those that do not.

use std::net::TcpListener as StdListener;

use serde_json::{Value, json};

use super::{World, ask, listed, once, show};
use crate::support::{STANDARD_REPLY, TestApp, address, refused};

#[tokio::test]
async fn listeners_come_back_as_they_were() {
    let world = World::new("127.0.9.1");
    let app = world.start().await;
    let limits = json!({"connections": 3, "idle": "none", "lifetime": "1h", "stored_bytes": 7});
    let specs = [
        json!({}),
        json!({"name": "echo", "reply": {"echo": true}, "backlog": 7}),
        json!({"name": "hex", "greeting": "hello\n", "reply": {"hex": "00 ff"}, "then": "close", "limits": limits}),
        json!({"reply": {"text": "é", "encoding": "peer"}, "encoding": "auto", "ttl": "1h"}),
        json!({"name": "few", "max_connections_total": 9}),
    ];
    for spec in specs {
        let listener = world.open(&app, spec).await;
        let mut peer = app.connect(&listener).await;
        peer.send("问题").await;
        peer.finish_sending().await;
        peer.read_to_end().await;
        app.only_closed_connection(&listener).await;
    }
    let before = listed(&app).await;
    assert!(before.iter().all(|l| l["connections"]["total"] == 1 && l["received"]["bytes"] == 6));
    // Other settings make another default, but no other listener.
    app.stop().await;
    let app = world.start_with(|config| config.max_connections_per_listener = 1).await;
    assert_eq!(listed(&app).await, before);
    assert_eq!(ask(&before[0]).await, STANDARD_REPLY);
    assert_eq!(ask(&before[2]).await, b"hello\n\x00\xff");
    let mut echo = app.connect(&before[1]).await;
    echo.send("again").await;
    assert_eq!(echo.read(5).await, b"again");
    let echo = show(&app, &before[1]).await;
    assert_eq!(
        (&echo["connections"], &echo["received"]["bytes"]),
        (&json!({"open": 1, "total": 2}), &json!(11))
    );
    // Their records are theirs still.
    assert_eq!(app.connections(&before[0]).await.len(), 2);
}

#[tokio::test]
async fn a_listener_comes_back_as_it_was_changed() {
    let world = World::new("127.0.9.2");
    let app = world.start().await;
    let listener = world.open(&app, json!({"name": "gate"})).await;
    app.json("PATCH", "/listeners/gate", &json!({"reply": "one", "backlog": 9})).await.expect(200);
    app.json("PATCH", "/listeners/gate", &json!({"name": "door"})).await.expect(200);
    let freed = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap();
    let moved = app.json("PATCH", "/listeners/door", &json!({"port": freed.port()})).await.expect(200).json();
    let app = world.restart(app).await;
    assert_eq!(listed(&app).await, std::slice::from_ref(&moved));
    assert_eq!((address(&moved), &moved["id"]), (freed, &listener["id"]));
    assert_eq!(ask(&moved).await, b"one");
    app.get("/listeners/gate").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_put_of_what_came_back_changes_nothing() {
    let world = World::new("127.0.9.3");
    let app = world.start().await;
    let spec = json!({"port": 0, "host": world.host, "reply": {"echo": true}});
    let made = app.json("PUT", "/listeners/gate", &spec).await.expect(201).json();
    let app = world.restart(app).await;
    let mut peer = app.connect(&made).await;
    peer.send("x").await;
    peer.read(1).await;
    // Nothing is to be kept, so a journal that keeps nothing is no hindrance.
    world.journal.refuse(true);
    let again = app.json("PUT", "/listeners/gate", &spec).await.expect(200).json();
    for same in ["id", "port", "opened_at", "state"] {
        assert_eq!(again[same], made[same], "{same}");
    }
    peer.send("y").await;
    assert_eq!(peer.read(1).await, b"y");
}

#[tokio::test]
async fn what_was_deleted_stays_deleted() {
    let world = World::new("127.0.9.4");
    let app = world.start().await;
    let (gone, stays) =
        (world.open(&app, json!({"name": "gone"})).await, world.open(&app, json!({"name": "stays"})).await);
    app.delete("/listeners/gone").await.expect(204);
    let app = world.restart(app).await;
    assert_eq!(listed(&app).await, [stays]);
    drop(StdListener::bind(address(&gone)).unwrap());
    assert_eq!(world.kept(&gone).await, None);
}

#[tokio::test]
async fn a_reset_forgets_all_of_them_and_those_that_cannot_be_read() {
    let world = World::new("127.0.9.5");
    let app = world.start().await;
    let (strange, plain) =
        (world.open(&app, json!({})).await, world.open(&app, json!({"name": "gate"})).await);
    app.stop().await;
    let mut record = world.kept(&strange).await.unwrap();
    record.spec = r#"{"port":1,"a_later_version":true}"#.to_owned();
    world.journal.keep(record.clone()).await;
    // It is passed over, and stays where it is for the version that can read it.
    let app = world.start().await;
    assert_eq!(listed(&app).await, std::slice::from_ref(&plain));
    let app = world.restart(app).await;
    assert_eq!(world.kept(&strange).await.unwrap().spec, record.spec);
    app.request("POST", "/reset", &[], "").await.expect(204);
    let app = world.restart(app).await;
    assert_eq!(listed(&app).await, [] as [Value; 0]);
    assert_eq!((world.kept(&strange).await, world.kept(&plain).await), (None, None));
}

#[tokio::test]
async fn a_ttl_goes_on_while_the_service_is_down() {
    let world = World::new("127.0.9.6");
    let app = world.start().await;
    let (over, soon, long) = (
        world.open(&app, json!({"name": "over", "ttl": "1h"})).await,
        world.open(&app, json!({"name": "soon", "ttl": "1h1s"})).await,
        world.open(&app, json!({"name": "long", "ttl": "2h"})).await,
    );
    app.stop().await;
    for listener in [&over, &soon, &long] {
        world.age(listener, 3_600).await;
    }
    let app = world.start().await;
    let now = show(&app, &over).await;
    // Its time was over when its hour was.
    assert_eq!(
        (&now["state"], &now["close_reason"], &now["closed_at"]),
        (&json!("closed"), &json!("ttl"), &over["opened_at"])
    );
    drop(StdListener::bind(address(&over)).unwrap());
    assert_eq!(show(&app, &long).await["state"], "open");
    assert_eq!(ask(&long).await, STANDARD_REPLY);
    assert_eq!(once(&app, &soon, "closed").await["close_reason"], "ttl");
    // What closed so stays so.
    let before = listed(&app).await;
    let app = world.restart(app).await;
    assert_eq!(listed(&app).await, before);
}

#[tokio::test]
async fn the_clients_that_a_listener_serves_in_all_are_counted_over_a_restart() {
    let world = World::new("127.0.9.7");
    let app = world.start().await;
    let listener = world.open(&app, json!({"name": "gate"})).await;
    assert_eq!(ask(&listener).await, STANDARD_REPLY);
    // Opened anew, it begins to count anew.
    let spec = json!({"port": 0, "host": "127.0.9.70", "max_connections_total": 3});
    let listener = app.json("PUT", "/listeners/gate", &spec).await.expect(200).json();
    assert_eq!(ask(&listener).await, STANDARD_REPLY);
    let app = world.restart(app).await;
    assert_eq!(ask(&listener).await, STANDARD_REPLY);
    assert_eq!(show(&app, &listener).await["state"], "open");
    let app = world.restart(app).await;
    assert_eq!(ask(&listener).await, STANDARD_REPLY);
    let now = once(&app, &listener, "closed").await;
    assert_eq!(
        (&now["close_reason"], &now["connections"]["total"]),
        (&json!("max_connections_total"), &json!(4))
    );
}

#[tokio::test]
async fn a_listener_that_was_with_its_last_clients_comes_back_closed() {
    let world = World::new("127.0.9.8");
    let app = world.start().await;
    let listener = world.open(&app, json!({"max_connections_total": 1, "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read(1).await;
    app.stop().await;
    // As if the process had been killed.
    let mut record = world.kept(&listener).await.unwrap();
    assert!(record.closed.take().is_some());
    world.journal.keep(record).await;
    let app = world.start().await;
    let now = show(&app, &listener).await;
    assert_eq!((&now["state"], &now["close_reason"]), (&json!("closed"), &json!("max_connections_total")));
    assert!(world.kept(&listener).await.unwrap().closed.is_some());
}

#[tokio::test]
async fn what_closed_by_itself_stays_closed_until_it_is_opened_again() {
    let world = World::new("127.0.9.9");
    let app = world.start().await;
    let spec = json!({"port": 0, "host": world.host, "max_connections_total": 1});
    let listener = app.json("PUT", "/listeners/once", &spec).await.expect(201).json();
    assert_eq!(ask(&listener).await, STANDARD_REPLY);
    let closed = once(&app, &listener, "closed").await;
    let app = world.restart(app).await;
    assert_eq!(listed(&app).await, [closed]);
    let again = app.json("PUT", "/listeners/once", &spec).await.expect(200).json();
    assert_eq!((&again["state"], &again["id"]), (&json!("open"), &listener["id"]));
    let app = world.restart(app).await;
    assert_eq!(show(&app, &listener).await["state"], "open");
    assert_eq!(ask(&again).await, STANDARD_REPLY);
}

#[tokio::test]
async fn a_closed_listener_whose_name_was_given_away_does_not_come_back() {
    let world = World::new("127.0.9.10");
    let app = world.start().await;
    let old = world.open(&app, json!({"name": "gate", "ttl": "1ms"})).await;
    once(&app, &old, "closed").await;
    let record = world.kept(&old).await.unwrap();
    let new = world.open(&app, json!({"name": "gate"})).await;
    assert_eq!(world.kept(&old).await, None);
    app.stop().await;
    // As if the process had been killed between the two.
    world.journal.keep(record).await;
    let app = world.start().await;
    assert_eq!(listed(&app).await, [new]);
    assert_eq!(world.kept(&old).await, None);
}

#[tokio::test]
async fn a_ttl_is_counted_from_the_opening_also_when_it_is_changed() {
    let world = World::new("127.0.9.11");
    let app = world.start().await;
    let listener = world.open(&app, json!({"name": "gate", "ttl": "2h"})).await;
    app.stop().await;
    world.age(&listener, 3_600).await;
    let app = world.start().await;
    let longer = app.json("PATCH", "/listeners/gate", &json!({"ttl": "3h"})).await.expect(200).json();
    assert_eq!(longer["state"], "open");
    app.json("PATCH", "/listeners/gate", &json!({"ttl": "30m"})).await.expect(200);
    assert_eq!(once(&app, &listener, "closed").await["close_reason"], "ttl");
    refused(address(&listener)).await;
}

/// Opens, changes and deletes listeners of three names in turns that depend on `seed`.
async fn stir(app: &TestApp, host: &str, seed: u64) {
    for step in 0..60 {
        let turn = seed.wrapping_mul(step * step + 7) / 3;
        let path = format!("/listeners/{}", ["a", "b", "c"][(turn % 3) as usize]);
        let spec = json!({"port": 0, "host": host, "reply": format!("{seed} {step}")});
        let answer = match turn % 7 {
            0 | 1 => app.json("PUT", &path, &spec).await,
            2 => app.json("PATCH", &path, &json!({"name": "d", "reply": spec["reply"]})).await,
            3 => app.json("PUT", "/listeners/d", &json!({"port": 0, "host": host, "ttl": "1ms"})).await,
            4 => app.json("PATCH", "/listeners/d", &json!({"name": "b", "ttl": null})).await,
            5 => app.delete(&path).await,
            _ => app.json("POST", "/listeners", &json!({"port": 0, "host": host, "name": "d"})).await,
        };
        assert!(matches!(answer.status.as_u16(), 200 | 201 | 204 | 404 | 409), "{}", answer.text());
    }
}

#[tokio::test]
async fn whatever_was_done_at_once_what_comes_back_is_what_was_listed() {
    let world = World::new("127.0.9.12");
    let mut app = world.start().await;
    for round in 0..4 {
        let seeds = [3, 5, 11, 17].map(|seed| stir(&app, world.host, seed + 100 * round));
        futures_util::future::join_all(seeds).await;
        // A time that is over soon is over now.
        for listener in listed(&app).await {
            if listener["ttl"] == "1ms" {
                once(&app, &listener, "closed").await;
            }
        }
        let before = listed(&app).await;
        app = world.restart(app).await;
        assert_eq!(listed(&app).await, before, "round {round}");
    }
}
