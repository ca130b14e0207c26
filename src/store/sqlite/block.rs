//! What is in some thousand records that stand side by side, so that a search passes over those that cannot have it.
//!
//! An index for each thing that can be asked for would cost each record a place in each index: two of them take a fifth of
//! the rate, and a full-text index takes most of it. A block costs a record some nanoseconds and its journal some
//! hundredths of its size, and lets a search for something rare read one record in a hundred.

use std::mem::take;
use std::net::IpAddr;

use crate::domain::{Charset, Timestamp};

/// Records in a block. Fewer make more blocks to look at, more make a block that has everything.
const RECORDS: u64 = 4_096;

/// Bytes of payload that a block's filter takes before it would let everything through.
const PAYLOAD: usize = 256 << 10;

/// Distinct listeners and peers that a block lists before it says nothing of them.
const LISTED: usize = 64;

/// Bits of a filter that is being filled, as a power of two: twice as many as there can be different trigrams in it.
const BITS: u32 = 19;

/// The smallest filter that is stored, in bytes.
const SMALLEST: usize = 1 << 10;

/// The records since the last block was written.
#[derive(Default)]
pub(super) struct Block {
    pub(super) first: u64,
    pub(super) last: u64,
    records: u64,
    pub(super) since: i64,
    pub(super) until: i64,
    listeners: Listed<u32>,
    peers: Listed<[u8; 16]>,
    encodings: Vec<&'static str>,
    trigrams: Vec<u64>,
    payload: usize,
}

/// A few different things; none once there are too many.
struct Listed<T>(Option<Vec<T>>);

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self(Some(Vec::new()))
    }
}

impl<T: PartialEq + Copy> Listed<T> {
    fn add(&mut self, item: T) {
        let Some(items) = &mut self.0 else { return };
        // The newest is mostly among the last.
        if items.iter().rev().any(|other| *other == item) {
            return;
        }
        items.push(item);
        if items.len() > LISTED {
            self.0 = None;
        }
    }
}

/// A block as it is stored.
pub(super) struct Stored {
    pub(super) listeners: Option<Vec<u8>>,
    pub(super) peers: Option<Vec<u8>>,
    pub(super) encodings: String,
    pub(super) trigrams: Option<Vec<u8>>,
}

impl Block {
    /// A record of a client came.
    pub(super) fn note(&mut self, position: u64, at: Timestamp, listener: i64, peer: IpAddr) {
        let at = at.as_micros();
        if self.records == 0 {
            (self.first, self.since, self.until) = (position, at, at);
        }
        self.records += 1;
        self.last = position;
        (self.since, self.until) = (self.since.min(at), self.until.max(at));
        self.listeners.add(u32::try_from(listener).unwrap_or(u32::MAX));
        self.peers.add(bytes_of(peer));
    }

    /// A message came, after its `note`.
    pub(super) fn note_payload(&mut self, bytes: &[u8], charset: Charset) {
        let encoding = charset.name();
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        self.payload += bytes.len();
        if self.payload > PAYLOAD {
            return;
        }
        if self.trigrams.is_empty() {
            self.trigrams = vec![0; 1 << (BITS - 6)];
        }
        for three in bytes.windows(3) {
            let bit = hash(three);
            if let Some(word) = self.trigrams.get_mut(bit >> 6) {
                *word |= 1 << (bit & 63);
            }
        }
    }

    /// Whether it is to be written, and the next one begun.
    pub(super) const fn is_full(&self) -> bool {
        self.records >= RECORDS || self.payload > 2 * PAYLOAD
    }

    /// Begins the next one. The room of the filter is used again.
    pub(super) fn start_over(&mut self) {
        let mut trigrams = take(&mut self.trigrams);
        trigrams.fill(0);
        *self = Self { trigrams, ..Self::default() };
    }

    /// What is stored of it.
    pub(super) fn stored(&self) -> Stored {
        let listeners = self.listeners.0.as_ref().map(|l| l.iter().flat_map(|n| n.to_be_bytes()).collect());
        let peers = self.peers.0.as_ref().map(|peers| peers.concat());
        let trigrams = (self.payload <= PAYLOAD).then(|| folded(&self.trigrams));
        Stored { listeners, peers, encodings: self.encodings.join(","), trigrams }
    }
}

/// An address as blocks list it.
pub(super) fn bytes_of(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// Where three bytes stand in a filter of `1 << BITS` bits; in a smaller one, its lowest bits say where.
fn hash(three: &[u8]) -> usize {
    let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    // Knuth's multiplicative hash: the upper bits of the product depend on all of the number.
    (number.wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

/// A filter in as few bytes as it needs to let one in four through.
fn folded(words: &[u64]) -> Vec<u8> {
    let mut words = words.to_vec();
    loop {
        let ones: u32 = words.iter().map(|word| word.count_ones()).sum();
        if words.len() * 8 <= SMALLEST || ones as usize * 8 > words.len() * 64 {
            break;
        }
        let upper = words.split_off(words.len() / 2);
        words.iter_mut().zip(upper).for_each(|(word, other)| *word |= other);
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Whether all three bytes that follow each other in `needle` are in a stored filter. A yes may be wrong, a no never is.
pub(super) fn may_contain(filter: &[u8], needle: &[u8]) -> bool {
    let bits = filter.len() * 8;
    if bits == 0 {
        return needle.len() < 3;
    }
    needle.windows(3).all(|three| {
        let bit = hash(three) & (bits - 1);
        filter.get(bit >> 3).is_some_and(|byte| byte & (1 << (bit & 7)) != 0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter_of(payloads: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut block = Block::default();
        payloads.iter().for_each(|payload| block.note_payload(payload, Charset::Auto));
        block.stored().trigrams
    }

    proptest! {
        #[test]
        fn what_is_in_a_payload_is_never_passed_over(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..20),
            which in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), len in 0..20_usize
        ) {
            let filter = filter_of(&payloads).unwrap();
            let payload = &payloads[which.index(payloads.len())];
            let from = from.index(payload.len());
            let needle = &payload[from..(from + len).min(payload.len())];
            prop_assert!(may_contain(&filter, needle));
        }
    }

    #[test]
    fn a_filter_is_small_where_little_is_in_it_and_passes_over_the_rest() {
        let payloads: Vec<_> = (0..2_000).map(|n| format!("GET /sensor/{n} ok").into_bytes()).collect();
        let filter = filter_of(&payloads).unwrap();
        assert!(filter.len() <= 4 << 10, "{} bytes", filter.len());
        assert!(may_contain(&filter, b"/sensor/77 ok"));
        let strangers = (0..1_000).filter(|n| may_contain(&filter, format!("login{n}").as_bytes())).count();
        assert!(strangers < 20, "{strangers} of 1000 are let through");
    }

    #[test]
    fn a_block_of_more_than_a_filter_can_hold_says_nothing_of_it() {
        assert_eq!(filter_of(&[vec![7; PAYLOAD + 1]]), None);
        assert!(filter_of(&[vec![7; PAYLOAD]]).is_some());
    }
}
