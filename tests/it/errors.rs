//! Every row of the table of errors, and bad input of every kind.

use std::net::TcpListener as StdListener;

use serde_json::json;

use crate::support::{TestApp, address};

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_with_the_place() {
    let app = TestApp::start().await;
    let json = [("content-type", "application/json")];
    for body in ["", "{", "{\"port\":}", "port=8080", "\u{0}", "[1,2", "{\"port\":8080}{}"] {
        app.request("POST", "/listeners", &json, body.to_owned()).await.problem(400, "malformed-json");
    }
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let app = TestApp::start().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let headers = [("content-type", kind)];
        let answer = app.request("POST", "/listeners", &headers, r#"{"port":0}"#).await;
        answer.problem(415, "unsupported-media-type");
    }
    app.request("POST", "/listeners", &[], r#"{"port":0}"#).await.problem(415, "unsupported-media-type");
    let with_charset = [("content-type", "application/json; charset=utf-8")];
    app.request("POST", "/listeners", &with_charset, r#"{"port":0}"#).await.expect(201);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    let body = json!({"port": 0, "reply": "x".repeat(3 << 20)});
    app.json("POST", "/listeners", &body).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn each_wrong_field_is_named_with_its_place() {
    let app = TestApp::start().await;
    for (body, pointer) in [
        (json!({}), "/port"),
        (json!({"port": -1}), "/port"),
        (json!({"port": 65_536}), "/port"),
        (json!({"port": "8080"}), "/port"),
        (json!({"port": 80.5}), "/port"),
        (json!({"port": null}), "/port"),
        (json!({"port": 0, "prot": 1}), "/prot"),
        (json!({"port": 0, "host": "example.org"}), "/host"),
        (json!({"port": 0, "host": 1}), "/host"),
        (json!({"port": 0, "host": "224.0.0.1"}), "/host"),
        (json!({"port": 0, "host": "ff02::1"}), "/host"),
        (json!({"port": 0, "host": "255.255.255.255"}), "/host"),
        (json!({"port": 0, "name": "a", "ttl": "None"}), "/ttl"),
        (json!({"port": 0, "name": "Gate"}), "/name"),
        (json!({"port": 0, "name": ""}), "/name"),
        (json!({"port": 0, "backlog": 0}), "/backlog"),
        (json!({"port": 0, "encoding": "klingon"}), "/encoding"),
        (json!({"port": 0, "encoding": null}), "/encoding"),
        (json!({"port": 0, "framing": "line"}), "/framing"),
        (json!({"port": 0, "reply": 5}), "/reply"),
        (json!({"port": 0, "reply": {}}), "/reply"),
        (json!({"port": 0, "reply": {"text": 5}}), "/reply/text"),
        (json!({"port": 0, "reply": {"hex": "7"}}), "/reply/hex"),
        (json!({"port": 0, "reply": {"hex": "zz"}}), "/reply/hex"),
        (json!({"port": 0, "reply": {"base64": "?"}}), "/reply/base64"),
        (json!({"port": 0, "reply": {"echo": false}}), "/reply/echo"),
        (json!({"port": 0, "reply": {"text": "a", "hex": "00"}}), "/reply/hex"),
        (json!({"port": 0, "reply": {"text": "a", "encoding": "x"}}), "/reply/encoding"),
        (json!({"port": 0, "greeting": {"echo": true}}), "/greeting"),
        (json!({"port": 0, "then": "explode"}), "/then"),
        (json!({"port": 0, "limits": {"idle": "5"}}), "/limits/idle"),
        (json!({"port": 0, "limits": {"idle": "0s"}}), "/limits/idle"),
        (json!({"port": 0, "limits": {"idel": "5s"}}), "/limits/idel"),
        (json!({"port": 0, "limits": {"write": null}}), "/limits/write"),
        (json!({"port": 0, "limits": {"connections": 0}}), "/limits/connections"),
        (json!({"port": 0, "limits": {"stored_bytes": "2GiB"}}), "/limits/stored_bytes"),
        (json!({"port": 0, "limits": 7}), "/limits"),
        (json!({"port": 0, "max_connections_total": 0}), "/max_connections_total"),
        (json!({"port": 0, "ttl": "0s"}), "/ttl"),
        (json!({"port": 0, "rules": 5}), "/rules"),
        (json!([1]), ""),
    ] {
        let problem = app.json("POST", "/listeners", &body).await.problem(422, "invalid-field");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        assert!(!problem["detail"].as_str().unwrap().starts_with(':'), "{problem}");
    }
    assert_eq!(app.get("/listeners").await.json()["items"], json!([]), "nothing was opened by halves");
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once() {
    let app = TestApp::start().await;
    let body = json!({"prot": 1, "backlog": 0, "then": "x", "limits": {"idle": 5}});
    let problem = app.json("POST", "/listeners", &body).await.problem(422, "invalid-field");
    let errors = problem["errors"].as_array().unwrap();
    let mut pointers: Vec<_> = errors.iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/backlog", "/limits/idle", "/port", "/prot", "/then"]);
    let prot = errors.iter().find(|e| e["pointer"] == "/prot").unwrap();
    assert!(prot["detail"].as_str().unwrap().contains("did you mean `port`?"));
}

#[tokio::test]
async fn a_text_that_the_encoding_cannot_express_is_refused_with_the_character() {
    let app = TestApp::start().await;
    let body = json!({"port": 0, "reply": "ok 😀"});
    let problem = app.json("POST", "/listeners", &body).await.problem(422, "invalid-field");
    assert_eq!(problem["errors"][0]["pointer"], "/reply");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("`😀` (U+1F600)"), "{problem}");
    let latin = json!({"port": 0, "encoding": "latin1"});
    // The standard reply itself: another encoding needs another reply.
    let problem = app.json("POST", "/listeners", &latin).await.problem(422, "invalid-field");
    assert!(problem["detail"].as_str().unwrap().contains('问'), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("no other reply is given"), "{problem}");
    let own = json!({"port": 0, "encoding": "latin1", "reply": "登"});
    let problem = app.json("POST", "/listeners", &own).await.problem(422, "invalid-field");
    assert!(!problem["detail"].as_str().unwrap().contains("given"), "{problem}");
}

#[tokio::test]
async fn a_reply_of_two_forms_is_told_that_it_has_one() {
    let app = TestApp::start().await;
    let body = json!({"port": 0, "reply": {"text": "a", "hex": "00"}});
    let problem = app.json("POST", "/listeners", &body).await.problem(422, "invalid-field");
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, "a reply has one form: text, hex, base64, echo or template");
}

#[tokio::test]
async fn a_refusal_is_small_however_much_is_wrong() {
    let app = TestApp::start().await;
    let junk: serde_json::Map<_, _> = (0..120_000).map(|n| (format!("junk{n}"), json!(0))).collect();
    let long = "ab/~".repeat(400_000);
    for (body, errors) in [
        (json!(junk.clone()), 22),
        (json!({"port": 0, "limits": junk.clone()}), 21),
        (json!({"port": 0, "reply": {"text": "a", "x": 1, long.clone(): 1}}), 2),
        (json!({"port": 0, long.clone(): 1}), 1),
        (json!({"port": 0, "encoding": long.clone()}), 1),
        (json!({"port": 0, "ttl": long.clone()}), 1),
        (json!({"port": 0, "limits": {"stored_bytes": long.clone()}}), 1),
    ] {
        let began = std::time::Instant::now();
        let answer = app.json("POST", "/listeners", &body).await;
        assert!(answer.body.len() < 20_000, "{} bytes", answer.body.len());
        let problem = answer.problem(422, "invalid-field");
        assert_eq!(problem["errors"].as_array().unwrap().len(), errors, "{problem}");
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
    let twice = format!("{{\"{long}\":1,\"{long}\":1}}");
    let answer = app.request("POST", "/listeners", &[("content-type", "application/json")], twice).await;
    assert!([400, 413].contains(&answer.status.as_u16()) && answer.body.len() < 5_000);
    let query: Vec<String> = (0..2_000).map(|n| format!("x{n}")).collect();
    for query in [query.join("&"), "x".repeat(10_000), format!("peer={}", "x".repeat(10_000))] {
        let answer = app.get(&format!("/connections?{query}")).await;
        assert!(answer.body.len() < 10_000, "{} bytes", answer.body.len());
        answer.problem(422, "invalid-field");
    }
    let answer = app.get(&format!("/listeners/{}", "x".repeat(10_000))).await;
    assert!(answer.body.len() < 2_000, "{} bytes", answer.body.len());
}

#[tokio::test]
async fn a_limit_can_be_lifted_by_a_patch() {
    let app = TestApp::start().await;
    let spec = json!({"name": "gate", "ttl": "1h", "max_connections_total": 7, "limits": {"lifetime": "1h"}});
    let listener = app.open(spec).await;
    assert_eq!(listener["limits"]["idle"], "5m");
    let lift = json!({"ttl": "none", "max_connections_total": "none", "limits": {"idle": "none", "lifetime": "none"}});
    let lifted = app.json("PATCH", "/listeners/gate", &lift).await.expect(200).json();
    for value in [
        &lifted["ttl"],
        &lifted["max_connections_total"],
        &lifted["limits"]["idle"],
        &lifted["limits"]["lifetime"],
    ] {
        assert!(value.is_null(), "{lifted}");
    }
    let other = app.json("PATCH", "/listeners/gate", &json!({"reply": "ok"})).await.expect(200).json();
    assert!(other["limits"]["idle"].is_null(), "another change leaves it lifted");
    let again =
        app.json("PATCH", "/listeners/gate", &json!({"limits": {"idle": null}})).await.expect(200).json();
    assert_eq!(again["limits"]["idle"], "5m", "null is the default");
    app.open(json!({"limits": {"idle": "none"}})).await;
}

#[tokio::test]
async fn a_mapped_address_and_a_name_of_null_are_what_they_mean() {
    let app = TestApp::start().await;
    let spec = json!({"port": 0, "host": "::ffff:127.0.0.1", "name": null});
    let listener = app.json("PUT", "/listeners/gate", &spec).await.expect(201).json();
    assert_eq!((&listener["host"], &listener["name"]), (&json!("127.0.0.1"), &json!("gate")));
}

#[tokio::test]
async fn a_taken_port_names_its_holder_if_it_is_ours() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"name": "gate"})).await;
    let again = json!({"port": listener["port"], "host": "127.0.0.1"});
    let problem = app.json("POST", "/listeners", &again).await.problem(409, "port-in-use");
    assert!(problem["detail"].as_str().unwrap().contains("gate"), "{problem}");
    let wider = json!({"port": listener["port"], "host": "0.0.0.0"});
    let problem = app.json("POST", "/listeners", &wider).await.problem(409, "port-in-use");
    assert!(problem["detail"].as_str().unwrap().contains("gate"), "{problem}");
    let foreign = StdListener::bind("127.0.0.1:0").unwrap();
    let taken = json!({"port": foreign.local_addr().unwrap().port(), "host": "127.0.0.1"});
    let problem = app.json("POST", "/listeners", &taken).await.problem(409, "port-in-use");
    assert!(problem["detail"].as_str().unwrap().contains("another program"), "{problem}");
}

#[tokio::test]
async fn a_taken_name_is_refused() {
    let app = TestApp::start().await;
    app.open(json!({"name": "gate"})).await;
    app.json("POST", "/listeners", &json!({"port": 0, "name": "gate"})).await.problem(409, "name-in-use");
    let body = json!({"port": 0, "name": "other"});
    app.json("PUT", "/listeners/gate", &body).await.problem(422, "invalid-field");
}

#[tokio::test]
async fn ports_beyond_the_allowed_ones_are_refused() {
    let app = TestApp::start().await;
    let problem = app.json("POST", "/listeners", &json!({"port": 80})).await.problem(403, "port-not-allowed");
    assert!(problem["detail"].as_str().unwrap().contains("1024-65535"), "{problem}");
    for host in ["0.0.0.0", "127.0.0.1", "::1"] {
        let own = json!({"port": app.api.port(), "host": host});
        let problem = app.json("POST", "/listeners", &own).await.problem(403, "port-not-allowed");
        assert!(problem["detail"].as_str().unwrap().contains("control plane"), "{problem}");
    }
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused() {
    let app = TestApp::start().await;
    for host in ["203.0.113.7", "2001:db8::7"] {
        let body = json!({"port": 0, "host": host});
        let problem = app.json("POST", "/listeners", &body).await.problem(422, "address-not-available");
        assert!(problem["detail"].as_str().unwrap().contains(host), "{problem}");
    }
}

#[tokio::test]
async fn one_listener_too_many_is_refused_until_one_is_closed() {
    let app = TestApp::start_with(|config| config.max_listeners = 2).await;
    app.open(json!({"name": "a"})).await;
    app.open(json!({})).await;
    let problem = app.json("POST", "/listeners", &json!({"port": 0})).await.problem(503, "listener-limit");
    assert!(problem["detail"].as_str().unwrap().contains("--max-listeners"), "{problem}");
    app.delete("/listeners/a").await.expect(204);
    app.open(json!({})).await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let app = TestApp::start().await;
    let id = "01980000-0000-7000-8000-000000000000";
    for path in [
        "/nothing".to_owned(),
        "/listeners/gate".to_owned(),
        "/listeners/%00%ff".to_owned(),
        format!("/listeners/{id}"),
        format!("/connections/{id}"),
        format!("/connections/{id}/messages"),
        format!("/connections/{id}/payload"),
        "/connections/gate".to_owned(),
        "/docs/../Cargo.toml".to_owned(),
        "/docs/nothing.js".to_owned(),
    ] {
        let answer = app.get(&path).await;
        assert!([404, 422].contains(&answer.status.as_u16()), "{path}: {}", answer.text());
        assert!(answer.json()["code"].is_string(), "{path}");
    }
    app.json("PATCH", "/listeners/gate", &json!({})).await.problem(404, "not-found");
    app.json("PUT", &format!("/listeners/{id}"), &json!({"port": 0})).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_those_it_does() {
    let app = TestApp::start().await;
    for (method, path, allowed) in [
        ("PUT", "/listeners", "POST"),
        ("POST", "/connections", "DELETE"),
        ("DELETE", "/messages", "GET"),
        ("POST", "/healthz", "GET"),
        ("GET", "/reset", "POST"),
    ] {
        let answer = app.json(method, path, &json!({})).await;
        let allow = answer.header("allow");
        assert!(allow.contains(allowed), "{method} {path}: Allow: {allow}");
        answer.problem(405, "method-not-allowed");
    }
}

#[tokio::test]
async fn wrong_queries_are_named() {
    let app = TestApp::start().await;
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=",
        "order=up",
        "after=x",
        "wait=1h",
        "wait=x",
        "wait=1s&order=desc",
        "peer=x",
        "peer=10.0.0.0/33",
        "state=half",
        "since=yesterday",
        "contains_hex=7",
        "colour=red",
        "limit=1&limit=2",
        "payload=raw",
        "encoding=klingon",
    ] {
        let problem = app.get(&format!("/connections?{query}")).await.problem(422, "invalid-field");
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with('?'), "{query}: {problem}");
    }
}

#[tokio::test]
async fn a_listener_that_was_refused_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    let clash = json!({"port": listener["port"], "host": "127.0.0.1", "name": "clash"});
    app.json("PUT", "/listeners/clash", &clash).await.problem(409, "port-in-use");
    app.get("/listeners/clash").await.problem(404, "not-found");
    app.delete(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.expect(204);
    let opened = app.json("PUT", "/listeners/clash", &clash).await.expect(201).json();
    assert_eq!(address(&opened), address(&listener));
}
