//! What goes: the oldest when there is too much or it is too old, and what somebody wants forgotten.

use std::cmp::Reverse;

use rusqlite::{OptionalExtension, Row, params};

use crate::domain::Timestamp;

use super::super::journal::Forgotten;
use super::super::query::Order;
use super::apply::{CONNECTION, EXCHANGE, Writing};
use super::row::{number, signed};

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes, payloads and an estimate of what their bookkeeping takes up in the file.
    pub(super) bytes: u64,
    /// Messages.
    pub(super) messages: u64,
    /// What is older than this goes.
    pub(super) oldest: Option<Timestamp>,
}

/// The oldest exchange.
struct Oldest {
    position: u64,
    connection: u64,
    at: i64,
    messages: u64,
    payload: u64,
    /// Its newest message's position.
    last: u64,
    /// What its connection's messages came to with it: received messages and bytes, sent messages and bytes.
    sums: [u64; 4],
    sent_size: Option<u64>,
}

/// What stands at the front of the journal.
struct Front {
    exchange: Option<Oldest>,
    /// The first connection that eviction has not looked at, when it opened, and whether it can go.
    connection: Option<(u64, i64, bool)>,
}

impl Writing<'_, '_> {
    /// Evicts the oldest, at most `most` records, while there is more than the bounds. Says how many it evicted and whether
    /// there is still more.
    pub(super) fn evict(&mut self, bounds: &Bounds, most: u64) -> rusqlite::Result<(u64, bool)> {
        let mut evicted = 0;
        while self.is_beyond(bounds)? {
            if evicted >= most {
                return Ok((evicted, true));
            }
            match self.evict_one(bounds)? {
                0 => break,
                records => evicted += records,
            }
        }
        if evicted > 0 {
            let mut blocks = self.db.prepare_cached("DELETE FROM blocks WHERE last <= ?1")?;
            blocks.execute([signed(self.state.evicted_to)])?;
            self.forget_ends()?;
        }
        Ok((evicted, false))
    }

    fn is_beyond(&self, bounds: &Bounds) -> rusqlite::Result<bool> {
        if self.state.bytes > bounds.bytes || self.state.messages > bounds.messages {
            return Ok(true);
        }
        let Some(oldest) = bounds.oldest.map(Timestamp::as_micros) else { return Ok(false) };
        let front = self.front()?;
        let is_old = |at: i64| at < oldest;
        let late = !self.state.late.is_empty();
        let exchange = front.exchange.is_some_and(|exchange| is_old(exchange.at));
        Ok(late || exchange || front.connection.is_some_and(|(_, at, can_go)| can_go && is_old(at)))
    }

    /// Evicts the oldest record that can go, an ended connection without messages or an exchange; 0 when there is none:
    /// open connections stay.
    fn evict_one(&mut self, bounds: &Bounds) -> rusqlite::Result<u64> {
        while let Some(Reverse(position)) = self.state.late.pop() {
            // It may have been forgotten meanwhile, or something came after its end.
            if self.is_spent(position)? {
                return self.evict_connection(position);
            }
        }
        loop {
            let front = self.front()?;
            match (front.connection, front.exchange) {
                (Some((position, _, can_go)), exchange)
                    if exchange.as_ref().is_none_or(|exchange| position < exchange.position) =>
                {
                    self.state.looked_to = position;
                    if can_go {
                        return self.evict_connection(position);
                    }
                    // It stays: what is behind it is looked at in the same breath, or age would never be reached.
                    if !self.is_beyond(bounds)? {
                        return Ok(0);
                    }
                }
                (_, Some(exchange)) => return self.evict_exchange(&exchange, bounds),
                (_, None) => return Ok(0),
            }
        }
    }

    fn front(&self) -> rusqlite::Result<Front> {
        let mut exchange = self.db.prepare_cached(
            "SELECT position, connection, at, (received_size IS NOT NULL) + (sent_size IS NOT NULL),
                    coalesce(length(received), 0) + coalesce(length(sent), 0), received_seq,
                    received_offset + coalesce(received_size, 0), sent_seq, sent_offset + coalesce(sent_size, 0), sent_size
             FROM exchanges ORDER BY position LIMIT 1",
        )?;
        let mut connection = self.db.prepare_cached(
            "SELECT position, opened_at, closed_at IS NOT NULL FROM connections WHERE position > ?1
             ORDER BY position LIMIT 1",
        )?;
        let oldest = |row: &Row<'_>| {
            let (position, messages) = (number(row, 0)?, number(row, 3)?);
            let (connection, at, payload) = (number(row, 1)?, row.get(2)?, number(row, 4)?);
            let sums = [number(row, 5)?, number(row, 6)?, number(row, 7)?, number(row, 8)?];
            let sent_size = row.get::<_, Option<i64>>(9)?.map(i64::unsigned_abs);
            let last = (position + messages).saturating_sub(1);
            Ok(Oldest { position, connection, at, messages, payload, last, sums, sent_size })
        };
        let ended = |row: &Row<'_>| Ok((number(row, 0)?, row.get(1)?, row.get(2)?));
        let ended = connection.query_row([signed(self.state.looked_to)], ended).optional()?;
        let connection = match ended {
            Some((position, at, true)) => Some((position, at, !self.has_exchanges(position)?)),
            open_or_none => open_or_none,
        };
        Ok(Front { exchange: exchange.query_row([], oldest).optional()?, connection })
    }

    fn evict_exchange(&mut self, exchange: &Oldest, bounds: &Bounds) -> rusqlite::Result<u64> {
        let mut delete = self.db.prepare_cached("DELETE FROM exchanges WHERE position = ?1")?;
        delete.execute([signed(exchange.position)])?;
        self.state.bytes = self.state.bytes.saturating_sub(EXCHANGE + exchange.payload);
        self.state.messages = self.state.messages.saturating_sub(exchange.messages);
        self.state.looked_to = self.state.looked_to.max(exchange.last);
        self.state.evicted_to = self.state.evicted_to.max(exchange.last);
        self.evicted_place(exchange.connection, exchange.position)?;
        let is_spent = self.is_spent(exchange.connection)?;
        if is_spent {
            self.state.late.push(Reverse(exchange.connection));
        }
        let goes_next =
            is_spent && (self.state.bytes > bounds.bytes || self.state.messages > bounds.messages);
        if !goes_next {
            self.keep_sums(exchange)?;
        }
        Ok(exchange.messages)
    }

    /// A connection that outlives its messages remembers what they came to.
    fn keep_sums(&self, exchange: &Oldest) -> rusqlite::Result<()> {
        let mut keep = self.db.prepare_cached(
            "UPDATE connections SET evicted_to = ?2, received_messages = ?3, received_bytes = ?4, sent_messages = ?5,
                    sent_bytes = ?6, newest_sent = coalesce(?7, newest_sent) WHERE position = ?1",
        )?;
        let [received_messages, received_bytes, sent_messages, sent_bytes] = exchange.sums.map(signed);
        keep.execute(params![
            signed(exchange.connection),
            signed(exchange.last),
            received_messages,
            received_bytes,
            sent_messages,
            sent_bytes,
            exchange.sent_size.map(signed),
        ])?;
        Ok(())
    }

    /// Whether a connection may be evicted: nothing more is to come, and nothing hangs on it.
    fn is_spent(&self, position: u64) -> rusqlite::Result<bool> {
        let mut closed =
            self.db.prepare_cached("SELECT closed_at IS NOT NULL FROM connections WHERE position = ?1")?;
        let is_closed = closed.query_row([signed(position)], |row| row.get(0)).optional()?.unwrap_or(false);
        Ok(is_closed && !self.has_exchanges(position)?)
    }

    fn evict_connection(&mut self, position: u64) -> rusqlite::Result<u64> {
        let mut delete = self.db.prepare_cached("DELETE FROM connections WHERE position = ?1")?;
        let deleted = delete.execute([signed(position)])? as u64;
        self.state.bytes = self.state.bytes.saturating_sub(CONNECTION * deleted);
        self.state.evicted_to = self.state.evicted_to.max(position);
        Ok(deleted)
    }

    /// Forgets those of these connections that have ended. They are gone from all lists with this transaction; `purge`
    /// removes their messages.
    pub(super) fn forget(&mut self, positions: &[u64]) -> rusqlite::Result<Forgotten> {
        let mut forgotten = Forgotten::default();
        let mut closed =
            self.db.prepare_cached("SELECT closed_at IS NOT NULL FROM connections WHERE position = ?1")?;
        let mut delete = self.db.prepare_cached("DELETE FROM connections WHERE position = ?1")?;
        let mut doom = self.db.prepare_cached("INSERT OR IGNORE INTO doomed VALUES (?1)")?;
        for position in positions.iter().copied().map(signed) {
            match closed.query_row([position], |row| row.get::<_, bool>(0)).optional()? {
                Some(true) => {
                    forgotten.forgotten += 1;
                    delete.execute([position])?;
                    doom.execute([position])?;
                    self.state.bytes = self.state.bytes.saturating_sub(CONNECTION);
                    self.state.has_doomed = true;
                }
                Some(false) => forgotten.kept_open += 1,
                None => {}
            }
        }
        Ok(forgotten)
    }

    /// Removes up to about `most` exchanges of forgotten connections. False when none are left.
    pub(super) fn purge(&mut self, most: u64) -> rusqlite::Result<bool> {
        let mut left = most;
        while left > 0 {
            let mut next = self.db.prepare_cached("SELECT connection FROM doomed LIMIT 1")?;
            let Some(connection) = next.query_row([], |row| number(row, 0)).optional()? else {
                self.state.has_doomed = false;
                self.forget_ends()?;
                return Ok(false);
            };
            let gone = self.purge_one(connection, left)?;
            left = left.saturating_sub(gone.max(1));
            if !self.has_exchanges(connection)? {
                let mut done = self.db.prepare_cached("DELETE FROM doomed WHERE connection = ?1")?;
                done.execute([signed(connection)])?;
            }
        }
        self.state.has_doomed =
            self.db.query_row("SELECT EXISTS (SELECT 1 FROM doomed)", [], |row| row.get(0))?;
        Ok(self.state.has_doomed)
    }

    fn purge_one(&mut self, connection: u64, most: u64) -> rusqlite::Result<u64> {
        let gone = self.delete_exchanges(connection, most)?;
        self.forget_places(connection, 0, gone.last)?;
        self.state.bytes = self.state.bytes.saturating_sub(gone.bytes);
        self.state.messages = self.state.messages.saturating_sub(gone.messages);
        Ok(gone.rows)
    }

    /// Deletes the first exchanges of a connection, at most `most`.
    fn delete_exchanges(&self, connection: u64, most: u64) -> rusqlite::Result<Gone> {
        let mut size = self.db.prepare_cached(
            "SELECT (received_size IS NOT NULL) + (sent_size IS NOT NULL),
                    coalesce(length(received), 0) + coalesce(length(sent), 0) FROM exchanges WHERE position = ?1",
        )?;
        let mut delete = self.db.prepare_cached("DELETE FROM exchanges WHERE position = ?1")?;
        let places = self.places(connection);
        let mut trail = places.all(connection, Order::Ascending);
        let mut gone = Gone::default();
        while gone.rows < most
            && let Some(position) = trail.next()?
        {
            let size = size.query_row([signed(position)], |row| Ok((number(row, 0)?, number(row, 1)?)));
            let Some((messages, payload)) = size.optional()? else { continue };
            delete.execute([signed(position)])?;
            gone.rows += 1;
            gone.messages += messages;
            gone.bytes += EXCHANGE + payload;
            gone.last = position;
        }
        Ok(gone)
    }
}

/// Exchanges that were deleted.
#[derive(Default)]
struct Gone {
    rows: u64,
    messages: u64,
    bytes: u64,
    /// The position of the last of them.
    last: u64,
}
