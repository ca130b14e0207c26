//! What a turn of the conversation comes to: handed to the journal, and about to leave.

use std::time::Duration;

use crate::domain::{CloseReason, Then};
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
    /// What follows.
    pub(super) then: Then,
    /// How long what leaves waits.
    pub(super) delay: Duration,
    /// At which pace it leaves.
    pub(super) pace: Option<Pace>,
    /// What the connection ends for, if it does.
    pub(super) reason: CloseReason,
}

impl Plan {
    /// Counts the messages of a turn and hands them to the journal.
    pub(super) fn of(turn: Turn, place: &Place) -> Self {
        let (then, delay, reason) = (Then::Keep, Duration::ZERO, CloseReason::Replied);
        let mut plan = Self { kept: None, replies: Replies::default(), then, delay, pace: None, reason };
        if turn.is_empty() {
            return plan;
        }
        let mut records = Vec::with_capacity(2 * turn.len());
        for step in turn.into_steps() {
            for message in [step.received, step.sent].into_iter().flatten() {
                place.count(message.direction, message.size);
                records.push(Record::Message(message));
            }
            plan.replies.add(step.send);
            plan.delay += step.delay;
            plan.pace = Pace::slower(plan.pace, step.pace);
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
