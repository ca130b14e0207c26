//! Sockets: the only floor that opens data ports.
//!
//! [`Engine`] opens, changes and closes listeners. A listener has a gate (the open socket and the task that accepts);
//! a client that comes in is one task, and its place at the listener is given back however the task ends.

mod accept;
mod apply;
mod bind;
mod change;
mod counters;
mod deadline;
mod ending;
mod error;
mod gate;
mod keep;
mod listener;
mod live;
mod news;
mod place;
mod plan;
mod registry;
mod replies;
mod restore;
mod session;
mod stream;
mod talk;

#[cfg(test)]
mod framing_tests;
#[cfg(test)]
mod session_tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::domain::{Clock, ConnectionId, IdSource, ListenerSpec, PortSet, Reply};
use crate::store::{JournalError, Recorder};

pub use apply::{Applied, NotApplied};
pub use counters::EngineStats;
pub use error::{EngineError, Holder};
pub use keep::SpecText;
pub use listener::{ListenerSnapshot, ListenerState};
pub use registry::ListenerKey;
pub use talk::{HangUp, Sent};

use counters::Totals;
use listener::Listener;
use live::Order;
use news::News;
use registry::Registry;

/// What the engine keeps to.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Ports that listeners may ask for; port 0 always may, the kernel chooses.
    pub allow_ports: PortSet,
    /// The control plane's own port, which no listener may take on any address.
    pub control_port: Option<u16>,
    /// Listeners at one time.
    pub max_listeners: u64,
    /// Connections at one time, over all listeners. One more is refused with a reset.
    pub max_connections: u64,
    /// File descriptors that listeners and connections may hold together. What is left of the process's limit is for
    /// the control plane, which must stay in reach. When all are held, accepting pauses.
    pub descriptors: u64,
    /// How the journal keeps a spec.
    pub spec_text: SpecText,
}

/// What [`Engine::put`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There was no such listener.
    Created,
    /// There was one, and it is as asked for now.
    Updated,
}

/// What all floors below the engine's face share.
struct Shared {
    config: EngineConfig,
    recorder: Arc<Recorder>,
    clock: Arc<dyn Clock>,
    ids: IdSource,
    totals: Totals,
    registry: Mutex<Registry>,
    news: News,
    tasks: TaskTracker,
    /// Documents are applied one after the other.
    applying: tokio::sync::Mutex<()>,
    stopping: CancellationToken,
}

impl Shared {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens, changes and closes listeners.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// An engine without listeners. It lives on the tokio runtime that calls it.
    pub fn new(config: EngineConfig, recorder: Arc<Recorder>, clock: Arc<dyn Clock>, ids: IdSource) -> Self {
        let (totals, news) = (Totals::default(), News::default());
        let registry = Mutex::new(Registry::new(news.clone()));
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let applying = tokio::sync::Mutex::default();
        Self {
            shared: Arc::new(Shared {
                config,
                recorder,
                clock,
                ids,
                totals,
                registry,
                news,
                tasks,
                applying,
                stopping,
            }),
        }
    }

    /// Brings back the listeners that the journal keeps, as they were: to be called once, before anything is opened.
    /// What cannot be opened now is listed as failed and tried again.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn restore(&self) -> Result<(), JournalError> {
        restore::restore(&self.shared).await
    }

    /// Opens a listener. When this returns, it accepts clients, and is in the journal.
    ///
    /// # Errors
    /// Why it could not be; nothing is open then.
    pub async fn open(&self, spec: ListenerSpec) -> Result<ListenerSnapshot, EngineError> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { change::open(&shared, spec).await }).await
    }

    /// Makes the listener be as `spec` says. What is the same stays: an unchanged address keeps its clients.
    ///
    /// # Errors
    /// Why it could not be; it is as it was then.
    pub async fn put(
        &self,
        key: ListenerKey,
        spec: ListenerSpec,
    ) -> Result<(Put, ListenerSnapshot), EngineError> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { change::put(&shared, &key, spec).await }).await
    }

    /// Changes a listener to what `edit` makes of its spec.
    ///
    /// # Errors
    /// What `edit` says, or why it could not be; it is as it was then.
    pub async fn patch<E: From<EngineError> + Send + 'static>(
        &self,
        key: ListenerKey,
        edit: impl FnOnce(&ListenerSpec) -> Result<ListenerSpec, E> + Send + 'static,
    ) -> Result<ListenerSnapshot, E> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { change::patch(&shared, &key, edit).await }).await
    }

    /// Makes the listeners be as `specs` say, each found by its name, or by its host and port; with `prune`, closes all
    /// others.
    ///
    /// # Errors
    /// Why it could not be; all is as it was then, but for clients of what was closed or reopened meanwhile.
    pub async fn apply(&self, specs: Vec<ListenerSpec>, prune: bool) -> Result<Applied, NotApplied> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { apply::apply(&shared, specs, prune).await }).await
    }

    /// Closes a listener. When this returns its port is free and its clients are gone. With `drain` they may finish
    /// first, for at most that long. Clients that are still there are reset.
    ///
    /// # Errors
    /// [`EngineError::NotFound`]; [`EngineError::Journal`], and then it is as it was.
    pub async fn close(&self, key: ListenerKey, drain: Option<Duration>) -> Result<(), EngineError> {
        let shared = Arc::clone(&self.shared);
        self.to_the_end(async move { change::close(&shared, &key, drain).await }).await
    }

    /// Closes all listeners; none will come back.
    ///
    /// # Errors
    /// [`EngineError::Journal`], and then some may be open still.
    pub async fn close_all(&self) -> Result<(), EngineError> {
        let keys: Vec<_> = self.list().into_iter().map(|l| ListenerKey::Id(l.id)).collect();
        let closing = keys.into_iter().map(|key| self.close(key, None));
        for closed in futures_util::future::join_all(closing).await {
            match closed {
                // One that was closed by somebody else meanwhile is closed too.
                Ok(()) | Err(EngineError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(restore::drop_unlisted(&self.shared).await?)
    }

    /// The listener, as it is now.
    pub fn get(&self, key: &ListenerKey) -> Option<ListenerSnapshot> {
        self.shared.registry().find(key).map(|listener| listener.snapshot())
    }

    /// Tells when a listener came, went or is another than it was; not which.
    pub fn listener_changes(&self) -> tokio::sync::watch::Receiver<()> {
        self.shared.news.watch()
    }

    /// All listeners, in the order they were made.
    pub fn list(&self) -> Vec<ListenerSnapshot> {
        self.shared.registry().all().map(|listener| listener.snapshot()).collect()
    }

    /// Whether that client is connected.
    pub fn is_connected(&self, id: ConnectionId) -> bool {
        talk::find(&self.shared, id).is_some()
    }

    /// Sends a message to a client that is connected. When this returns, it is on record and has been handed to the
    /// kernel.
    ///
    /// # Errors
    /// [`EngineError::NotConnected`] and why else it was not sent.
    pub async fn send(&self, id: ConnectionId, message: &Reply) -> Result<Sent, EngineError> {
        talk::send(&self.shared, id, message).await
    }

    /// Hangs up on a client. When this returns, FIN has been sent; or the client is gone, and its end is on record.
    ///
    /// # Errors
    /// [`EngineError::NotConnected`], [`EngineError::ConnectionBusy`].
    pub async fn hang_up(&self, id: ConnectionId, how: HangUp) -> Result<(), EngineError> {
        talk::hang_up(&self.shared, id, how).await
    }

    /// The figures.
    pub fn stats(&self) -> EngineStats {
        let listeners = self.shared.registry().standing();
        self.shared.totals.stats(listeners)
    }

    /// Stops for good, and leaves the listeners in the journal: accepts nobody, lets replies under way finish for at most `grace`, then ends the rest.
    pub async fn shutdown(&self, grace: Duration) {
        self.shared.stopping.cancel();
        let listeners: Vec<Arc<Listener>> = {
            let mut registry = self.shared.registry();
            registry.close();
            registry.all().cloned().collect()
        };
        let stopping = listeners.iter().map(|listener| async move {
            listener.set_ttl(None);
            listener.set_fault_end(None);
            let gate = listener.gate.lock().await.take();
            if let Some(gate) = gate {
                gate.stop_accepting().await;
            }
            listener.lives.tell(Order::Finish);
            if tokio::time::timeout(grace, listener.sessions.wait()).await.is_err() {
                listener.lives.tell(Order::AbortForShutdown);
                listener.sessions.wait().await;
            }
        });
        futures_util::future::join_all(stopping).await;
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Runs a change to its end even when whoever asked for it goes away: no change is left half done.
    async fn to_the_end<T: Send + 'static, E: From<EngineError> + Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        match self.shared.tasks.spawn(change.instrument(tracing::Span::current())).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "a change of a listener ended badly");
                Err(EngineError::Stopping.into())
            }
        }
    }
}
