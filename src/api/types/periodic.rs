//! A periodic send as JSON, read and written.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::{FieldError, PeriodicDraft, Reply, format_duration};

use super::fields::Fields;
use super::reply::{read_reply, reply_to_json};
use super::spec::duration;

/// Reads a periodic send that stands at `pointer`; what is wrong with it is noted.
pub(super) fn read_periodic(
    value: &Value,
    pointer: &str,
    errors: &mut Vec<FieldError>,
) -> Option<PeriodicDraft> {
    let mut fields = Fields::new(value, pointer, &["every", "send"], errors)?;
    for name in ["every", "send"] {
        if fields.get(name).is_none() {
            fields.wrong(name, "is required");
        }
    }
    let every = fields.read("every", Duration::from_secs(1), duration);
    let (send, place) = (fields.get("send")?, fields.pointer("send"));
    Some(PeriodicDraft { every, send: read_reply(send, &place, fields.errors()).unwrap_or(Reply::Silence) })
}

/// Writes a periodic send, such that [`read_periodic`] reads it back.
pub(super) fn periodic_to_json(periodic: &PeriodicDraft) -> Value {
    json!({"every": format_duration(periodic.every), "send": reply_to_json(&periodic.send)})
}
