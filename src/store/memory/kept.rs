//! What is kept of a connection and of a message, and what that costs.

use std::iter::{Peekable, from_fn};

use bytes::Bytes;

use crate::domain::{
    Charset, Closing, Connection, ConnectionId, Direction, Message, Note, Tally, Timestamp, Verdict,
};

use super::super::query::Order;
use super::ordered::Ordered;

/// Bytes that a connection takes up besides its messages: its entry and its place in the index. A counting allocator
/// saw 249 bytes for each of a million connections.
const CONNECTION: u64 = (size_of::<(u64, KeptConnection)>() + size_of::<(u128, u64)>()) as u64;

/// Bytes that a message takes up besides its payload: its entry (112: as counted over a million messages), its place in
/// the list of a connection that has many (8, and as much again while the list grows), and what a `Bytes` needs
/// beside its bytes (16 of rounding, 32 for the header that it gets when an answer shares it).
const MESSAGE: u64 = size_of::<(u64, KeptMessage)>() as u64 + 64;

/// Bytes that what framing says of a message takes up, with the rounding of its allocation.
const NOTE: u64 = size_of::<Note>() as u64 + 16;

/// Bytes that a list of more than two positions takes up before its first position.
const LONG_LIST: u64 = 160;

/// A connection and what is known of its messages.
#[derive(Debug)]
pub(super) struct KeptConnection {
    pub(super) connection: Connection,
    pub(super) closing: Option<Closing>,
    /// The position of its end; 0 before that.
    pub(super) ended_at: u64,
    pub(super) received: Direct,
    pub(super) sent: Direct,
    /// The newest sent message, which may be shortened although it was evicted: its number and its size.
    pub(super) newest_sent: (u64, u64),
    /// The position of the newest of its messages that were evicted; 0 when none was.
    pub(super) evicted_to: u64,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Direct {
    /// All that crossed, kept or not.
    pub(super) tally: Tally,
    /// The messages that are kept.
    pub(super) kept: Positions,
}

/// A message without what its connection knows already.
#[derive(Debug)]
pub(super) struct KeptMessage {
    /// The position of its connection.
    pub(super) owner: u64,
    pub(super) seq: u64,
    pub(super) offset: u64,
    pub(super) at: Timestamp,
    pub(super) size: u64,
    pub(super) payload: Bytes,
    pub(super) sha256: Option<Box<[u8; 32]>>,
    pub(super) charset: Charset,
    pub(super) direction: Direction,
    pub(super) note: Option<Box<Note>>,
}

/// Positions in their order. Most connections have one message in each direction: two positions take no allocation.
#[derive(Debug)]
pub(super) enum Positions {
    /// 0 is a free place; only the end is free.
    Few([u64; 2]),
    Many(Box<Ordered<u64, (), 512>>),
}

impl KeptConnection {
    pub(super) const fn new(connection: Connection) -> Self {
        let nothing = Tally { bytes: 0, messages: 0 };
        Self {
            connection,
            closing: None,
            ended_at: 0,
            received: Direct { tally: nothing, kept: Positions::Few([0; 2]) },
            sent: Direct { tally: nothing, kept: Positions::Few([0; 2]) },
            newest_sent: (0, 0),
            evicted_to: 0,
        }
    }

    pub(super) const fn direct(&self, direction: Direction) -> &Direct {
        match direction {
            Direction::Received => &self.received,
            Direction::Sent => &self.sent,
        }
    }

    pub(super) const fn direct_mut(&mut self, direction: Direction) -> &mut Direct {
        match direction {
            Direction::Received => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }

    /// How many of its messages are kept.
    pub(super) fn kept(&self) -> usize {
        self.received.kept.len() + self.sent.kept.len()
    }

    /// Whether it may be evicted: nothing more is to come, and nothing hangs on it.
    pub(super) fn is_spent(&self) -> bool {
        self.closing.is_some() && self.kept() == 0
    }

    pub(super) fn cost(&self) -> u64 {
        CONNECTION + self.received.kept.cost() + self.sent.kept.cost()
    }

    /// The positions of its messages behind `after` in this order, of one direction or both.
    pub(super) fn positions(
        &self,
        direction: Option<Direction>,
        order: Order,
        after: Option<u64>,
    ) -> Box<dyn Iterator<Item = u64> + '_> {
        match direction {
            Some(direction) => self.direct(direction).kept.behind(order, after),
            None => {
                let [a, b] =
                    [&self.received, &self.sent].map(|direct| direct.kept.behind(order, after).peekable());
                Box::new(merge(a, b, order))
            }
        }
    }
}

fn merge<I: Iterator<Item = u64>>(
    mut a: Peekable<I>,
    mut b: Peekable<I>,
    order: Order,
) -> impl Iterator<Item = u64> {
    from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if (x < y) == (order == Order::Ascending) => a.next(),
        (Some(_), None) => a.next(),
        _ => b.next(),
    })
}

impl KeptMessage {
    pub(super) fn new(owner: u64, message: Message) -> Self {
        let Message { connection: _, direction, seq, offset, at, size, payload, sha256, charset, note } =
            message;
        Self { owner, seq, offset, at, size, payload, sha256, charset, direction, note }
    }

    pub(super) fn cost(&self) -> u64 {
        let digest = if self.sha256.is_some() { 48 } else { 0 };
        let note = self.note.as_ref().map_or(0, |note| NOTE + texts_len(note));
        MESSAGE + digest + note + self.payload.len() as u64
    }

    /// The message again, with at most `most` bytes of its payload.
    pub(super) fn to_message(&self, connection: ConnectionId, most: usize) -> Message {
        Message {
            connection,
            direction: self.direction,
            seq: self.seq,
            offset: self.offset,
            at: self.at,
            size: self.size,
            payload: self.payload.slice(..self.payload.len().min(most)),
            sha256: self.sha256.clone(),
            charset: self.charset,
            note: self.note.clone(),
        }
    }
}

/// Bytes of the texts in a note. The names of rules are shared.
fn texts_len(note: &Note) -> u64 {
    let text = |text: &str| text.len() as u64 + 16;
    let fault = note.fault.as_deref().map_or(0, text) + note.failure.as_deref().map_or(0, text);
    match &note.verdict {
        Some(Verdict::NearMiss { detail, .. }) => fault + text(detail),
        _ => fault,
    }
}

impl Positions {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.iter().filter(|position| **position != 0).count(),
            Self::Many(many) => many.len(),
        }
    }

    /// Appends a position greater than the others.
    pub(super) fn push(&mut self, position: u64) {
        match self {
            Self::Few([first @ 0, _]) => *first = position,
            Self::Few([_, second @ 0]) => *second = position,
            Self::Few(few) => {
                let mut many = Box::new(Ordered::new());
                few.iter().chain([&position]).for_each(|position| {
                    many.insert(*position, ());
                });
                *self = Self::Many(many);
            }
            Self::Many(many) => {
                many.insert(position, ());
            }
        }
    }

    pub(super) fn remove(&mut self, position: u64) {
        match self {
            Self::Few(few) => match *few {
                [first, second] if first == position => *few = [second, 0],
                [first, second] if second == position => *few = [first, 0],
                _ => {}
            },
            Self::Many(many) => {
                many.remove(position);
            }
        }
    }

    pub(super) fn first(&self) -> Option<u64> {
        match self {
            Self::Few([first, _]) => Some(*first).filter(|position| *position != 0),
            Self::Many(many) => many.first().map(|(position, ())| position),
        }
    }

    pub(super) fn last(&self) -> Option<u64> {
        match self {
            Self::Few(few) => few.iter().rev().copied().find(|position| *position != 0),
            Self::Many(many) => many.last().map(|(position, ())| position),
        }
    }

    /// The last position of which `holds` is true, where it is true of all before it.
    pub(super) fn last_where(&self, holds: impl Fn(u64) -> bool) -> Option<u64> {
        match self {
            Self::Few(few) => few.iter().rev().copied().find(|position| *position != 0 && holds(*position)),
            Self::Many(many) => many.last_where(holds),
        }
    }

    fn behind(&self, order: Order, after: Option<u64>) -> Box<dyn Iterator<Item = u64> + '_> {
        match (self, order) {
            (Self::Few(few), Order::Ascending) => {
                let after = after.unwrap_or(0);
                Box::new(few.iter().copied().filter(move |position| *position > after))
            }
            (Self::Few(few), Order::Descending) => {
                let after = after.unwrap_or(u64::MAX);
                Box::new(
                    few.iter().rev().copied().filter(move |position| *position != 0 && *position < after),
                )
            }
            (Self::Many(many), Order::Ascending) => {
                Box::new(many.after(after.unwrap_or(0)).map(|(position, ())| position))
            }
            (Self::Many(many), Order::Descending) => {
                Box::new(many.before(after.unwrap_or(u64::MAX)).map(|(position, ())| position))
            }
        }
    }

    const fn cost(&self) -> u64 {
        match self {
            Self::Few(_) => 0,
            Self::Many(_) => LONG_LIST,
        }
    }
}
