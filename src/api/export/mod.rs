//! `/export`: records to take away, as a capture file, as JSON lines, or to read.
//!
//! Connection by connection, oldest first, each with its messages. It is streamed: however much there is, no more than a piece
//! of it is held.

mod hexdump;
mod ndjson;
mod pcapng;
mod stream;

pub(super) use stream::export;
