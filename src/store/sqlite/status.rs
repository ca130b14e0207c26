//! How the journal is, for those who ask without waiting.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Mutex, PoisonError};

use super::super::cursor::Position;
use super::super::journal::JournalError;
use super::state::State;

/// What the writer says of itself.
#[derive(Default)]
pub(super) struct Status {
    newest: AtomicU64,
    bytes: AtomicU64,
    evicted_records: AtomicU64,
    unavailable: Mutex<Option<JournalError>>,
}

impl Status {
    /// What is kept now.
    pub(super) fn publish(&self, state: &State) {
        self.bytes.store(state.bytes, Relaxed);
        // Whoever was woken by a change finds it here, or is woken again.
        self.newest.store(state.next.saturating_sub(1), Release);
    }

    pub(super) fn count_evicted(&self, records: u64) {
        self.evicted_records.fetch_add(records, Relaxed);
    }

    /// The newest record that is kept.
    pub(super) fn newest(&self) -> Position {
        Position(self.newest.load(Acquire))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(super) fn evicted_records(&self) -> u64 {
        self.evicted_records.load(Relaxed)
    }

    /// Nothing can be written, because of this.
    pub(super) fn fail(&self, error: JournalError) {
        *self.unavailable.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// It can again.
    pub(super) fn recovered(&self) {
        *self.unavailable.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn unavailable(&self) -> Option<JournalError> {
        self.unavailable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
