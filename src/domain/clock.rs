//! Time as an argument.

use std::fmt;
use std::time::Duration;

/// A moment: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// A label for people. Order comes from the journal's positions, never from here: wall clocks repeat and go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// So much later.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this; 0 if this is earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads an RFC 3339 time such as `2026-11-22T10:00:00Z` or one with an offset.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_microsecond()))
            .map_err(|_| format!("`{text}` is no RFC 3339 time; write it like 2026-11-22T10:00:00Z"))
    }
}

/// RFC 3339, UTC, always six fractional digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.6}"),
            // Out of the calendar's range (years beyond 9999): still a number, never a panic.
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// Where the time comes from. Tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_always_shows_six_digits() {
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Timestamp::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
    }

    #[test]
    fn an_offset_is_understood_and_nonsense_is_named() {
        let there = Timestamp::parse("2026-11-22T18:00:00+08:00").unwrap();
        assert_eq!(there, Timestamp::parse("2026-11-22T10:00:00Z").unwrap());
        assert!(Timestamp::parse("yesterday").unwrap_err().contains("`yesterday`"));
    }
}
