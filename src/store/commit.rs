//! When records are kept: one answer for all that were written together.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::journal::JournalError;

/// Resolves when the records are kept, or could not be. What is recorded need not be waited for; what is answered must.
#[must_use = "a reply may leave only when its records are kept; drop it explicitly where nothing depends on it"]
#[derive(Debug)]
pub struct Commit(State);

#[derive(Debug)]
enum State {
    Known(Result<(), JournalError>),
    Awaited(Arc<Ticket>),
}

impl Commit {
    /// It is known already.
    pub const fn known(result: Result<(), JournalError>) -> Self {
        Self(State::Known(result))
    }

    /// It is known when the ticket's batch is.
    pub(super) const fn awaited(ticket: Arc<Ticket>) -> Self {
        Self(State::Awaited(ticket))
    }
}

impl Future for Commit {
    type Output = Result<(), JournalError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &self.0 {
            State::Known(result) => Poll::Ready(result.clone()),
            State::Awaited(ticket) => ticket.poll(cx),
        }
    }
}

/// The fate of one batch, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Ticket(Mutex<Fate>);

#[derive(Debug, Default)]
struct Fate {
    result: Option<Result<(), JournalError>>,
    waiting: Vec<Waker>,
}

impl Ticket {
    /// Says what came of the batch, once, to all who wait.
    pub(super) fn settle(&self, result: Result<(), JournalError>) {
        let waiting = {
            let mut fate = self.lock();
            fate.result = Some(result);
            std::mem::take(&mut fate.waiting)
        };
        // Outside the lock: whoever is woken looks at once.
        waiting.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Result<(), JournalError>> {
        let mut fate = self.lock();
        match &fate.result {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                // A task that is polled again meanwhile is woken twice at worst.
                if !fate.waiting.last().is_some_and(|last| last.will_wake(cx.waker())) {
                    fate.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Fate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
