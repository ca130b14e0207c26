//! A deadline that moves, for little.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};

/// The first alarm is set no later than this. A connection that lasts as long as most do then sets one alarm in its
/// life: moving an alarm to an earlier time takes the lock of the timer wheel, ignoring one that comes early does not.
const FIRST: Duration = Duration::from_secs(2);

/// One timer for all that a connection waits for: it may ring early, it never rings late. It belongs to one task, which
/// alone polls it.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whether the task is to be woken by the alarm as it is set: a second look before it rings would only cost.
    is_watched: bool,
}

impl Deadline {
    /// Ready once `until` has come; `None` never comes. The task is woken then, or earlier and looks again.
    pub(super) fn poll(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        let first = || Box::pin(sleep_until(until.min(Instant::now() + FIRST)));
        let alarm = self.alarm.get_or_insert_with(first);
        if alarm.deadline() > until {
            alarm.as_mut().reset(until);
        } else if self.is_watched && !alarm.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            let is_pending = alarm.as_mut().poll(cx).is_pending();
            // A task that has had its turn is told `Pending` without an alarm being set; it is woken to ask again.
            self.is_watched = is_pending && has_budget_remaining();
            if is_pending {
                return Poll::Pending;
            }
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::task::coop::consume_budget;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_asked_for_at_the_end_of_a_turn_is_set_all_the_same() {
        let (began, mut deadline, mut turns) = (Instant::now(), Deadline::default(), 0);
        let until = began + Duration::from_secs(1);
        let rings = poll_fn(|cx| {
            turns += 1;
            // A client that sends all the time has its task use up its turn again and again.
            while turns < 3 && has_budget_remaining() {
                let _ = pin!(consume_budget()).poll(cx);
            }
            deadline.poll(Some(until), cx)
        });
        // Another timer, which the clock goes on to where the first was not set.
        let late = tokio::time::timeout(Duration::from_secs(60), rings);
        assert!(late.await.is_ok(), "it was never set");
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        assert!(turns < 6, "woken {turns} times");
    }
}
