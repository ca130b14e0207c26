//! What the writer is asked to do besides appending.

use tokio::sync::oneshot::Sender;

use crate::domain::ListenerId;

use super::super::journal::{Forgotten, JournalError, ListenerRecord};
use super::apply::Writing;

/// Exchanges of forgotten connections that one transaction removes: some milliseconds.
pub(super) const PURGE: u64 = 1_024;

/// What is told when it is done, or cannot be.
type Told<T> = Sender<Result<T, JournalError>>;

/// Something for the writer, and who waits for its end.
pub(super) enum Command {
    /// Remove those of these connections that have ended, by their positions.
    Forget(Vec<u64>, Told<Forgotten>),
    /// Remove some messages of forgotten connections; say whether there are more.
    Purge(Told<bool>),
    /// Keep a listener, to be opened again.
    Keep(Box<ListenerRecord>, Told<()>),
    /// Keep it no longer.
    Drop(ListenerId, Told<()>),
}

/// What came of a command.
pub(super) enum Outcome {
    Forgotten(Forgotten),
    Purged(bool),
    Done,
}

impl Command {
    /// Does it, as a part of the transaction that is under way.
    pub(super) fn run(&self, writing: &mut Writing<'_, '_>) -> rusqlite::Result<Outcome> {
        match self {
            Self::Forget(positions, _) => writing.forget(positions).map(Outcome::Forgotten),
            Self::Purge(_) => writing.purge(PURGE).map(Outcome::Purged),
            Self::Keep(listener, _) => writing.keep_listener(listener).map(|()| Outcome::Done),
            Self::Drop(id, _) => writing.drop_listener(*id).map(|()| Outcome::Done),
        }
    }

    /// It is done and kept. Whoever asked may have gone.
    pub(super) fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Forget(_, told), Outcome::Forgotten(forgotten)) => drop(told.send(Ok(forgotten))),
            (Self::Purge(told), Outcome::Purged(more)) => drop(told.send(Ok(more))),
            (Self::Keep(_, told) | Self::Drop(_, told), Outcome::Done) => drop(told.send(Ok(()))),
            _ => {}
        }
    }

    /// It cannot be done.
    pub(super) fn refuse(self, error: JournalError) {
        match self {
            Self::Forget(_, told) => drop(told.send(Err(error))),
            Self::Purge(told) => drop(told.send(Err(error))),
            Self::Keep(_, told) | Self::Drop(_, told) => drop(told.send(Err(error))),
        }
    }
}
