//! What no listener can be, whatever its replies and rules are.

use std::time::Duration;

use super::field::FieldError;
use super::framing::{Cut, FramingDraft};
use super::listener::ListenerDraft;
use super::reply::Reply;

/// Everything that is wrong with the numbers and times of a listener.
pub(super) fn check(draft: &ListenerDraft) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |bad: bool, pointer: &str, detail: &str| {
        if bad {
            errors.push(FieldError::new(pointer, detail));
        }
    };
    let limits = &draft.limits;
    wrong(draft.backlog == 0 || draft.backlog > 65_535, "/backlog", "must be from 1 to 65535");
    wrong(
        draft.greeting == Reply::Echo,
        "/greeting",
        "there is nothing to echo yet: give a text, hex or base64",
    );
    wrong(limits.connections == 0, "/limits/connections", "must be at least 1");
    wrong(limits.idle == Some(Duration::ZERO), "/limits/idle", "must be longer than 0; null is no limit");
    wrong(
        limits.lifetime == Some(Duration::ZERO),
        "/limits/lifetime",
        "must be longer than 0; null is no limit",
    );
    wrong(limits.write.is_zero(), "/limits/write", "must be longer than 0");
    wrong(limits.stored_bytes > 1 << 30, "/limits/stored_bytes", "must be at most 1GiB");
    wrong(
        draft.max_connections_total == Some(0),
        "/max_connections_total",
        "must be at least 1; null is no limit",
    );
    wrong(draft.ttl == Some(Duration::ZERO), "/ttl", "must be longer than 0; null is no limit");
    if let (Some(FramingDraft { cut: Cut::IdleGap(gap), .. }), Some(idle)) = (&draft.framing, limits.idle) {
        wrong(
            *gap >= idle,
            "/framing/gap",
            "must be shorter than limits.idle, which would end the connection first",
        );
    }
    errors
}
