//! Chance that can be repeated.

/// A sequence of numbers that look random and follow from where they begin (SplitMix64). Not for secrets.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A sequence that begins where these numbers lead.
    pub fn new(from: &[u64]) -> Self {
        Self(from.iter().fold(0, |state, part| mix(state ^ part.wrapping_add(STEP))))
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// The next number from 0 up to and without `bound`; 0 where there is none.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { ((self.next() as u128 * bound as u128) >> 64) as u64 }
    }

    /// The next number from 0 up to and without 1.
    pub fn fraction(&mut self) -> f64 {
        // A double has 53 bits.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something happens that is this likely.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }
}

/// The odd number nearest to 2^64 over the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64.
pub(super) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
