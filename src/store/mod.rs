//! The journal: where listeners, connections and messages are kept, and how they are read back.
//!
//! [`Journal`] is the promise, one file a backend keeps it, and nothing above this floor knows which one is there. All
//! records enter through the [`Recorder`], which says when they are kept and wakes whoever waits for more.

mod changes;
mod commit;
mod cursor;
mod events;
mod journal;
mod memory;
mod query;
mod recorder;
mod search;
mod sqlite;

#[cfg(test)]
mod conformance;

pub use changes::{Change, Changes};
pub use commit::Commit;
pub use cursor::{Cursor, Position};
pub use events::{Event, EventKinds, EventQuery, events};
pub use journal::{
    Answer, ConnectionRecord, EndRecord, Forgotten, Journal, JournalError, JournalStatus, ListenerFigures,
    ListenerRecord, MessageRecord, Record, Urgency,
};
pub use memory::MemoryJournal;
pub use query::{
    ConnectionQuery, ConnectionState, EndQuery, Filter, ListenerFilter, MessageQuery, Needle, Order, Page,
    PageRequest,
};
pub use recorder::Recorder;
pub use sqlite::{
    APPLICATION_ID, Backup, BackupError, DATABASE, Existing, OpenError, Progress, SqliteJournal,
    SqliteOptions, back_up,
};
