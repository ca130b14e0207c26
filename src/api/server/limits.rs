//! The bounds of a connection to the API.

use std::time::Duration;

/// How long and how much. Tests use shorter ones.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// How long the head of a request may take, from its first byte; for the first one from the connection's start.
    /// 5 s, as Caddy's admin API has it.
    pub header: Duration,
    /// How long a connection may stay without a request. 60 s: longer than the pauses of a client that polls.
    pub idle: Duration,
    /// How long an answer may stand still. Taking less than 16 KiB within it is standing still. 30 s.
    pub write: Duration,
    /// How long to take in what is still coming after the last answer, so that the answer is not lost to a reset. 1 s.
    pub linger: Duration,
    /// How long requests may go on when the server stops. 5 s.
    pub grace: Duration,
    /// Connections at once. 1,280: a thousand can wait for what they expect, and others still get in.
    pub connections: usize,
    /// Bytes that are buffered for a connection, and so of a head. 32 KiB: twice what
    /// [`layers`](crate::api::layers) allow, as hyper's own refusal has no body.
    pub buffer: usize,
    /// The first and the longest pause after an error of accepting; it doubles in between. 10 ms to 1 s.
    pub pause: (Duration, Duration),
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            write: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            grace: Duration::from_secs(5),
            connections: 1_280,
            buffer: 32 * 1024,
            pause: (Duration::from_millis(10), Duration::from_secs(1)),
        }
    }
}
