//! What framing and rules say about a message, as JSON in a column: what is said can grow without another column.

use serde_json::{Value, json};

use crate::domain::{Content, Note, Verdict};

/// As it is stored: `{"content":[0,5]}`; with `"read"` where it is no frame but a read, `"fault"` where it is no frame, and `"rule"` or `"near_miss"` where there were
/// rules; `"failure"` where its answer could not be computed.
pub(super) fn write(note: &Note) -> String {
    let Content { offset, size } = note.content;
    if note.is_frame && note.fault.is_none() && note.verdict.is_none() && note.failure.is_none() {
        return format!("{{\"content\":[{offset},{size}]}}");
    }
    let mut object = json!({"content": [offset, size]});
    if !note.is_frame {
        object["read"] = json!(true);
    }
    if let Some(fault) = &note.fault {
        object["fault"] = json!(**fault);
    }
    match &note.verdict {
        Some(Verdict::Rule(rule)) => object["rule"] = json!(**rule),
        Some(Verdict::NearMiss { rule, detail }) => object["near_miss"] = json!([**rule, **detail]),
        None => {}
    }
    if let Some(failure) = &note.failure {
        object["failure"] = json!(**failure);
    }
    object.to_string()
}

/// What was stored. What is no note says nothing.
pub(super) fn read(text: &str) -> Option<Note> {
    let note: Value = serde_json::from_str(text).ok()?;
    let content = note.get("content")?;
    let number = |at: usize| content.get(at).and_then(Value::as_u64);
    let fault = note.get("fault").and_then(Value::as_str).map(Into::into);
    let content = Content { offset: number(0)?, size: number(1)? };
    let failure = note.get("failure").and_then(Value::as_str).map(Into::into);
    // Version 1 did not say so of a read that rules had judged.
    let is_frame = note.get("read").is_none();
    Some(Note { is_frame, content, fault, verdict: verdict(&note), failure })
}

fn verdict(note: &Value) -> Option<Verdict> {
    if let Some(rule) = note.get("rule").and_then(Value::as_str) {
        return Some(Verdict::Rule(rule.into()));
    }
    let near_miss = note.get("near_miss")?;
    let word = |at: usize| near_miss.get(at).and_then(Value::as_str);
    Some(Verdict::NearMiss { rule: word(0)?.into(), detail: word(1)?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_as_it_was_written() {
        let content = Content { offset: 2, size: u64::from(u32::MAX) };
        for fault in [None, Some("frame \"incomplete\": 9 of 16 bytes\n".into())] {
            let near_miss = Verdict::NearMiss { rule: "r\"1".into(), detail: "differs".into() };
            for verdict in [None, Some(Verdict::Rule("登录".into())), Some(near_miss)] {
                let is_frame = fault.is_none();
                let note = Note { is_frame, content, fault: fault.clone(), verdict, failure: fault.clone() };
                assert_eq!(read(&write(&note)), Some(note));
            }
        }
        assert_eq!(read("nonsense"), None);
    }
}
