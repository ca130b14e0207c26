//! One client: the pump between a stream and its [`Conversation`].
//!
//! Record, then answer: a step's records are kept before the first byte of its reply leaves. No buffer is held while a
//! client is silent: a read goes into a scratch buffer of the worker thread and only what came is copied.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use tokio::time::Instant;

use crate::domain::{CloseReason, Closing, ConnectionId, ListenerSpec, Reply, Then, Timestamp};
use crate::store::Record;
use crate::wire::{Client, Conversation, Turn};

use super::super::deadline::Deadline;
use super::super::live::Order;
use super::super::place::Place;
use super::super::plan::Plan;
use super::super::stream::Stream;
use super::super::talk::Command;

use super::buffer;
use super::hindered::{Hindered, Reading};
use super::periodic::Sends;
use super::sending::Word;

/// After the last reply, how long a silent client is listened to: long enough for its FIN to cross any network.
pub(super) const LINGER_IDLE: Duration = Duration::from_secs(2);
/// After the last reply, how long a client that goes on sending is listened to (nginx's `lingering_time`).
pub(super) const LINGER: Duration = Duration::from_secs(30);
/// What is answered in a time that others can wait for, however costly the rules: 1 KiB.
const SHORT: usize = 1 << 10;
/// A reply of more bytes than this may still be on its way to a slow client when all of it has been handed to the
/// kernel: such a client is listened to for the longer time, however silent.
const LONG_REPLY: usize = 64 * 1024;

/// Serves one client to its end and puts that end on record.
pub(in super::super) async fn serve<S: Stream>(
    stream: S,
    place: Place,
    connection: ConnectionId,
    client: Client,
) {
    let mut session = Session::new(stream, place, connection, client);
    let ending = session.talk().await;
    session.record_rest();
    let Session { stream, place, hindered, .. } = session;
    let closing = Closing { at: place.clock().now(), by: ending.reason.closed_by(), reason: ending.reason };
    let end = vec![Record::Closed { connection, closing }];
    // If it cannot be kept now, the journal says so itself.
    if ending.reason == CloseReason::Requested {
        // Whoever asked for it finds it on record.
        let _ = place.recorder().record(end).await;
    } else {
        place.recorder().note(end);
    }
    if ending.reset || hindered.is_deaf {
        stream.reset_on_drop();
    }
    drop(stream);
    drop(place);
}

/// How a conversation ended, and whether the client is told with a RST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) reason: CloseReason,
    pub(super) reset: bool,
}

impl Ending {
    pub(super) const fn quiet(reason: CloseReason) -> Self {
        Self { reason, reset: false }
    }

    pub(super) const fn reset(reason: CloseReason) -> Self {
        Self { reason, reset: true }
    }
}

/// What the endpoint does with the connection now.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    /// It answers.
    Talking,
    /// It has sent FIN and listens until the client closes.
    HalfClosed,
    /// It has sent FIN and listens for a bounded while, at most until then.
    Lingering { until: Instant, idle: Duration, reason: CloseReason },
}

pub(super) enum Event {
    Bytes(Bytes),
    /// The client's FIN, where something may wait for it.
    Eof,
    /// Nothing came for as long as the framing asks for.
    Pause,
    /// It is time to send something unasked.
    Due,
    /// The client may be read again.
    Readable,
    /// The API asks for something.
    Asked(Command),
    End(Ending),
}

pub(super) struct Session<S> {
    pub(super) stream: S,
    pub(super) place: Place,
    pub(super) connection: ConnectionId,
    pub(super) conversation: Conversation,
    pub(super) mode: Mode,
    pub(super) opened: Instant,
    /// When anything crossed last.
    pub(super) active: Instant,
    /// When anything was received last.
    heard: Instant,
    /// Whether something has come that `active` does not know of yet.
    is_fresh: bool,
    /// Whether the last thing that happened was a periodic send.
    has_sent: bool,
    pub(super) deadline: Deadline,
    pub(super) sends: Option<Box<Sends>>,
    pub(super) hindered: Hindered,
}

impl<S: Stream> Session<S> {
    fn new(stream: S, place: Place, connection: ConnectionId, client: Client) -> Self {
        let now = Instant::now();
        let sends = place.listener.with_spec(|spec| Sends::new(spec, now));
        Self {
            stream,
            place,
            connection,
            conversation: Conversation::new(connection, client),
            mode: Mode::Talking,
            opened: now,
            active: now,
            heard: now,
            is_fresh: false,
            has_sent: false,
            deadline: Deadline::default(),
            sends,
            hindered: Hindered::default(),
        }
    }

    async fn talk(&mut self) -> Ending {
        // What is seldom done is kept apart: all that a session may wait for would take up room in every one.
        match self.begin() {
            Ok(None) => {}
            Ok(Some(plan)) => {
                if let Err(ending) = Box::pin(self.carry_out(plan)).await {
                    return ending;
                }
            }
            Err(ending) => return ending,
        }
        loop {
            let event = poll_fn(|cx| self.poll_event(cx)).await;
            let is_eof = matches!(event, Event::Eof);
            let mut plan = match event {
                Event::End(ending) => return ending,
                Event::Bytes(bytes) => {
                    self.is_fresh = true;
                    let plan = self.hear(bytes.len(), |talk, spec, now| talk.on_bytes(spec, bytes, now));
                    // Who waits for nothing does not wait for a pause.
                    if self.conversation.may_wait() {
                        self.heard = Instant::now();
                    }
                    plan
                }
                Event::Eof => self.hear(0, Conversation::on_eof),
                Event::Pause => self.hear(0, Conversation::on_timeout),
                Event::Due => self.send_due(),
                Event::Readable => continue,
                Event::Asked(command) => match Box::pin(self.obey(command)).await {
                    Ok(()) => continue,
                    Err(ending) => return ending,
                },
            };
            // One read may bring more messages than a turn has room for.
            loop {
                if let Err(ending) = self.carry_out(plan).await {
                    return ending;
                }
                if !self.conversation.is_behind() {
                    break;
                }
                plan = self.hear(0, Conversation::go_on);
            }
            if is_eof {
                return self.peer_closed();
            }
        }
    }

    /// What happens before anything is read: faults of a connection that has begun, and the greeting.
    fn begin(&mut self) -> Result<Option<Plan>, Ending> {
        self.adopt();
        let plan = match self.conversation.hindrance().hang_up {
            Some(Then::Reset) => return Err(Ending::reset(CloseReason::Fault)),
            Some(_) => self.say(|talk, _, _| talk.on_hang_up(CloseReason::Fault)),
            None if self.place.listener.with_spec(|spec| spec.draft().greeting == Reply::Silence) => {
                return Ok(None);
            }
            None => self.say(Conversation::on_open),
        };
        Ok(Some(plan))
    }

    /// Takes in what came, so many bytes, or goes on with what waits. Where that may take long, other connections do not wait
    /// for it.
    fn hear(
        &mut self,
        bytes: usize,
        ask: impl FnOnce(&mut Conversation, &ListenerSpec, Timestamp) -> Turn,
    ) -> Plan {
        let size = bytes + self.conversation.waiting();
        let is_costly = size > SHORT && self.place.listener.with_spec(ListenerSpec::is_costly);
        if is_costly && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
            return block_in_place(|| self.say(ask));
        }
        self.say(ask)
    }

    /// Asks the conversation under the spec in force, and hands what it says to the journal.
    pub(super) fn say(
        &mut self,
        ask: impl FnOnce(&mut Conversation, &ListenerSpec, Timestamp) -> Turn,
    ) -> Plan {
        let (listener, now) = (&self.place.listener, self.place.clock().now());
        let turn = listener.with_spec(|spec| ask(&mut self.conversation, spec, now));
        Plan::of(turn, &self.place)
    }

    /// Waits for the journal, sends, and does what follows. An error is the conversation's end.
    pub(super) async fn carry_out(&mut self, plan: Plan) -> Result<(), Ending> {
        let Plan { kept, replies, late, then, reason } = plan;
        if let Some(kept) = kept {
            kept.await.map_err(|_| Ending::reset(CloseReason::JournalUnavailable))?;
        }
        let word = if matches!(then, Then::Close | Then::HalfClose) { Word::Last } else { Word::OfMany };
        let mut sent = replies.bytes().len();
        if sent > 0 {
            self.send(&replies, if late.is_empty() { word } else { Word::OfMany }, None).await?;
        }
        if !late.is_empty() {
            sent += Box::pin(self.send_late(late, word)).await?;
        }
        if std::mem::take(&mut self.is_fresh) || sent > 0 || then != Then::Keep {
            self.active = Instant::now();
        }
        match then {
            Then::Keep => return Ok(()),
            Then::Reset => return Err(Ending::reset(reason)),
            Then::Close => {
                let idle = if sent > LONG_REPLY { LINGER } else { LINGER_IDLE };
                self.mode = Mode::Lingering { until: self.active + LINGER, idle, reason };
            }
            Then::HalfClose => self.mode = Mode::HalfClosed,
        }
        let shut = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
        shut.map_err(|_| Ending::quiet(CloseReason::PeerReset))
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

    /// What comes next: bytes, or the end. Bytes that are there go before an order to finish, not before one to abort.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        // First of all, so that whatever is asked or changed from here on wakes the task.
        if let Poll::Ready(order) = self.place.live.poll_order(Order::Cut, cx) {
            return Poll::Ready(Event::End(self.told(order)));
        }
        if let Some(command) = self.place.live.next_command() {
            return Poll::Ready(Event::Asked(command));
        }
        // Before the read: a client that never pauses would keep the deadlines from ever being looked at.
        let limits = self.adopt();
        if let Some(reason) = self.overdue(&limits) {
            return Poll::Ready(Event::End(Ending::quiet(reason)));
        }
        let (due, reading) = (self.next_due(), self.reading());
        // Between two sends the client gets its turn, however late they are.
        if !std::mem::take(&mut self.has_sent) && due.is_some_and(|due| due <= Instant::now()) {
            self.has_sent = true;
            return Poll::Ready(Event::Due);
        }
        match self.poll_read(reading, cx) {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => {
                let may_wait = self.conversation.may_wait();
                return Poll::Ready(if may_wait { Event::Eof } else { Event::End(self.peer_closed()) });
            }
            Poll::Ready(Ok(bytes)) => {
                self.has_read(bytes.len());
                return Poll::Ready(Event::Bytes(bytes));
            }
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => cx.waker().wake_by_ref(),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::End(self.peer_reset())),
            Poll::Pending => {}
        }
        if let Some(order) = self.place.live.order() {
            return Poll::Ready(Event::End(self.told(order)));
        }
        let (until, reason) = self.patience(&limits);
        let pause = self.conversation.gap().map(|gap| self.heard + gap);
        let ends = until.map(|until| (until, Event::End(Ending::quiet(reason))));
        let again = if let Reading::At(at) = reading { Some((at, Event::Readable)) } else { None };
        let (due, pause) = (due.map(|due| (due, Event::Due)), pause.map(|pause| (pause, Event::Pause)));
        let Some((at, event)) = [ends, due, pause, again].into_iter().flatten().min_by_key(|(at, _)| *at)
        else {
            return Poll::Pending;
        };
        ready!(self.deadline.poll(Some(at), cx));
        self.has_sent = matches!(event, Event::Due);
        Poll::Ready(event)
    }

    fn poll_read(&mut self, reading: Reading, cx: &mut Context<'_>) -> Poll<std::io::Result<Bytes>> {
        let Reading::UpTo(most) = reading else { return Poll::Pending };
        // Where the journal is slower than the network, the client's own buffers hold it up.
        ready!(self.place.recorder().poll_room(cx));
        buffer::poll_read(Pin::new(&mut self.stream), most, cx)
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
            (_, Order::Cut) => Ending::reset(reason),
            (Mode::Lingering { reason, .. }, _) => Ending::quiet(reason),
            (_, Order::Finish) => Ending::quiet(reason),
            (_, Order::Abort | Order::AbortForShutdown) => Ending::reset(reason),
        }
    }
}

pub(super) const fn reason_of(order: Order) -> CloseReason {
    match order {
        Order::Cut => CloseReason::Requested,
        Order::Abort => CloseReason::ListenerClosed,
        Order::Finish | Order::AbortForShutdown => CloseReason::Shutdown,
    }
}
