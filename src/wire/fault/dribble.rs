//! `dribble`: the reply leaves in segments of so many bytes, with a pause between two.

use std::time::Duration;

use super::effect::{Answer, Pace};

/// The reply comes in drops.
pub(super) fn strike(bytes: u64, every: Duration, answer: &mut Answer) {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    answer.pace = Pace::slower(answer.pace, Some(Pace { bytes, every }));
}
