//! Speaking to a client unasked, and hanging up on it.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::domain::{ConnectionId, Prepared, Reply, Timestamp};

use super::Shared;
use super::error::EngineError;
use super::listener::Listener;
use super::live::{Live, Order, Returned};

/// What a live connection carries out when it comes to it.
#[derive(Debug)]
pub(super) enum Command {
    /// Send this. Told when all of it has left.
    Send { message: Box<Prepared>, done: oneshot::Sender<Result<Option<Sent>, NotSent>> },
    /// Send FIN. Told when that is done.
    Finish { done: oneshot::Sender<()> },
}

/// A message that was sent unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its number among those sent to the client.
    pub seq: u64,
    /// Bytes.
    pub size: u64,
    /// When its sending began.
    pub at: Timestamp,
}

/// Why nothing was sent.
#[derive(Debug)]
pub(super) enum NotSent {
    /// The endpoint has sent FIN.
    AfterFin,
    /// The template says why.
    Template(String),
}

/// How a client is hung up on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    /// FIN after what is being sent; then the endpoint reads on for a bounded while, as after a last reply.
    Fin,
    /// RST at once.
    Reset,
}

impl HangUp {
    /// All of them.
    const ALL: [Self; 2] = [Self::Fin, Self::Reset];

    /// Reads the word of the API.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.as_str() == word)
    }

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "reset",
        }
    }
}

/// Sends a message to a client. When this returns, it is on record and has been handed to the kernel.
pub(super) async fn send(shared: &Shared, id: ConnectionId, message: &Reply) -> Result<Sent, EngineError> {
    let (live, listener) = find(shared, id).ok_or(EngineError::NotConnected)?;
    let prepared = listener.spec().prepare(message).map_err(EngineError::InvalidMessage)?;
    let (done, told) = oneshot::channel();
    live.post(Command::Send { message: Box::new(prepared), done })?;
    match told.await {
        Ok(Ok(Some(sent))) => Ok(sent),
        Ok(Ok(None)) => Err(EngineError::TemplateFailed("it gives nothing to send".to_owned())),
        Ok(Err(NotSent::AfterFin)) => Err(EngineError::AfterFin),
        Ok(Err(NotSent::Template(why))) => Err(EngineError::TemplateFailed(why)),
        Err(_) => Err(EngineError::NotConnected),
    }
}

/// Hangs up on a client. When this returns, FIN has been sent; or the client is gone, and its end is on record.
pub(super) async fn hang_up(shared: &Shared, id: ConnectionId, how: HangUp) -> Result<(), EngineError> {
    let (live, _) = find(shared, id).ok_or(EngineError::NotConnected)?;
    match how {
        HangUp::Fin => {
            let (done, told) = oneshot::channel();
            live.post(Command::Finish { done })?;
            told.await.map_err(|_| EngineError::NotConnected)
        }
        HangUp::Reset => {
            let ended = live.ended();
            live.give(Order::Cut);
            let _ = ended.await;
            Ok(())
        }
    }
}

/// The handle on a connection that is open, and its listener.
pub(super) fn find(shared: &Shared, id: ConnectionId) -> Option<(Arc<Live>, Arc<Listener>)> {
    let registry = shared.registry();
    registry.all().find_map(|listener| listener.lives.find(id).map(|live| (live, Arc::clone(listener))))
}

impl From<Returned> for EngineError {
    fn from(returned: Returned) -> Self {
        match returned {
            Returned::Ended => Self::NotConnected,
            Returned::Full => Self::ConnectionBusy,
        }
    }
}
