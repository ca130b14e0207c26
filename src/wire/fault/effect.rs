//! What faults can do.

use std::time::Duration;

use bytes::Bytes;

use crate::domain::{CloseReason, Content, Then, When};

/// So many bytes, then a pause, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes at once, at least 1.
    pub bytes: usize,
    /// The time from one to the next.
    pub every: Duration,
}

impl Pace {
    /// The slower of two.
    pub fn slower(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let time_a_byte = |pace: &Self| pace.every.as_nanos() / pace.bytes.max(1) as u128;
        one.into_iter().chain(other).max_by_key(time_a_byte)
    }

    /// How long so many bytes take.
    pub fn time(self, bytes: usize) -> Duration {
        self.every.mul_f64(bytes as f64 / self.bytes.max(1) as f64)
    }
}

/// What faults do to a connection, for as long as they are in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hindrance {
    /// It ends before anything is said: with a FIN or a RST.
    pub hang_up: Option<Then>,
    /// Nothing is answered.
    pub is_mute: bool,
    /// No segment of the client is taken any more.
    pub is_deaf: bool,
    /// So many bytes are read, and no more.
    pub reads_up_to: Option<u64>,
    /// How fast it is read.
    pub reading: Option<Pace>,
    /// How fast is sent.
    pub sending: Option<Pace>,
}

impl Hindrance {
    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            hang_up: self.hang_up.or(other.hang_up),
            is_mute: self.is_mute || other.is_mute,
            is_deaf: self.is_deaf || other.is_deaf,
            reads_up_to: self.reads_up_to.into_iter().chain(other.reads_up_to).min(),
            reading: Pace::slower(self.reading, other.reading),
            sending: Pace::slower(self.sending, other.sending),
        }
    }
}

/// A reply that is about to leave, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Answer {
    pub(in super::super) bytes: Bytes,
    /// What of them is the content, where they are a frame.
    pub(in super::super) content: Option<Content>,
    pub(in super::super) then: Then,
    pub(in super::super) reason: CloseReason,
    pub(in super::super) delay: Duration,
    pub(in super::super) pace: Option<Pace>,
}

impl Answer {
    /// Nothing leaves, and the conversation goes on.
    pub(super) fn withhold(&mut self) {
        (self.bytes, self.content, self.then) = (Bytes::new(), None, Then::Keep);
    }

    /// The connection ends at a message, when `received` bytes have come, or behind `after_bytes` of its reply.
    pub(super) fn end(&mut self, then: Then, when: When, after_bytes: u64, received: u64) {
        let leaves = match when {
            When::Message if received >= after_bytes => 0,
            When::Reply if !self.bytes.is_empty() => usize::try_from(after_bytes).unwrap_or(usize::MAX),
            _ => return,
        };
        self.bytes.truncate(leaves);
        (self.then, self.reason) = (then, CloseReason::Fault);
    }
}
