//! Records become rows.

use std::cmp::Reverse;

use rusqlite::{Connection as Database, OptionalExtension, params};

use crate::domain::{CloseReason, Closing, Connection, ConnectionId, Direction, Message, Tally};

use super::super::journal::Record;
use super::super::query::Order;
use super::note;
use super::page::Exchange;
use super::range::Range;
use super::row::{number, signed};
use super::state::{Known, State};
use super::statements::Statements;

/// Bytes that a connection takes up in the file, with its place in the index of ids and among the ends. With [`EXCHANGE`]: what
/// `benches/journal` saw over ten million messages, 135 bytes a message of 44, and a little more.
pub(super) const CONNECTION: u64 = 128;
/// Bytes that an exchange takes up besides its payloads, with its place and its share in a block.
pub(super) const EXCHANGE: u64 = 76;

/// A transaction that is under way.
pub(super) struct Writing<'a, 'db> {
    pub(super) db: &'db Database,
    pub(super) statements: &'a mut Statements<'db>,
    pub(super) state: &'a mut State,
}

impl Writing<'_, '_> {
    /// Writes records in their order.
    pub(super) fn apply(&mut self, records: &[Record]) -> rusqlite::Result<()> {
        let mut records = records.iter().peekable();
        while let Some(record) = records.next() {
            match record {
                Record::Opened(connection) => self.open(connection)?,
                Record::Message(message) if message.direction == Direction::Received => {
                    let answer = records.next_if(|next| answers(next, message.connection));
                    let answer = answer.and_then(|answer| match answer {
                        Record::Message(answer) => Some(answer),
                        _ => None,
                    });
                    self.exchange(message.connection, Some(message), answer)?;
                }
                Record::Message(message) => self.exchange(message.connection, None, Some(message))?,
                Record::SentShort { connection, seq, size } => self.shorten(*connection, *seq, *size)?,
                Record::Closed { connection, closing } => self.close(*connection, *closing)?,
            }
        }
        Ok(())
    }

    fn open(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let place = self.state.place(self.db, &connection.listener)?;
        let peer = connection.peer.ip().to_canonical();
        let position = self.state.next;
        let inserted = self.statements.open.execute(params![
            signed(position),
            connection.id.as_u128().to_be_bytes(),
            place.name,
            connection.peer.ip().to_string(),
            connection.peer.port(),
            connection.local.ip().to_string(),
            connection.local.port(),
            connection.opened_at.as_micros(),
        ])?;
        // It was there already.
        if inserted == 0 {
            return Ok(());
        }
        self.state.take_position();
        self.state.bytes += CONNECTION;
        self.state.figures(self.db, place.listener)?.connections += 1;
        self.state.block.note(position, connection.opened_at, place.name, peer);
        let nothing = Tally::default();
        let known = Known {
            position,
            place,
            peer,
            received: nothing,
            sent: nothing,
            newest_sent: 0,
            is_closed: false,
        };
        self.state.open.insert(connection.id, known);
        self.end_block()
    }

    /// Writes what was received, what is sent, or both.
    fn exchange(
        &mut self,
        id: ConnectionId,
        received: Option<&Message>,
        sent: Option<&Message>,
    ) -> rusqlite::Result<()> {
        let (Some(mut known), Some(first)) = (self.state.known(self.db, id)?, received.or(sent)) else {
            return Ok(());
        };
        let position = self.state.take_position();
        if received.is_some() && sent.is_some() {
            self.state.take_position();
        }
        // The bytes of an echo are one buffer.
        let is_echo = received.zip(sent).is_some_and(|(received, sent)| {
            let (received, sent) = (&received.payload, &sent.payload);
            !received.is_empty() && received.as_ptr() == sent.as_ptr() && received.len() == sent.len()
        });
        let digest = |message: &Message| message.sha256.as_ref().map(|digest| digest.to_vec());
        let note = |message: &Message| message.note.as_deref().map(note::write);
        let differs = |sent: &&Message| sent.charset != first.charset;
        self.statements.exchange.execute(params![
            signed(position),
            signed(known.position),
            first.at.as_micros(),
            first.charset.name(),
            signed(received.map_or(known.received.messages, |message| message.seq)),
            signed(received.map_or(known.received.bytes, |message| message.offset)),
            received.map(|message| signed(message.size)),
            received.map(|message| &*message.payload),
            received.and_then(digest),
            sent.filter(|sent| sent.at != first.at).map(|sent| sent.at.as_micros()),
            sent.filter(differs).map(|sent| sent.charset.name()),
            signed(sent.map_or(known.sent.messages, |message| message.seq)),
            signed(sent.map_or(known.sent.bytes, |message| message.offset)),
            sent.map(|message| signed(message.size)),
            sent.filter(|_| !is_echo).map(|message| &*message.payload),
            sent.and_then(digest),
            received.and_then(note),
            sent.and_then(note),
        ])?;
        let kept = |message: Option<&Message>| message.map_or(0, |message| message.payload.len() as u64);
        self.state.bytes += EXCHANGE + kept(received) + if is_echo { 0 } else { kept(sent) };
        self.count(&mut known, received, sent)?;
        if !known.is_closed {
            self.state.open.insert(id, known);
        }
        self.note(position, &known, received, sent.filter(|_| !is_echo));
        self.note_place(known.position, position)?;
        self.end_block()
    }

    fn count(
        &mut self,
        known: &mut Known,
        received: Option<&Message>,
        sent: Option<&Message>,
    ) -> rusqlite::Result<()> {
        let messages = [received, sent].into_iter().flatten().count() as u64;
        let figures = self.state.figures(self.db, known.place.listener)?;
        if let Some(message) = received {
            add(&mut known.received, message.size);
            add(&mut figures.received, message.size);
        }
        if let Some(message) = sent {
            add(&mut known.sent, message.size);
            add(&mut figures.sent, message.size);
            known.newest_sent = message.size;
        }
        self.state.messages += messages;
        Ok(())
    }

    fn note(&mut self, position: u64, known: &Known, received: Option<&Message>, sent: Option<&Message>) {
        let block = &mut self.state.block;
        for (n, message) in [received, sent].into_iter().flatten().enumerate() {
            block.note(position + n as u64, message.at, known.place.name, known.peer);
            block.note_payload(&message.payload, message.charset);
        }
    }

    /// Writes a block that is full.
    fn end_block(&mut self) -> rusqlite::Result<()> {
        let block = &mut self.state.block;
        if !block.is_full() {
            return Ok(());
        }
        let stored = block.stored();
        self.statements.block.execute(params![
            signed(block.first),
            // The newest record may be an answer, which has no row of its own.
            signed(self.state.next - 1),
            block.since,
            block.until,
            stored.listeners,
            stored.peers,
            stored.encodings,
            stored.trigrams,
        ])?;
        block.start_over();
        Ok(())
    }

    fn close(&mut self, id: ConnectionId, closing: Closing) -> rusqlite::Result<()> {
        let Some(known) = self.state.open.remove(&id) else { return Ok(()) };
        self.note_end(known.position);
        let (at, reason) = (closing.at.as_micros(), closing.reason.as_str());
        self.statements.close.execute(params![signed(known.position), at, reason])?;
        if closing.reason == CloseReason::Limit {
            // It was turned away, and is no client of its listener.
            self.state.figures(self.db, known.place.listener)?.connections -= 1;
        }
        self.settle(known.position)
    }

    /// A connection that eviction has passed already goes first once it can go.
    fn settle(&mut self, position: u64) -> rusqlite::Result<()> {
        if position <= self.state.looked_to && !self.has_exchanges(position)? {
            self.state.late.push(Reverse(position));
        }
        Ok(())
    }

    /// Only the first `size` bytes of the newest sent message left.
    fn shorten(&mut self, id: ConnectionId, seq: u64, size: u64) -> rusqlite::Result<()> {
        let Some(mut known) = self.state.known(self.db, id)? else { return Ok(()) };
        if known.sent.messages != seq || size >= known.newest_sent {
            return Ok(());
        }
        let missing = known.newest_sent - size;
        known.sent.bytes -= missing;
        known.sent.messages -= u64::from(size == 0);
        let figures = self.state.figures(self.db, known.place.listener)?;
        figures.sent.bytes = figures.sent.bytes.saturating_sub(missing);
        figures.sent.messages = figures.sent.messages.saturating_sub(u64::from(size == 0));
        let answer = self.newest_answer(known.position)?;
        match answer.filter(|exchange| exchange.tallies().1.messages == seq) {
            Some(exchange) => self.shorten_row(&exchange, size, &known)?,
            // It was evicted; what came after it has its sums.
            None => self.rewrite_sums(0, &known)?,
        }
        known.newest_sent = if size > 0 { size } else { self.newest_sent(known.position)? };
        self.rewrite_tallies(&known)?;
        if known.is_closed {
            return self.settle(known.position);
        }
        self.state.open.insert(id, known);
        Ok(())
    }

    fn shorten_row(&mut self, exchange: &Exchange, size: u64, known: &Known) -> rusqlite::Result<()> {
        let row = signed(exchange.position);
        let before = self.kept_bytes(row)?;
        if size > 0 {
            // The digest was of more than what left.
            self.db.execute(
                "UPDATE exchanges SET sent_size = ?2, sent = substr(coalesce(sent, received), 1, ?2), sent_sha256 = NULL
                 WHERE position = ?1",
                params![row, signed(size)],
            )?;
        } else if exchange.has(Direction::Received) {
            self.db.execute(
                "UPDATE exchanges SET sent_size = NULL, sent = NULL, sent_sha256 = NULL, sent_at = NULL,
                 sent_encoding = NULL, sent_note = NULL WHERE position = ?1",
                [row],
            )?;
        } else {
            self.db.execute("DELETE FROM exchanges WHERE position = ?1", [row])?;
            self.forget_places(known.position, exchange.position, exchange.position)?;
        }
        self.state.messages -= u64::from(size == 0);
        self.state.bytes = self.state.bytes.saturating_sub(before) + self.kept_bytes(row)?;
        self.rewrite_sums(exchange.position, known)
    }

    /// What came after an answer that was shortened carries its sums too.
    fn rewrite_sums(&self, behind: u64, known: &Known) -> rusqlite::Result<()> {
        let mut rewrite = self.db.prepare_cached(
            "UPDATE exchanges SET sent_seq = ?2, sent_offset = ?3 WHERE position = ?1 AND sent_size IS NULL",
        )?;
        let places = self.places(known.position);
        let mut later =
            places.trail(known.position, Range { first: behind, last: u64::MAX }, Order::Ascending);
        while let Some(position) = later.next()? {
            rewrite.execute([position, known.sent.messages, known.sent.bytes].map(signed))?;
        }
        Ok(())
    }

    /// Bytes that a row counts for; 0 when it is not there.
    fn kept_bytes(&self, row: i64) -> rusqlite::Result<u64> {
        let mut bytes = self.db.prepare_cached(
            "SELECT coalesce(length(received), 0) + coalesce(length(sent), 0) FROM exchanges WHERE position = ?1",
        )?;
        Ok(bytes.query_row([row], |row| number(row, 0)).optional()?.map_or(0, |bytes| EXCHANGE + bytes))
    }

    fn newest_sent(&self, connection: u64) -> rusqlite::Result<u64> {
        Ok(self.newest_answer(connection)?.and_then(|exchange| exchange.sent_size()).unwrap_or(0))
    }

    /// The newest exchange of a connection in which something was sent.
    fn newest_answer(&self, connection: u64) -> rusqlite::Result<Option<Exchange>> {
        let places = self.places(connection);
        let mut newest_first = places.all(connection, Order::Descending);
        while let Some(exchange) = newest_first.next_exchange()? {
            if exchange.sent_size().is_some() {
                return Ok(Some(exchange));
            }
        }
        Ok(None)
    }

    /// Where a connection's row carries sums, because messages of it were evicted.
    fn rewrite_tallies(&self, known: &Known) -> rusqlite::Result<()> {
        let mut tallies = self.db.prepare_cached(
            "UPDATE connections SET sent_messages = ?2, sent_bytes = ?3, newest_sent = ?4
             WHERE position = ?1 AND evicted_to IS NOT NULL",
        )?;
        let sums = [known.position, known.sent.messages, known.sent.bytes, known.newest_sent];
        tallies.execute(sums.map(signed)).map(|_| ())
    }

    /// Writes down how far the journal has come.
    pub(super) fn finish(&mut self) -> rusqlite::Result<()> {
        let (ends, sums) = (self.newest_ends()?, self.newest_sums()?);
        let state = &*self.state;
        self.statements.journal.execute(params![
            signed(state.next),
            signed(state.bytes),
            signed(state.messages),
            signed(state.evicted_to),
            signed(state.looked_to),
            signed(state.unplaced.placed_to),
            state.unplaced.has_stale(),
            ends,
            sums,
        ])?;
        Ok(())
    }
}

/// Whether a record answers what a connection received.
fn answers(record: &Record, connection: ConnectionId) -> bool {
    matches!(record, Record::Message(message)
        if message.connection == connection && message.direction == Direction::Sent)
}

const fn add(tally: &mut Tally, bytes: u64) {
    tally.bytes += bytes;
    tally.messages += 1;
}
