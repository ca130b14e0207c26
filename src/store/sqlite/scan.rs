//! Looking through the tables step by step.
//!
//! A step reads for some milliseconds in one transaction: longer ones would keep the log from starting over. What came
//! after the first step is not looked at: a list that is asked for while records pour in comes to an end.

use std::time::{Duration, Instant};

use rusqlite::{Connection, Row};

use crate::domain::Direction;

use super::super::cursor::Position;
use super::super::query::{Filter, MessageQuery, Order, PageRequest};
use super::super::search::Search;
use super::page::{EXCHANGE, Exchange};
use super::places::Places;
use super::range::{Range, next_candidate};
use super::row::{number, signed};
use super::sieve::Sieve;

/// How long a step reads.
const STEP: Duration = Duration::from_millis(25);

/// Rows between two looks at the clock.
const ROWS: u64 = 64;

/// How far a list has been looked through.
pub(super) struct Scan {
    pub(super) order: Order,
    limit: usize,
    budget: usize,
    /// The last record that was looked at.
    pub(super) at: Option<u64>,
    /// Where it goes on: behind this.
    place: Option<u64>,
    after: Option<u64>,
    /// Records from here on came later.
    end: u64,
    /// What fits so far.
    pub(super) found: Vec<u64>,
    found_bytes: usize,
    pub(super) is_done: bool,
}

/// When a step has read enough.
pub(super) struct Pace {
    began: Instant,
    rows: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), rows: 0 }
    }

    /// One more row was read: whether that is enough.
    pub(super) fn is_enough(&mut self) -> bool {
        self.rows += 1;
        self.rows.is_multiple_of(ROWS) && self.began.elapsed() >= STEP
    }
}

impl Scan {
    /// Nothing was looked at. `end` is the position of the next record.
    pub(super) fn new(page: PageRequest, end: u64) -> Self {
        let PageRequest { order, after, limit, budget } = page;
        let after = after.map(|Position(after)| after);
        Self {
            order,
            limit,
            budget,
            at: None,
            place: after,
            after,
            end,
            found: Vec::new(),
            found_bytes: 0,
            is_done: false,
        }
    }

    /// What is still to be looked at.
    pub(super) fn rest(&self) -> Option<Range> {
        self.behind(self.place)
    }

    fn behind(&self, place: Option<u64>) -> Option<Range> {
        let newest = self.end.checked_sub(1)?;
        let (first, last) = match (self.order, place) {
            (Order::Ascending, behind) => (behind.map_or(0, |behind| behind.saturating_add(1)), newest),
            (Order::Descending, Some(behind)) => (0, behind.checked_sub(1)?.min(newest)),
            (Order::Descending, None) => (0, newest),
        };
        (first <= last).then_some(Range { first, last })
    }

    /// Nothing is left: the last record of all was looked at, or passed over with its block.
    fn exhaust(
        &mut self,
        farthest: impl Fn(Range, &'static str) -> rusqlite::Result<Option<u64>>,
    ) -> rusqlite::Result<()> {
        self.is_done = true;
        let Some(whole) = self.behind(self.after) else { return Ok(()) };
        let function = if self.order == Order::Ascending { "max" } else { "min" };
        self.at = farthest(whole, function)?.or(self.at);
        Ok(())
    }

    /// The same for connections.
    pub(super) fn exhaust_connections(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.exhaust(|range, function| {
            let sql =
                format!("SELECT {function}(position) FROM connections WHERE position BETWEEN ?1 AND ?2");
            let bounds = [range.first, range.last].map(signed);
            let at: Option<i64> = db.prepare_cached(&sql)?.query_row(bounds, |row| row.get(0))?;
            Ok(at.map(i64::unsigned_abs))
        })
    }

    /// The same for messages, of all connections or of one.
    fn exhaust_messages(&mut self, db: &Connection, owner: Option<u64>) -> rusqlite::Result<()> {
        let order = self.order;
        self.exhaust(|range, _| {
            let inside = |(at, _): &(u64, Direction)| (range.first..=range.last).contains(at);
            let farthest = |exchange: &Exchange| {
                let mut messages = exchange.messages();
                let found =
                    if order == Order::Ascending { messages.rfind(inside) } else { messages.find(inside) };
                found.map(|(at, _)| at)
            };
            let within = Range { first: range.first.saturating_sub(1), last: range.last };
            if let Some(owner) = owner {
                let places = Places::new(db)?;
                let mut trail = places.trail(owner, within, order.reversed());
                while let Some(exchange) = trail.next_exchange()? {
                    if let Some(at) = farthest(&exchange) {
                        return Ok(Some(at));
                    }
                }
                return Ok(None);
            }
            let mut statement = db.prepare_cached(&exchanges(order.reversed(), &Filter::default()))?;
            let mut rows = statement.query([within.first, within.last].map(signed))?;
            while let Some(row) = rows.next()? {
                if let Some(at) = farthest(&Exchange::read(row)?) {
                    return Ok(Some(at));
                }
            }
            Ok(None)
        })
    }

    /// A record fits. Whether the page takes it; with the last one that it takes, or the first that it does not, the scan
    /// is done.
    pub(super) fn take(&mut self, position: u64, size: usize) -> bool {
        if !self.found.is_empty() && self.found_bytes + size > self.budget {
            self.is_done = true;
            return false;
        }
        self.found.push(position);
        self.found_bytes += size;
        self.look(position);
        self.is_done = self.found.len() >= self.limit;
        !self.is_done
    }

    /// A record was looked at, or is among those that are known not to fit.
    pub(super) const fn look(&mut self, position: u64) {
        self.at = Some(position);
        self.place = Some(position);
    }

    /// A part of the journal was looked through to its end.
    pub(super) const fn pass(&mut self, range: Range) {
        self.place = Some(match self.order {
            Order::Ascending => range.last,
            Order::Descending => range.first,
        });
    }

    /// The next part of the journal that may have something. What blocks say has nothing is passed over.
    pub(super) fn next_range(
        &mut self,
        db: &Connection,
        sieve: &Sieve<'_>,
    ) -> rusqlite::Result<Option<Range>> {
        let Some(rest) = self.rest() else { return Ok(None) };
        let mut passed = None;
        let range = next_candidate(db, sieve, self.order, rest, &mut passed)?;
        if let Some(passed) = passed {
            self.look(passed);
        }
        Ok(range)
    }

    /// Looks at the next messages.
    pub(super) fn step_messages(
        &mut self,
        db: &Connection,
        query: &MessageQuery,
        search: &mut Search<'_>,
    ) -> rusqlite::Result<()> {
        let sieve = Sieve::new(db, &query.filter)?;
        let owner = match query.connection {
            Some(id) => match super::page::position_of(db, id)? {
                Some(position) => Some(position),
                None => {
                    self.is_done = true;
                    return Ok(());
                }
            },
            None => None,
        };
        let mut walk = Walk { db, sieve: &sieve, owner, search, last_owner: None };
        let mut pace = Pace::new();
        while !self.is_done {
            let skips = owner.is_none() && sieve.asks_blocks();
            let range = if skips { self.next_range(db, &sieve)? } else { self.rest() };
            let Some(range) = range else { break };
            if !walk.messages(self, range, &mut pace)? {
                return Ok(());
            }
        }
        self.exhaust_messages(db, owner)
    }
}

/// Rows of exchanges, one after the other.
struct Walk<'a, 'n> {
    db: &'a Connection,
    sieve: &'a Sieve<'a>,
    owner: Option<u64>,
    search: &'a mut Search<'n>,
    /// Neighbours often are of one connection.
    last_owner: Option<(u64, bool)>,
}

impl Walk<'_, '_> {
    /// Looks through a range. False when the time is over, or the page is full.
    fn messages(&mut self, scan: &mut Scan, range: Range, pace: &mut Pace) -> rusqlite::Result<bool> {
        let went_on = match self.owner {
            Some(owner) => self.messages_of(owner, scan, range, pace)?,
            None => {
                let mut statement = self.db.prepare_cached(&exchanges(scan.order, self.sieve.filter))?;
                // The answer of a row stands one behind it.
                let first = range.first.saturating_sub(1);
                let mut rows = statement.query([first, range.last].map(signed))?;
                let mut goes_on = true;
                while goes_on && let Some(row) = rows.next()? {
                    goes_on = self.row(row, scan, range, pace)?;
                }
                goes_on
            }
        };
        if went_on {
            scan.pass(range);
        }
        Ok(went_on)
    }

    /// The same for the messages of one connection.
    fn messages_of(
        &mut self,
        owner: u64,
        scan: &mut Scan,
        range: Range,
        pace: &mut Pace,
    ) -> rusqlite::Result<bool> {
        let places = Places::new(self.db)?;
        let mut statement = self.db.prepare_cached(&exchange(self.sieve.filter))?;
        let within = Range { first: range.first.saturating_sub(1), last: range.last };
        let mut trail = places.trail(owner, within, scan.order);
        while let Some(at) = trail.next()? {
            let mut rows = statement.query([signed(at)])?;
            if let Some(row) = rows.next()?
                && !self.row(row, scan, range, pace)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Looks at the messages of one exchange that are inside the range.
    fn row(
        &mut self,
        row: &Row<'_>,
        scan: &mut Scan,
        range: Range,
        pace: &mut Pace,
    ) -> rusqlite::Result<bool> {
        let exchange = Exchange::read(row)?;
        let is_inside = |position: u64| (range.first..=range.last).contains(&position);
        let mut messages: Vec<_> = exchange.messages().filter(|(position, _)| is_inside(*position)).collect();
        if scan.order == Order::Descending {
            messages.reverse();
        }
        for (position, direction) in messages {
            if self.fits(&exchange, direction, row)? {
                let size = usize::try_from(exchange.stored(direction)).unwrap_or(usize::MAX);
                if !scan.take(position, size) {
                    return Ok(false);
                }
            } else {
                scan.look(position);
            }
        }
        Ok(!pace.is_enough())
    }

    fn fits(&mut self, exchange: &Exchange, direction: Direction, row: &Row<'_>) -> rusqlite::Result<bool> {
        let filter = self.sieve.filter;
        if filter.direction.is_some_and(|wanted| wanted != direction) {
            return Ok(false);
        }
        let at = if direction == Direction::Received { exchange.at } else { exchange.sent_at };
        if !self.sieve.is_within(at) || !self.owner_fits(exchange.connection)? {
            return Ok(false);
        }
        finds(self.search, filter, exchange, direction, row)
    }

    /// Also whether there is one: the messages of a connection that is forgotten are on their way out.
    fn owner_fits(&mut self, connection: u64) -> rusqlite::Result<bool> {
        if let Some((last, fits)) = self.last_owner
            && last == connection
        {
            return Ok(fits);
        }
        let fits = self.sieve.has(self.db, connection)?;
        self.last_owner = Some((connection, fits));
        Ok(fits)
    }
}

/// Whether a message has everything that is looked for. The row has the payloads behind its other columns.
pub(super) fn finds(
    search: &mut Search<'_>,
    filter: &Filter,
    exchange: &Exchange,
    direction: Direction,
    row: &Row<'_>,
) -> rusqlite::Result<bool> {
    if filter.contains.is_empty() {
        return Ok(true);
    }
    let column = if exchange.column(direction) == "sent" { PAYLOADS + 1 } else { PAYLOADS };
    let payload = row.get_ref(column)?.as_blob_or_null()?.unwrap_or_default();
    Ok(search.finds_all(payload, exchange.charset(direction).fixed()))
}

/// The column of what was received; what was sent is behind it.
const PAYLOADS: usize = 18;

/// Exchanges from ?1 to ?2, with their payloads where these are looked into.
pub(super) fn exchanges(order: Order, filter: &Filter) -> String {
    let order = if order == Order::Ascending { "" } else { "DESC" };
    format!("{} WHERE position BETWEEN ?1 AND ?2 ORDER BY position {order}", selection(filter))
}

/// The same for the exchange at ?1.
pub(super) fn exchange(filter: &Filter) -> String {
    format!("{} WHERE position = ?1", selection(filter))
}

fn selection(filter: &Filter) -> String {
    let payloads = if filter.contains.is_empty() { "" } else { ", received, sent" };
    format!("SELECT {EXCHANGE}{payloads} FROM exchanges")
}

/// Where a row stands.
pub(super) fn position(row: &Row<'_>) -> rusqlite::Result<u64> {
    number(row, 0)
}
