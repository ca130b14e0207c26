//! Bytes to frames, however they are split.
//!
//! [`Framer`] is given what arrives and gives out pieces: frames, and what is none. It looks at each byte a fixed number
//! of times and holds no more than a frame may have and one read beside it. `tokio_util::codec` has decoders for lines,
//! delimiters and lengths, but they give up a stream at the first byte that is no frame, drop what they skip, and know
//! one delimiter of one byte: nothing may be lost here, so they could serve for none of the forms.

mod fault;
mod framer;
mod input;
mod judge;
mod length;
mod search;

#[cfg(test)]
mod tests;

pub use framer::{End, Framer, Piece};
