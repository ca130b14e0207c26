//! After a restart: the listeners that the journal keeps, as they were.
//!
//! What cannot be opened now does not keep the service from starting. It is listed as failed, and tried again until it
//! can be opened, or is changed or deleted.

use std::cmp::Reverse;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::domain::ListenerSpec;
use crate::store::{JournalError, ListenerRecord};

use super::Shared;
use super::accept::CountedSocket;
use super::change::listen;
use super::ending::{missed_end, start_ttl};
use super::error::EngineError;
use super::gate::{Gate, keep_to_faults};
use super::keep::{drop_displaced, keep_end};
use super::listener::{Listener, ListenerState, Spot};

/// The first pause before a failed listener is tried again, doubled up to the last. A program that is being restarted
/// frees its port within seconds; one that stays costs two system calls in half a minute.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// Brings back all listeners that the journal keeps.
pub(super) async fn restore(shared: &Arc<Shared>) -> Result<(), JournalError> {
    let mut records = shared.recorder.journal().listeners().await?;
    // Of two that want one port the newer had it: it could only be opened because the older had failed.
    records.sort_by_key(|record| Reverse((record.opened_at, record.id)));
    for record in records {
        match (shared.config.spec_text.read)(&record.spec) {
            Ok(spec) => bring_back(shared, record, spec).await,
            Err(errors) => {
                let cause = errors.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(
                    listener = %record.id, address = %record.address, cause,
                    "a listener of the journal cannot be read, and stays there: a newer version may have written it; \
                     POST /reset forgets it"
                );
            }
        }
    }
    Ok(())
}

/// Drops from the journal what is not listed, because it could not be read.
pub(super) async fn drop_unlisted(shared: &Shared) -> Result<(), JournalError> {
    let journal = shared.recorder.journal();
    for record in journal.listeners().await? {
        // Who opens a listener lists it before it is kept.
        if !shared.registry().has(record.id) {
            journal.drop_listener(record.id).await?;
        }
    }
    Ok(())
}

async fn bring_back(shared: &Arc<Shared>, record: ListenerRecord, spec: ListenerSpec) {
    let spot =
        Spot { address: record.address, opened_at: record.opened_at, total_before: record.total_at_opening };
    spec.begin(shared.clock.now());
    let listener = Arc::new(Listener::of_earlier(record.id, spec, spot, record.figures, shared.news.clone()));
    let now = shared.clock.now();
    let end = record.closed.or_else(|| missed_end(&listener, now));
    let mut socket = None;
    match end {
        Some((at, why)) => {
            listener.set_state(ListenerState::Closed { at, why });
            if record.closed.is_none() {
                keep_end(shared, &listener, at, why).await;
            }
        }
        None => match listen_again(shared, &listener) {
            Ok(opened) => socket = Some(opened),
            Err(error) => listener.fail(now, error),
        },
    }
    let listed = shared.registry().readmit(Arc::clone(&listener), shared.config.max_listeners);
    match listed {
        Ok(displaced) => drop_displaced(shared, displaced).await,
        // Its name went to another after it had closed, and the process ended before it was dropped.
        Err(_) if end.is_some() => return drop_displaced(shared, vec![listener]).await,
        Err(error) => {
            let id = listener.id;
            return tracing::error!(listener = %id, %error, "a listener of the journal is not opened again");
        }
    }
    if end.is_none() {
        begin(shared, &listener, socket).await;
    }
}

/// It accepts clients, or waits until it can.
async fn begin(shared: &Arc<Shared>, listener: &Arc<Listener>, socket: Option<Arc<CountedSocket>>) {
    let (name, address) = (listener.called(), listener.address());
    match socket {
        Some(socket) => {
            let mut gate = listener.gate.lock().await;
            *gate = Some(Gate::start(listener, shared, socket));
            keep_to_faults(shared, listener, &mut gate).await;
            drop(gate);
            tracing::info!(listener = %name, %address, "listener opened again");
        }
        None => {
            let cause = listener.snapshot().failure.map(|cause| cause.to_string()).unwrap_or_default();
            tracing::warn!(
                listener = %name, %address, cause,
                "the listener cannot be opened as it was; it is tried again until it can"
            );
            shared.tasks.spawn(retry(Arc::clone(shared), Arc::downgrade(listener), listener.opening()));
        }
    }
    start_ttl(shared, listener);
}

/// Listens where it stood, on the port that it was given then.
fn listen_again(shared: &Arc<Shared>, listener: &Listener) -> Result<Arc<CountedSocket>, EngineError> {
    let registry = shared.registry();
    registry.has_room(listener.id, shared.config.max_listeners)?;
    let port = listener.address().port();
    listen(shared, &registry, &listener.spec(), port).map(|(socket, _)| socket)
}

/// Tries again until it is open, changed or deleted. Nothing changes in the journal: it is as it was.
async fn retry(shared: Arc<Shared>, listener: Weak<Listener>, opening: u64) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_PAUSE),
        }
        let Some(listener) = listener.upgrade() else { return };
        let mut gate = listener.gate.lock().await;
        let is_failed = listener.does(opening, |state| matches!(state, ListenerState::Failed { .. }));
        if !is_failed || listener.closing.load(Relaxed) {
            return;
        }
        match listen_again(&shared, &listener) {
            Ok(socket) => {
                listener.moved(listener.spot());
                *gate = Some(Gate::start(&listener, &shared, socket));
                keep_to_faults(&shared, &listener, &mut gate).await;
                let address = listener.address();
                return tracing::info!(listener = %listener.called(), %address, "listener opened again");
            }
            Err(error) => listener.fail(shared.clock.now(), error),
        }
    }
}
