//! Sessions over a pipe and under a paused clock: every time limit, without waiting for one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};

use crate::domain::{
    CloseReason, Connection, ConnectionId, FieldError, IdSource, ListenerDraft, ListenerId, ListenerSpec,
    PortSet, Reply, SystemClock, Tally, Then,
};
use crate::store::{
    Answer, Changes, Commit, ConnectionQuery, ConnectionRecord, EndQuery, EndRecord, Filter, Forgotten,
    Journal, JournalError, JournalStatus, ListenerRecord, MemoryJournal, MessageQuery, MessageRecord, Page,
    Position, Record, Recorder, Urgency,
};
use crate::wire::Client;

use super::listener::Listener;
use super::live::Order;
use super::place::Place;
use super::{Engine, EngineConfig, SpecText, session};

pub(super) struct Stage {
    engine: Engine,
    pub(super) listener: Arc<Listener>,
}

impl Stage {
    pub(super) fn new(change: impl FnOnce(&mut ListenerDraft)) -> Self {
        Self::over(Arc::new(MemoryJournal::new(Position(1), 1 << 20)), change).unwrap()
    }

    fn over(
        journal: Arc<dyn Journal>,
        change: impl FnOnce(&mut ListenerDraft),
    ) -> Result<Self, Vec<FieldError>> {
        let config = EngineConfig {
            allow_ports: PortSet::default(),
            control_port: None,
            max_listeners: 8,
            max_connections: 8,
            descriptors: 64,
            spec_text: SpecText { write: |_| String::new(), read: |_| Err(Vec::new()) },
        };
        let recorder = Arc::new(Recorder::new(journal));
        let engine = Engine::new(config, recorder, Arc::new(SystemClock), IdSource::new(1));
        let mut draft = ListenerDraft::default();
        change(&mut draft);
        let shared = &engine.shared;
        let now = shared.clock.now();
        let address = "127.0.0.1:1".parse().unwrap();
        let listener = Listener::new(
            shared.ids.listener(now),
            ListenerSpec::new(draft)?,
            address,
            now,
            shared.news.clone(),
        );
        Ok(Self { listener: Arc::new(listener), engine })
    }

    /// A client with a pipe of `buffer` bytes each way.
    pub(super) fn connect(&self, buffer: usize) -> (DuplexStream, ConnectionId, JoinHandle<()>) {
        let shared = &self.engine.shared;
        let now = shared.clock.now();
        let id = shared.ids.connection(now);
        assert!(shared.totals.all.enter(8) && self.listener.counters.enter(8));
        let (peer, local) = (SocketAddr::from(([127, 0, 0, 1], 2)), self.listener.address());
        let listener = self.listener.reference();
        let opened = Record::Opened(Box::new(Connection { id, listener, peer, local, opened_at: now }));
        shared.recorder.note(vec![opened]);
        let place = Place::new(Arc::clone(&self.listener), Arc::clone(shared), id);
        let (client, server) = duplex(buffer);
        (
            client,
            id,
            tokio::spawn(session::serve(
                server,
                place,
                id,
                Client { address: peer, number: 1, port: local.port() },
            )),
        )
    }

    pub(super) async fn record(&self, id: ConnectionId) -> ConnectionRecord {
        let journal = self.engine.shared.recorder.journal();
        journal.connection(id, 100, 1 << 20).await.unwrap().unwrap()
    }

    pub(super) async fn close_reason(&self, id: ConnectionId) -> CloseReason {
        self.record(id).await.closing.unwrap().reason
    }
}

#[tokio::test(start_paused = true)]
async fn the_reply_is_followed_by_a_fin_and_what_comes_then_is_recorded_too() {
    let stage = Stage::new(|_| ());
    let (mut client, id, session) = stage.connect(1024);
    client.write_all(b"hello").await.unwrap();
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).await.unwrap();
    assert_eq!(reply.len(), 17);
    client.write_all(b"and this").await.unwrap();
    drop(client);
    session.await.unwrap();
    let record = stage.record(id).await;
    assert_eq!(record.closing.unwrap().reason, CloseReason::Replied);
    assert_eq!(record.received, Tally { bytes: 13, messages: 2 });
    assert_eq!(record.sent, Tally { bytes: 17, messages: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_listened_to_for_two_seconds_after_its_reply() {
    let stage = Stage::new(|_| ());
    let (mut client, id, session) = stage.connect(1024);
    let began = Instant::now();
    client.write_all(b"hello").await.unwrap();
    session.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 2);
    assert_eq!(stage.close_reason(id).await, CloseReason::Replied);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_stops_is_listened_to_for_thirty_seconds_after_its_reply() {
    let stage = Stage::new(|_| ());
    let (mut client, id, session) = stage.connect(1024);
    let began = Instant::now();
    while client.write_all(b"more").await.is_ok() && !session.is_finished() {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    assert!((29..=31).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(stage.close_reason(id).await, CloseReason::Replied);
}

#[tokio::test(start_paused = true)]
async fn idle_time_begins_anew_with_every_byte() {
    let stage = Stage::new(|draft| {
        draft.reply = Reply::Echo;
        draft.limits.idle = Some(Duration::from_secs(10));
    });
    let (mut client, id, session) = stage.connect(1024);
    let began = Instant::now();
    for _ in 0..3 {
        advance(Duration::from_secs(9)).await;
        client.write_all(b"x").await.unwrap();
        client.read_u8().await.unwrap();
    }
    session.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 27 + 10);
    assert_eq!(stage.close_reason(id).await, CloseReason::IdleTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_ends_even_the_busiest_connection() {
    let stage = Stage::new(|draft| {
        draft.reply = Reply::Echo;
        draft.limits.lifetime = Some(Duration::from_secs(30));
    });
    let (mut client, id, session) = stage.connect(1024);
    let began = Instant::now();
    while client.write_all(b"x").await.is_ok() && client.read_u8().await.is_ok() {
        advance(Duration::from_secs(1)).await;
    }
    session.await.unwrap();
    // It is looked at when something happens; here that is every second.
    assert!((30..=31).contains(&began.elapsed().as_secs()));
    assert_eq!(stage.close_reason(id).await, CloseReason::Lifetime);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_given_up_and_the_record_says_how_much_left() {
    let stage = Stage::new(|draft| draft.limits.write = Duration::from_secs(10));
    let (mut client, id, session) = stage.connect(8);
    let began = Instant::now();
    client.write_all(b"hello").await.unwrap();
    session.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 10);
    let record = stage.record(id).await;
    assert_eq!(record.closing.unwrap().reason, CloseReason::WriteTimeout);
    assert_eq!(record.sent, Tally { bytes: 8, messages: 1 });
    let sent = &record.messages.last().unwrap().message;
    assert_eq!((sent.size, sent.payload.len()), (8, 8));
    assert_eq!(stage.listener.snapshot().sent, Tally { bytes: 8, messages: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_little_now_and_then_is_not_given_up() {
    let stage = Stage::new(|draft| draft.limits.write = Duration::from_secs(10));
    let (mut client, id, session) = stage.connect(2);
    client.write_all(b"h").await.unwrap();
    for _ in 0..17 {
        advance(Duration::from_secs(9)).await;
        client.read_u8().await.unwrap();
    }
    drop(client);
    session.await.unwrap();
    assert_eq!(stage.close_reason(id).await, CloseReason::Replied);
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_ends_a_connection_that_cannot_be_written_to() {
    let stage = Stage::new(|draft| draft.limits.lifetime = Some(Duration::from_secs(5)));
    let (mut client, id, session) = stage.connect(8);
    let began = Instant::now();
    client.write_all(b"hello").await.unwrap();
    session.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(stage.close_reason(id).await, CloseReason::Lifetime);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_still_reads_a_long_reply_is_not_cut_off_for_being_silent() {
    let long = Reply::Hex(vec![b'x'; 100_000].into());
    let stage = Stage::new(|draft| draft.reply = long);
    // The pipe takes the whole reply at once, as a kernel's buffers may.
    let (mut client, id, session) = stage.connect(200_000);
    let began = Instant::now();
    client.write_all(b"hello").await.unwrap();
    session.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(stage.close_reason(id).await, CloseReason::Replied);
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_connection_is_listened_to_until_the_client_closes() {
    let stage = Stage::new(|draft| draft.then = Some(Then::HalfClose));
    let (mut client, id, session) = stage.connect(1024);
    client.write_all(b"one").await.unwrap();
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).await.unwrap();
    advance(Duration::from_secs(120)).await;
    client.write_all(b"two").await.unwrap();
    drop(client);
    session.await.unwrap();
    let record = stage.record(id).await;
    assert_eq!(record.closing.unwrap().reason, CloseReason::PeerClosed);
    assert_eq!((record.received.bytes, record.sent.messages), (6, 1));
}

#[tokio::test(start_paused = true)]
async fn a_greeting_comes_before_anything_is_read() {
    let stage = Stage::new(|draft| draft.greeting = Reply::Text { text: "220 ready".into(), encoding: None });
    let (mut client, id, session) = stage.connect(1024);
    let mut greeting = [0; 9];
    client.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220 ready");
    drop(client);
    session.await.unwrap();
    assert_eq!(stage.record(id).await.sent, Tally { bytes: 9, messages: 1 });
}

#[tokio::test(start_paused = true)]
async fn orders_end_a_conversation_at_once_and_give_the_place_back() {
    for (order, reason) in
        [(Order::Finish, CloseReason::Shutdown), (Order::Abort, CloseReason::ListenerClosed)]
    {
        let stage = Stage::new(|draft| draft.reply = Reply::Echo);
        let (client, id, session) = stage.connect(1024);
        tokio::task::yield_now().await;
        stage.listener.lives.tell(order);
        session.await.unwrap();
        assert_eq!(stage.close_reason(id).await, reason);
        assert_eq!(stage.engine.stats().connections_open, 0);
        drop(client);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_to_abort_reaches_a_session_that_cannot_write() {
    let stage = Stage::new(|_| ());
    let (mut client, id, session) = stage.connect(4);
    client.write_all(b"hi").await.unwrap();
    let mut first = [0; 1];
    client.read_exact(&mut first).await.unwrap();
    stage.listener.lives.tell(Order::Abort);
    session.await.unwrap();
    assert_eq!(stage.close_reason(id).await, CloseReason::ListenerClosed);
}

/// Knows a connection and keeps no message.
struct Full(MemoryJournal);

impl Journal for Full {
    fn append(&self, records: Vec<Record>, urgency: Urgency) -> Commit {
        if records.iter().any(|record| matches!(record, Record::Message(_))) {
            return Commit::known(Err(JournalError::Unavailable("disk full".into())));
        }
        self.0.append(records, urgency)
    }
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.0.poll_room(cx)
    }
    fn changes(&self) -> &Changes {
        self.0.changes()
    }
    fn connections(&self, query: ConnectionQuery) -> Answer<'_, Page<ConnectionRecord>> {
        self.0.connections(query)
    }
    fn connection(
        &self,
        id: ConnectionId,
        messages: usize,
        budget: usize,
    ) -> Answer<'_, Option<ConnectionRecord>> {
        self.0.connection(id, messages, budget)
    }
    fn messages(&self, query: MessageQuery) -> Answer<'_, Page<MessageRecord>> {
        self.0.messages(query)
    }
    fn ends(&self, query: EndQuery) -> Answer<'_, Page<EndRecord>> {
        self.0.ends(query)
    }
    fn before(
        &self,
        connection: ConnectionId,
        direction: crate::domain::Direction,
        offset: u64,
        bytes: usize,
    ) -> Answer<'_, Vec<u8>> {
        self.0.before(connection, direction, offset, bytes)
    }
    fn forget(&self, filter: Filter) -> Answer<'_, Forgotten> {
        self.0.forget(filter)
    }
    fn keep_listener(&self, listener: ListenerRecord) -> Answer<'_, ()> {
        self.0.keep_listener(listener)
    }
    fn drop_listener(&self, id: ListenerId) -> Answer<'_, ()> {
        self.0.drop_listener(id)
    }
    fn listeners(&self) -> Answer<'_, Vec<ListenerRecord>> {
        self.0.listeners()
    }
    fn status(&self) -> JournalStatus {
        self.0.status()
    }
    fn close(&self) -> Answer<'_, ()> {
        self.0.close()
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_recorded_is_not_answered() {
    let journal = Full(MemoryJournal::new(Position(1), 1 << 20));
    let stage = Stage::over(Arc::new(journal), |_| ()).unwrap();
    let (mut client, id, session) = stage.connect(1024);
    client.write_all(b"hello").await.unwrap();
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).await.unwrap();
    assert!(reply.is_empty());
    session.await.unwrap();
    assert_eq!(stage.close_reason(id).await, CloseReason::JournalUnavailable);
}

#[tokio::test]
async fn a_session_takes_up_little_while_it_waits() {
    let stage = Stage::new(|_| ());
    let shared = &stage.engine.shared;
    let id = shared.ids.connection(shared.clock.now());
    let place = Place::new(Arc::clone(&stage.listener), Arc::clone(shared), id);
    let address = SocketAddr::from(([127, 0, 0, 1], 2));
    let session = session::serve(duplex(1).1, place, id, Client { address, number: 1, port: 1 });
    // A thousand of them are a megabyte, the kernel's part aside.
    let size = size_of_val(&session);
    assert!(size <= 1_088, "{size} bytes");
}
