//! A connection as the API shows it.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::domain::{CloseReason, ClosedBy, ConnectionId, ListenerId, ListenerRef, Tally, Timestamp};
use crate::store::{ConnectionRecord, Cursor, Forgotten};

use super::list::{as_text, as_text_or_null};
use super::listener::TallyView;
use super::message::WrittenMessage;

/// A connection: who came where and when, how it ended, and the first of its messages.
#[derive(Debug, Serialize)]
pub struct ConnectionView {
    #[serde(serialize_with = "as_text")]
    id: ConnectionId,
    #[serde(serialize_with = "as_text")]
    cursor: Cursor,
    listener: ListenerRefView,
    peer: AddressView,
    local: AddressView,
    state: &'static str,
    #[serde(serialize_with = "as_text")]
    opened_at: Timestamp,
    #[serde(serialize_with = "as_text_or_null")]
    closed_at: Option<Timestamp>,
    closed_by: Option<&'static str>,
    close_reason: Option<&'static str>,
    received: TallyView,
    sent: TallyView,
    messages: Vec<WrittenMessage>,
    more_messages: u64,
}

/// Which listener.
#[derive(Debug, Serialize)]
struct ListenerRefView {
    #[serde(serialize_with = "as_text")]
    id: ListenerId,
    #[serde(serialize_with = "as_text_or_null")]
    name: Option<crate::domain::Name>,
}

/// One end of a connection.
#[derive(Debug, Serialize)]
struct AddressView {
    ip: IpAddr,
    port: u16,
}

impl ConnectionView {
    /// The view of a connection as it opened, whatever became of it since.
    pub(crate) fn at_opening(record: ConnectionRecord) -> Self {
        let nothing = Tally::default();
        let opened =
            ConnectionRecord { closing: None, received: nothing, sent: nothing, more_messages: 0, ..record };
        Self::new(opened, Vec::new())
    }

    /// The view of a record whose messages were read.
    pub(crate) fn new(record: ConnectionRecord, messages: Vec<WrittenMessage>) -> Self {
        let ConnectionRecord { position, connection, closing, received, sent, messages: _, more_messages } =
            record;
        Self {
            id: connection.id,
            cursor: Cursor(position),
            listener: connection.listener.as_ref().into(),
            peer: connection.peer.into(),
            local: connection.local.into(),
            state: if closing.is_some() { "closed" } else { "open" },
            opened_at: connection.opened_at,
            closed_at: closing.map(|closing| closing.at),
            closed_by: closing.map(|closing| closing.by).map(ClosedBy::as_str),
            close_reason: closing.map(|closing| closing.reason).map(CloseReason::as_str),
            received: received.into(),
            sent: sent.into(),
            messages,
            more_messages,
        }
    }
}

impl From<&ListenerRef> for ListenerRefView {
    fn from(listener: &ListenerRef) -> Self {
        Self { id: listener.id, name: listener.name.clone() }
    }
}

impl From<SocketAddr> for AddressView {
    /// An IPv4 client of a dual-stack socket (`::ffff:192.0.2.1`) is an IPv4 client.
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip().to_canonical(), port: address.port() }
    }
}

/// What `DELETE /connections` did.
#[derive(Debug, Serialize)]
pub struct ForgottenView {
    forgotten: u64,
    kept_open: u64,
}

impl From<Forgotten> for ForgottenView {
    fn from(done: Forgotten) -> Self {
        Self { forgotten: done.forgotten, kept_open: done.kept_open }
    }
}
