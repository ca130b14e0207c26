//! What can be asked for, and what cannot.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn every_fault_is_shown_with_all_defaults_and_may_be_given_back_as_shown() {
    let app = TestApp::start().await;
    let given = json!([
        {"type": "latency", "delay": "100ms", "jitter": "20ms"},
        {"type": "latency", "jitter": "1s", "distribution": "normal", "probability": 0.25, "seed": 7, "ttl": "5m"},
        {"type": "bandwidth", "rate": "64KiB"},
        {"type": "bandwidth", "rate": 1, "direction": "sent"},
        {"type": "dribble", "bytes": 1, "every": "10ms"},
        {"type": "reset"},
        {"type": "close", "when": "message", "after_bytes": "1KiB"},
        {"type": "truncate", "bytes": 0},
        {"type": "corrupt"},
        {"type": "stall", "ttl": "none"},
        {"type": "stop_reading", "after_bytes": 10},
        {"type": "refuse"},
        {"type": "half_open"},
    ]);
    let listener = app.open(json!({"name": "bad", "faults": given})).await;
    let common = json!({"probability": 1.0, "seed": null, "ttl": null});
    let with = |mut own: Value| {
        let own = own.as_object_mut().unwrap();
        for (name, value) in common.as_object().unwrap() {
            own.entry(name).or_insert_with(|| value.clone());
        }
        json!(own)
    };
    let shown = listener["faults"].as_array().unwrap();
    assert_eq!(
        shown[0],
        with(json!({"type": "latency", "delay": "100ms", "jitter": "20ms", "distribution": "uniform"}))
    );
    assert_eq!((&shown[1]["probability"], &shown[1]["seed"]), (&json!(0.25), &json!(7)));
    assert_eq!(shown[2], with(json!({"type": "bandwidth", "rate": 65_536, "direction": null})));
    assert_eq!(shown[5], with(json!({"type": "reset", "when": "reply", "after_bytes": 0})));
    assert_eq!(shown[8], with(json!({"type": "corrupt", "bits": 1})));
    let again = json!({"port": listener["port"], "host": "127.0.0.1", "faults": shown});
    let put = app.json("PUT", "/listeners/bad", &again).await.expect(200).json();
    assert_eq!(put["faults"], listener["faults"]);
    assert_eq!(put["opened_at"], listener["opened_at"], "nothing has changed");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_says_why() {
    let app = TestApp::start().await;
    for (fault, pointer) in [
        (json!("latency"), ""),
        (json!({}), "/type"),
        (json!({"type": "lag"}), "/type"),
        (json!({"type": "latency"}), "/delay"),
        (json!({"type": "latency", "delay": "2h"}), "/delay"),
        (json!({"type": "latency", "delay": "1s", "distribution": "pareto"}), "/distribution"),
        (json!({"type": "latency", "delay": "1s", "rate": 1}), "/rate"),
        (json!({"type": "bandwidth"}), "/rate"),
        (json!({"type": "bandwidth", "rate": 0}), "/rate"),
        (json!({"type": "bandwidth", "rate": 1, "direction": "up"}), "/direction"),
        (json!({"type": "dribble", "bytes": 1}), "/every"),
        (json!({"type": "dribble", "bytes": 0, "every": "1s"}), "/bytes"),
        (json!({"type": "dribble", "bytes": 1, "every": "1us"}), "/every"),
        (json!({"type": "reset", "when": "never"}), "/when"),
        (json!({"type": "reset", "when": "accept", "after_bytes": 1}), "/after_bytes"),
        (json!({"type": "truncate"}), "/bytes"),
        (json!({"type": "corrupt", "bits": 0}), "/bits"),
        (json!({"type": "corrupt", "bits": 4_000_000}), "/bits"),
        (json!({"type": "stall", "probability": 0}), "/probability"),
        (json!({"type": "stall", "probability": 1.01}), "/probability"),
        (json!({"type": "stall", "seed": -1}), "/seed"),
        (json!({"type": "stall", "ttl": "0s"}), "/ttl"),
        (json!({"type": "refuse", "probability": 0.5}), "/probability"),
    ] {
        let problem = app.json("POST", "/listeners", &json!({"port": 0, "faults": [fault]})).await;
        let problem = problem.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], format!("/faults/0{pointer}"), "{fault}: {problem}");
    }
    for (fault, pointer) in [
        (json!({"type": "refuse"}), "/type"),
        (json!({"type": "close", "when": "accept"}), "/when"),
        (json!({"type": "bandwidth", "rate": 1}), "/direction"),
        (json!({"type": "stop_reading", "after_bytes": 1}), "/after_bytes"),
    ] {
        let rules = json!([{"faults": [fault]}]);
        let problem =
            app.json("POST", "/listeners", &json!({"port": 0, "rules": rules})).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], format!("/rules/0/faults/0{pointer}"), "{fault}");
    }
    let many: Vec<_> = (0..33).map(|_| json!({"type": "stall"})).collect();
    app.json("POST", "/listeners", &json!({"port": 0, "faults": many})).await.expect(422);
}
