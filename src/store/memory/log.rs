//! All that is kept, and how records become part of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytes::Bytes;

use crate::domain::{Closing, Connection, ConnectionId, Direction, Message};

use super::super::journal::Record;
use super::kept::{KeptConnection, KeptMessage};
use super::ordered::Ordered;

/// Bytes that the place of an end takes up.
pub(super) const END: u64 = size_of::<(u64, u64)>() as u64;

/// What the lock guards.
#[derive(Debug)]
pub(super) struct Log {
    /// By the positions of their openings.
    pub(super) connections: Ordered<u64, KeptConnection, 128>,
    pub(super) messages: Ordered<u64, KeptMessage, 256>,
    /// From the positions of ends to those of their connections' openings.
    pub(super) ends: Ordered<u64, u64, 256>,
    /// From ids to positions. Ids sort in the order they were made, which is nearly the order they come in.
    pub(super) index: Ordered<u128, u64, 256>,
    /// The position of the next record.
    pub(super) next: u64,
    /// The first position of this run; lower ones were given out by an earlier one.
    pub(super) begin: u64,
    pub(super) bytes: u64,
    pub(super) capacity: u64,
    pub(super) eviction: Eviction,
    /// Forgotten connections whose messages are still to be removed. They are in no list any more.
    pub(super) doomed: Vec<KeptConnection>,
}

/// How far eviction has come.
#[derive(Debug, Default)]
pub(super) struct Eviction {
    /// The position of the newest record that was evicted; 0 when none was.
    pub(super) to: u64,
    pub(super) records: u64,
    /// Up to here all went that could go.
    pub(super) looked_to: u64,
    /// Connections at or before `looked_to` that could not go then and can now; the oldest first.
    pub(super) late: BinaryHeap<Reverse<u64>>,
}

/// Payloads that are no longer kept, to be freed when the lock is released.
pub(super) type Freed = Vec<Bytes>;

impl Log {
    pub(super) fn new(first: u64, capacity: u64) -> Self {
        // 0 is before all records.
        let begin = first.max(1);
        Self {
            connections: Ordered::new(),
            messages: Ordered::new(),
            ends: Ordered::new(),
            index: Ordered::new(),
            next: begin,
            begin,
            bytes: 0,
            capacity,
            eviction: Eviction::default(),
            doomed: Vec::new(),
        }
    }

    pub(super) fn position_of(&self, id: ConnectionId) -> Option<u64> {
        self.index.get(id.as_u128()).copied()
    }

    /// The position and what is kept of a connection.
    pub(super) fn find(&self, id: ConnectionId) -> Option<(u64, &KeptConnection)> {
        let position = self.position_of(id)?;
        self.connections.get(position).map(|connection| (position, connection))
    }

    /// Appends records and evicts what there is no more room for.
    pub(super) fn append(&mut self, records: &mut Vec<Record>) -> Freed {
        let mut freed = Freed::default();
        // The records of one call mostly are of one connection.
        let mut known = None;
        for record in records.drain(..) {
            match record {
                Record::Opened(connection) => self.open(*connection),
                Record::Message(message) => {
                    let id = message.connection;
                    let owner = known.filter(|(known, _)| *known == id).map(|(_, owner)| owner);
                    if let Some(owner) = owner.or_else(|| self.position_of(id)) {
                        known = Some((id, owner));
                        self.add(owner, message);
                    }
                }
                Record::SentShort { connection, seq, size } => {
                    self.shorten(connection, seq, size, &mut freed)
                }
                Record::Closed { connection, closing } => self.close(connection, closing),
            }
        }
        self.make_room(&mut freed);
        freed
    }

    fn open(&mut self, connection: Connection) {
        let kept = KeptConnection::new(connection);
        if self.index.insert(kept.connection.id.as_u128(), self.next) {
            self.bytes += kept.cost();
            self.connections.insert(self.next, kept);
            self.next += 1;
        }
    }

    fn add(&mut self, owner: u64, message: Message) {
        let Some(connection) = self.connections.get_mut(owner) else { return };
        let position = self.next;
        self.next += 1;
        let message = KeptMessage::new(owner, message);
        let before = connection.cost();
        if message.direction == Direction::Sent {
            connection.newest_sent = (message.seq, message.size);
        }
        let direct = connection.direct_mut(message.direction);
        direct.tally.bytes += message.size;
        direct.tally.messages += 1;
        direct.kept.push(position);
        self.bytes += connection.cost() - before + message.cost();
        self.messages.insert(position, message);
    }

    fn close(&mut self, id: ConnectionId, closing: Closing) {
        let Some(position) = self.position_of(id) else { return };
        let Some(connection) = self.connections.get_mut(position) else { return };
        // Something ends once.
        if connection.closing.is_none() {
            connection.closing = Some(closing);
            connection.ended_at = self.next;
            self.ends.insert(self.next, position);
            self.next += 1;
            self.bytes += END;
            self.settle(position);
        }
    }

    /// Only the first `size` bytes of a sent message left.
    fn shorten(&mut self, id: ConnectionId, seq: u64, size: u64, freed: &mut Freed) {
        let Some(owner) = self.position_of(id) else { return };
        let Some(connection) = self.connections.get_mut(owner) else { return };
        let messages = &mut self.messages;
        let found =
            connection.sent.kept.last_where(|at| messages.get(at).is_some_and(|message| message.seq <= seq));
        let found = found.filter(|at| messages.get(*at).is_some_and(|message| message.seq == seq));
        let recorded = match found.and_then(|at| messages.get(at)) {
            Some(message) => message.size,
            // It was evicted, but its size is still known.
            None if connection.newest_sent.0 == seq => connection.newest_sent.1,
            None => return,
        };
        if size >= recorded {
            return;
        }
        connection.sent.tally.bytes -= recorded - size;
        connection.sent.tally.messages -= u64::from(size == 0);
        if connection.newest_sent.0 == seq {
            // Of what did not leave at all nothing is left to be shortened.
            connection.newest_sent = if size == 0 { (0, 0) } else { (seq, size) };
        }
        let Some(position) = found else { return };
        if size == 0 {
            connection.sent.kept.remove(position);
            if let Some(message) = messages.remove(position) {
                self.bytes -= message.cost();
                freed.push(message.payload);
            }
            self.settle(owner);
        } else if let Some(message) = messages.get_mut(position) {
            let before = message.cost();
            message.size = size;
            message.payload.truncate(usize::try_from(size).unwrap_or(usize::MAX));
            // It was the digest of more than what left.
            message.sha256 = None;
            self.bytes -= before - message.cost();
        }
    }
}
