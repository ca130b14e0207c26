//! `latency`: the reply leaves later than it would. Nothing behind it overtakes it.

use std::time::Duration;

use crate::domain::{Dice, Distribution};

use super::effect::Answer;

/// The reply waits for `delay`, more or less.
pub(super) fn strike(
    delay: Duration,
    jitter: Duration,
    distribution: Distribution,
    dice: &mut Dice,
    answer: &mut Answer,
) {
    let swing = match distribution {
        Distribution::Uniform => 2.0 * dice.fraction() - 1.0,
        Distribution::Normal => normal(dice),
    };
    let seconds = swing.mul_add(jitter.as_secs_f64(), delay.as_secs_f64());
    answer.delay += Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
}

/// A number of the standard normal distribution (Box and Muller's transform), at most 8 away from 0.
fn normal(dice: &mut Dice) -> f64 {
    let (radius, angle) = (1.0 - dice.fraction(), std::f64::consts::TAU * dice.fraction());
    ((-2.0 * radius.ln()).sqrt() * angle.cos()).clamp(-8.0, 8.0)
}
