//! Byte strings that are looked for together.

use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind};
use bytes::Bytes;

/// Some byte strings, none of them empty, and the automaton that finds the first of them in one pass.
#[derive(Debug, Clone)]
pub struct Patterns {
    patterns: Vec<Bytes>,
    longest: usize,
    automaton: AhoCorasick,
}

/// The same patterns in the same order.
impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Patterns {
    /// Prepares the search.
    ///
    /// # Errors
    /// They are too many or too long for an automaton.
    pub(super) fn new(patterns: Vec<Bytes>) -> Result<Self, BuildError> {
        // The earliest place wins, and there the longest: `\r\n` is found as itself and not as `\r`.
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns)?;
        let longest = patterns.iter().map(Bytes::len).max().unwrap_or_default();
        Ok(Self { patterns, longest, automaton })
    }

    /// The first that was given.
    pub(super) fn first(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        self.patterns.first().unwrap_or(&NONE)
    }

    /// Bytes of the longest.
    pub const fn longest(&self) -> usize {
        self.longest
    }

    /// The earliest place at or behind `from` where one of them stands whole; of several there, the longest.
    pub fn find(&self, bytes: &[u8], from: usize) -> Option<Range<usize>> {
        let input = Input::new(bytes).span(from.min(bytes.len())..bytes.len());
        self.automaton.find(input).map(|found| found.range())
    }

    /// How many bytes at the end of `bytes` could be the beginning of one of them; never all of one.
    pub fn begun(&self, bytes: &[u8]) -> usize {
        let most = self.longest.saturating_sub(1).min(bytes.len());
        let begins = |size: &usize| {
            let end = bytes.get(bytes.len() - size..).unwrap_or_default();
            self.patterns.iter().any(|pattern| pattern.len() > *size && pattern.starts_with(end))
        };
        (1..=most).rev().find(begins).unwrap_or_default()
    }

    /// Whether the bytes begin with one of them.
    pub fn begins(&self, bytes: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| bytes.starts_with(pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&'static [u8]]) -> Patterns {
        Patterns::new(list.iter().map(|pattern| Bytes::from_static(pattern)).collect()).unwrap()
    }

    #[test]
    fn the_longest_at_the_earliest_place_is_found() {
        let ends = patterns(&[b"\r", b"\n", b"\r\n"]);
        assert_eq!(ends.find(b"ab\r\ncd\n", 0), Some(2..4));
        assert_eq!(ends.find(b"ab\r\ncd\n", 4), Some(6..7));
        assert_eq!(ends.find(b"ab", 7), None);
    }

    #[test]
    fn what_could_be_a_beginning_is_measured() {
        let ends = patterns(&[b"abcd", b"bc"]);
        assert_eq!(ends.begun(b"xabc"), 3);
        assert_eq!(ends.begun(b"xab"), 2);
        assert_eq!(ends.begun(b"abcd"), 0);
        assert_eq!(ends.begun(b""), 0);
    }
}
