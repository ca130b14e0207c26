//! The newest records, read once for all who wait for them.
//!
//! A thousand expectations may wait at once, and each is to be told within milliseconds. If each asked the journal, a record
//! would be read a thousand times; so whoever comes first reads, and the others find what it read.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{MutexGuard, Notify};
use tokio::time::{Instant, sleep_until};

use crate::store::{
    Filter, JournalError, MessageQuery, MessageRecord, Order, PageRequest, Position, Recorder,
};

/// Messages that are read in one go, and their bytes.
const MESSAGES: usize = 500;
const BYTES: usize = 1 << 20;
/// Pages that are kept for those who come a little later.
const PAGES: usize = 4;
/// A look at the journal that took so long is followed by the next so many times later at the earliest: while records pour in,
/// all who wait take a fifth of a processor together.
const PACE: u32 = 4;
/// And no later than this, however long the disk took.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// Who is further behind reads for itself, with its own filter: the journal passes over what does not fit.
const NEAR: u64 = 5_000;

/// What was read last.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Tail(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    pages: Mutex<VecDeque<Arc<TailPage>>>,
    /// Who reads holds this; beside it, when the next may.
    turn: tokio::sync::Mutex<Option<Instant>>,
    /// Somebody has read. All who waited for that look at once: one after the other would be a queue of a thousand.
    read: Notify,
    followers: AtomicUsize,
}

/// All messages behind `from`, up to `to`.
#[derive(Debug)]
pub(super) struct TailPage {
    from: Position,
    pub(super) to: Position,
    pub(super) items: Vec<MessageRecord>,
    pub(super) evicted_before: Option<Position>,
}

/// Somebody who waits. When nobody does, nothing is kept.
pub(super) struct Follower(Arc<Shared>);

impl Tail {
    /// One more waits.
    pub(super) fn follow(&self) -> Follower {
        self.0.followers.fetch_add(1, Relaxed);
        Follower(Arc::clone(&self.0))
    }
}

impl Follower {
    /// Whether somebody who stands here is to be served from what is read for all.
    pub(super) fn is_near(after: Position, newest: Position) -> bool {
        newest.0.saturating_sub(after.0) <= NEAR
    }

    /// A page with what comes next behind `after`; `None` when there is nothing.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub(super) async fn behind(
        &self,
        recorder: &Recorder,
        after: Position,
    ) -> Result<Option<Arc<TailPage>>, JournalError> {
        loop {
            // Before the look, so that nobody who reads between it and the wait is missed.
            let mut read = pin!(self.0.read.notified());
            read.as_mut().enable();
            if let Some(page) = self.known(after) {
                return Ok(Some(page));
            }
            if recorder.journal().status().newest <= after {
                return Ok(None);
            }
            match self.0.turn.try_lock() {
                Ok(turn) => {
                    let _told = Told(&self.0.read);
                    return self.read(turn, recorder, after).await.map(Some);
                }
                Err(_) => read.await,
            }
        }
    }

    /// Reads what comes next, for all.
    async fn read(
        &self,
        mut turn: MutexGuard<'_, Option<Instant>>,
        recorder: &Recorder,
        after: Position,
    ) -> Result<Arc<TailPage>, JournalError> {
        if let Some(earliest) = *turn {
            sleep_until(earliest).await;
        }
        let (journal, began) = (recorder.journal(), Instant::now());
        let newest = journal.status().newest;
        let page =
            PageRequest { order: Order::Ascending, after: Some(after), limit: MESSAGES, budget: BYTES };
        let query = MessageQuery { connection: None, filter: Filter::default(), page };
        let page = journal.messages(query).await?;
        *turn = Some(Instant::now() + (began.elapsed() * PACE).min(LONGEST_PAUSE));
        // Where it does not go on, what stands behind its last message is no message.
        let to = page.last.filter(|last| page.more || *last > newest).unwrap_or(newest);
        let read = TailPage { from: after, to, items: page.items, evicted_before: page.evicted_before };
        let read = Arc::new(read);
        let mut pages = self.0.pages();
        pages.push_front(Arc::clone(&read));
        pages.truncate(PAGES);
        Ok(read)
    }

    fn known(&self, after: Position) -> Option<Arc<TailPage>> {
        // What is missing of a page was told of its beginning; who begins later may miss nothing, and asks for itself.
        let is_of =
            |page: &TailPage| page.from == after || page.from < after && page.evicted_before.is_none();
        self.0.pages().iter().find(|page| is_of(page) && after < page.to).cloned()
    }

    /// How long who has been told nothing waits before it looks again: a crowd that is woken by each record is a load of its
    /// own.
    pub(super) fn pause(&self) -> Duration {
        const EACH: Duration = Duration::from_micros(2);
        EACH * u32::try_from(self.0.followers.load(Relaxed)).unwrap_or(u32::MAX)
    }
}

/// Tells that somebody has read, also when he was interrupted: another reads then.
struct Told<'a>(&'a Notify);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

impl Shared {
    fn pages(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<TailPage>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.0.followers.fetch_sub(1, Relaxed) == 1 {
            self.0.pages().clear();
        }
    }
}
