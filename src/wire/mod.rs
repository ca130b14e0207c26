//! Bytes in, decisions out: pure functions and small state machines, without I/O and without async.
//!
//! [`Conversation`] is one client's talk with an endpoint: it is given what arrived and says what to record, what to
//! send and what follows. Because it holds no socket and no clock, it is tested without either.

mod codec;
mod fault;
mod framing;
mod memory;
mod reply;
mod session;
mod spoil;
mod turn;
mod unasked;

#[cfg(test)]
mod framed_tests;
#[cfg(test)]
mod session_tests;

pub use codec::{Decoded, StreamDecoder, detect, encoding_for, sync_point};
pub use fault::{Hindrance, Pace};
pub use framing::{End, Framer, Piece};
pub use session::Conversation;
pub use turn::{Client, Step, Turn};
pub use unasked::Fares;
