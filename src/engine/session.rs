//! One client: the pump between a stream and its [`Conversation`].
//!
//! Record, then answer: a step's records are kept before the first byte of its reply leaves. No buffer is held while a
//! client is silent: a read goes into a scratch buffer of the worker thread and only what came is copied.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::ReadBuf;
use tokio::time::Instant;

use crate::domain::{CloseReason, Closing, ConnectionId, ListenerSpec, Reply, Then, Timestamp};
use crate::store::Record;
use crate::wire::{Client, Conversation, Turn};

use super::deadline::Deadline;
use super::live::Order;
use super::place::Place;
use super::plan::Plan;
use super::replies::Replies;
use super::stream::Stream;

/// Bytes read at once at most. As large as loopback's own segments; one buffer a worker thread, not a connection.
const SCRATCH: usize = 64 * 1024;
/// After the last reply, how long a silent client is listened to: long enough for its FIN to cross any network.
const LINGER_IDLE: Duration = Duration::from_secs(2);
/// After the last reply, how long a client that goes on sending is listened to (nginx's `lingering_time`).
const LINGER: Duration = Duration::from_secs(30);
/// A reply of more bytes than this may still be on its way to a slow client when all of it has been handed to the
/// kernel: such a client is listened to for the longer time, however silent.
const LONG_REPLY: usize = 64 * 1024;

/// Messages up to this size share a block of memory with their neighbours, which in a journal go when they go: one
/// allocation for hundreds of small messages instead of two for each.
const SMALL: usize = 1024;
/// The size of such a block.
const BLOCK: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
    static SHELF: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// A copy of `bytes` that lasts.
fn keep(bytes: &[u8]) -> Bytes {
    if bytes.len() > SMALL {
        return Bytes::copy_from_slice(bytes);
    }
    SHELF.with_borrow_mut(|shelf| {
        if shelf.capacity() < bytes.len() {
            *shelf = BytesMut::with_capacity(BLOCK);
        }
        shelf.extend_from_slice(bytes);
        shelf.split().freeze()
    })
}

/// Serves one client to its end and puts that end on record.
pub(super) async fn serve<S: Stream>(stream: S, place: Place, connection: ConnectionId, client: Client) {
    let mut session = Session::new(stream, place, connection, client);
    let ending = session.talk().await;
    session.record_rest();
    let Session { stream, place, .. } = session;
    let closing = Closing { at: place.clock().now(), by: ending.reason.closed_by(), reason: ending.reason };
    // Nothing waits for it: if it cannot be kept now, the journal says so itself.
    place.recorder().note(vec![Record::Closed { connection, closing }]);
    if ending.reset {
        stream.reset_on_drop();
    }
    drop(stream);
    drop(place);
}

/// How a conversation ended, and whether the client is told with a RST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ending {
    reason: CloseReason,
    reset: bool,
}

impl Ending {
    const fn quiet(reason: CloseReason) -> Self {
        Self { reason, reset: false }
    }

    const fn reset(reason: CloseReason) -> Self {
        Self { reason, reset: true }
    }
}

/// What the endpoint does with the connection now.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// It answers.
    Talking,
    /// It has sent FIN and listens until the client closes.
    HalfClosed,
    /// It has sent FIN and listens for a bounded while, at most until then.
    Lingering { until: Instant, idle: Duration, reason: CloseReason },
}

/// Whether a FIN follows what is sent.
#[derive(Debug, Clone, Copy)]
enum Word {
    Last,
    OfMany,
}

enum Event {
    Bytes(Bytes),
    /// The client's FIN, where something may wait for it.
    Eof,
    /// Nothing came for as long as the framing asks for.
    Pause,
    End(Ending),
}

struct Session<S> {
    stream: S,
    place: Place,
    connection: ConnectionId,
    conversation: Conversation,
    mode: Mode,
    opened: Instant,
    active: Instant,
    deadline: Deadline,
}

impl<S: Stream> Session<S> {
    fn new(stream: S, place: Place, connection: ConnectionId, client: Client) -> Self {
        let now = Instant::now();
        Self {
            stream,
            place,
            connection,
            conversation: Conversation::new(connection, client),
            mode: Mode::Talking,
            opened: now,
            active: now,
            deadline: Deadline::default(),
        }
    }

    async fn talk(&mut self) -> Ending {
        if self.place.listener.with_spec(|spec| spec.draft().greeting != Reply::Silence) {
            let plan = self.say(Conversation::on_open);
            if let Err(ending) = self.carry_out(plan).await {
                return ending;
            }
        }
        loop {
            let event = poll_fn(|cx| self.poll_event(cx)).await;
            let is_eof = matches!(event, Event::Eof);
            let mut plan = match event {
                Event::End(ending) => return ending,
                Event::Bytes(bytes) => self.say(|talk, spec, now| talk.on_bytes(spec, bytes, now)),
                Event::Eof => self.say(Conversation::on_eof),
                Event::Pause => self.say(Conversation::on_timeout),
            };
            // One read may bring more messages than a turn has room for.
            loop {
                if let Err(ending) = self.carry_out(plan).await {
                    return ending;
                }
                if !self.conversation.is_behind() {
                    break;
                }
                plan = self.say(Conversation::go_on);
            }
            if is_eof {
                return self.peer_closed();
            }
        }
    }

    /// Asks the conversation under the spec in force, and hands what it says to the journal.
    fn say(&mut self, ask: impl FnOnce(&mut Conversation, &ListenerSpec, Timestamp) -> Turn) -> Plan {
        let (listener, now) = (&self.place.listener, self.place.clock().now());
        let turn = listener.with_spec(|spec| ask(&mut self.conversation, spec, now));
        Plan::of(turn, &self.place)
    }

    /// Waits for the journal, sends, and does what follows. An error is the conversation's end.
    async fn carry_out(&mut self, plan: Plan) -> Result<(), Ending> {
        let Plan { kept, replies, then, delay, reason } = plan;
        if let Some(kept) = kept
            && kept.await.is_err()
        {
            return Err(Ending::reset(CloseReason::JournalUnavailable));
        }
        if !delay.is_zero() {
            self.wait(delay).await?;
        }
        if !replies.bytes().is_empty() {
            let word = if matches!(then, Then::Close | Then::HalfClose) { Word::Last } else { Word::OfMany };
            self.send(&replies, word).await?;
        }
        self.active = Instant::now();
        match then {
            Then::Keep => return Ok(()),
            Then::Reset => return Err(Ending::reset(reason)),
            Then::Close => {
                let idle = if replies.bytes().len() > LONG_REPLY { LINGER } else { LINGER_IDLE };
                self.mode = Mode::Lingering { until: self.active + LINGER, idle, reason };
            }
            Then::HalfClose => self.mode = Mode::HalfClosed,
        }
        let shut = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
        shut.map_err(|_| Ending::quiet(CloseReason::PeerReset))
    }

    /// Lets time pass before a reply. What the client sends meanwhile waits in its own buffers.
    async fn wait(&mut self, delay: Duration) -> Result<(), Ending> {
        let until = Instant::now() + delay;
        let lifetime = self.place.listener.limits().lifetime.map(|lifetime| self.opened + lifetime);
        let ends = lifetime.filter(|lifetime| *lifetime < until);
        poll_fn(|cx| {
            if let Poll::Ready(order) = self.place.live.poll_order(Order::Abort, cx) {
                return Poll::Ready(Err(Ending::reset(reason_of(order))));
            }
            ready!(self.deadline.poll(Some(ends.unwrap_or(until)), cx));
            Poll::Ready(if ends.is_some() { Err(Ending::quiet(CloseReason::Lifetime)) } else { Ok(()) })
        })
        .await
    }

    /// What was not a message yet when the connection ended goes on record, unanswered. Nothing waits for it.
    fn record_rest(&mut self) {
        while self.conversation.may_wait() {
            drop(self.say(Conversation::on_end));
            if !self.conversation.is_behind() {
                return;
            }
        }
    }

    /// Sends all of it, or says on record how much left.
    async fn send(&mut self, replies: &Replies, word: Word) -> Result<(), Ending> {
        let (bytes, mut left, mut stuck_since) = (replies.bytes(), 0, None);
        let write = self.place.listener.limits().write;
        let result = poll_fn(|cx| {
            while left < bytes.len() {
                let rest = bytes.get(left..).unwrap_or_default();
                let stream = Pin::new(&mut self.stream);
                let written = match word {
                    Word::Last => stream.poll_write_last(cx, rest),
                    Word::OfMany => stream.poll_write(cx, rest),
                };
                match written {
                    Poll::Ready(Ok(n)) => (left, stuck_since) = (left + n, None),
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Ending::quiet(CloseReason::PeerReset))),
                    Poll::Pending => {
                        let since = *stuck_since.get_or_insert_with(Instant::now);
                        return self.poll_stuck(since + write, cx).map(Err);
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
        .await;
        self.sent(replies, left as u64);
        result
    }

    /// Of the replies `left` bytes left in all. The record of those that did not leave whole is corrected, the last first.
    fn sent(&mut self, replies: &Replies, left: u64) {
        let mut short = Vec::new();
        for (planned, size) in replies.shares(left) {
            self.place.sent(planned, size);
            if size < planned {
                short.push((planned, size));
            }
        }
        if short.is_empty() {
            return;
        }
        let (connection, conversation) = (self.connection, &mut self.conversation);
        let correct = |(planned, size)| {
            let seq = conversation.on_sent_short(planned, size);
            Record::SentShort { connection, seq, size }
        };
        self.place.recorder().note(short.into_iter().rev().map(correct).collect());
    }

    /// The client takes nothing: until when, and does anybody want an end before?
    fn poll_stuck(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<Ending> {
        if let Poll::Ready(order) = self.place.live.poll_order(Order::Abort, cx) {
            return Poll::Ready(Ending::reset(reason_of(order)));
        }
        let lifetime = self.place.listener.limits().lifetime.map(|lifetime| self.opened + lifetime);
        let (until, reason) = match lifetime {
            Some(lifetime) if lifetime < until => (lifetime, CloseReason::Lifetime),
            _ => (until, CloseReason::WriteTimeout),
        };
        self.deadline.poll(Some(until), cx).map(|()| Ending::reset(reason))
    }

    /// What comes next: bytes, or the end. Bytes that are there go before an order to finish, not before one to abort.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(order) = self.place.live.order().filter(|order| *order >= Order::Abort) {
            return Poll::Ready(Event::End(self.told(order)));
        }
        // Before the read: a client that never pauses would keep the deadline from ever being looked at.
        if let Some(reason) = self.overdue() {
            return Poll::Ready(Event::End(Ending::quiet(reason)));
        }
        match self.poll_read(cx) {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => {
                let may_wait = self.conversation.may_wait();
                return Poll::Ready(if may_wait { Event::Eof } else { Event::End(self.peer_closed()) });
            }
            Poll::Ready(Ok(bytes)) => return Poll::Ready(Event::Bytes(bytes)),
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => cx.waker().wake_by_ref(),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::End(self.peer_reset())),
            Poll::Pending => {}
        }
        if let Poll::Ready(order) = self.place.live.poll_order(Order::Finish, cx) {
            return Poll::Ready(Event::End(self.told(order)));
        }
        let (until, reason) = self.patience();
        let pause = self.conversation.gap().map(|gap| self.active + gap);
        if pause.is_some_and(|pause| until.is_none_or(|until| pause < until)) {
            ready!(self.deadline.poll(pause, cx));
            return Poll::Ready(Event::Pause);
        }
        ready!(self.deadline.poll(until, cx));
        Poll::Ready(Event::End(Ending::quiet(reason)))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<Bytes>> {
        // Where the journal is slower than the network, the client's own buffers hold it up.
        ready!(self.place.recorder().poll_room(cx));
        let stream = Pin::new(&mut self.stream);
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            ready!(stream.poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(keep(buffer.filled())))
        })
    }

    /// Until when the endpoint waits for the client, and what it is called when that is over.
    fn patience(&self) -> (Option<Instant>, CloseReason) {
        let limits = self.place.listener.limits();
        let idle = limits.idle.map(|idle| self.active + idle);
        let lifetime = limits.lifetime.map(|lifetime| self.opened + lifetime);
        match (self.mode, idle, lifetime) {
            (Mode::Lingering { until, idle, reason }, ..) => (Some(until.min(self.active + idle)), reason),
            (_, Some(idle), Some(lifetime)) if lifetime < idle => (Some(lifetime), CloseReason::Lifetime),
            (_, None, Some(lifetime)) => (Some(lifetime), CloseReason::Lifetime),
            (_, idle, _) => (idle, CloseReason::IdleTimeout),
        }
    }

    /// Why the connection ends however busy it is, as of the last time anything happened.
    fn overdue(&self) -> Option<CloseReason> {
        if let Mode::Lingering { until, reason, .. } = self.mode {
            return (self.active >= until).then_some(reason);
        }
        let lifetime = self.place.listener.limits().lifetime?;
        (self.active >= self.opened + lifetime).then_some(CloseReason::Lifetime)
    }

    const fn peer_closed(&self) -> Ending {
        Ending::quiet(match self.mode {
            Mode::Lingering { reason, .. } => reason,
            Mode::Talking | Mode::HalfClosed => CloseReason::PeerClosed,
        })
    }

    const fn peer_reset(&self) -> Ending {
        Ending::quiet(match self.mode {
            Mode::Lingering { reason, .. } => reason,
            Mode::Talking | Mode::HalfClosed => CloseReason::PeerReset,
        })
    }

    /// A client that has had its reply and its FIN is not reset: the reply may still be on its way.
    fn told(&self, order: Order) -> Ending {
        let reason = reason_of(order);
        match (self.mode, order) {
            (Mode::Lingering { reason, .. }, _) => Ending::quiet(reason),
            (_, Order::Finish) => Ending::quiet(reason),
            (_, Order::Abort | Order::AbortForShutdown) => Ending::reset(reason),
        }
    }
}

const fn reason_of(order: Order) -> CloseReason {
    match order {
        Order::Abort => CloseReason::ListenerClosed,
        Order::Finish | Order::AbortForShutdown => CloseReason::Shutdown,
    }
}
