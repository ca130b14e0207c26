//! The promise that every backend keeps; `conformance` tests it on each of them.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use thiserror::Error;

use crate::domain::{
    Closing, Connection, ConnectionId, Direction, ListenerId, ListenerRef, Message, SelfClose, Tally,
    Timestamp,
};

use super::changes::Changes;
use super::commit::Commit;
use super::cursor::Position;
use super::query::{ConnectionQuery, EndQuery, Filter, MessageQuery, Page};

/// One fact for the journal. Openings, messages and ends get positions; a correction has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A client came.
    Opened(Box<Connection>),
    /// Bytes came, or are about to leave. Its `seq` and `offset` go on from the tally of its direction.
    Message(Message),
    /// Less of the newest sent message left than was recorded beforehand: only its first `size` bytes. With none of it
    /// left, the message is taken out of the record and the tally, and the one before it is the newest.
    SentShort {
        /// Whose message.
        connection: ConnectionId,
        /// Its number among the sent ones.
        seq: u64,
        /// The bytes that the kernel took.
        size: u64,
    },
    /// A connection ended.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// How.
        closing: Closing,
    },
}

/// A connection as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// The position of its opening.
    pub position: Position,
    /// The client.
    pub connection: Connection,
    /// Its end, if it has ended.
    pub closing: Option<Closing>,
    /// All that was received, kept or not.
    pub received: Tally,
    /// All that was sent.
    pub sent: Tally,
    /// The first messages that are still kept, as many as asked for.
    pub messages: Vec<MessageRecord>,
    /// How many kept messages follow them.
    pub more_messages: u64,
}

/// A message as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its position.
    pub position: Position,
    /// The message. Where a query caps payloads, `payload` is only the beginning of what is kept.
    pub message: Message,
    /// How many bytes of it are kept.
    pub stored: u64,
    /// The listener of its connection.
    pub listener: Arc<ListenerRef>,
    /// Whether it is the newest of its direction in its connection at the time of the answer.
    pub newest: bool,
}

/// The end of a connection as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndRecord {
    /// The position of the end.
    pub position: Position,
    /// The connection that ended, without its messages.
    pub connection: ConnectionRecord,
}

/// A listener as the journal keeps it, so that it can be opened again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerRecord {
    /// Its id, which it keeps.
    pub id: ListenerId,
    /// What was asked for: a JSON document that the journal does not look into.
    pub spec: String,
    /// Where it listened, with the resolved port.
    pub address: SocketAddr,
    /// Since when.
    pub opened_at: Timestamp,
    /// Set when it had closed by itself.
    pub closed: Option<(Timestamp, SelfClose)>,
    /// Its `figures.total` when it was opened: those who came later count for `max_connections_total`.
    pub total_at_opening: u64,
    /// Its figures over all runs, as the journal counted them. [`Journal::keep_listener`] takes no notice of them.
    pub figures: ListenerFigures,
}

/// What a listener did over all runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ListenerFigures {
    /// Connections ever. Those that were turned away for a limit (`CloseReason::Limit`) were none of its clients.
    pub total: u64,
    /// What came in.
    pub received: Tally,
    /// What went out.
    pub sent: Tally,
}

/// What [`Journal::forget`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Ended connections that are gone, with their messages.
    pub forgotten: u64,
    /// Connections that fitted too, but are open and were kept whole.
    pub kept_open: u64,
}

/// How a journal is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalStatus {
    /// The position of the newest record that is kept: whoever has seen what stands there has seen all.
    pub newest: Position,
    /// Bytes that it takes up, payloads and bookkeeping.
    pub bytes: u64,
    /// Records (connections and messages) that were evicted since the start to stay within the bound.
    pub evicted_records: u64,
    /// Bytes that were handed to it and are not kept yet. A journal in memory keeps them at once: always 0.
    pub queued_bytes: u64,
    /// Why nothing can be kept now, if so.
    pub unavailable: Option<JournalError>,
}

/// Why a journal could not do it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JournalError {
    /// It cannot be written or read now; it may be able to later.
    #[error("the journal is unavailable: {0}")]
    Unavailable(String),
}

/// Whether somebody waits for records to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// A reply waits.
    Now,
    /// Nobody does. They are kept with the next that are urgent, or a moment later by themselves.
    Soon,
}

/// What a journal will answer.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// Keeps records in the order they were appended.
///
/// Four rules hold for each backend: every call can fail; what is not there is `Ok(None)` or an empty page; time and
/// randomness are arguments; what an answer carries was all there at one moment.
pub trait Journal: Send + Sync + 'static {
    /// Appends records in their order, all or none. Every later answer shows them; when the commit resolves to `Ok`, they
    /// are kept as durably as this backend promises. When it resolves to an error, nothing was appended; openings and ends
    /// among the records are appended when it can be written again, so that whoever came meanwhile is on record.
    /// Records of connections that are not (or no longer) known are passed over; a second opening or a second end changes
    /// nothing.
    fn append(&self, records: Vec<Record>, urgency: Urgency) -> Commit;

    /// Ready when more may be appended; otherwise the task is woken when it may. It is advice: `append` takes what it is
    /// given.
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()>;

    /// Who is to be woken when something was appended.
    fn changes(&self) -> &Changes;

    /// A page of connections.
    fn connections(&self, query: ConnectionQuery) -> Answer<'_, Page<ConnectionRecord>>;

    /// One connection, with its first `messages` messages, whole, but no more than `budget` payload bytes of them.
    fn connection(
        &self,
        id: ConnectionId,
        messages: usize,
        budget: usize,
    ) -> Answer<'_, Option<ConnectionRecord>>;

    /// A page of messages.
    fn messages(&self, query: MessageQuery) -> Answer<'_, Page<MessageRecord>>;

    /// A page of the ends of connections, oldest first. An end goes with its connection; one that was recorded by a version
    /// before there were positions for ends is in no page.
    fn ends(&self, query: EndQuery) -> Answer<'_, Page<EndRecord>>;

    /// The kept bytes that stand before `offset` in one direction of a connection: at most the last `bytes` of them,
    /// and none that stand before a gap (a message that was cut or evicted).
    fn before(
        &self,
        connection: ConnectionId,
        direction: Direction,
        offset: u64,
        bytes: usize,
    ) -> Answer<'_, Vec<u8>>;

    /// Removes ended connections that fit the filter, with their messages.
    fn forget(&self, filter: Filter) -> Answer<'_, Forgotten>;

    /// Keeps a listener as it is now, in place of what was kept under its id. When it resolves it is as durable as a
    /// message.
    fn keep_listener(&self, listener: ListenerRecord) -> Answer<'_, ()>;

    /// It is deleted: it will not be opened again. Its connections stay on record. One that is not kept is deleted already.
    fn drop_listener(&self, id: ListenerId) -> Answer<'_, ()>;

    /// All kept listeners, in the order of their ids.
    fn listeners(&self) -> Answer<'_, Vec<ListenerRecord>>;

    /// How it is.
    fn status(&self) -> JournalStatus;

    /// Keeps what is still to be kept and lets go of the storage. Nothing can be appended afterwards.
    fn close(&self) -> Answer<'_, ()>;
}
