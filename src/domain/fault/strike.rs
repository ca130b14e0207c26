//! Whether and when a fault strikes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use super::super::clock::Timestamp;
use super::super::dice::Dice;
use super::super::field::FieldError;
use super::draft::{FaultDraft, FaultKind, FaultTarget};

/// Faults of a listener, and of a rule, at most.
const MOST: usize = 32;

/// A fault that can strike.
#[derive(Debug)]
pub struct Fault {
    draft: FaultDraft,
    /// Its number among the faults of its listener or rule: two of the same seed do not strike together.
    number: u64,
    /// When it switches itself off, in microseconds; 0 until it is in force, `i64::MAX` for never.
    until: AtomicI64,
}

impl Fault {
    /// Makes the faults of a listener or a rule. What is wrong with them is noted.
    pub(in super::super) fn all(
        drafts: &[FaultDraft],
        target: FaultTarget,
        pointer: &str,
        errors: &mut Vec<FieldError>,
    ) -> Arc<[Self]> {
        if drafts.len() > MOST {
            errors.push(FieldError::new(pointer, format!("must be at most {MOST}")));
        }
        let one = |(n, draft): (usize, &FaultDraft)| {
            draft.check(target, &format!("{pointer}/{n}"), errors);
            Self { draft: draft.clone(), number: n as u64, until: AtomicI64::new(0) }
        };
        drafts.iter().enumerate().take(MOST).map(one).collect()
    }

    /// What it does.
    pub const fn kind(&self) -> &FaultKind {
        &self.draft.kind
    }

    /// It is in force from `now` on, unless it was before.
    pub fn begin(&self, now: Timestamp) {
        let until = self.draft.ttl.map_or(i64::MAX, |ttl| now.plus(ttl).as_micros());
        let _ = self.until.compare_exchange(0, until, Relaxed, Relaxed);
    }

    /// When it switches itself off, if it is on now and does so.
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.until.load(Relaxed);
        (until != i64::MAX && self.is_on(now)).then(|| Timestamp::from_micros(until))
    }

    /// Whether its time is not over.
    pub fn is_on(&self, now: Timestamp) -> bool {
        let until = self.until.load(Relaxed);
        until == 0 || now.as_micros() < until
    }

    /// Whether it strikes at this `occasion` of a client, and the dice with which it decides the rest.
    ///
    /// With a seed the same occasions of the client with the same number are struck again; without, it is by chance.
    pub fn strikes(&self, client: Occasion) -> Option<Dice> {
        let seed = self.draft.seed.unwrap_or(client.chance);
        let mut dice = Dice::new(&[seed, self.number, client.number, client.occasion]);
        dice.chance(self.draft.probability.get()).then_some(dice)
    }
}

/// Something that a fault may strike: a connection, or one message of it.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// The client's number among those of its listener.
    pub number: u64,
    /// What is different for each client, and in each run.
    pub chance: u64,
    /// 0 for the connection, then each message by its number.
    pub occasion: u64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::draft::Probability;
    use super::*;

    fn fault(probability: f64, seed: Option<u64>, ttl: Option<Duration>) -> Fault {
        let probability = Probability::new(probability).unwrap();
        let draft = FaultDraft { kind: FaultKind::Stall, probability, seed, ttl };
        Fault { draft, number: 0, until: AtomicI64::new(0) }
    }

    fn struck(fault: &Fault, chance: u64) -> Vec<bool> {
        let occasion = |occasion| Occasion { number: occasion / 10, chance, occasion };
        (0..10_000).map(|n| fault.strikes(occasion(n)).is_some()).collect()
    }

    #[test]
    fn it_strikes_as_often_as_it_is_likely() {
        for (probability, least, most) in [(1.0, 10_000, 10_000), (0.1, 900, 1_100), (0.999, 9_970, 10_000)] {
            let hits = struck(&fault(probability, None, None), 7).into_iter().filter(|hit| *hit).count();
            assert!((least..=most).contains(&hits), "{hits} of 10000 at {probability}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_and_no_seed_others() {
        let (seeded, free) = (fault(0.5, Some(7), None), fault(0.5, None, None));
        assert_eq!(struck(&seeded, 1), struck(&seeded, 2));
        assert_ne!(struck(&free, 1), struck(&free, 2));
        assert_ne!(struck(&seeded, 1), struck(&fault(0.5, Some(8), None), 1));
    }

    #[test]
    fn it_switches_itself_off_counted_from_when_it_came_into_force() {
        let (fault, at) = (fault(1.0, None, Some(Duration::from_micros(5))), Timestamp::from_micros);
        assert!(fault.is_on(at(1_000)), "it is not in force yet");
        fault.begin(at(10));
        fault.begin(at(1_000));
        assert_eq!((fault.is_on(at(14)), fault.is_on(at(15))), (true, false));
        assert_eq!((fault.ends(at(14)), fault.ends(at(15))), (Some(at(15)), None));
    }
}
