//! What a conversation says is to be done.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::domain::{CloseReason, Message, Then};

use super::fault::Pace;

/// Who is talked to.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// Where it is.
    pub address: SocketAddr,
    /// Its number among those of its listener.
    pub number: u64,
    /// The listener's port.
    pub port: u16,
}

/// What to do next: record all of it, then send, then what follows. Of its steps at most one ends anything, and none
/// behind that one sends anything.
#[derive(Debug, Default)]
pub struct Turn {
    /// The first step. Without framing there is no other, and so nothing to allocate.
    pub first: Option<Step>,
    /// The others.
    pub rest: Vec<Step>,
}

/// What one message leads to.
#[derive(Debug)]
pub struct Step {
    /// What goes on record before anything leaves: what arrived, then what answers it.
    pub received: Option<Message>,
    /// What leaves, as it is recorded. Its payload may be cut to what is kept; `send` is whole.
    pub sent: Option<Message>,
    /// The bytes to send; empty for none.
    pub send: Bytes,
    /// What follows; `Keep` while the conversation goes on or is only listened to.
    pub then: Then,
    /// How long what is sent waits.
    pub delay: Duration,
    /// At which pace it is sent.
    pub pace: Option<Pace>,
    /// What the connection ends for, if this is its end.
    pub reason: CloseReason,
}

impl Step {
    /// Nothing is received or sent.
    pub(super) fn silent(then: Then) -> Self {
        let (send, delay) = (Bytes::new(), Duration::ZERO);
        Self { received: None, sent: None, send, then, delay, pace: None, reason: CloseReason::Replied }
    }
}

impl Turn {
    /// How many steps it has.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The steps in their order.
    pub fn into_steps(self) -> impl Iterator<Item = Step> {
        self.first.into_iter().chain(self.rest)
    }

    /// Adds the steps of another.
    pub fn append(&mut self, other: Self) {
        other.into_steps().for_each(|step| self.push(step));
    }

    pub(super) fn push(&mut self, step: Step) {
        match self.first {
            None => self.first = Some(step),
            Some(_) => self.rest.push(step),
        }
    }
}

/// A message alone.
impl From<Step> for Turn {
    fn from(step: Step) -> Self {
        Self { first: Some(step), rest: Vec::new() }
    }
}
