//! A rule as JSON, read and written.

use serde_json::{Map, Value, json};

use crate::domain::{FieldError, Reply, RuleDraft, RuleReply, Sequence, format_duration};

use super::fault::{fault_to_json, read_fault};
use super::fields::{Fields, integer, string};
use super::matcher::{matcher_to_json, read_matcher};
use super::reply::{read_reply, reply_to_json};
use super::spec::{duration, list, then};

const MEMBERS: [&str; 10] =
    ["name", "when", "state", "reply", "sequence", "then", "delay", "times", "set_state", "faults"];

/// Reads a rule that stands at `pointer`; what is wrong with it is noted.
pub(super) fn read_rule(value: &Value, pointer: &str, errors: &mut Vec<FieldError>) -> Option<RuleDraft> {
    let mut fields = Fields::new(value, pointer, &MEMBERS, errors)?;
    let text = |v: &Value| string(v).map(str::to_owned);
    let when = fields.get("when").filter(|when| !when.is_null());
    let place = fields.pointer("when");
    Some(RuleDraft {
        name: fields.nullable("name", None, text),
        when: when.and_then(|when| read_matcher(when, &place, fields.errors())),
        state: fields.nullable("state", None, text),
        reply: reply(&mut fields),
        sequence: fields.read("sequence", Sequence::Last, sequence),
        then: fields.nullable("then", None, then),
        delay: fields.nullable("delay", None, duration),
        times: fields.nullable("times", None, |v| integer(v, 1, u64::MAX)),
        set_state: fields.nullable("set_state", None, text),
        faults: list(&mut fields, "faults", read_fault),
    })
}

fn reply(fields: &mut Fields<'_>) -> RuleReply {
    let place = fields.pointer("reply");
    match fields.get("reply") {
        None => RuleReply::Listeners,
        Some(Value::Array(list)) => {
            let read = |(n, value)| read_reply(value, &format!("{place}/{n}"), fields.errors());
            RuleReply::Many(list.iter().enumerate().filter_map(read).collect())
        }
        Some(value) => {
            let read = read_reply(value, &place, fields.errors());
            RuleReply::One(read.unwrap_or(Reply::Silence))
        }
    }
}

fn sequence(value: &Value) -> Result<Sequence, String> {
    let found = Sequence::ALL.into_iter().find(|word| value.as_str() == Some(word.as_str()));
    found.ok_or_else(|| "must be one of last, cycle, once".to_owned())
}

/// Writes a rule, such that [`read_rule`] reads it back. What was not said is left out.
pub(super) fn rule_to_json(rule: &RuleDraft) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    };
    put("name", rule.name.as_deref().map(Into::into));
    put("when", rule.when.as_ref().map(matcher_to_json));
    put("state", rule.state.as_deref().map(Into::into));
    put(
        "reply",
        match &rule.reply {
            RuleReply::Listeners => None,
            RuleReply::One(reply) => Some(reply_to_json(reply)),
            RuleReply::Many(replies) => Some(replies.iter().map(reply_to_json).collect()),
        },
    );
    put("sequence", (rule.sequence != Sequence::Last).then(|| json!(rule.sequence.as_str())));
    put("then", rule.then.map(|then| then.as_str().into()));
    put("delay", rule.delay.map(|delay| format_duration(delay).into()));
    put("times", rule.times.map(Into::into));
    put("set_state", rule.set_state.as_deref().map(Into::into));
    put("faults", (!rule.faults.is_empty()).then(|| rule.faults.iter().map(fault_to_json).collect()));
    Value::Object(object)
}
