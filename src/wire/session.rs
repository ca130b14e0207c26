//! One conversation as a state machine.

use std::time::Duration;

use bytes::Bytes;
use encoding_rs::Encoding;
use sha2::{Digest, Sha256};

use crate::domain::{
    Charset, CloseReason, ConnectionId, Direction, ListenerSpec, Message, Note, Subject, Tally, Then,
    Timestamp,
};

use super::codec::detect;
use super::fault::{Answer, Trouble};
use super::framing::{End, Framer, Piece};
use super::memory::{Choice, Memory};
use super::reply::{self, Circumstances, Outgoing};
use super::turn::{Client, Step, Turn};

/// Messages of one turn at most: a read may hold as many frames as bytes, and others want their turn.
const TURN_MESSAGES: usize = 256;
/// Bytes of replies after which a turn ends: they are sent together.
const TURN_BYTES: usize = 64 << 10;

/// What the endpoint knows of one client's conversation.
#[derive(Debug)]
pub struct Conversation {
    pub(super) connection: ConnectionId,
    pub(super) received: Tally,
    pub(super) sent: Tally,
    pub(super) client: Client,
    /// The encoding that it was last seen to speak.
    pub(super) peer: Option<&'static Encoding>,
    /// What is remembered of the conversation where there are rules.
    memory: Option<Box<Memory>>,
    pub(super) over: bool,
    /// What cuts the stream, while there is a framing or something is left of one.
    framer: Option<Box<Framer>>,
    is_behind: bool,
    /// What faults have done to it, where there are any.
    pub(super) trouble: Option<Box<Trouble>>,
}

impl Conversation {
    /// A conversation in which nothing was said.
    pub const fn new(connection: ConnectionId, client: Client) -> Self {
        let none = Tally { bytes: 0, messages: 0 };
        Self {
            connection,
            received: none,
            sent: none,
            client,
            peer: None,
            memory: None,
            over: false,
            framer: None,
            is_behind: false,
            trouble: None,
        }
    }

    /// The endpoint is told to end the conversation: what comes from now on is recorded, and not answered.
    pub fn on_hang_up(&mut self, reason: CloseReason) -> Turn {
        self.over = true;
        Step { reason, ..Step::silent(Then::Close) }.into()
    }

    /// Bytes arrived. Each message in them is answered unless the endpoint has said its last word.
    pub fn on_bytes(&mut self, spec: &ListenerSpec, bytes: Bytes, now: Timestamp) -> Turn {
        if let (None, Some(framing)) = (&self.framer, spec.framing()) {
            self.framer = Some(Box::new(Framer::new(framing.clone())));
        }
        let Some(framer) = &mut self.framer else {
            return self.message(spec, bytes, None, now).into();
        };
        if spec.framing().is_some() {
            framer.push(bytes);
            return self.go_on(spec, now);
        }
        let mut turn = self.unframed(spec, now);
        turn.push(self.message(spec, bytes, None, now));
        turn
    }

    /// Nothing arrived for as long as [`Conversation::gap`] says.
    pub fn on_timeout(&mut self, spec: &ListenerSpec, now: Timestamp) -> Turn {
        if let Some(framer) = &mut self.framer {
            framer.pause();
        }
        self.go_on(spec, now)
    }

    /// The client said that nothing more will come: what is a message by that is answered.
    pub fn on_eof(&mut self, spec: &ListenerSpec, now: Timestamp) -> Turn {
        self.ends(spec, End::Fin, now)
    }

    /// The connection ends: what was not a message yet goes on record, and nothing is sent any more. To be called until
    /// there is nothing left.
    pub fn on_end(&mut self, spec: &ListenerSpec, now: Timestamp) -> Turn {
        self.over = true;
        self.ends(spec, End::Broken, now)
    }

    fn ends(&mut self, spec: &ListenerSpec, end: End, now: Timestamp) -> Turn {
        if let Some(framer) = &mut self.framer {
            framer.end(end);
        }
        self.go_on(spec, now)
    }

    /// Bytes that wait for the end of their message.
    pub fn waiting(&self) -> usize {
        self.framer.as_ref().map_or(0, |framer| framer.waiting())
    }

    /// Whether bytes may wait for the end of their message; without framing none ever do.
    pub const fn may_wait(&self) -> bool {
        self.framer.is_some()
    }

    /// Whether there are messages that the last turn had no room for: go on before anything else.
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// How long a pause is to be told of by [`Conversation::on_timeout`], if one would end anything now.
    pub fn gap(&self) -> Option<Duration> {
        self.framer.as_ref().and_then(|framer| framer.gap())
    }

    /// The messages that are there, as many as a turn has room for.
    pub fn go_on(&mut self, spec: &ListenerSpec, now: Timestamp) -> Turn {
        let (mut turn, mut bytes) = (Turn::default(), 0);
        self.is_behind = false;
        match (&mut self.framer, spec.framing()) {
            (Some(framer), Some(framing)) => framer.adopt(framing),
            (_, None) => return self.unframed(spec, now),
            (None, _) => return turn,
        }
        while let Some(piece) = self.framer.as_mut().and_then(|framer| framer.next_piece()) {
            let step = self.piece(spec, piece, now);
            bytes += step.send.len();
            // What comes behind a reply that waits is not answered before it.
            let waits = !step.delay.is_zero() || step.pace.is_some();
            turn.push(step);
            if waits || turn.len() >= TURN_MESSAGES || bytes >= TURN_BYTES {
                self.is_behind = true;
                break;
            }
        }
        turn
    }

    /// There is no framing any more: what waited for the end of its frame is a message as it is.
    fn unframed(&mut self, spec: &ListenerSpec, now: Timestamp) -> Turn {
        let waited = self.framer.take().map(|mut framer| framer.rest()).unwrap_or_default();
        if waited.is_empty() { Turn::default() } else { self.message(spec, waited, None, now).into() }
    }

    /// A frame is a message like any other; what is none is recorded.
    fn piece(&mut self, spec: &ListenerSpec, piece: Piece, now: Timestamp) -> Step {
        let Piece { bytes, content, fault, closes } = piece;
        let is_frame = fault.is_none();
        let note = Some(Box::new(Note::of_frame(content, fault)));
        if is_frame {
            return self.message(spec, bytes, note, now);
        }
        let ends = closes && !self.over;
        self.over |= ends;
        let received = Some(self.receive(spec, bytes, note, now));
        let silent = Step::silent(if ends { Then::Close } else { Then::Keep });
        Step { received, reason: CloseReason::BadFrame, ..silent }
    }

    /// One message, answered unless the endpoint has said its last word.
    fn message(
        &mut self,
        spec: &ListenerSpec,
        bytes: Bytes,
        note: Option<Box<Note>>,
        now: Timestamp,
    ) -> Step {
        if self.over {
            return Step { received: Some(self.receive(spec, bytes, note, now)), ..Step::silent(Then::Keep) };
        }
        let content = note.as_ref().map_or(&*bytes, |note| note.content.of(&bytes));
        if spec.follows_peer() {
            self.peer = detect(content, spec.draft().charset).or(self.peer);
        }
        let choice = self.choose(spec, content);
        let (rule, verdict) = choice.map_or((None, None), |choice| (choice.rule, choice.verdict));
        let circumstances = self.circumstances(self.received.messages + 1, now);
        let answer = reply::answer(spec, rule, (&bytes, note.as_deref()), self.peer, circumstances);
        let (answer, failure) = match answer {
            Ok(answer) => (Some(answer), None),
            Err(failure) => (None, Some(failure.into())),
        };
        let charset = answer.as_ref().map_or(spec.draft().charset, |answer| answer.charset);
        let delay = rule.map_or(Duration::ZERO, |(rule, _)| rule.delay);
        let mut answer = self::answer(answer, reply::then(spec, rule), delay);
        let of_rule = rule.into_iter().flat_map(|(rule, _)| rule.faults());
        self.spoil_reply(spec, of_rule, bytes.len() as u64, &mut answer, now);
        self.over = answer.then != Then::Keep;
        let note = if verdict.is_none() && failure.is_none() {
            note
        } else {
            let note = note.map_or_else(|| Note::of_read(bytes.len() as u64), |note| *note);
            Some(Box::new(Note { verdict, failure, ..note }))
        };
        let received = Some(self.receive(spec, bytes, note, now));
        self.answering(spec, received, answer, charset, now)
    }

    /// The step that an answer is.
    pub(super) fn answering(
        &mut self,
        spec: &ListenerSpec,
        received: Option<Message>,
        answer: Answer,
        charset: Charset,
        now: Timestamp,
    ) -> Step {
        let Answer { bytes, content, then, reason, delay, pace } = answer;
        let (sent, send) = self.sending(spec, Outgoing { bytes, charset, content }, now.plus(delay));
        Step { received, sent, send, then, delay, pace, reason }
    }

    pub(super) const fn circumstances(&self, seq: u64, now: Timestamp) -> Circumstances {
        Circumstances { connection: self.connection, client: self.client, seq, now }
    }

    /// What the rules make of it, if there are any.
    fn choose<'r>(&mut self, spec: &'r ListenerSpec, content: &[u8]) -> Option<Choice<'r>> {
        let rules = spec.rules();
        if rules.is_empty() {
            return None;
        }
        let subject = Subject { content, peer: self.client.address.ip(), nth: self.received.messages + 1 };
        let memory = self.memory.get_or_insert_with(|| Box::new(Memory::new(rules)));
        Some(memory.choose(rules, &subject))
    }

    fn receive(
        &mut self,
        spec: &ListenerSpec,
        bytes: Bytes,
        note: Option<Box<Note>>,
        now: Timestamp,
    ) -> Message {
        let text = (spec.draft().charset, note);
        record(self.connection, Direction::Received, &mut self.received, spec, bytes, text, now)
    }

    /// Of a message that was to be sent only `size` bytes left. None is sent after it.
    pub const fn on_sent_short(&mut self, planned: u64, size: u64) {
        self.sent.bytes -= planned - size;
        if size == 0 {
            self.sent.messages -= 1;
        }
    }

    fn sending(&mut self, spec: &ListenerSpec, out: Outgoing, now: Timestamp) -> (Option<Message>, Bytes) {
        let Outgoing { bytes, charset, content } = out;
        if bytes.is_empty() {
            return (None, bytes);
        }
        let send = bytes.clone();
        let text = (charset, content.map(|content| Box::new(Note::of_frame(content, None))));
        let sent = record(self.connection, Direction::Sent, &mut self.sent, spec, bytes, text, now);
        (Some(sent), send)
    }
}

/// What is about to be answered, if anything is.
pub(super) fn answer(out: Option<Outgoing>, then: Then, delay: Duration) -> Answer {
    let (bytes, content) = out.map_or_else(Default::default, |out| (out.bytes, out.content));
    Answer { bytes, content, then, reason: CloseReason::Replied, delay, pace: None }
}

/// Counts a message and cuts what is kept of it to the listener's cap.
pub(super) fn record(
    connection: ConnectionId,
    direction: Direction,
    tally: &mut Tally,
    spec: &ListenerSpec,
    bytes: Bytes,
    (charset, note): (Charset, Option<Box<Note>>),
    at: Timestamp,
) -> Message {
    let (offset, size) = (tally.bytes, bytes.len() as u64);
    tally.bytes += size;
    tally.messages += 1;
    let cap = usize::try_from(spec.draft().limits.stored_bytes).unwrap_or(usize::MAX);
    let (payload, sha256) = if bytes.len() <= cap {
        (bytes, None)
    } else {
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        // A copy, so that the rest is given back.
        (Bytes::copy_from_slice(bytes.get(..cap).unwrap_or_default()), Some(Box::new(digest)))
    };
    let seq = tally.messages;
    Message { connection, direction, seq, offset, at, size, payload, sha256, charset, note }
}
