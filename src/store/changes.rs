//! Waking those who wait for more records.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Wakes whoever waits for a change of a journal.
#[derive(Debug, Default)]
pub struct Changes {
    changed: Notify,
    /// Who waits for a change. Mostly nobody does, and then waking is not even tried: it takes a place in memory that all
    /// workers would write to, for each record.
    watchers: AtomicUsize,
}

/// Waits for the next change after it was made.
pub struct Change<'a> {
    notified: Pin<Box<Notified<'a>>>,
    watchers: &'a AtomicUsize,
}

impl Changes {
    /// Something is in the journal that was not there before, and answers show it.
    pub(super) fn announce(&self) {
        // Whoever began to watch before looking at the journal, and did not see the change, is counted by now.
        if self.is_watched() {
            self.changed.notify_waiters();
        }
    }

    /// Whether anybody waits.
    pub(super) fn is_watched(&self) -> bool {
        self.watchers.load(SeqCst) > 0
    }

    /// Watches for the next change after this call. Begin before looking at the journal, or a change between the look
    /// and the wait is missed.
    pub(super) fn watch(&self) -> Change<'_> {
        self.watchers.fetch_add(1, SeqCst);
        let mut notified = Box::pin(self.changed.notified());
        notified.as_mut().enable();
        Change { notified, watchers: &self.watchers }
    }
}

impl Change<'_> {
    /// Resolves at the change.
    pub async fn happened(&mut self) {
        self.notified.as_mut().await;
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.watchers.fetch_sub(1, SeqCst);
    }
}
