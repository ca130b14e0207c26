//! The listeners that are to be opened again by whoever starts over the same journal.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{CloseReason, ListenerId, Tally};

use super::super::journal::{ListenerFigures, ListenerRecord};
use super::log::Log;

/// Few and small beside the records: they are not counted, and nothing evicts them.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<BTreeMap<ListenerId, ListenerRecord>>);

impl Listeners {
    pub(super) fn keep(&self, listener: ListenerRecord) {
        self.lock().insert(listener.id, listener);
    }

    pub(super) fn remove(&self, id: ListenerId) {
        self.lock().remove(&id);
    }

    /// All of them, with what the log still knows of their clients: what was forgotten or evicted is not counted.
    pub(super) fn all(&self, log: &Log) -> Vec<ListenerRecord> {
        let mut figures: BTreeMap<ListenerId, ListenerFigures> = BTreeMap::new();
        for (_, kept) in log.connections.after(0) {
            if kept.closing.is_none_or(|closing| closing.reason != CloseReason::Limit) {
                let sum = figures.entry(kept.connection.listener.id).or_default();
                sum.total += 1;
                add(&mut sum.received, kept.received.tally);
                add(&mut sum.sent, kept.sent.tally);
            }
        }
        let with_figures = |listener: &ListenerRecord| ListenerRecord {
            figures: figures.get(&listener.id).copied().unwrap_or_default(),
            ..listener.clone()
        };
        self.lock().values().map(with_figures).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ListenerId, ListenerRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn add(sum: &mut Tally, more: Tally) {
    sum.bytes += more.bytes;
    sum.messages += more.messages;
}
