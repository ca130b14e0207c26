//! What is said to a live connection, and what came of it.

use serde::Serialize;
use serde_json::Value;

use crate::domain::{ConnectionId, FieldError, Reply, Timestamp};
use crate::engine::{HangUp, Sent};

use super::fields::{Fields, string};
use super::list::as_text;
use super::reply::read_reply;

/// A message that was sent.
#[derive(Debug, Serialize)]
pub struct SentView {
    #[serde(serialize_with = "as_text")]
    connection: ConnectionId,
    seq: u64,
    #[serde(serialize_with = "as_text")]
    at: Timestamp,
    size: u64,
}

impl SentView {
    /// What was sent to a connection.
    pub fn new(connection: ConnectionId, sent: Sent) -> Self {
        let Sent { seq, size, at } = sent;
        Self { connection, seq, at, size }
    }
}

/// A client that was hung up on.
#[derive(Debug, Serialize)]
pub struct HungUpView {
    #[serde(serialize_with = "as_text")]
    connection: ConnectionId,
    how: &'static str,
}

impl HungUpView {
    /// How it was done to a connection.
    pub const fn new(connection: ConnectionId, how: HangUp) -> Self {
        Self { connection, how: how.as_str() }
    }
}

/// Reads a message to send: a reply.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_message(value: &Value) -> Result<Reply, Vec<FieldError>> {
    let mut errors = Vec::new();
    match read_reply(value, "", &mut errors) {
        Some(reply) if errors.is_empty() => Ok(reply),
        _ => Err(errors),
    }
}

/// Reads how to hang up: `{"how": "fin"}`.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_hang_up(value: &Value) -> Result<HangUp, Vec<FieldError>> {
    let mut errors = Vec::new();
    if let Some(mut fields) = Fields::new(value, "", &["how"], &mut errors) {
        let parse =
            |v: &Value| HangUp::parse(string(v)?).ok_or_else(|| "must be one of fin, reset".to_owned());
        if fields.get("how").is_none() {
            fields.wrong("how", "is required: fin or reset");
        }
        let how = fields.read("how", HangUp::Fin, parse);
        if errors.is_empty() {
            return Ok(how);
        }
    }
    Err(errors)
}
