//! `close`: the client sees a FIN where it expects something else.
//!
//! At `accept` before anything is read; at a `message` when the client has sent `after_bytes` in all and the message is on
//! record, instead of its reply; in a `reply` behind `after_bytes` of it.

use crate::domain::{Then, When};

use super::effect::{Answer, Hindrance};

const END: Then = Then::Close;

/// It is over when it has begun.
pub(super) fn hinder(hindrance: &mut Hindrance) {
    hindrance.hang_up = Some(END);
}

/// It is over at a message, when `received` bytes have come, or in its reply.
pub(super) fn strike(when: When, after_bytes: u64, received: u64, answer: &mut Answer) {
    answer.end(END, when, after_bytes, received);
}
