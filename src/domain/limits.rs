//! What one listener's clients may use up.

use std::time::Duration;

/// The bounds of one listener. `None` is "no bound".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Clients at one time; one more is refused with a reset.
    pub connections: u32,
    /// How long a connection may go without a byte in either direction.
    pub idle: Option<Duration>,
    /// How long a connection may last at all.
    pub lifetime: Option<Duration>,
    /// How long a client may take no byte of what is sent to it.
    pub write: Duration,
    /// Bytes of one message that are kept; the rest is counted and hashed.
    pub stored_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 5_000,
            idle: Some(Duration::from_secs(5 * 60)),
            lifetime: None,
            write: Duration::from_secs(10),
            stored_bytes: 1 << 20,
        }
    }
}
