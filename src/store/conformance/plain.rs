//! A journal that is a plain list of all records.

use crate::domain::{Closing, Connection, ConnectionId, Direction, Message, Tally};

use super::super::cursor::Position;
use super::super::journal::{ConnectionRecord, Forgotten, MessageRecord, Record};
use super::super::query::{ConnectionState, Filter, ListenerFilter, Needle, Order, PageRequest};

/// All that was appended and is neither evicted nor forgotten.
#[derive(Default)]
pub(super) struct Plain {
    next: u64,
    known: Vec<Known>,
    kept: Vec<(Position, Message)>,
    pub(super) evicted: u64,
    evicted_to: Option<Position>,
}

struct Known {
    position: Position,
    connection: Connection,
    closing: Option<Closing>,
    ended_at: Option<Position>,
    received: Tally,
    sent: Tally,
    newest_sent: (u64, u64),
}

impl Plain {
    pub(super) fn new(first: Position) -> Self {
        Self { next: first.0, ..Self::default() }
    }

    /// The messages that fit, oldest first.
    pub(super) fn messages(&self, filter: &Filter) -> Vec<MessageRecord> {
        let fits = |record: &MessageRecord| {
            let known = self.owner(&record.message);
            fits_connection(known, filter)
                && fits_message(&record.message, filter)
                && is_within(filter, record.message.at)
        };
        self.kept.iter().map(|(position, message)| self.message(*position, message)).filter(fits).collect()
    }

    /// The connections that fit, oldest first, with their first messages.
    pub(super) fn connections(
        &self,
        filter: &Filter,
        messages: usize,
        payload: usize,
    ) -> Vec<ConnectionRecord> {
        let record = |known: &Known| {
            let own = self.kept.iter().filter(|(_, message)| message.connection == known.connection.id);
            let mut own: Vec<_> = own.map(|(position, message)| self.message(*position, message)).collect();
            let more_messages = own.len().saturating_sub(messages) as u64;
            own.truncate(messages);
            own.iter_mut().for_each(|record| record.message.payload.truncate(payload));
            ConnectionRecord {
                position: known.position,
                connection: known.connection.clone(),
                closing: known.closing,
                received: known.received,
                sent: known.sent,
                messages: own,
                more_messages,
            }
        };
        self.list(filter).into_iter().map(record).collect()
    }

    /// The ends of the connections that fit, oldest first.
    pub(super) fn ends(&self, filter: &Filter) -> Vec<(Position, ConnectionId)> {
        let fitting = self.known.iter().filter(|known| fits_connection(known, filter));
        let mut ends: Vec<_> =
            fitting.filter_map(|known| Some((known.ended_at?, known.connection.id))).collect();
        ends.sort_unstable_by_key(|(position, _)| *position);
        ends
    }

    /// Whether a list that is not cut short begins or ends in what was evicted.
    pub(super) fn reaches_evicted(&self, page: PageRequest) -> bool {
        match page.order {
            Order::Ascending => self.evicted_to > page.after,
            Order::Descending => self.evicted_to.is_some(),
        }
    }

    fn list(&self, filter: &Filter) -> Vec<&Known> {
        let holds = |known: &&Known| {
            let own = |m: &Message| m.connection == known.connection.id && fits_message(m, filter);
            let content = filter.contains.is_empty() || self.kept.iter().any(|(_, message)| own(message));
            fits_connection(known, filter) && is_within(filter, known.connection.opened_at) && content
        };
        self.known.iter().filter(holds).collect()
    }

    fn owner(&self, message: &Message) -> &Known {
        self.known.iter().find(|known| known.connection.id == message.connection).unwrap()
    }

    fn message(&self, position: Position, message: &Message) -> MessageRecord {
        let newer = |(at, m): &(Position, Message)| {
            *at > position && m.connection == message.connection && m.direction == message.direction
        };
        MessageRecord {
            position,
            message: message.clone(),
            stored: message.payload.len() as u64,
            listener: self.owner(message).connection.listener.clone(),
            newest: !self.kept.iter().any(newer),
        }
    }

    fn find(&mut self, id: ConnectionId) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.connection.id == id)
    }

    pub(super) fn append(&mut self, record: Record) {
        let position = Position(self.next);
        match record {
            Record::Opened(connection) => {
                self.next += 1;
                let (closing, tally) = (None, Tally::default());
                let known = Known {
                    position,
                    connection: *connection,
                    closing,
                    ended_at: None,
                    received: tally,
                    sent: tally,
                    newest_sent: (0, 0),
                };
                self.known.push(known);
            }
            Record::Message(message) => {
                let Some(known) = self.find(message.connection) else { return };
                let tally = match message.direction {
                    Direction::Received => &mut known.received,
                    Direction::Sent => &mut known.sent,
                };
                *tally = Tally { bytes: tally.bytes + message.size, messages: tally.messages + 1 };
                if message.direction == Direction::Sent {
                    known.newest_sent = (message.seq, message.size);
                }
                self.next += 1;
                self.kept.push((position, message));
            }
            Record::SentShort { connection, seq, size } => self.shorten(connection, seq, size),
            Record::Closed { connection, closing } => {
                let Some(known) = self.find(connection).filter(|known| known.closing.is_none()) else {
                    return;
                };
                known.closing = Some(closing);
                known.ended_at = Some(position);
                self.next += 1;
            }
        }
    }

    fn shorten(&mut self, id: ConnectionId, seq: u64, size: u64) {
        let is_it = |m: &Message| m.connection == id && m.direction == Direction::Sent && m.seq == seq;
        let at = self.kept.iter().position(|(_, message)| is_it(message));
        let kept = at.map(|at| self.kept[at].1.size);
        let Some(known) = self.find(id) else { return };
        let is_newest = known.newest_sent.0 == seq;
        let Some(recorded) =
            kept.or(is_newest.then_some(known.newest_sent.1)).filter(|recorded| *recorded > size)
        else {
            return;
        };
        known.sent.bytes -= recorded - size;
        known.sent.messages -= u64::from(size == 0);
        if is_newest {
            known.newest_sent = if size == 0 { (0, 0) } else { (seq, size) };
        }
        match at {
            Some(at) if size == 0 => drop(self.kept.remove(at)),
            Some(at) => {
                self.kept[at].1.size = size;
                self.kept[at].1.payload.truncate(size as usize);
            }
            None => {}
        }
    }

    /// The oldest that can go goes first: a message, or an ended connection without messages.
    pub(super) fn evict(&mut self, evicted: u64) {
        while self.evicted < evicted {
            self.evicted += 1;
            let message = self.kept.first().map(|(position, _)| *position);
            let spent = |known: &&Known| {
                known.closing.is_some() && self.kept.iter().all(|(_, m)| m.connection != known.connection.id)
            };
            let connection = self.known.iter().find(spent).map(|known| known.position);
            if message.is_some_and(|message| connection.is_none_or(|connection| message < connection)) {
                self.evicted_to = self.evicted_to.max(message);
                self.kept.remove(0);
            } else {
                self.evicted_to = self.evicted_to.max(connection);
                self.known.retain(|known| Some(known.position) != connection);
            }
        }
    }

    pub(super) fn forget(&mut self, filter: &Filter) -> Forgotten {
        let fit: Vec<_> = self.list(filter).iter().map(|known| known.connection.id).collect();
        let before = self.known.len();
        self.known.retain(|known| known.closing.is_none() || !fit.contains(&known.connection.id));
        let forgotten = before - self.known.len();
        let connections = &self.known;
        self.kept.retain(|(_, m)| connections.iter().any(|known| known.connection.id == m.connection));
        Forgotten { forgotten: forgotten as u64, kept_open: (fit.len() - forgotten) as u64 }
    }
}

fn fits_connection(known: &Known, filter: &Filter) -> bool {
    let listener = match &filter.listener {
        Some(ListenerFilter::Name(name)) => known.connection.listener.name.as_ref() == Some(name),
        _ => true,
    };
    let state = if known.closing.is_some() { ConnectionState::Closed } else { ConnectionState::Open };
    listener && filter.state.is_none_or(|wanted| wanted == state)
}

fn fits_message(message: &Message, filter: &Filter) -> bool {
    let has = |needle: &Needle| match needle {
        Needle::Bytes(bytes) => message.payload.windows(bytes.len()).any(|window| window == bytes),
        Needle::Text(_) => false,
    };
    filter.direction.is_none_or(|direction| direction == message.direction) && filter.contains.iter().all(has)
}

fn is_within(filter: &Filter, at: crate::domain::Timestamp) -> bool {
    filter.since.is_none_or(|since| at >= since)
}
