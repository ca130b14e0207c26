//! The journal in memory: nothing survives the process, and the oldest goes when there is too much.
//!
//! One lock guards one [`log`]: connections and messages in the order of their positions, and an index in the order of
//! ids, all three [`ordered`]. Appending touches their ends. Reading goes through a [`scan`] in steps, so that no
//! question, however broad, holds up those who append; bytes are searched with the lock released. Payloads that go are
//! handed out of the lock and freed outside.

mod ends;
mod evict;
mod fits;
mod journal;
mod kept;
mod listeners;
mod log;
mod ordered;
mod read;
mod scan;

pub use journal::MemoryJournal;
