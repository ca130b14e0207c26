//! What an endpoint does wrong on purpose, and what its client sees of it.
//!
//! | fault | on the wire |
//! |---|---|
//! | [`latency`] | the reply leaves later |
//! | [`bandwidth`] | the bytes leave, or are taken, a few at a time, so many a second |
//! | [`dribble`] | the reply leaves in segments of so many bytes, with a pause between two |
//! | [`reset`] | a RST: instead of anything, instead of the reply, or behind so many bytes of it |
//! | [`close`] | a FIN, likewise |
//! | [`truncate`] | of the reply only the first bytes leave |
//! | [`corrupt`] | bits of the reply are flipped |
//! | [`stall`] | what is sent is acknowledged by the kernel, and never answered |
//! | [`stop_reading`] | the window closes: the client's kernel sees a window of 0 and probes it |
//! | `refuse` | a SYN is answered with a RST; the engine does it, there being no connection |
//! | [`half_open`] | no segment is acknowledged any more: the client's kernel retransmits |
//!
//! A fault decides about a connection when it comes into force, or about each message; [`Hindrance`] and [`Answer`] are what
//! they can do. What goes on record is what left.

mod bandwidth;
mod close;
mod corrupt;
mod dribble;
mod effect;
mod half_open;
mod latency;
mod reset;
mod stall;
mod stop_reading;
mod trouble;
mod truncate;

#[cfg(test)]
mod tests;

pub(super) use effect::Answer;
pub use effect::{Hindrance, Pace};
pub(super) use trouble::{Stroke, Trouble};
