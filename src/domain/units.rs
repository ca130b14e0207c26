//! Durations and sizes as people write them: `"5m"`, `"64KiB"`.
//!
//! One grammar for the API, the settings and every answer. Whole numbers only: what is printed reads back as the same
//! value, and nothing depends on how a fraction is rounded.

use std::time::Duration;

use bytesize::Unit;

/// The longest duration that is read: ten years. Longer ones are slips of the hand, and added to a clock they overflow.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// The units of a duration and their nanoseconds, longest first.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a duration: one or more of a whole number and a unit (`d`, `h`, `m`, `s`, `ms`, `us`, `ns`), longest unit
/// first, each once: `"500ms"`, `"5m"`, `"1h30m"`.
///
/// # Errors
/// A sentence that says what is wrong and what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.starts_with('-') {
        return Err(format!("`{text}` is negative; a duration is 0s or longer"));
    }
    let too_long = || format!("`{text}` is too long; the longest duration is 3650d");
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut nanos: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(digits_in(rest));
        let (unit, after) = after.split_at(letters_in(after));
        if digits.is_empty() {
            return Err(no_duration(text));
        }
        // Going on from the last unit, not from the start, is what demands their order.
        let Some((_, factor)) = units.by_ref().find(|(name, _)| *name == unit) else {
            return Err(no_duration(text));
        };
        let part = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor)).ok_or_else(too_long)?;
        nanos = nanos.checked_add(part).ok_or_else(too_long)?;
        rest = after;
    }
    if text.is_empty() {
        return Err(no_duration(text));
    }
    let duration = Duration::from_nanos(nanos);
    if duration > LONGEST { Err(too_long()) } else { Ok(duration) }
}

/// Prints a duration as [`parse_duration`] reads it: `"500ms"`, `"5m"`, `"1h30m"`, `"0s"`.
pub fn format_duration(duration: Duration) -> String {
    let mut nanos = duration.as_nanos();
    let mut text = String::new();
    for (name, factor) in UNITS {
        let count = nanos / u128::from(factor);
        nanos %= u128::from(factor);
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a size in bytes: a whole number, alone or with a unit: `"65536"`, `"64KiB"` (1024), `"64kB"` (1000).
///
/// # Errors
/// A sentence that says what is wrong and what would be right.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(digits_in(text));
    let no_size = || {
        format!("`{text}` is no size; write a whole number of bytes, or one with a unit: 65536, 64KiB, 1GiB")
    };
    let factor = match unit {
        "" => 1,
        // `64K` is 1000 to some and 1024 to others: the unit must say which.
        _ if unit.ends_with(['B', 'b']) => 1 * unit.parse::<Unit>().map_err(|_| no_size())?,
        _ => return Err(no_size()),
    };
    if digits.is_empty() {
        return Err(no_size());
    }
    let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
    bytes.ok_or_else(|| format!("`{text}` is more bytes than can be counted"))
}

fn digits_in(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn letters_in(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_alphabetic).count()
}

fn no_duration(text: &str) -> String {
    format!(
        "`{text}` is no duration; write whole numbers with a unit (d, h, m, s, ms), the longest first: 500ms, 30s, 5m, 1h30m"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("0s", 0),
            ("090s", 90_000),
            ("3650d", 315_360_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_a_hint() {
        for text in
            ["", "5", "m", "5 m", " 5m", "1.5s", "30m1h", "5m5m", "5M", "5min", "5μs", "+5s", "1h 30m"]
        {
            assert!(parse_duration(text).unwrap_err().contains("1h30m"), "{text}");
        }
        assert!(parse_duration("-5s").unwrap_err().contains("negative"));
        for text in ["3651d", "3650d1ns", "99999999999999999999999s", "18446744073709551615h"] {
            assert!(parse_duration(text).unwrap_err().contains("3650d"), "{text}");
        }
    }

    #[test]
    fn durations_print_without_a_fraction() {
        for (millis, text) in
            [(0, "0s"), (500, "500ms"), (1_500, "1s500ms"), (90_000, "1m30s"), (300_000, "5m")]
        {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
        assert!(format_duration(Duration::MAX).ends_with("999ns"));
    }

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("64kB", 64_000),
            ("7B", 7),
            ("1GiB", 1 << 30),
            ("2mib", 2 << 20),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "64K", "64 KiB", "1.5MiB", "-1", "+1", "64KiBB", "64Kib/s", "٣"] {
            assert!(parse_size(text).unwrap_err().contains("64KiB, 1GiB"), "{text}");
        }
        for text in ["18446744073709551616", "16EiB"] {
            assert!(parse_size(text).unwrap_err().contains("more bytes"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_duration_reads_back_as_it_was_printed(nanos in 0..=LONGEST.as_nanos()) {
            let duration = Duration::from_nanos(u64::try_from(nanos).unwrap());
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_size_is_its_number_times_its_unit(n in 0..1u64 << 30, exponent in 0..4u32) {
            let unit = ["", "KiB", "MiB", "GiB"][exponent as usize];
            prop_assert_eq!(parse_size(&format!("{n}{unit}")), Ok(n << (10 * exponent)));
        }

        #[test]
        fn nothing_makes_the_parsers_panic(text in ".{0,40}", almost in "[0-9]{0,22}[a-zA-Zμ]{0,4}[0-9]{0,3}[smh]{0,2}") {
            for text in [text, almost] {
                let _ = parse_duration(&text).map(format_duration);
                let _ = parse_size(&text);
            }
        }
    }
}
