//! Which ports may be opened.

use std::fmt;
use std::ops::RangeInclusive;

/// A set of TCP ports, written as `80,443,1024-65535`. Port 0, the kernel's choice, is never in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSet(Vec<RangeInclusive<u16>>);

impl Default for PortSet {
    /// 1024 to 65535: what an unprivileged process may open (RFC 6335 calls the rest system ports).
    fn default() -> Self {
        Self(vec![1024..=65_535])
    }
}

impl PortSet {
    /// Reads one port or one range: `443` or `1024-65535`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what would be right.
    pub fn parse_range(text: &str) -> Result<RangeInclusive<u16>, String> {
        let port = |part: &str| part.parse::<u16>().ok().filter(|n| *n > 0 && !part.starts_with('+'));
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (Some(first), Some(last)) = (port(first), port(last)) else {
            return Err(format!(
                "`{text}` is no port or range of ports from 1 to 65535; write 443 or 1024-65535"
            ));
        };
        if first > last {
            return Err(format!("`{text}` ends before it begins; write {last}-{first}"));
        }
        Ok(first..=last)
    }

    /// The ports of all these ranges.
    pub fn of(ranges: impl IntoIterator<Item = RangeInclusive<u16>>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).collect();
        ranges.sort_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<u16>> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if u32::from(*range.start()) <= u32::from(*last.end()) + 1 => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// Whether `port` is in the set.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }
}

/// Prints the ranges in order, joined where they touch: `80,443,1024-65535`.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> PortSet {
        PortSet::of(text.split(',').map(|part| PortSet::parse_range(part).unwrap()))
    }

    #[test]
    fn the_default_is_what_an_unprivileged_process_may_open() {
        let ports = PortSet::default();
        assert_eq!(ports.to_string(), "1024-65535");
        assert!(
            !ports.contains(0) && !ports.contains(1023) && ports.contains(1024) && ports.contains(65_535)
        );
    }

    #[test]
    fn ranges_are_sorted_and_joined() {
        assert_eq!(set("1024-65535,443,80").to_string(), "80,443,1024-65535");
        assert_eq!(set("5-9,1-4,7,10").to_string(), "1-10");
        assert_eq!(set("65535,65534-65535").to_string(), "65534-65535");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "0", "65536", "a", "1-", "-1", "1-2-3", "+80", " 80", "0-5"] {
            assert!(PortSet::parse_range(text).unwrap_err().contains("1024-65535"), "{text}");
        }
        assert!(PortSet::parse_range("90-80").unwrap_err().contains("write 80-90"));
    }

    proptest! {
        #[test]
        fn joining_keeps_exactly_the_ports_that_were_named(
            named in prop::collection::vec((1..200u16, 0..20u16), 1..8), port in 0..250u16
        ) {
            let ranges: Vec<_> = named.iter().map(|(first, more)| *first..=first + more).collect();
            let ports = PortSet::of(ranges.clone());
            prop_assert_eq!(ports.contains(port), ranges.iter().any(|range| range.contains(&port)));
            prop_assert_eq!(set(&ports.to_string()), ports);
        }
    }
}
