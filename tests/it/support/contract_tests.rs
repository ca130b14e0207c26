//! That the judge judges.

use serde_json::{Value, json};

use super::{Answer, Contract, child};

const JSON: Option<&str> = Some("application/json");
const PROBLEM: Option<&str> = Some("application/problem+json");

/// The violations as one text; empty when the answer is fine.
fn judged(method: &str, path: &str, status: u16, content_type: Option<&str>, body: &Value) -> String {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let answer = Answer { method, path, query, status, content_type, headers: None, body: &body };
    Contract::get().violations(&answer).join("; ")
}

fn not_found() -> Value {
    json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "No.", "code": "not-found"})
}

#[test]
fn an_answer_that_keeps_the_contract_passes() {
    assert_eq!(judged("GET", "/healthz", 200, JSON, &json!({"status": "ok", "version": "0.1.0"})), "");
    assert_eq!(judged("GET", "/listeners/gate", 404, PROBLEM, &not_found()), "");
    assert_eq!(judged("GET", "/nowhere", 404, PROBLEM, &not_found()), "");
    assert_eq!(judged("DELETE", "/listeners/gate?drain=5s", 204, None, &Value::Null), "");
}

#[test]
fn an_unknown_field_is_refused() {
    let verdict =
        judged("DELETE", "/connections", 200, JSON, &json!({"forgotten": 1, "kept_open": 0, "x": 1}));
    assert!(verdict.contains("'x' was unexpected"), "{verdict}");
}

#[test]
fn an_undocumented_status_is_refused() {
    let verdict = judged("GET", "/healthz", 418, JSON, &json!({}));
    assert!(verdict.contains("does not document the status 418"), "{verdict}");
}

#[test]
fn an_undocumented_path_method_content_type_parameter_or_body_is_refused() {
    let empty = json!({"items": [], "next": null, "evicted_before": null});
    assert!(judged("GET", "/nowhere", 200, JSON, &json!({})).contains("no such operation"));
    assert!(judged("PUT", "/listeners", 404, PROBLEM, &not_found()).contains("no such operation"));
    assert!(judged("GET", "/messages", 200, Some("text/html"), &empty).contains("the content type is"));
    assert!(judged("GET", "/messages?colour=red", 200, JSON, &empty).contains("colour is not documented"));
    assert!(judged("POST", "/reset", 204, JSON, &json!({})).contains("a body where none is documented"));
}

#[test]
#[should_panic(expected = "the header X-Request-Id is missing")]
fn a_missing_header_is_refused_with_a_message_that_names_it() {
    Contract::get().check("POST", "/reset", 204, None, Some(&[]), b"");
}

#[test]
fn a_wrong_code_or_a_shortened_time_is_refused() {
    let other =
        json!({"type": "about:blank", "title": "T", "status": 404, "detail": "No.", "code": "internal"});
    assert!(judged("GET", "/listeners/gate", 404, PROBLEM, &other).contains("/code"));
    let time = |text| Contract::get().against("/components/schemas/Time", &json!(text));
    assert_eq!(time("2026-11-22T10:15:02.417093Z"), Vec::<String>::new());
    assert!(!time("2026-11-22T10:15:02.417Z").is_empty());
}

#[test]
fn every_example_and_default_in_the_contract_obeys_its_schema() {
    let contract = Contract::get();
    let mut wrong = Vec::new();
    let judged = judge_examples(contract, &contract.document, "", &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged > 100, "only {judged} examples were found");
}

/// Judges the examples beside each `schema`, in schemas, and the defaults; returns how many there were.
fn judge_examples(contract: &Contract, value: &Value, at: &str, wrong: &mut Vec<String>) -> usize {
    let mut pairs: Vec<(String, &Value)> = Vec::new();
    if value.get("schema").is_some() && !at.ends_with("/properties") {
        let named = value.get("examples").and_then(Value::as_object).into_iter().flat_map(|map| map.values());
        let named = named.filter_map(|example| contract.resolved(example).get("value"));
        pairs.extend(named.chain(value.get("example")).map(|example| (child(at, "schema"), example)));
    } else if at.starts_with("/components/schemas/") || at.contains("/schema") {
        let listed = value.get("examples").and_then(Value::as_array).into_iter().flatten();
        pairs.extend(listed.chain(value.get("default")).map(|example| (at.to_owned(), example)));
    }
    for (schema, example) in &pairs {
        let found = contract.against(schema, example);
        wrong.extend(found.into_iter().map(|violation| format!("{schema}: {violation}")));
    }
    let inner = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (child(at, key), value)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(at_, v)| (child(at, &at_.to_string()), v)).collect()
        }
        _ => Vec::new(),
    };
    let examples = |at: &str| at.ends_with("/examples") || at.ends_with("/example");
    let inner = inner.into_iter().filter(|(at, _)| !examples(at));
    pairs.len() + inner.map(|(at, value)| judge_examples(contract, value, &at, wrong)).sum::<usize>()
}
