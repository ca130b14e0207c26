//! The HTTP server under the API: hyper's HTTP/1 connection, driven by an accept loop of our own.
//!
//! `axum::serve` installs no timer, so a client that sends half a header, or nothing, holds its connection for ever;
//! and it takes connections without limit. Here every state of a connection has an end:
//!
//! | the client | ends after |
//! |---|---|
//! | sends nothing, or half a header, however it trickles | [`ServerLimits::header`] from its start, with a 408 if there was a half |
//! | has its answer and asks nothing more | [`ServerLimits::idle`] |
//! | sends a body too slowly, or asks for what takes too long | the limits of [`layers`](super::layers), with a 408 |
//! | does not read its answer | [`ServerLimits::write`] without progress worth the name |
//!
//! Beyond [`ServerLimits::connections`] a client gets a 503 at once: better than to wait without a word in the backlog.
//! What is no HTTP gets hyper's bare 400. Accepting pauses when the system gives out no more file descriptors, and goes
//! on by itself. When stopped, the port is free at once, idle connections close, and requests that run have
//! [`ServerLimits::grace`] to finish.

mod accept;
mod connection;
mod limits;
mod stream;

#[cfg(test)]
mod tests;

pub use accept::spawn;
pub use limits::ServerLimits;
