//! Identities: UUIDs of version 7 (RFC 9562), in the order they were made.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::clock::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Reads the hyphenated form; `None` for anything else.
            pub fn parse(text: &str) -> Option<Self> {
                // `Uuid` also reads braces, URNs and no hyphens: one thing, one spelling.
                if text.len() != 36 {
                    return None;
                }
                Uuid::try_parse(text).ok().map(Self)
            }

            /// The 128 bits.
            pub fn as_u128(self) -> u128 {
                self.0.as_u128()
            }

            /// The id of these 128 bits, as they were got from one.
            pub const fn from_u128(bits: u128) -> Self {
                Self(Uuid::from_u128(bits))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

id!(
    /// Names a listener for ever; a reopened one keeps it.
    ListenerId
);
id!(
    /// Names one client's connection for ever.
    ConnectionId
);

/// Makes ids: 48 bits of time, then a counter, then bits of the seed that tell two processes apart.
///
/// A counter instead of random bits for each: no system call on the way of a new connection, and ids made in one
/// millisecond still sort in the order they were made.
#[derive(Debug)]
pub struct IdSource {
    seed: u64,
    made: AtomicU64,
}

impl IdSource {
    /// A source whose ids differ from those of a source with another `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed, made: AtomicU64::new(0) }
    }

    /// A new listener's id.
    pub fn listener(&self, now: Timestamp) -> ListenerId {
        ListenerId(self.next(now))
    }

    /// A new connection's id.
    pub fn connection(&self, now: Timestamp) -> ConnectionId {
        ConnectionId(self.next(now))
    }

    fn next(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        // The version takes the top four bits of the first of these bytes, the variant the top two of the third:
        // the counter's 34 low bits go around them, 40 bits of the seed follow.
        let [.., c4, c3, c2, c1, c0] = count.to_be_bytes();
        let [s0, s1, s2, s3, s4, ..] = self.seed.to_be_bytes();
        let high = (c4 << 2) | (c3 >> 6);
        let bytes = [high, (c3 << 2) | (c2 >> 6), c2 & 0x3f, c1, c0, s0, s1, s2, s3, s4];
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_they_were_made() {
        let ids = IdSource::new(7);
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let made: Vec<_> = (0..100_000).map(|_| ids.connection(now)).collect();
        assert!(made.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn an_id_is_a_version_7_uuid_and_reads_back() {
        let id = IdSource::new(7).listener(Timestamp::from_micros(1_700_000_000_000_000));
        let uuid = Uuid::try_parse(&id.to_string()).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(ListenerId::parse(&id.to_string()), Some(id));
        assert_eq!(ListenerId::parse(&uuid.simple().to_string()), None);
        assert_eq!(ListenerId::parse("gate"), None);
    }

    #[test]
    fn two_seeds_never_make_the_same_id() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let (a, b) = (IdSource::new(1 << 40), IdSource::new(2 << 40));
        assert_ne!(a.connection(now), b.connection(now));
    }
}
