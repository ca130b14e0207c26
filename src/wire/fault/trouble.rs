//! Which faults strike a connection, and each of its messages.

use std::sync::Arc;

use crate::domain::{Dice, Fault, FaultKind, Occasion, Timestamp, When};

use super::effect::{Answer, Hindrance, Pace};
use super::{bandwidth, close, corrupt, dribble, half_open, latency, reset, stall, stop_reading, truncate};

/// What faults have done to one connection.
#[derive(Debug)]
pub(in super::super) struct Trouble {
    /// The listener's faults that were asked.
    of: Arc<[Fault]>,
    /// When the next of them is over.
    until: Option<Timestamp>,
    by_listener: Hindrance,
    /// Of a rule that took a message: that stays.
    by_rules: Hindrance,
}

/// A message that may be struck.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Stroke {
    pub(in super::super) occasion: Occasion,
    pub(in super::super) now: Timestamp,
    /// Bytes that the client has sent.
    pub(in super::super) received: u64,
    /// Whether it answers a message: a greeting does not.
    pub(in super::super) is_reply: bool,
}

impl Trouble {
    /// Of a connection without any so far.
    pub(in super::super) fn new(faults: &Arc<[Fault]>, occasion: Occasion, now: Timestamp) -> Self {
        let nothing = Hindrance::default();
        let mut trouble =
            Self { of: Arc::clone(faults), until: None, by_listener: nothing, by_rules: nothing };
        trouble.decide(occasion, now);
        trouble
    }

    /// Decides anew where the faults are others than before, or one of them is over.
    pub(in super::super) fn adopt(&mut self, faults: &Arc<[Fault]>, occasion: Occasion, now: Timestamp) {
        let changed = !Arc::ptr_eq(&self.of, faults);
        if changed {
            self.of = Arc::clone(faults);
        }
        if changed || self.until.is_some_and(|until| until <= now) {
            self.decide(occasion, now);
        }
    }

    /// What they do to the connection.
    pub(in super::super) fn hindrance(&self) -> Hindrance {
        self.by_listener.and(self.by_rules)
    }

    /// What they do to an answer: the listener's, then those of the rule that gives it.
    pub(in super::super) fn strike<'f>(
        &mut self,
        of_rule: impl Iterator<Item = &'f Fault>,
        stroke: Stroke,
        answer: &mut Answer,
    ) {
        for fault in self.of.iter().filter(|fault| fault.is_on(stroke.now)) {
            if let Some(mut dice) = fault.strikes(stroke.occasion) {
                strike(fault.kind(), stroke, &mut dice, answer);
            }
        }
        for fault in of_rule.filter(|fault| fault.is_on(stroke.now)) {
            if let Some(mut dice) = fault.strikes(stroke.occasion) {
                strike(fault.kind(), stroke, &mut dice, answer);
                if let FaultKind::Bandwidth { rate, .. } = fault.kind() {
                    answer.pace = Pace::slower(answer.pace, Some(bandwidth::pace(*rate)));
                } else {
                    hinder(fault.kind(), &mut self.by_rules);
                }
            }
        }
        if self.hindrance().is_mute {
            answer.withhold();
        }
        answer.pace = Pace::slower(answer.pace, self.hindrance().sending);
    }

    fn decide(&mut self, occasion: Occasion, now: Timestamp) {
        (self.by_listener, self.until) = (Hindrance::default(), None);
        for fault in self.of.iter().filter(|fault| fault.is_on(now)) {
            self.until = self.until.into_iter().chain(fault.ends(now)).min();
            if fault.strikes(occasion).is_some() {
                hinder(fault.kind(), &mut self.by_listener);
            }
        }
    }
}

fn hinder(kind: &FaultKind, hindrance: &mut Hindrance) {
    match *kind {
        FaultKind::Bandwidth { rate, direction } => bandwidth::hinder(rate, direction, hindrance),
        FaultKind::Reset { when: When::Accept, .. } => reset::hinder(hindrance),
        FaultKind::Close { when: When::Accept, .. } => close::hinder(hindrance),
        FaultKind::Stall => stall::hinder(hindrance),
        FaultKind::StopReading { after_bytes } => stop_reading::hinder(after_bytes, hindrance),
        FaultKind::HalfOpen => half_open::hinder(hindrance),
        _ => {}
    }
}

fn strike(kind: &FaultKind, stroke: Stroke, dice: &mut Dice, answer: &mut Answer) {
    match *kind {
        FaultKind::Latency { delay, jitter, distribution } => {
            latency::strike(delay, jitter, distribution, dice, answer);
        }
        FaultKind::Dribble { bytes, every } => dribble::strike(bytes, every, answer),
        FaultKind::Reset { when, after_bytes } if stroke.is_reply => {
            reset::strike(when, after_bytes, stroke.received, answer);
        }
        FaultKind::Close { when, after_bytes } if stroke.is_reply => {
            close::strike(when, after_bytes, stroke.received, answer);
        }
        FaultKind::Truncate { bytes } => truncate::strike(bytes, answer),
        FaultKind::Corrupt { bits } => corrupt::strike(bits, dice, answer),
        _ => {}
    }
}
