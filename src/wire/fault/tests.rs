//! Each fault by itself, without a socket.

use std::time::Duration;

use bytes::Bytes;

use crate::domain::{CloseReason, Dice, Distribution, Then};

use super::effect::{Answer, Pace};
use super::{bandwidth, corrupt, latency};

fn answer(bytes: &'static [u8]) -> Answer {
    let (then, reason, delay) = (Then::Keep, CloseReason::Replied, Duration::ZERO);
    Answer { bytes: Bytes::from_static(bytes), content: None, then, reason, delay, pace: None }
}

#[test]
fn exactly_as_many_bits_are_flipped_as_asked_for() {
    for (bits, bytes) in
        [(1, &b"x"[..]), (7, b"x"), (8, b"x"), (9, b"x"), (1, b""), (100, &[0; 16]), (64, &[0; 16])]
    {
        let mut hit = answer(bytes);
        corrupt::strike(bits, &mut Dice::new(&[u64::from(bits)]), &mut hit);
        let wrong: u32 = hit.bytes.iter().zip(bytes).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((wrong, hit.bytes.len()), (bits.min(8 * bytes.len() as u32), bytes.len()));
    }
}

#[test]
fn a_latency_is_around_its_delay() {
    let ms = Duration::from_millis;
    for distribution in Distribution::ALL {
        let mut dice = Dice::new(&[1]);
        let delays: Vec<_> = (0..10_000)
            .map(|_| {
                let mut hit = answer(b"");
                latency::strike(ms(100), ms(20), distribution, &mut dice, &mut hit);
                hit.delay
            })
            .collect();
        let mean = delays.iter().sum::<Duration>() / 10_000;
        assert!((ms(99)..ms(101)).contains(&mean), "{mean:?}");
        let inside = delays.iter().filter(|delay| (ms(80)..=ms(120)).contains(*delay)).count();
        let (least, most) = match distribution {
            Distribution::Uniform => (10_000, 10_000),
            // A bell has 68.27 % of it within one standard deviation.
            Distribution::Normal => (6_600, 7_050),
        };
        assert!((least..=most).contains(&inside), "{inside} of 10000");
    }
}

#[test]
fn a_rate_is_kept_in_pieces_that_are_not_too_small() {
    for (rate, bytes) in [(1, 1), (49, 1), (50, 1), (1_000, 20), (64 << 10, 1_310), (1 << 40, 21_990_232_555)]
    {
        let pace = bandwidth::pace(rate);
        assert_eq!(pace.bytes, bytes);
        let a_second = pace.time(usize::try_from(rate).unwrap()).as_secs_f64();
        assert!((0.999..1.001).contains(&a_second), "{rate}: {a_second}");
    }
    let (fast, slow) = (Pace { bytes: 2, every: Duration::from_millis(1) }, bandwidth::pace(10));
    assert_eq!(Pace::slower(Some(fast), Some(slow)), Some(slow));
    assert_eq!(Pace::slower(None, Some(fast)), Some(fast));
}
