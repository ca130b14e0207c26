//! One client on a listener.

use std::net::SocketAddr;
use std::sync::Arc;

use super::clock::Timestamp;
use super::id::{ConnectionId, ListenerId};
use super::listener::Name;

/// Which listener a record belongs to: its id and the name it had when the client came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerRef {
    /// The listener's id.
    pub id: ListenerId,
    /// Its name, if it had one.
    pub name: Option<Name>,
}

/// A client as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The listener it came to.
    pub listener: Arc<ListenerRef>,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address it reached.
    pub local: SocketAddr,
    /// When it was accepted.
    pub opened_at: Timestamp,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// Who ended it.
    pub by: ClosedBy,
    /// Why.
    pub reason: CloseReason,
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// The client.
    Peer,
    /// This service.
    Endpoint,
}

impl ClosedBy {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Endpoint => "endpoint",
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The endpoint had answered, and closed as its `then` says.
    Replied,
    /// The client sent its FIN.
    PeerClosed,
    /// The client sent a RST, or its network vanished.
    PeerReset,
    /// No byte crossed for `limits.idle`.
    IdleTimeout,
    /// `limits.lifetime` was over.
    Lifetime,
    /// The client took no byte for `limits.write`.
    WriteTimeout,
    /// Somebody asked for it (`POST /connections/{id}/close`).
    Requested,
    /// The listener was closed.
    ListenerClosed,
    /// The service was stopped.
    Shutdown,
    /// There were as many connections as allowed.
    Limit,
    /// What the client sent could not be framed.
    BadFrame,
    /// A fault ended it on purpose.
    Fault,
    /// The journal could not be written, so nothing could be answered.
    JournalUnavailable,
    /// It was open when the process died.
    Crash,
}

impl CloseReason {
    /// All of them.
    const ALL: [Self; 14] = [
        Self::Replied,
        Self::PeerClosed,
        Self::PeerReset,
        Self::IdleTimeout,
        Self::Lifetime,
        Self::WriteTimeout,
        Self::Requested,
        Self::ListenerClosed,
        Self::Shutdown,
        Self::Limit,
        Self::BadFrame,
        Self::Fault,
        Self::JournalUnavailable,
        Self::Crash,
    ];

    /// Reads the word of the API.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replied => "replied",
            Self::PeerClosed => "peer_closed",
            Self::PeerReset => "peer_reset",
            Self::IdleTimeout => "idle_timeout",
            Self::Lifetime => "lifetime",
            Self::WriteTimeout => "write_timeout",
            Self::Requested => "requested",
            Self::ListenerClosed => "listener_closed",
            Self::Shutdown => "shutdown",
            Self::Limit => "limit",
            Self::BadFrame => "bad_frame",
            Self::Fault => "fault",
            Self::JournalUnavailable => "journal_unavailable",
            Self::Crash => "crash",
        }
    }

    /// Who ends a connection for this reason.
    pub const fn closed_by(self) -> ClosedBy {
        match self {
            Self::PeerClosed | Self::PeerReset => ClosedBy::Peer,
            _ => ClosedBy::Endpoint,
        }
    }
}

/// How much crossed in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes on the wire.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}
