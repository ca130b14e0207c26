//! A listener: its spec, its figures, its clients, and the gate through which they come.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::domain::{Limits, ListenerId, ListenerRef, ListenerSpec, Name, SelfClose, Tally, Timestamp};
use crate::store::ListenerFigures;

use super::counters::Counters;
use super::error::EngineError;
use super::gate::Gate;
use super::live::{Lives, Order};
use super::news::News;

/// What a listener is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerState {
    /// It accepts clients.
    Open,
    /// It accepts no more; those it has may finish.
    Draining,
    /// It closed by itself.
    Closed {
        /// When.
        at: Timestamp,
        /// Why.
        why: SelfClose,
    },
    /// It is to be open as before a restart, and cannot be yet. That is tried again until it can.
    Failed {
        /// Since when.
        at: Timestamp,
    },
}

/// A listener at one moment.
#[derive(Debug, Clone)]
pub struct ListenerSnapshot {
    /// Its id.
    pub id: ListenerId,
    /// What was asked for.
    pub spec: Arc<ListenerSpec>,
    /// Where it listens, with the resolved port.
    pub address: SocketAddr,
    /// What it is doing.
    pub state: ListenerState,
    /// Why it could not be opened again, while it is failed.
    pub failure: Option<Arc<EngineError>>,
    /// Since when it has been listening at this address. A restart of the service begins nothing anew.
    pub opened_at: Timestamp,
    /// Connections open now.
    pub open: u64,
    /// Connections ever, over all runs of the service, as the bytes and messages are.
    pub total: u64,
    /// What came in.
    pub received: Tally,
    /// What went out.
    pub sent: Tally,
}

impl ListenerSnapshot {
    /// Whether it closed by itself.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, ListenerState::Closed { .. })
    }
}

/// Where a listener stands, and since when. That lasts until it is opened elsewhere or anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    /// With the resolved port.
    pub(super) address: SocketAddr,
    pub(super) opened_at: Timestamp,
    /// Clients that had come before; the others count for `max_connections_total`.
    pub(super) total_before: u64,
}

#[derive(Debug, Clone)]
struct Standing {
    spot: Spot,
    state: ListenerState,
    /// Of a failed listener.
    failure: Option<Arc<EngineError>>,
    /// How often it was opened: tells whoever waits for its end that it has begun anew.
    opening: u64,
}

/// One listener, for as long as it is listed.
pub(super) struct Listener {
    pub(super) id: ListenerId,
    pub(super) counters: Counters,
    pub(super) lives: Lives,
    /// The tasks of its clients. It is always closed in the tracker's sense: waiting for it waits for the last of them.
    pub(super) sessions: TaskTracker,
    /// The open socket, while there is one. Whoever changes the listener holds this lock to the end of the change.
    pub(super) gate: tokio::sync::Mutex<Option<Gate>>,
    /// Clients that count for `max_connections_total`.
    pub(super) served: AtomicU64,
    /// It is being changed, and keeps its names meanwhile.
    pub(super) in_change: AtomicBool,
    /// It is being deleted: nothing brings it back.
    pub(super) closing: AtomicBool,
    spec: ArcSwap<ListenerSpec>,
    reference: ArcSwap<ListenerRef>,
    standing: Mutex<Standing>,
    news: News,
    ttl: Mutex<Option<AbortOnDropHandle<()>>>,
    /// The end of the fault that ends next.
    fault_end: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Listener {
    /// A new listener; its gate is opened next.
    pub(super) fn new(
        id: ListenerId,
        spec: ListenerSpec,
        address: SocketAddr,
        now: Timestamp,
        news: News,
    ) -> Self {
        let spot = Spot { address, opened_at: now, total_before: 0 };
        spec.begin(now);
        Self::of_earlier(id, spec, spot, ListenerFigures::default(), news)
    }

    /// A listener of an earlier run, which counts on.
    pub(super) fn of_earlier(
        id: ListenerId,
        spec: ListenerSpec,
        spot: Spot,
        figures: ListenerFigures,
        news: News,
    ) -> Self {
        let (reference, sessions) = (ListenerRef { id, name: spec.draft().name.clone() }, TaskTracker::new());
        sessions.close();
        Self {
            id,
            counters: Counters::from(figures),
            lives: Lives::default(),
            sessions,
            gate: tokio::sync::Mutex::new(None),
            served: AtomicU64::new(figures.total.saturating_sub(spot.total_before)),
            in_change: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            spec: ArcSwap::from_pointee(spec),
            reference: ArcSwap::from_pointee(reference),
            standing: Mutex::new(Standing { spot, state: ListenerState::Open, failure: None, opening: 1 }),
            news,
            ttl: Mutex::new(None),
            fault_end: Mutex::new(None),
        }
    }

    /// Ends its clients and waits until the last is gone.
    pub(super) async fn abort_sessions(&self) {
        self.lives.tell(Order::Abort);
        self.sessions.wait().await;
    }

    /// Puts the end of its time in the hands of `task`, and takes it from the one before.
    pub(super) fn set_ttl(&self, task: Option<AbortOnDropHandle<()>>) {
        *self.ttl.lock().unwrap_or_else(PoisonError::into_inner) = task;
    }

    /// Puts the end of the fault that ends next in the hands of `task`, and takes it from the one before.
    pub(super) fn set_fault_end(&self, task: Option<AbortOnDropHandle<()>>) {
        *self.fault_end.lock().unwrap_or_else(PoisonError::into_inner) = task;
    }

    /// The spec in force: each message is answered by the one in force when it arrives.
    pub(super) fn spec(&self) -> Arc<ListenerSpec> {
        self.spec.load_full()
    }

    /// Asks the spec in force, without its reference count, which all workers would fight over.
    pub(super) fn with_spec<T>(&self, ask: impl FnOnce(&ListenerSpec) -> T) -> T {
        ask(&self.spec.load())
    }

    /// The limits in force.
    pub(super) fn limits(&self) -> Limits {
        self.with_spec(|spec| spec.draft().limits)
    }

    /// Puts another spec in force.
    pub(super) fn set_spec(&self, mut spec: ListenerSpec, now: Timestamp) {
        spec.go_on_from(&self.spec.load());
        spec.begin(now);
        if self.reference.load().name != spec.draft().name {
            self.reference.store(Arc::new(ListenerRef { id: self.id, name: spec.draft().name.clone() }));
        }
        self.spec.store(Arc::new(spec));
        // Those who wait, wait by the limits and the sends of the one before.
        self.lives.wake();
        self.news.tell();
    }

    /// Its name now.
    pub(super) fn name(&self) -> Option<Name> {
        self.reference.load().name.clone()
    }

    /// How the log names it.
    pub(super) fn called(&self) -> String {
        self.name().map_or_else(|| self.id.to_string(), |name| format!("{name} ({})", self.id))
    }

    /// How records name it.
    pub(super) fn reference(&self) -> Arc<ListenerRef> {
        self.reference.load_full()
    }

    /// What it is doing.
    pub(super) fn state(&self) -> ListenerState {
        self.standing().state
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.standing().spot.address
    }

    /// Where it stands, and since when.
    pub(super) fn spot(&self) -> Spot {
        self.standing().spot
    }

    /// It does something else now.
    pub(super) fn set_state(&self, state: ListenerState) {
        self.standing().state = state;
        self.news.tell();
    }

    /// It stands there now, open. Nobody comes in meanwhile.
    pub(super) fn moved(&self, spot: Spot) {
        self.served.store(self.counters.total().saturating_sub(spot.total_before), Relaxed);
        let mut standing = self.standing();
        let opening = standing.opening + 1;
        *standing = Standing { spot, state: ListenerState::Open, failure: None, opening };
        drop(standing);
        self.news.tell();
    }

    /// It cannot be opened again yet, for this reason.
    pub(super) fn fail(&self, now: Timestamp, why: EngineError) {
        let mut standing = self.standing();
        if !matches!(standing.state, ListenerState::Failed { .. }) {
            standing.state = ListenerState::Failed { at: now };
        }
        standing.failure = Some(Arc::new(why));
        drop(standing);
        self.news.tell();
    }

    /// Whether it has not been opened since `opening`, and is doing this.
    pub(super) fn does(&self, opening: u64, what: impl FnOnce(ListenerState) -> bool) -> bool {
        let standing = self.standing();
        standing.opening == opening && what(standing.state)
    }

    /// How often it was opened.
    pub(super) fn opening(&self) -> u64 {
        self.standing().opening
    }

    /// It does something else now, unless it was opened again since `opening`, or does not do `from`.
    pub(super) fn pass(&self, opening: u64, from: ListenerState, to: ListenerState) -> bool {
        let mut standing = self.standing();
        let passes = standing.opening == opening && standing.state == from;
        if passes {
            standing.state = to;
            self.news.tell();
        }
        passes
    }

    /// How it is now.
    pub(super) fn snapshot(&self) -> ListenerSnapshot {
        let Standing { spot, state, failure, .. } = self.standing().clone();
        let failure = failure.filter(|_| matches!(state, ListenerState::Failed { .. }));
        let (open, total, received, sent) = self.counters.read();
        ListenerSnapshot {
            id: self.id,
            spec: self.spec(),
            address: spot.address,
            state,
            failure,
            opened_at: spot.opened_at,
            open,
            total,
            received,
            sent,
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
