//! How a listener closes by itself: its time is over, it has served all its clients, or its port was lost.
//!
//! Such an end is a change like any other: it waits for its turn at the listener's gate, and is kept in the journal
//! before it is seen.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::domain::{SelfClose, Timestamp};

use super::Shared;
use super::keep::keep_end;
use super::listener::{Listener, ListenerState};

/// Closes the listener by itself when its time is over, counted from its opening. Its clients are reset, as by a
/// `DELETE`.
pub(super) fn start_ttl(shared: &Arc<Shared>, listener: &Arc<Listener>) {
    let ttl = listener.with_spec(|spec| spec.draft().ttl);
    let task = ttl.map(|ttl| {
        let left = ttl.saturating_sub(age(listener, shared.clock.now()));
        let (shared, listener) = (Arc::clone(shared), Arc::downgrade(listener));
        AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(left).await;
            if let Some(listener) = listener.upgrade() {
                // In a task of its own: the change that it is may put an end to this one.
                let opening = listener.opening();
                let closing = close_for_ttl(Arc::clone(&shared), listener, opening, ttl);
                drop(shared.tasks.spawn(closing));
            }
        }))
    });
    listener.set_ttl(task);
}

/// How long ago it was opened, by the clock: also while the service did not run.
fn age(listener: &Listener, now: Timestamp) -> Duration {
    now.since(listener.spot().opened_at)
}

/// The end that a listener has come to by now, though nobody was there to close it.
pub(super) fn missed_end(listener: &Listener, now: Timestamp) -> Option<(Timestamp, SelfClose)> {
    let (ttl, most) = listener.with_spec(|spec| (spec.draft().ttl, spec.draft().max_connections_total));
    if let Some(ttl) = ttl
        && age(listener, now) >= ttl
    {
        let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let at = listener.spot().opened_at.as_micros().saturating_add(micros);
        return Some((Timestamp::from_micros(at), SelfClose::Ttl));
    }
    let served = listener.served.load(Relaxed);
    most.is_some_and(|most| served >= most).then_some((now, SelfClose::MaxConnectionsTotal))
}

async fn close_for_ttl(shared: Arc<Shared>, listener: Arc<Listener>, opening: u64, ttl: Duration) {
    let mut gate = listener.gate.lock().await;
    // A change may have come between the alarm and the lock.
    let changed = listener.with_spec(|spec| spec.draft().ttl) != Some(ttl) || listener.opening() != opening;
    let ended = matches!(listener.state(), ListenerState::Closed { .. });
    if changed || ended || listener.closing.load(Relaxed) {
        return;
    }
    if let Some(gate) = gate.take() {
        gate.stop_accepting().await;
    }
    listener.set_state(ListenerState::Draining);
    listener.abort_sessions().await;
    close(&shared, &listener, SelfClose::Ttl).await;
}

/// The listener serves nobody new: once its last client is gone, it has closed by itself. Unless it was opened again
/// meanwhile.
pub(super) async fn finish(listener: Arc<Listener>, shared: Arc<Shared>, opening: u64, why: SelfClose) {
    listener.pass(opening, ListenerState::Open, ListenerState::Draining);
    listener.sessions.wait().await;
    let gate = listener.gate.lock().await;
    let ends = listener.does(opening, |state| state == ListenerState::Draining);
    // One that is being deleted has been dropped from the journal.
    if ends && !listener.closing.load(Relaxed) {
        close(&shared, &listener, why).await;
    }
    drop(gate);
}

/// It has ended. Whoever calls this holds its gate.
async fn close(shared: &Shared, listener: &Listener, why: SelfClose) {
    let at = shared.clock.now();
    keep_end(shared, listener, at, why).await;
    listener.set_state(ListenerState::Closed { at, why });
    tracing::info!(listener = %listener.called(), why = why.as_str(), "listener closed by itself");
}
