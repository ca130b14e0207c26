//! Faults on purpose, as a client sees them on the wire.

mod connections;
mod grammar;
mod ports;
mod replies;
mod wire;

use serde_json::{Value, json};

use crate::support::TestApp;

/// An endpoint with these faults that answers `0123456789` and keeps its clients.
async fn endpoint(app: &TestApp, faults: Value) -> Value {
    app.open(json!({"encoding": "utf-8", "reply": "0123456789", "then": "keep", "faults": faults})).await
}

/// Other faults from now on.
async fn change(app: &TestApp, listener: &Value, faults: Value) {
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    app.json("PATCH", &path, &json!({"faults": faults})).await.expect(200);
}

/// Waits until so many messages of the listener's clients are on record.
async fn received(app: &TestApp, listener: &Value, messages: usize) -> Vec<Value> {
    let path = format!("/messages?direction=received&listener={}", listener["id"].as_str().unwrap());
    let mut seen = Vec::new();
    let mut cursor = "start".to_owned();
    while seen.len() < messages {
        let page = app.get(&format!("{path}&after={cursor}&wait=20s")).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty(), "only {} messages came", seen.len());
        seen.extend(items.iter().cloned());
        cursor = page["next"].as_str().unwrap().to_owned();
    }
    seen
}
