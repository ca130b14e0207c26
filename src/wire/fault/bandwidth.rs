//! `bandwidth`: so many bytes a second leave, or are taken, a few at a time.
//!
//! What is not taken fills the buffers between the two: the client notices when they are full.

use std::time::Duration;

use crate::domain::Direction;

use super::effect::{Hindrance, Pace};

/// The time between two pieces, unless a byte takes longer.
const TICK: Duration = Duration::from_millis(20);

/// A rate in bytes a second as a pace.
pub(super) fn pace(rate: u64) -> Pace {
    let rate = rate.max(1) as f64;
    let bytes = (rate * TICK.as_secs_f64()).max(1.0).floor();
    Pace { bytes: bytes as usize, every: Duration::from_secs_f64(bytes / rate) }
}

/// The connection is slow, one way or both.
pub(super) fn hinder(rate: u64, direction: Option<Direction>, hindrance: &mut Hindrance) {
    let pace = Some(pace(rate));
    if direction != Some(Direction::Sent) {
        hindrance.reading = Pace::slower(hindrance.reading, pace);
    }
    if direction != Some(Direction::Received) {
        hindrance.sending = Pace::slower(hindrance.sending, pace);
    }
}
