//! Opening, changing and closing listeners, each all or nothing.
//!
//! The registry's lock is held for the moments in which names and ports are taken; a listener's own lock (its gate) to
//! the end of a change, so that changes of one listener come one after another. The journal keeps a change when all that
//! could prevent it has been done, and before it is seen; if it cannot, what has been done is undone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::MutexGuard;

use crate::domain::{ListenerSpec, SelfClose};

use super::accept::{CountedSocket, served_all};
use super::bind::{BindError, bind, bind_unheard};
use super::ending::{finish, start_ttl};
use super::error::EngineError;
use super::gate::{Gate, keep_to_faults};
use super::keep::{drop_displaced, keep};
use super::listener::{Listener, ListenerSnapshot, ListenerState, Spot};
use super::registry::{ListenerKey, Registry, overlap};
use super::{Put, Shared};

type OpenGate<'a> = MutexGuard<'a, Option<Gate>>;

/// Opens a new listener. While the journal keeps it, clients wait in the kernel's queue.
pub(super) async fn open(shared: &Arc<Shared>, spec: ListenerSpec) -> Result<ListenerSnapshot, EngineError> {
    let (most, now) = (shared.config.max_listeners, shared.clock.now());
    let listener;
    let (gate, socket, displaced) = {
        let mut registry = shared.registry();
        registry.admits(spec.draft().name.as_ref(), most)?;
        let (socket, address) = listen(shared, &registry, &spec, spec.draft().port)?;
        listener = Arc::new(Listener::new(shared.ids.listener(now), spec, address, now, shared.news.clone()));
        // Nobody else knows it yet, so the lock is free.
        (listener.gate.try_lock(), socket, registry.add(Arc::clone(&listener), most))
    };
    if let Err(error) = keep(shared, &listener, &listener.spec(), listener.spot()).await {
        let mut registry = shared.registry();
        registry.remove(listener.id);
        registry.put_back(displaced);
        return Err(error);
    }
    if let Ok(mut gate) = gate {
        *gate = Some(Gate::start(&listener, shared, socket));
        keep_to_faults(shared, &listener, &mut gate).await;
    }
    start_ttl(shared, &listener);
    drop_displaced(shared, displaced).await;
    let snapshot = listener.snapshot();
    tracing::info!(listener = %listener.called(), address = %snapshot.address, "listener opened");
    Ok(snapshot)
}

/// Makes the listener be as `spec` says; makes one if there is none.
pub(super) async fn put(
    shared: &Arc<Shared>,
    key: &ListenerKey,
    spec: ListenerSpec,
) -> Result<(Put, ListenerSnapshot), EngineError> {
    loop {
        let found = shared.registry().find(key);
        let Some(listener) = found else {
            if let ListenerKey::Id(_) = key {
                return Err(EngineError::NotFound);
            }
            match open(shared, spec.clone()).await {
                // Somebody else made it between the look and now.
                Err(EngineError::NameInUse(_)) if shared.registry().find(key).is_some() => continue,
                opened => return opened.map(|snapshot| (Put::Created, snapshot)),
            }
        };
        let gate = listener.gate.lock().await;
        if shared.registry().find(key).is_none_or(|now| now.id != listener.id) {
            continue;
        }
        if let (true, ListenerKey::Name(name)) = (listener.closing.load(Relaxed), key) {
            return Err(EngineError::NameInUse(name.clone()));
        }
        return update(shared, &listener, gate, spec).await.map(|snapshot| (Put::Updated, snapshot));
    }
}

/// Changes a listener to what `edit` makes of its spec.
pub(super) async fn patch<E: From<EngineError>>(
    shared: &Arc<Shared>,
    key: &ListenerKey,
    edit: impl FnOnce(&ListenerSpec) -> Result<ListenerSpec, E>,
) -> Result<ListenerSnapshot, E> {
    let listener = find(shared, key)?;
    let gate = listener.gate.lock().await;
    let spec = edit(&listener.spec())?;
    Ok(update(shared, &listener, gate, spec).await?)
}

/// Closes a listener for good. A second call meanwhile waits for as long as it says itself, and so hurries the first.
pub(super) async fn close(
    shared: &Arc<Shared>,
    key: &ListenerKey,
    drain: Option<Duration>,
) -> Result<(), EngineError> {
    let listener = find(shared, key)?;
    {
        let mut gate = listener.gate.lock().await;
        find(shared, &ListenerKey::Id(listener.id))?;
        if !listener.closing.load(Relaxed) {
            shared.recorder.journal().drop_listener(listener.id).await?;
        }
        listener.closing.store(true, Relaxed);
        listener.set_ttl(None);
        listener.set_fault_end(None);
        if let Some(gate) = gate.take() {
            gate.stop_accepting().await;
        }
        if listener.state() == ListenerState::Open {
            listener.set_state(ListenerState::Draining);
        }
    }
    let finished = match drain {
        Some(drain) => tokio::select! {
            () = listener.sessions.wait() => true,
            () = tokio::time::sleep(drain) => false,
            // The service stops, and no single listener holds it up.
            () = shared.stopping.cancelled() => false,
        },
        None => false,
    };
    if !finished {
        listener.abort_sessions().await;
    }
    if shared.registry().remove(listener.id).is_some() {
        tracing::info!(listener = %listener.called(), "listener closed");
    }
    Ok(())
}

fn find(shared: &Shared, key: &ListenerKey) -> Result<Arc<Listener>, EngineError> {
    shared.registry().find(key).ok_or(EngineError::NotFound)
}

/// Brings a listener from the spec in force to `spec`, keeping what is the same. Its name is taken before anything
/// else, so that nobody has it when the change is done.
async fn update(
    shared: &Arc<Shared>,
    listener: &Arc<Listener>,
    mut gate: OpenGate<'_>,
    spec: ListenerSpec,
) -> Result<ListenerSnapshot, EngineError> {
    let (old_name, new_name) = (listener.name(), spec.draft().name.clone());
    let displaced = shared.registry().begin_change(listener, new_name.as_ref())?.into_iter().collect();
    let changed = change(shared, listener, &mut gate, spec).await;
    keep_to_faults(shared, listener, &mut gate).await;
    {
        let mut registry = shared.registry();
        registry.end_change(listener, [old_name.as_ref(), new_name.as_ref()]);
        if changed.is_err() {
            registry.put_back(displaced);
            return changed.map(|()| listener.snapshot());
        }
    }
    drop_displaced(shared, displaced).await;
    Ok(listener.snapshot())
}

async fn change(
    shared: &Arc<Shared>,
    listener: &Arc<Listener>,
    gate: &mut OpenGate<'_>,
    spec: ListenerSpec,
) -> Result<(), EngineError> {
    let before = listener.spec();
    let (old, new) = (before.draft(), spec.draft());
    let here = new.host == old.host && (new.port == old.port || new.port == listener.address().port());
    let more_to_serve = new.max_connections_total != old.max_connections_total;
    let stays = match listener.state() {
        ListenerState::Open => here,
        // It serves nobody new, but those it has are served by the spec in force.
        ListenerState::Draining => here && !more_to_serve,
        ListenerState::Closed { .. } | ListenerState::Failed { .. } => false,
    };
    if !stays {
        return reopen(shared, listener, gate, spec, here).await;
    }
    if spec == *before {
        return Ok(());
    }
    set_backlog(listener, gate, old.backlog, new.backlog)?;
    if let Err(error) = keep(shared, listener, &spec, listener.spot()).await {
        set_backlog(listener, gate, new.backlog, old.backlog)?;
        return Err(error);
    }
    let ttl_changed = new.ttl != old.ttl;
    listener.set_spec(spec, shared.clock.now());
    if ttl_changed {
        start_ttl(shared, listener);
    }
    if more_to_serve && served_all(listener) {
        finish_now(shared, listener, gate, SelfClose::MaxConnectionsTotal).await;
    }
    Ok(())
}

fn set_backlog(
    listener: &Listener,
    gate: &OpenGate<'_>,
    before: u32,
    backlog: u32,
) -> Result<(), EngineError> {
    match gate.as_ref().filter(|_| backlog != before) {
        Some(gate) => {
            gate.set_backlog(backlog).map_err(|error| EngineError::from_bind(error, listener.address(), None))
        }
        None => Ok(()),
    }
}

/// Opens a listener at another address, or again. Its clients lose it only when the new address is open, and only if it
/// is another.
async fn reopen(
    shared: &Arc<Shared>,
    listener: &Arc<Listener>,
    gate: &mut OpenGate<'_>,
    spec: ListenerSpec,
    here: bool,
) -> Result<(), EngineError> {
    let before = listener.spot();
    let wanted = SocketAddr::new(spec.draft().host, spec.draft().port);
    let is_open = gate.is_some() && listener.state() == ListenerState::Open;
    let in_the_way = is_open && overlap(before.address, wanted);
    if in_the_way {
        // What can be known before the old socket is given up is asked before.
        drop(bind(SocketAddr::new(wanted.ip(), 0), 1).map_err(|e| EngineError::from_bind(e, wanted, None))?);
        stop(gate).await;
    }
    let held = match gate.take() {
        Some(gate) => gate.pause().await,
        None => None,
    };
    let resumes = here && matches!(listener.state(), ListenerState::Failed { .. });
    let (socket, spot) = match stand(shared, listener, &spec, Some(before).filter(|_| resumes)).await {
        Ok(opened) => opened,
        Err(error) => {
            match held {
                Some(paused) => **gate = Some(paused.resume(listener, shared)),
                None if in_the_way => go_back(shared, listener, gate, before.address),
                None => {}
            }
            return Err(error);
        }
    };
    drop(held);
    if !here {
        listener.abort_sessions().await;
    }
    listener.set_spec(spec, shared.clock.now());
    listener.moved(spot);
    **gate = Some(Gate::start(listener, shared, socket));
    start_ttl(shared, listener);
    tracing::info!(listener = %listener.called(), address = %spot.address, "listener reopened");
    Ok(())
}

/// Listens where `spec` says, and keeps that in the journal. A failed listener `resumes` where it stood: what was asked
/// for has not changed, so neither the port that it was given nor what it has counted does. If that port cannot be had
/// and the kernel is to choose, it chooses again.
async fn stand(
    shared: &Arc<Shared>,
    listener: &Listener,
    spec: &ListenerSpec,
    resumes: Option<Spot>,
) -> Result<(Arc<CountedSocket>, Spot), EngineError> {
    let (socket, spot) = {
        let registry = shared.registry();
        registry.has_room(listener.id, shared.config.max_listeners)?;
        let port = spec.draft().port;
        let again = resumes.map(|spot| (listen(shared, &registry, spec, spot.address.port()), spot));
        match again {
            Some((Ok((socket, _)), spot)) => (socket, spot),
            Some((Err(error), _)) if port != 0 => return Err(error),
            _ => {
                let (socket, address) = listen(shared, &registry, spec, port)?;
                let (opened_at, total_before) = (shared.clock.now(), listener.counters.total());
                (socket, Spot { address, opened_at, total_before })
            }
        }
    };
    keep(shared, listener, spec, spot).await?;
    Ok((socket, spot))
}

async fn stop(gate: &mut OpenGate<'_>) {
    if let Some(gate) = gate.take() {
        gate.stop_accepting().await;
    }
}

/// The new address could not be had: back to the old one. Its clients have noticed nothing.
fn go_back(shared: &Arc<Shared>, listener: &Arc<Listener>, gate: &mut OpenGate<'_>, address: SocketAddr) {
    match bind_for(shared, &listener.spec(), address) {
        Ok(socket) => {
            let socket = Arc::new(CountedSocket::new(socket, Arc::clone(shared)));
            **gate = Some(Gate::start(listener, shared, socket));
        }
        Err(error) => {
            tracing::error!(listener = %listener.called(), %address, %error, "the port was lost to another program");
            let why = SelfClose::PortLost;
            shared.tasks.spawn(finish(Arc::clone(listener), Arc::clone(shared), listener.opening(), why));
        }
    }
}

/// Serves nobody new from now on; closed once the last client is gone.
async fn finish_now(shared: &Arc<Shared>, listener: &Arc<Listener>, gate: &mut OpenGate<'_>, why: SelfClose) {
    stop(gate).await;
    listener.set_state(ListenerState::Draining);
    shared.tasks.spawn(finish(Arc::clone(listener), Arc::clone(shared), listener.opening(), why));
}

/// Whoever comes before [`Gate::start`] waits; where the port is to refuse, without being let in.
fn bind_for(shared: &Shared, spec: &ListenerSpec, address: SocketAddr) -> Result<TcpListener, BindError> {
    let bind = if spec.refuses(shared.clock.now()) { bind_unheard } else { bind };
    bind(address, spec.draft().backlog)
}

/// Checks that the port may be used, and listens on it. Where the kernel is to choose, `port` may be one that it chose
/// before, in or out of the allowed range.
pub(super) fn listen(
    shared: &Arc<Shared>,
    registry: &Registry,
    spec: &ListenerSpec,
    port: u16,
) -> Result<(Arc<CountedSocket>, SocketAddr), EngineError> {
    let config = &shared.config;
    if registry.is_closed() {
        return Err(EngineError::Stopping);
    }
    if port != 0 && Some(port) == config.control_port {
        return Err(EngineError::ControlPort(port));
    }
    if spec.draft().port != 0 && !config.allow_ports.contains(port) {
        return Err(EngineError::PortNotAllowed { port, allowed: config.allow_ports.to_string() });
    }
    if shared.totals.descriptors() >= config.descriptors {
        return Err(EngineError::OutOfDescriptors);
    }
    let address = SocketAddr::new(spec.draft().host, port);
    let socket = bind_for(shared, spec, address)
        .map_err(|error| EngineError::from_bind(error, address, registry.holder(address)))?;
    let resolved = socket.local_addr().map_err(EngineError::Io)?;
    Ok((Arc::new(CountedSocket::new(socket, Arc::clone(shared))), resolved))
}
