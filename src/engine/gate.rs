//! The gate through which a listener's clients come: open, or closed and held.

use std::sync::{Arc, Weak};

use socket2::Socket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::domain::SelfClose;

use super::Shared;
use super::accept::{Acceptor, Counted, CountedSocket};
use super::bind::{self, BindError};
use super::ending::finish;
use super::listener::Listener;

/// The port of a listener, while it has one.
pub(super) enum Gate {
    /// Clients come in.
    Open(OpenGate),
    /// The port is closed and held: whoever connects is refused.
    Held(Counted<Socket>),
}

/// An open socket and the task that accepts from it.
pub(super) struct OpenGate {
    /// The acceptor alone keeps the socket open, so that it can give up the port by itself.
    socket: Weak<CountedSocket>,
    stop: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Gate {
    /// Lets clients in.
    pub(super) fn open(listener: &Arc<Listener>, shared: &Arc<Shared>, socket: Arc<CountedSocket>) -> Self {
        let opening = listener.opening();
        let (weak, stop) = (Arc::downgrade(&socket), CancellationToken::new());
        let acceptor = Acceptor::new(Arc::clone(listener), Arc::clone(shared), socket, stop.clone(), opening);
        Self::Open(OpenGate { socket: weak, stop, accepting: shared.tasks.spawn(acceptor.run()) })
    }

    /// The kernel holds this many connections ready from now on. One that is held is given it when it opens.
    pub(super) fn set_backlog(&self, backlog: u32) -> Result<(), BindError> {
        match self {
            Self::Open(gate) => {
                gate.socket.upgrade().map_or(Ok(()), |open| bind::set_backlog(&open.socket, backlog))
            }
            Self::Held(_) => Ok(()),
        }
    }

    /// Accepts no more. When this returns, nobody comes in, but the port is still held by the socket, unless it was
    /// given up before: whoever comes waits in the kernel's queue.
    pub(super) async fn pause(self, listener: &Listener, shared: &Arc<Shared>) -> Option<Arc<CountedSocket>> {
        match self {
            Self::Open(gate) => {
                let socket = gate.socket.upgrade();
                gate.stop().await;
                socket
            }
            Self::Held(held) => {
                let opened = unhold(&held, listener);
                opened.ok().map(|socket| Arc::new(CountedSocket::new(socket, Arc::clone(shared))))
            }
        }
    }

    /// Accepts no more. When this returns, the port is free.
    pub(super) async fn stop_accepting(self) {
        if let Self::Open(gate) = self {
            gate.stop().await;
        }
    }
}

impl OpenGate {
    async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.accepting.await {
            tracing::error!(%error, "an accept task ended badly");
        }
    }
}

fn unhold(held: &Counted<Socket>, listener: &Listener) -> Result<tokio::net::TcpListener, BindError> {
    let backlog = listener.with_spec(|spec| spec.draft().backlog);
    bind::listen_again(held.socket.try_clone()?, backlog)
}

/// Opens or closes the gate as the faults in force say, now and when the next of them switches itself off. Whoever calls
/// this holds the gate.
pub(super) async fn keep_to_faults(shared: &Arc<Shared>, listener: &Arc<Listener>, gate: &mut Option<Gate>) {
    let now = shared.clock.now();
    let refuses = listener.with_spec(|spec| spec.refuses(now));
    let kept = match gate.take() {
        Some(Gate::Open(open)) if refuses => hold(open, shared).await,
        Some(Gate::Held(held)) if !refuses => unhold(&held, listener).map(|socket| {
            let socket = Arc::new(CountedSocket::new(socket, Arc::clone(shared)));
            Some(Gate::open(listener, shared, socket))
        }),
        as_it_is => Ok(as_it_is),
    };
    match kept {
        Ok(kept) => *gate = kept,
        Err(error) => {
            let address = listener.address();
            tracing::error!(listener = %listener.called(), %address, %error, "the port was lost to another program");
            let (listener, opening, why) = (Arc::clone(listener), listener.opening(), SelfClose::PortLost);
            shared.tasks.spawn(finish(listener, Arc::clone(shared), opening, why));
        }
    }
    watch_faults(shared, listener);
}

/// Closes the port and holds it; none, if its last client has come.
async fn hold(open: OpenGate, shared: &Arc<Shared>) -> Result<Option<Gate>, BindError> {
    let socket = open.socket.upgrade();
    open.stop().await;
    let Some(socket) = socket else { return Ok(None) };
    let held = bind::reserve(&socket.socket)?;
    Ok(Some(Gate::Held(Counted::new(held, Arc::clone(shared)))))
}

/// When the next fault switches itself off, those who are struck by it look again.
fn watch_faults(shared: &Arc<Shared>, listener: &Arc<Listener>) {
    let now = shared.clock.now();
    let task = listener.with_spec(|spec| spec.next_fault_end(now)).map(|end| {
        let left = end.since(now);
        let (shared, listener) = (Arc::clone(shared), Arc::downgrade(listener));
        AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(left).await;
            if let Some(listener) = listener.upgrade() {
                // In a task of its own: what it does puts an end to this one.
                drop(shared.tasks.spawn(fault_over(Arc::clone(&shared), listener)));
            }
        }))
    });
    listener.set_fault_end(task);
}

async fn fault_over(shared: Arc<Shared>, listener: Arc<Listener>) {
    let mut gate = listener.gate.lock().await;
    keep_to_faults(&shared, &listener, &mut gate).await;
    listener.lives.wake();
}
