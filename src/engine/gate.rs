//! The gate through which a listener's clients come: open, or closed and held.

use std::sync::{Arc, Weak};

use socket2::Socket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::domain::SelfClose;

use super::Shared;
use super::accept::{Acceptor, Counted, CountedSocket, served_all};
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
    /// Lets clients in, or refuses them from the beginning, as the faults in force say.
    pub(super) fn start(listener: &Arc<Listener>, shared: &Arc<Shared>, socket: Arc<CountedSocket>) -> Self {
        let now = shared.clock.now();
        if listener.with_spec(|spec| spec.refuses(now)) {
            match bind::reserve(&socket.socket) {
                Ok(held) => return Self::Held(Counted::new(held, Arc::clone(shared))),
                Err(error) => told(listener, &error),
            }
        }
        // It may have been meant to refuse, for a time that is over.
        if let Err(error) = bind::hear(&socket.socket) {
            told(listener, &error);
        }
        Self::open(listener, shared, socket)
    }

    fn open(listener: &Arc<Listener>, shared: &Arc<Shared>, socket: Arc<CountedSocket>) -> Self {
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
    pub(super) async fn pause(self) -> Option<Paused> {
        match self {
            Self::Open(gate) => {
                let socket = gate.socket.upgrade();
                gate.stop().await;
                socket.map(Paused::Open)
            }
            Self::Held(held) => Some(Paused::Held(held)),
        }
    }

    /// Accepts no more. When this returns, the port is free.
    pub(super) async fn stop_accepting(self) {
        if let Self::Open(gate) = self {
            gate.stop().await;
        }
    }
}

/// A gate through which nobody comes meanwhile.
pub(super) enum Paused {
    /// Whoever comes waits in the kernel's queue.
    Open(Arc<CountedSocket>),
    /// Whoever comes is refused.
    Held(Counted<Socket>),
}

impl Paused {
    /// As it was.
    pub(super) fn resume(self, listener: &Arc<Listener>, shared: &Arc<Shared>) -> Gate {
        match self {
            Self::Open(socket) => Gate::open(listener, shared, socket),
            Self::Held(held) => Gate::Held(held),
        }
    }
}

/// Says that a port is not as the faults want it.
fn told(listener: &Listener, error: &BindError) {
    let address = listener.address();
    tracing::error!(listener = %listener.called(), %address, %error, "the port cannot be closed or opened as its faults say");
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
    match gate.take() {
        Some(Gate::Open(open)) if refuses => *gate = hold(open, listener, shared).await,
        Some(Gate::Held(held)) if !refuses => match unhold(&held, listener) {
            Ok(socket) => {
                let socket = Arc::new(CountedSocket::new(socket, Arc::clone(shared)));
                *gate = Some(Gate::open(listener, shared, socket));
            }
            Err(BindError::InUse) => {
                told(listener, &BindError::InUse);
                let (listener, opening, why) =
                    (Arc::clone(listener), listener.opening(), SelfClose::PortLost);
                shared.tasks.spawn(finish(listener, Arc::clone(shared), opening, why));
            }
            Err(error) => {
                // Out of descriptors, say: the next change tries again.
                told(listener, &error);
                *gate = Some(Gate::Held(held));
            }
        },
        as_it_is => *gate = as_it_is,
    }
    watch_faults(shared, listener);
}

/// Closes the port and holds it; none, if its last client has come.
async fn hold(open: OpenGate, listener: &Arc<Listener>, shared: &Arc<Shared>) -> Option<Gate> {
    let socket = open.socket.upgrade();
    open.stop().await;
    let socket = socket.filter(|_| !served_all(listener))?;
    Some(match bind::reserve(&socket.socket) {
        Ok(held) => Gate::Held(Counted::new(held, Arc::clone(shared))),
        Err(error) => {
            told(listener, &error);
            Gate::open(listener, shared, socket)
        }
    })
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
