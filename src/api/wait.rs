//! Lists that wait for their first item.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::store::{Answer, JournalError, Page, Position, Recorder};

/// After a look at the journal that took so long, the next comes this many times later at the earliest: while records
/// pour in that do not fit, waiting for one that does takes a fifth of a processor, and not all of it.
const PACE: u32 = 4;
/// And never sooner than this: nobody notices, and a look that takes microseconds is not made thousands of times.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// Whether a record that did not fit when it was looked at may fit later, as a connection does that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfits {
    /// It never will: go on behind it.
    Stay,
    /// It may: look at it again.
    MayChange,
}

/// Waits for changes of the journal.
pub(super) struct Waiter<'a> {
    /// Who says that something changed.
    pub(super) recorder: &'a Recorder,
    /// Ends every waiting.
    pub(super) shutdown: &'a CancellationToken,
    /// What to do about records that did not fit.
    pub(super) misfits: Misfits,
}

impl Waiter<'_> {
    /// The first page behind `after` that has an item, or an empty one when the time is over or the service stops.
    /// Beside it, where the next page goes on.
    pub(super) async fn first<'j, T>(
        &self,
        wait: Duration,
        mut after: Position,
        look: impl Fn(Position) -> Answer<'j, Page<T>>,
    ) -> Result<(Page<T>, Position), JournalError> {
        let deadline = Instant::now() + wait;
        let mut evicted_before = None;
        loop {
            // Before the look, so that no change between it and the wait is missed.
            let mut changed = self.recorder.changed();
            let began = Instant::now();
            let mut page = look(after).await?;
            let earliest = Instant::now() + (began.elapsed() * PACE).max(SHORTEST_PAUSE);
            // Behind what was evicted the list goes on as if nothing were missing; it was said once, and is kept.
            evicted_before = page.evicted_before.or(evicted_before);
            page.evicted_before = evicted_before;
            if self.misfits == Misfits::Stay || !page.items.is_empty() {
                after = page.last.unwrap_or(after);
            }
            if !page.items.is_empty() || deadline <= Instant::now() || self.shutdown.is_cancelled() {
                return Ok((page, after));
            }
            let again = async {
                if !page.more {
                    changed.happened().await;
                }
                sleep_until(earliest).await;
            };
            // When time is up, what came last is still looked at.
            let _ = self.shutdown.run_until_cancelled(timeout_at(deadline, again)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

    use crate::store::MemoryJournal;

    use super::*;

    fn recorder() -> Recorder {
        Recorder::new(Arc::new(MemoryJournal::new(Position(1), 1 << 20)))
    }

    fn page(items: Vec<u64>, last: u64) -> Answer<'static, Page<u64>> {
        evicted(items, last, None)
    }

    fn evicted(items: Vec<u64>, last: u64, evicted_before: Option<Position>) -> Answer<'static, Page<u64>> {
        let page = Page { items, last: Some(Position(last)), more: false, evicted_before };
        Box::pin(std::future::ready(Ok(page)))
    }

    /// Something changed.
    fn change(recorder: &Recorder) {
        drop(recorder.record(Vec::new()));
    }

    const WAIT: Duration = Duration::from_secs(10);
    const SOON: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_answered_at_once() {
        let (recorder, shutdown) = (recorder(), CancellationToken::new());
        let waiter = Waiter { recorder: &recorder, shutdown: &shutdown, misfits: Misfits::Stay };
        let began = Instant::now();
        let (page, next) = waiter.first(WAIT, Position(3), |_| page(vec![7], 9)).await.unwrap();
        assert_eq!((page.items, next, began.elapsed()), (vec![7], Position(9), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_later_is_answered_when_it_comes() {
        let (recorder, shutdown) = (recorder(), CancellationToken::new());
        let waiter = Waiter { recorder: &recorder, shutdown: &shutdown, misfits: Misfits::Stay };
        let (began, there) = (Instant::now(), AtomicBool::new(false));
        let look = |_| if there.load(Relaxed) { page(vec![7], 7) } else { page(vec![], 5) };
        let later = async {
            sleep_until(began + SOON).await;
            there.store(true, Relaxed);
            change(&recorder);
        };
        let (answer, ()) = tokio::join!(waiter.first(WAIT, Position(3), look), later);
        assert_eq!(answer.unwrap().0.items, [7]);
        assert!(began.elapsed() < SOON + SHORTEST_PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_the_time_and_of_the_service_is_an_empty_page() {
        for (misfits, expected) in [(Misfits::Stay, 5), (Misfits::MayChange, 3)] {
            let (recorder, shutdown) = (recorder(), CancellationToken::new());
            let waiter = Waiter { recorder: &recorder, shutdown: &shutdown, misfits };
            let began = Instant::now();
            let empty = |_| page(vec![], 5);
            let (page, next) = waiter.first(WAIT, Position(3), empty).await.unwrap();
            assert_eq!((page.items.len(), next, began.elapsed()), (0, Position(expected), WAIT));
            let stop = async {
                sleep_until(Instant::now() + SOON).await;
                shutdown.cancel();
            };
            let (answer, ()) = tokio::join!(waiter.first(WAIT, Position(3), empty), stop);
            assert_eq!((answer.unwrap().0.items.len(), began.elapsed()), (0, WAIT + SOON));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_what_does_not_fit_is_looked_at_at_a_pace() {
        let (recorder, shutdown) = (recorder(), CancellationToken::new());
        let waiter = Waiter { recorder: &recorder, shutdown: &shutdown, misfits: Misfits::Stay };
        let (looks, seen) = (AtomicU64::new(0), AtomicU64::new(0));
        let look = |after: Position| {
            assert!(seen.swap(after.0, Relaxed) <= after.0, "it goes on from where it was");
            looks.fetch_add(1, Relaxed);
            page(vec![], after.0 + 1)
        };
        let flood = async {
            for _ in 0..10_000 {
                sleep_until(Instant::now() + Duration::from_millis(1)).await;
                change(&recorder);
            }
        };
        let (answer, ()) = tokio::join!(waiter.first(WAIT, Position(0), look), flood);
        assert!(answer.unwrap().0.items.is_empty());
        let looks = looks.into_inner();
        assert!((1_000..=2_001).contains(&looks), "{looks}");
    }

    #[tokio::test(start_paused = true)]
    async fn that_something_was_evicted_is_not_forgotten_while_waiting() {
        let (recorder, shutdown) = (recorder(), CancellationToken::new());
        let waiter = Waiter { recorder: &recorder, shutdown: &shutdown, misfits: Misfits::Stay };
        let look = |after: Position| evicted(vec![], 5, (after.0 == 0).then_some(Position(4)));
        let later = async {
            sleep_until(Instant::now() + SOON).await;
            change(&recorder);
        };
        let (answer, ()) = tokio::join!(waiter.first(WAIT, Position(0), look), later);
        assert_eq!(answer.unwrap().0.evicted_before, Some(Position(4)));
    }
}
