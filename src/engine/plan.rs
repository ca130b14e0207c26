//! What a turn of the conversation comes to: handed to the journal, and about to leave.

use std::time::Duration;

use bytes::Bytes;

use crate::domain::{CloseReason, Message, Then};
use crate::store::{Commit, Record};
use crate::wire::{Pace, Turn};

use super::place::Place;
use super::replies::Replies;

/// A turn whose records are on their way to the journal. It is small: a connection holds it while it waits.
#[derive(Debug)]
pub(super) struct Plan {
    /// Resolves when all of them are kept; `None` when there are none.
    pub(super) kept: Option<Commit>,
    /// What leaves then.
    pub(super) replies: Replies,
    /// What leaves behind that, one after the other, each in its own time.
    pub(super) late: Vec<Late>,
    /// What follows.
    pub(super) then: Then,
    /// What the connection ends for, if it does.
    pub(super) reason: CloseReason,
}

/// A reply that waits, or that leaves slowly. It goes on record when its time has come.
#[derive(Debug)]
pub(super) struct Late {
    message: Option<Message>,
    bytes: Bytes,
    /// How long it waits.
    pub(super) delay: Duration,
    /// At which pace it leaves.
    pub(super) pace: Option<Pace>,
}

impl Plan {
    /// Counts the messages of a turn and hands them to the journal.
    pub(super) fn of(turn: Turn, place: &Place) -> Self {
        let (then, reason) = (Then::Keep, CloseReason::Replied);
        let mut plan = Self { kept: None, replies: Replies::default(), late: Vec::new(), then, reason };
        if turn.is_empty() {
            return plan;
        }
        let mut records = Vec::with_capacity(2 * turn.len());
        for mut step in turn.into_steps() {
            // What stands behind one that waits does not overtake it.
            if !step.delay.is_zero() || step.pace.is_some() || !plan.late.is_empty() {
                let (message, bytes) = (step.sent.take(), std::mem::take(&mut step.send));
                plan.late.push(Late { message, bytes, delay: step.delay, pace: step.pace });
            }
            let seq = step.sent.as_ref().map_or(0, |sent| sent.seq);
            for message in [step.received, step.sent].into_iter().flatten() {
                place.count(message.direction, message.size);
                records.push(Record::Message(message));
            }
            plan.replies.add(seq, step.send);
            if step.then != Then::Keep {
                (plan.then, plan.reason) = (step.then, step.reason);
            }
        }
        if !records.is_empty() {
            plan.kept = Some(place.recorder().record(records));
        }
        plan
    }
}

impl Late {
    /// Its time has come: hands it to the journal. What leaves when that has kept it.
    pub(super) fn begin(self, place: &Place) -> (Option<Commit>, Replies) {
        let mut replies = Replies::default();
        replies.add(self.message.as_ref().map_or(0, |message| message.seq), self.bytes);
        let kept = self.message.map(|mut message| {
            message.at = place.clock().now();
            place.count(message.direction, message.size);
            place.recorder().record(vec![Record::Message(message)])
        });
        (kept, replies)
    }
}
