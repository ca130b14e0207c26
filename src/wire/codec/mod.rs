//! Bytes to text. Raw bytes are the truth, text is a view of them.
//!
//! A [`StreamDecoder`] reads one direction of one connection message by message; [`sync_point`] says how far back it
//! must begin to be in the right state at a message in the middle; [`detect`] guesses what a peer speaks.
//!
//! A byte order mark is a character like any other (U+FEFF): what crossed the wire has no beginning that a mark could
//! stand at, and an encoding that somebody chose is not overruled by two bytes.

mod decoder;
mod detect;
mod sync;

pub use decoder::{Decoded, StreamDecoder};
pub use detect::{detect, encoding_for};
pub use sync::sync_point;
