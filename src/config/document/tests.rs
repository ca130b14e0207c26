//! The same document in three languages, and what is wrong with one in each.

use serde_json::{Value, json};

use super::Format;

const TOML: &str = r#"# a comment
max_listeners = 10

[[listeners]]
name = "gate"
port = 9_000
reply = { hex = "00" }

[[listeners]]
port = 0x2329
rules = [
  { when = { equals = "a" }, reply = "b" },
  { state = "x", faults = [{ type = "stall", probability = 0.5 }] },
]
"#;

const JSON: &str = r#"{
  "max_listeners": 10,
  "listeners": [
    {"name": "gate",
     "port": 9000, "reply": {"hex": "00"}},
    {"port": 9001,
     "rules": [{"when": {"equals": "a"}, "reply": "b"},
               {"state": "x", "faults": [{"type": "stall", "probability": 0.5}]}]}
  ]
}
"#;

const YAML: &str = r#"# a comment
max_listeners: 10
listeners:
  - name: gate
    port: 9000
    reply: {hex: "00"}
  - port: 9001
    rules:
      - {when: {equals: a}, reply: b}
      - state: x
        faults:
          - type: stall
            probability: 0.5
"#;

#[test]
fn a_document_is_the_same_in_each_language_and_every_value_has_its_line() {
    let expected = json!({"max_listeners": 10, "listeners": [
        {"name": "gate", "port": 9000, "reply": {"hex": "00"}},
        {"port": 9001, "rules": [
            {"when": {"equals": "a"}, "reply": "b"},
            {"state": "x", "faults": [{"type": "stall", "probability": 0.5}]},
        ]},
    ]});
    let places = ["/max_listeners", "/listeners/0/port", "/listeners/1/rules/1/faults/0/probability"];
    for (format, text, lines) in
        [(Format::Toml, TOML, [2, 6, 13]), (Format::Json, JSON, [2, 5, 8]), (Format::Yaml, YAML, [2, 5, 13])]
    {
        let document = format.parse(text).unwrap();
        assert_eq!(Value::Object(document.members), expected, "{format:?}");
        assert_eq!(places.map(|place| document.lines.of(place)), lines.map(Some), "{format:?}");
        let missing = document.lines.of("/listeners/0/ttl");
        assert_eq!(missing, document.lines.of("/listeners/0"), "what is missing is in its listener");
    }
}

#[test]
fn what_is_no_document_is_refused_with_its_line_and_without_a_quotation() {
    let deep = "[".repeat(40) + &"]".repeat(40);
    for (format, text, line) in [
        (Format::Toml, "a = 1\ntoken = \"swordfish\nb = 2", "line 2"),
        (Format::Toml, "a = 1\na = 2", "line 2"),
        (Format::Toml, "a = 99999999999999999999", "line 1"),
        (Format::Toml, "a = nan", "line 1"),
        (Format::Json, "{\n\"token\": \"swordfish\",\n}", "line 3"),
        (Format::Json, "{\"a\": 1,\n \"a\": 2}", "line 2"),
        (Format::Json, "[]", "object"),
        (Format::Yaml, "a: 1\nb: [swordfish", "line"),
        (Format::Yaml, "a: 1\na: 2", "line 2"),
        (Format::Yaml, "a: &x 1\nb: *x", "line 1"),
        (Format::Yaml, "a: 1\n---\nb: 2", "line"),
        (Format::Yaml, "a: !!str swordfish", "line 1"),
        (Format::Yaml, "- a", "mapping"),
        (Format::Yaml, &format!("a: {deep}"), "line 1: nested"),
        (Format::Toml, &format!("a = {deep}"), "line 1: nested"),
    ] {
        let said = format.parse(text).unwrap_err();
        assert!(said.contains(line) && !said.contains("swordfish"), "{format:?} {text:?}: {said}");
    }
}

#[test]
fn a_plain_text_of_yaml_is_what_the_core_schema_says() {
    for (text, value) in [
        ("~", Value::Null),
        ("", Value::Null),
        ("true", json!(true)),
        ("no", json!("no")),
        ("-7", json!(-7)),
        ("0x1f", json!(31)),
        ("1.5", json!(1.5)),
        ("1.5.2", json!("1.5.2")),
        ("inf", json!("inf")),
        (".5", json!(0.5)),
        ("5m", json!("5m")),
        ("'7'", json!("7")),
        ("\"\\u95ee\"", json!("问")),
        ("18446744073709551615", json!(u64::MAX)),
    ] {
        assert_eq!(Format::Yaml.parse(&format!("a: {text}")).unwrap().members["a"], value, "{text}");
    }
}
