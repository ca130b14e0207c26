//! `--open`, over a journal that keeps the endpoints of an earlier start.

use std::net::TcpListener as StdListener;

use serde_json::{Value, json};

use super::{World, ask, listed};
use crate::support::{STANDARD_REPLY, address};

#[tokio::test]
async fn an_endpoint_that_came_back_is_not_opened_twice() {
    let world = World::new("127.0.9.60");
    let port = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    let open = vec![world.endpoint(port), world.endpoint(0)];
    let app = world.start_with(|config| config.open = open.clone()).await;
    let (before, endpoints) = (listed(&app).await, app.endpoints().to_vec());
    assert_eq!((before.len(), endpoints[0]), (2, open[0]));
    app.stop().await;
    let app = world.start_with(|config| config.open = open.clone()).await;
    assert_eq!((listed(&app).await, app.endpoints()), (before.clone(), &endpoints[..]));
    assert_eq!(ask(&before[0]).await, STANDARD_REPLY);
    app.stop().await;
    // Each stands for one: the third is another.
    let three = vec![world.endpoint(0), world.endpoint(0), world.endpoint(port)];
    let app = world.start_with(|config| config.open = three).await;
    assert_eq!(listed(&app).await.len(), 3);
    assert_eq!((app.endpoints()[0], app.endpoints()[2]), (endpoints[1], endpoints[0]));
}

#[tokio::test]
async fn an_endpoint_that_was_changed_stays_changed() {
    let world = World::new("127.0.9.61");
    let port = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    let open = vec![world.endpoint(port)];
    let app = world.start_with(|config| config.open = open.clone()).await;
    let id = listed(&app).await[0]["id"].as_str().unwrap().to_owned();
    let changed =
        app.json("PATCH", &format!("/listeners/{id}"), &json!({"reply": "mine"})).await.expect(200).json();
    app.stop().await;
    let app = world.start_with(|config| config.open = open.clone()).await;
    assert_eq!(listed(&app).await, std::slice::from_ref(&changed));
    assert_eq!(ask(&changed).await, b"mine");
    app.stop().await;
    // Other defaults of the settings are no reason either.
    let app = world
        .start_with(|config| {
            config.open = open;
            config.max_connections_per_listener = 7;
        })
        .await;
    assert_eq!(listed(&app).await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_on_the_port_of_a_named_listener_is_an_error_that_names_it() {
    let world = World::new("127.0.9.62");
    let app = world.start().await;
    let gate = world.open(&app, json!({"name": "gate"})).await;
    app.stop().await;
    let free = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    let open = vec![world.endpoint(free), address(&gate)];
    let refused = world.try_start(|config| config.open = open).await.err().unwrap().to_string();
    assert!(refused.contains("gate") && refused.contains("leave this --open out"), "{refused}");
    // Nothing is left open, and the journal is as it was.
    drop(StdListener::bind((world.host, free)).unwrap());
    let app = world.start().await;
    assert_eq!(listed(&app).await, [gate]);
}

#[tokio::test]
async fn an_endpoint_whose_port_is_taken_is_an_error_also_when_it_was_there_before() {
    let world = World::new("127.0.9.63");
    let port = StdListener::bind((world.host, 0)).unwrap().local_addr().unwrap().port();
    let open = vec![world.endpoint(port)];
    let app = world.start_with(|config| config.open = open.clone()).await;
    let before = listed(&app).await;
    app.stop().await;
    let thief = StdListener::bind(open[0]).unwrap();
    let refused = world.try_start(|config| config.open = open.clone()).await.err().unwrap().to_string();
    assert!(refused.contains("is in use"), "{refused}");
    drop(thief);
    let app = world.start_with(|config| config.open = open).await;
    assert_eq!(listed(&app).await, before);
    app.request("POST", "/reset", &[], "").await.expect(204);
    assert_eq!(listed(&app).await, [] as [Value; 0]);
}
