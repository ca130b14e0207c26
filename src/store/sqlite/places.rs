//! Where the exchanges of a connection stand.
//!
//! An index on the connection would cost each exchange a page of its own where many clients talk at once: neighbours in the
//! journal are far apart in the index. So the newest exchanges are in no index; some thousand of them go into the table
//! `places` together, sorted. Who asks for the exchanges of a connection reads both: the table, and behind it what is newer.

use std::cell::OnceCell;
use std::collections::HashMap;

use rusqlite::{Connection as Database, OptionalExtension};

use super::super::query::Order;
use super::page::{EXCHANGE, Exchange};
use super::range::Range;
use super::row::{number, signed};

/// Exchanges that are in no index at most. A reader reads over all of them, in some tenths of a millisecond.
/// Few in tests, so that most are in the table there.
pub(super) const UNPLACED: usize = if cfg!(test) { 5 } else { 2_048 };

/// Places that are read in one go.
const CHUNK: usize = if cfg!(test) { 3 } else { 64 };

/// The exchanges of connections, as one transaction sees them.
pub(super) struct Places<'db> {
    db: &'db Database,
    /// Up to here they are in the table; those behind it are looked for among the exchanges.
    placed_to: u64,
    /// None are left up to here.
    evicted_to: u64,
    newer: OnceCell<HashMap<u64, Vec<u64>>>,
}

/// The positions of one connection's exchanges, one after the other.
pub(super) struct Trail<'p> {
    places: &'p Places<'p>,
    connection: u64,
    order: Order,
    rest: Option<Range>,
    /// What was read and not yet asked for; the next is the last.
    ready: Vec<u64>,
}

impl<'db> Places<'db> {
    /// As the database has them.
    pub(super) fn new(db: &'db Database) -> rusqlite::Result<Self> {
        let mut journal = db.prepare_cached("SELECT placed_to, evicted_to FROM journal")?;
        let (placed_to, evicted_to) = journal.query_row([], |row| Ok((number(row, 0)?, number(row, 1)?)))?;
        Ok(Self { db, placed_to, evicted_to, newer: OnceCell::new() })
    }

    /// Those of one connection, as the writer knows them: `newer` are its own that are in no table.
    pub(super) fn known(
        db: &'db Database,
        (placed_to, evicted_to): (u64, u64),
        connection: u64,
        newer: Vec<u64>,
    ) -> Self {
        Self { db, placed_to, evicted_to, newer: HashMap::from([(connection, newer)]).into() }
    }

    /// The exchanges of a connection whose own positions are within a range.
    pub(super) const fn trail(&self, connection: u64, within: Range, order: Order) -> Trail<'_> {
        Trail { places: self, connection, order, rest: Some(within), ready: Vec::new() }
    }

    /// All exchanges of a connection.
    pub(super) const fn all(&self, connection: u64, order: Order) -> Trail<'_> {
        self.trail(connection, Range { first: 0, last: u64::MAX }, order)
    }

    fn newer(&self, connection: u64) -> rusqlite::Result<&[u64]> {
        let newer = match self.newer.get() {
            Some(newer) => newer,
            None => {
                let read = read_newer(self.db, self.placed_to.max(self.evicted_to))?;
                self.newer.get_or_init(|| read)
            }
        };
        Ok(newer.get(&connection).map_or(&[], Vec::as_slice))
    }

    fn placed(&self, connection: u64, within: Range, order: Order) -> rusqlite::Result<Vec<u64>> {
        let order = if order == Order::Ascending { "" } else { "DESC" };
        let mut places = self.db.prepare_cached(&format!(
            "SELECT position FROM places WHERE connection = ?1 AND position BETWEEN ?2 AND ?3
             ORDER BY position {order} LIMIT {CHUNK}"
        ))?;
        let bounds = [connection, within.first, within.last].map(signed);
        places.query_map(bounds, |row| number(row, 0))?.collect()
    }
}

fn read_newer(db: &Database, behind: u64) -> rusqlite::Result<HashMap<u64, Vec<u64>>> {
    let mut newer: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut exchanges = db
        .prepare_cached("SELECT connection, position FROM exchanges WHERE position > ?1 ORDER BY position")?;
    let mut rows = exchanges.query([signed(behind)])?;
    while let Some(row) = rows.next()? {
        newer.entry(number(row, 0)?).or_default().push(number(row, 1)?);
    }
    Ok(newer)
}

impl Trail<'_> {
    /// The next position. The exchange may be gone: what was forgotten goes a little later.
    pub(super) fn next(&mut self) -> rusqlite::Result<Option<u64>> {
        while self.ready.is_empty() {
            let Some(rest) = self.rest else { return Ok(None) };
            self.read_on(rest)?;
        }
        Ok(self.ready.pop())
    }

    /// The next exchange that is there.
    pub(super) fn next_exchange(&mut self) -> rusqlite::Result<Option<Exchange>> {
        let mut row = self.places.db.prepare_cached(&of_position())?;
        while let Some(position) = self.next()? {
            if let Some(exchange) = row.query_row([signed(position)], Exchange::read).optional()? {
                return Ok(Some(exchange));
            }
        }
        Ok(None)
    }

    fn read_on(&mut self, rest: Range) -> rusqlite::Result<()> {
        let Places { placed_to, evicted_to, .. } = *self.places;
        let placed = Range { first: rest.first.max(evicted_to + 1), last: rest.last.min(placed_to) };
        let is_newer = if self.order == Order::Ascending { rest.first } else { rest.last } > placed_to;
        if is_newer {
            let inside = |position: &u64| (rest.first..=rest.last).contains(position);
            let newer = self.places.newer(self.connection)?.iter().copied();
            self.ready = newer.filter(inside).collect();
        } else if placed.first <= placed.last {
            self.ready = self.places.placed(self.connection, placed, self.order)?;
        }
        let is_whole = is_newer || self.ready.len() < CHUNK;
        self.rest = match (self.order, self.ready.last()) {
            (Order::Ascending, _) if is_newer => None,
            (Order::Ascending, Some(&last)) if !is_whole => Some(Range { first: last + 1, ..rest }),
            (Order::Ascending, _) => Some(Range { first: placed_to + 1, ..rest }),
            (Order::Descending, Some(&last)) if !is_whole => {
                last.checked_sub(1).map(|last| Range { last, ..rest })
            }
            (Order::Descending, _) => is_newer.then_some(Range { last: placed_to, ..rest }),
        };
        self.rest = self.rest.filter(|rest| rest.first <= rest.last);
        // What was read from the table stands in order already; what is newer stands as it came.
        if self.order == Order::Ascending || !is_newer {
            self.ready.reverse();
        }
        Ok(())
    }
}

fn of_position() -> String {
    format!("SELECT {EXCHANGE} FROM exchanges WHERE position = ?1")
}
