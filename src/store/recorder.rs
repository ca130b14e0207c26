//! The one way into the journal.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::changes::Change;
use super::commit::Commit;
use super::cursor::Position;
use super::journal::{Journal, Record, Urgency};

/// Hands records to the journal and watches it for those who wait for more.
pub struct Recorder {
    journal: Arc<dyn Journal>,
    answers_early: bool,
}

impl Recorder {
    /// A recorder for `journal`.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, answers_early: false }
    }

    /// A recorder that breaks its promise: it says that records are kept before they are. A test that shows that nothing
    /// is lost shows with this one that it would notice.
    #[doc(hidden)]
    pub fn answering_early(journal: Arc<dyn Journal>) -> Self {
        Self { journal, answers_early: true }
    }

    /// The journal, for reading.
    pub fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// Appends records in their order; those of one call become visible together. Somebody waits for the answer.
    pub fn record(&self, records: Vec<Record>) -> Commit {
        let commit = self.journal.append(records, Urgency::Now);
        if self.answers_early { Commit::known(Ok(())) } else { commit }
    }

    /// Appends records that nothing depends on yet: they are kept with the next ones that somebody waits for, or a moment
    /// later by themselves. Every answer shows them all the same.
    pub fn note(&self, records: Vec<Record>) {
        drop(self.journal.append(records, Urgency::Soon));
    }

    /// The newest record there is, with all that was handed over before this call.
    pub async fn newest(&self) -> Position {
        // Where nothing can be kept, what is there is all there is.
        let _ = self.journal.append(Vec::new(), Urgency::Now).await;
        self.journal.status().newest
    }

    /// Ready when the journal keeps up; otherwise the task is woken when it does again. Whoever brings more waits for this
    /// first: where the journal is slower than the network, endpoints read slower.
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.journal.poll_room(cx)
    }

    /// Watches for the next change after this call. Begin before looking at the journal, or a change between the look
    /// and the wait is missed.
    pub fn changed(&self) -> Change<'_> {
        self.journal.changes().watch()
    }
}
