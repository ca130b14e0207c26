//! Rows become the items of a page.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection as Database, OptionalExtension, Row};

use crate::domain::{
    Charset, CloseReason, Closing, Connection, ConnectionId, Direction, ListenerRef, Message, Note, Tally,
    Timestamp,
};

use super::super::cursor::Position;
use super::super::journal::{ConnectionRecord, MessageRecord};
use super::super::query::Order;
use super::names::Names;
use super::note;
use super::places::Places;
use super::row::{number, signed};

/// A connection's row, with what its messages come to.
pub(super) struct Owner {
    pub(super) position: u64,
    pub(super) connection: Connection,
    pub(super) closing: Option<Closing>,
    pub(super) received: Tally,
    pub(super) sent: Tally,
    /// The position of the newest of its messages that were evicted.
    pub(super) evicted_to: u64,
}

/// What an exchange's row says besides its payloads.
pub(super) struct Exchange {
    pub(super) position: u64,
    pub(super) connection: u64,
    pub(super) at: i64,
    encoding: Charset,
    received: Half,
    sent: Half,
    pub(super) sent_at: i64,
    sent_encoding: Charset,
    is_echo: bool,
}

/// One direction of an exchange.
struct Half {
    seq: u64,
    offset: u64,
    size: Option<u64>,
    stored: u64,
    sha256: Option<Box<[u8; 32]>>,
    note: Option<Box<Note>>,
}

/// The columns of an exchange, in the order that [`Exchange::read`] expects.
pub(super) const EXCHANGE: &str = "position, connection, at, encoding, received_seq, received_offset, received_size,
    length(received), received_sha256, coalesce(sent_at, at), coalesce(sent_encoding, encoding), sent_seq, sent_offset,
    sent_size, length(sent), sent_sha256, received_note, sent_note";

impl Exchange {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let charset = |column: usize| -> rusqlite::Result<Charset> {
            Ok(Charset::parse(row.get_ref(column)?.as_str()?).unwrap_or(Charset::Auto))
        };
        let half = |first: usize, stored: usize, said: usize| -> rusqlite::Result<Half> {
            let digest: Option<[u8; 32]> = row.get(stored + 1)?;
            Ok(Half {
                seq: number(row, first)?,
                offset: number(row, first + 1)?,
                size: row.get::<_, Option<i64>>(first + 2)?.map(i64::unsigned_abs),
                stored: row.get::<_, Option<i64>>(stored)?.unwrap_or(0).unsigned_abs(),
                sha256: digest.map(Box::new),
                note: row.get_ref(said)?.as_str_or_null()?.and_then(note::read).map(Box::new),
            })
        };
        let (received, mut sent) = (half(4, 7, 16)?, half(11, 14, 17)?);
        let is_echo = sent.size.is_some() && row.get_ref(14)? == rusqlite::types::ValueRef::Null;
        if is_echo {
            sent.stored = received.stored;
        }
        Ok(Self {
            position: number(row, 0)?,
            connection: number(row, 1)?,
            at: row.get(2)?,
            encoding: charset(3)?,
            received,
            sent,
            sent_at: row.get(9)?,
            sent_encoding: charset(10)?,
            is_echo,
        })
    }

    /// Its messages, the older first: where each stands, and which way it went.
    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = (u64, Direction)> + use<> {
        let received = self.received.size.map(|_| (self.position, Direction::Received));
        let answer = self.position + u64::from(received.is_some());
        let sent = self.sent.size.map(|_| (answer, Direction::Sent));
        received.into_iter().chain(sent)
    }

    const fn half(&self, direction: Direction) -> &Half {
        match direction {
            Direction::Received => &self.received,
            Direction::Sent => &self.sent,
        }
    }

    /// Bytes that are kept of one of its messages.
    pub(super) const fn stored(&self, direction: Direction) -> u64 {
        self.half(direction).stored
    }

    /// Where its bytes of a direction stand in the stream: the first, and the one behind the last that is kept.
    pub(super) const fn kept(&self, direction: Direction) -> (u64, u64) {
        let half = self.half(direction);
        (half.offset, half.offset + half.stored)
    }

    /// Messages of its connection that came before it.
    fn before(&self) -> u64 {
        let own = |half: &Half| half.seq - u64::from(half.size.is_some());
        own(&self.received) + own(&self.sent)
    }

    /// What all messages of its connection came to with it: received, and sent.
    pub(super) fn tallies(&self) -> (Tally, Tally) {
        let sum = |half: &Half| Tally { messages: half.seq, bytes: half.offset + half.size.unwrap_or(0) };
        (sum(&self.received), sum(&self.sent))
    }

    /// Whether anything went that way in it.
    pub(super) const fn has(&self, direction: Direction) -> bool {
        self.half(direction).size.is_some()
    }

    /// The size of what was sent in it, if anything was.
    pub(super) const fn sent_size(&self) -> Option<u64> {
        self.sent.size
    }

    /// The column that has the bytes of a direction.
    pub(super) const fn column(&self, direction: Direction) -> &'static str {
        match direction {
            Direction::Sent if !self.is_echo => "sent",
            _ => "received",
        }
    }

    /// At most the first `most` bytes of what is kept. A payload of which only the beginning is wanted is not read whole.
    pub(super) fn payload(
        &self,
        db: &Database,
        direction: Direction,
        most: usize,
    ) -> rusqlite::Result<Bytes> {
        let stored = usize::try_from(self.stored(direction)).unwrap_or(usize::MAX);
        let (size, row) = (stored.min(most), signed(self.position));
        if size == 0 {
            return Ok(Bytes::new());
        }
        if size < stored {
            let blob = db.blob_open("main", "exchanges", self.column(direction), row, true)?;
            let mut bytes = vec![0; size];
            blob.read_at_exact(&mut bytes, 0)?;
            return Ok(bytes.into());
        }
        let sql = match self.column(direction) {
            "sent" => "SELECT sent FROM exchanges WHERE position = ?1",
            _ => "SELECT received FROM exchanges WHERE position = ?1",
        };
        let bytes: Vec<u8> = db.prepare_cached(sql)?.query_row([row], |row| row.get(0))?;
        Ok(bytes.into())
    }

    /// One of its messages, with at most the first `most` bytes of its payload.
    pub(super) fn record(
        &self,
        db: &Database,
        owner: &Owner,
        position: u64,
        direction: Direction,
        most: usize,
    ) -> rusqlite::Result<MessageRecord> {
        let half = self.half(direction);
        let (at, charset, newest) = match direction {
            Direction::Received => (self.at, self.encoding, owner.received.messages),
            Direction::Sent => (self.sent_at, self.sent_encoding, owner.sent.messages),
        };
        let message = Message {
            connection: owner.connection.id,
            direction,
            seq: half.seq,
            offset: half.offset,
            at: Timestamp::from_micros(at),
            size: half.size.unwrap_or(0),
            payload: self.payload(db, direction, most)?,
            sha256: half.sha256.clone(),
            charset,
            note: half.note.clone(),
        };
        let listener = Arc::clone(&owner.connection.listener);
        let (position, newest) = (Position(position), half.seq == newest);
        Ok(MessageRecord { position, message, stored: half.stored, listener, newest })
    }
}

const OWNER: &str = "position, id, listener, peer_ip, peer_port, local_ip, local_port, opened_at, closed_at, close_reason,
    coalesce(received_messages, 0), coalesce(received_bytes, 0), coalesce(sent_messages, 0), coalesce(sent_bytes, 0),
    coalesce(evicted_to, 0)";

impl Owner {
    /// The connection at a position.
    pub(super) fn at(
        db: &Database,
        names: &Names,
        places: &Places<'_>,
        position: u64,
    ) -> rusqlite::Result<Option<Self>> {
        let mut row = db.prepare_cached(&format!("SELECT {OWNER} FROM connections WHERE position = ?1"))?;
        let owner = row.query_row([signed(position)], |row| Self::read(db, names, row)).optional()?;
        owner.map(|owner| owner.with_sums(places)).transpose()
    }

    /// The connection of this id.
    pub(super) fn of(
        db: &Database,
        names: &Names,
        places: &Places<'_>,
        id: ConnectionId,
    ) -> rusqlite::Result<Option<Self>> {
        let mut row = db.prepare_cached(&format!("SELECT {OWNER} FROM connections WHERE id = ?1"))?;
        let id = id.as_u128().to_be_bytes();
        let owner = row.query_row([id], |row| Self::read(db, names, row)).optional()?;
        owner.map(|owner| owner.with_sums(places)).transpose()
    }

    fn read(db: &Database, names: &Names, row: &Row<'_>) -> rusqlite::Result<Self> {
        let address = |ip: usize| -> rusqlite::Result<_> {
            let text: String = row.get(ip)?;
            let wrong = |_| rusqlite::Error::InvalidColumnType(ip, text.clone(), rusqlite::types::Type::Text);
            Ok(std::net::SocketAddr::new(text.parse().map_err(wrong)?, row.get(ip + 1)?))
        };
        let listener: Arc<ListenerRef> = names.get(db, row.get(2)?)?;
        let closed: Option<i64> = row.get(8)?;
        let reason: Option<String> = row.get(9)?;
        let closing = closed.map(|at| {
            let reason = reason.and_then(|word| CloseReason::parse(&word)).unwrap_or(CloseReason::Crash);
            Closing { at: Timestamp::from_micros(at), by: reason.closed_by(), reason }
        });
        Ok(Self {
            position: number(row, 0)?,
            connection: Connection {
                id: ConnectionId::from_u128(u128::from_be_bytes(row.get(1)?)),
                listener,
                peer: address(3)?,
                local: address(5)?,
                opened_at: Timestamp::from_micros(row.get(7)?),
            },
            closing,
            received: Tally { messages: number(row, 10)?, bytes: number(row, 11)? },
            sent: Tally { messages: number(row, 12)?, bytes: number(row, 13)? },
            evicted_to: number(row, 14)?,
        })
    }

    /// The newest exchange says what all of them came to.
    fn with_sums(mut self, places: &Places<'_>) -> rusqlite::Result<Self> {
        if let Some(newest) = places.all(self.position, Order::Descending).next_exchange()? {
            (self.received, self.sent) = newest.tallies();
        }
        Ok(self)
    }

    /// The connection with its first messages, at most `most` of `payload` bytes each and `budget` bytes together, and how
    /// many payload bytes these carry.
    pub(super) fn record(
        self,
        db: &Database,
        places: &Places<'_>,
        (most, payload): (usize, usize),
        budget: usize,
    ) -> rusqlite::Result<(usize, ConnectionRecord)> {
        let mut exchanges = places.all(self.position, Order::Ascending);
        let (mut messages, mut bytes, mut kept) = (Vec::new(), 0, 0);
        let mut is_first = true;
        'exchanges: while let Some(exchange) = exchanges.next_exchange()? {
            if is_first {
                kept = (self.received.messages + self.sent.messages).saturating_sub(exchange.before());
                is_first = false;
            }
            for (position, direction) in exchange.messages() {
                let stored = usize::try_from(exchange.stored(direction)).unwrap_or(usize::MAX);
                let size = stored.min(payload);
                if messages.len() >= most || bytes + size > budget {
                    break 'exchanges;
                }
                bytes += size;
                messages.push(exchange.record(db, &self, position, direction, payload)?);
            }
        }
        let record = ConnectionRecord {
            position: Position(self.position),
            connection: self.connection,
            closing: self.closing,
            received: self.received,
            sent: self.sent,
            more_messages: kept.saturating_sub(messages.len() as u64),
            messages,
        };
        Ok((bytes, record))
    }
}

impl Exchange {
    /// What a message of it is to be read in.
    pub(super) const fn charset(&self, direction: Direction) -> Charset {
        match direction {
            Direction::Received => self.encoding,
            Direction::Sent => self.sent_encoding,
        }
    }
}

/// Where the connection of this id stands.
pub(super) fn position_of(db: &Database, id: ConnectionId) -> rusqlite::Result<Option<u64>> {
    let mut find = db.prepare_cached("SELECT position FROM connections WHERE id = ?1")?;
    find.query_row([id.as_u128().to_be_bytes()], |row| number(row, 0)).optional()
}
