//! Clients that go on record, and questions about them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bytes::Bytes;

use crate::domain::{
    Charset, CloseReason, Closing, Connection, ConnectionId, Direction, IdSource, ListenerRef, Message, Name,
    Timestamp,
};

use super::super::cursor::Position;
use super::super::journal::{ConnectionRecord, Journal, MessageRecord, Record, Urgency};
use super::super::query::{ConnectionQuery, Filter, MessageQuery, Order, Page, PageRequest};
use super::Make;

/// Room for everything that a test appends.
pub(super) const ROOMY: u64 = 1 << 40;

/// Room for some dozens of records.
pub(super) const TIGHT: u64 = 32 << 10;

/// Where the positions of a test begin.
pub(super) const FIRST: Position = Position(1_000);

/// A journal and those who fill it.
pub(super) struct World {
    pub(super) journal: Arc<dyn Journal>,
    ids: IdSource,
    listener: Arc<ListenerRef>,
    micros: Cell<i64>,
}

/// A connection whose records are appended as things happen to it.
pub(super) struct Client<'a> {
    world: &'a World,
    pub(super) id: ConnectionId,
    pub(super) charset: Charset,
    received: Cell<(u64, u64)>,
    sent: Cell<(u64, u64)>,
    /// The sizes of its sent messages.
    sent_sizes: RefCell<Vec<u64>>,
}

impl World {
    pub(super) fn new(make: Make, capacity: u64) -> Self {
        let ids = IdSource::new(0x5eed_5eed_5eed_5eed);
        let listener = listener(&ids, "gate");
        Self { journal: make(FIRST, capacity), ids, listener, micros: Cell::new(1_000_000) }
    }

    /// A microsecond later each time.
    pub(super) fn now(&self) -> Timestamp {
        self.micros.set(self.micros.get() + 1);
        Timestamp::from_micros(self.micros.get())
    }

    pub(super) fn listener(&self, name: &str) -> Arc<ListenerRef> {
        listener(&self.ids, name)
    }

    /// What a client of the listener `gate` would be on record as.
    pub(super) fn arrival(&self) -> Connection {
        let at = self.now();
        Connection {
            id: self.ids.connection(at),
            listener: self.listener.clone(),
            peer: SocketAddr::from(([192, 0, 2, 1], 50_000)),
            local: SocketAddr::from(([192, 0, 2, 9], 8_080)),
            opened_at: at,
        }
    }

    pub(super) fn client(&self) -> Client<'_> {
        self.client_as(self.arrival())
    }

    pub(super) fn client_as(&self, connection: Connection) -> Client<'_> {
        let id = connection.id;
        self.append(vec![Record::Opened(Box::new(connection))]);
        Client::unrecorded(self, id)
    }

    #[track_caller]
    pub(super) fn append(&self, records: Vec<Record>) {
        keep(&*self.journal, records);
    }

    /// Appends ended connections with a message of `size` bytes each until some records were evicted.
    pub(super) fn crowd_out(&self, records: u64, size: usize) {
        let wanted = self.journal.status().evicted_records + records;
        while self.journal.status().evicted_records < wanted {
            let client = self.client();
            client.receives(&vec![b'x'; size]);
            client.ends();
        }
    }

    pub(super) async fn messages(&self, query: MessageQuery) -> Page<MessageRecord> {
        self.journal.messages(query).await.unwrap()
    }

    pub(super) async fn connections(&self, query: ConnectionQuery) -> Page<ConnectionRecord> {
        self.journal.connections(query).await.unwrap()
    }

    /// All messages that fit, oldest first.
    pub(super) async fn all_messages(&self, filter: Filter) -> Vec<MessageRecord> {
        self.messages(MessageQuery { filter, ..messages() }).await.items
    }

    /// All connections that fit, oldest first.
    pub(super) async fn all_connections(&self, filter: Filter) -> Vec<ConnectionRecord> {
        self.connections(ConnectionQuery { filter, ..connections() }).await.items
    }

    /// The payloads of all messages that fit, oldest first.
    pub(super) async fn payloads(&self, filter: Filter) -> Vec<Bytes> {
        self.all_messages(filter).await.into_iter().map(|record| record.message.payload).collect()
    }

    /// The ids of all connections that fit, oldest first.
    pub(super) async fn ids(&self, filter: Filter) -> Vec<ConnectionId> {
        self.all_connections(filter).await.into_iter().map(|record| record.connection.id).collect()
    }
}

impl<'a> Client<'a> {
    pub(super) fn unrecorded(world: &'a World, id: ConnectionId) -> Self {
        let charset = Charset::Fixed(encoding_rs::UTF_8);
        Self {
            world,
            id,
            charset,
            received: Cell::new((0, 0)),
            sent: Cell::new((0, 0)),
            sent_sizes: RefCell::default(),
        }
    }

    /// The next message of a direction, of which `kept` is kept.
    pub(super) fn message(&self, direction: Direction, size: u64, kept: &[u8]) -> Message {
        let counters = match direction {
            Direction::Received => &self.received,
            Direction::Sent => &self.sent,
        };
        let (messages, offset) = counters.get();
        counters.set((messages + 1, offset + size));
        if direction == Direction::Sent {
            self.sent_sizes.borrow_mut().push(size);
        }
        Message {
            connection: self.id,
            direction,
            seq: messages + 1,
            offset,
            at: self.world.now(),
            size,
            payload: Bytes::copy_from_slice(kept),
            sha256: (size > kept.len() as u64).then(|| Box::new([7; 32])),
            charset: self.charset,
            note: None,
        }
    }

    /// The number of its newest sent message.
    pub(super) const fn newest_sent(&self) -> u64 {
        self.sent.get().0
    }

    pub(super) fn receives(&self, payload: &[u8]) {
        self.records(Direction::Received, payload);
    }

    pub(super) fn sends(&self, payload: &[u8]) {
        self.records(Direction::Sent, payload);
    }

    pub(super) fn records(&self, direction: Direction, payload: &[u8]) {
        let message = self.message(direction, payload.len() as u64, payload);
        self.world.append(vec![Record::Message(message)]);
    }

    /// A sent message turns out to have left only in part.
    pub(super) fn sent_short(&self, seq: u64, size: u64) {
        let record = self.short(seq, size);
        self.world.append(vec![record]);
    }

    /// The record of that. As on the wire, what is sent next goes on from what left of the newest message.
    pub(super) fn short(&self, seq: u64, size: u64) -> Record {
        let (messages, bytes) = self.sent.get();
        let mut sizes = self.sent_sizes.borrow_mut();
        if let Some(newest) = sizes.last_mut().filter(|newest| seq == messages && size < **newest) {
            self.sent.set((messages - u64::from(size == 0), bytes - (*newest - size)));
            *newest = size;
            if size == 0 {
                sizes.pop();
            }
        }
        Record::SentShort { connection: self.id, seq, size }
    }

    pub(super) fn ends(&self) {
        self.ends_for(CloseReason::Replied);
    }

    pub(super) fn ends_for(&self, reason: CloseReason) {
        let closing = Closing { at: self.world.now(), by: reason.closed_by(), reason };
        self.world.append(vec![Record::Closed { connection: self.id, closing }]);
    }

    pub(super) async fn record(&self) -> ConnectionRecord {
        self.world.journal.connection(self.id, 1_000, usize::MAX).await.unwrap().unwrap()
    }

    pub(super) async fn bytes_before(&self, direction: Direction, offset: u64, bytes: usize) -> Vec<u8> {
        self.world.journal.before(self.id, direction, offset, bytes).await.unwrap()
    }
}

fn listener(ids: &IdSource, name: &str) -> Arc<ListenerRef> {
    Arc::new(ListenerRef { id: ids.listener(Timestamp::from_micros(0)), name: Name::parse(name).ok() })
}

/// Appends records, and waits on this thread until they are kept.
#[track_caller]
pub(super) fn keep(journal: &dyn Journal, records: Vec<Record>) {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut commit = pin!(journal.append(records, Urgency::Now));
    loop {
        match commit.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(kept) => return kept.unwrap(),
            Poll::Pending => thread::park(),
        }
    }
}

/// The first page of so many, oldest first.
pub(super) fn first(limit: usize) -> PageRequest {
    PageRequest { order: Order::Ascending, after: None, limit, budget: usize::MAX }
}

/// All messages, oldest first.
pub(super) fn messages() -> MessageQuery {
    MessageQuery { connection: None, filter: Filter::default(), page: first(100_000) }
}

/// All connections, oldest first, with all their messages.
pub(super) fn connections() -> ConnectionQuery {
    ConnectionQuery { filter: Filter::default(), page: first(100_000), messages: 1_000, payload: usize::MAX }
}

/// The payloads as texts.
pub(super) fn texts(records: &[MessageRecord]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(&record.message.payload).into_owned()).collect()
}
