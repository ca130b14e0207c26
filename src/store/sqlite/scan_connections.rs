//! Looking through the connections.
//!
//! What is looked for in payloads is found in one of two ways. Where the blocks leave little to read, that is read first,
//! and whoever sent it is known. Where they leave much, it is common, and looking at one connection after the other soon
//! fills the page.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};

use super::super::query::{ConnectionState, Filter, Order};
use super::super::search::Search;
use super::page::Exchange;
use super::places::Places;
use super::range::{Range, next_candidate};
use super::row::signed;
use super::scan::{Pace, Scan, exchange, exchanges, finds, position};
use super::sieve::Sieve;

/// Positions that are read to know beforehand which connections have what is looked for: some tenths of a second.
const READ_FIRST: u64 = 200_000;

/// How connections are told that have what is looked for.
pub(super) enum Hits {
    /// It is not known yet which way is shorter.
    Unknown,
    /// These have it, and no others.
    These(BTreeSet<u64>),
    /// Each has to be looked at. The messages of one of them were looked at up to here.
    Each(Option<(u64, u64)>),
}

impl Scan {
    /// Looks at the next connections.
    pub(super) fn step_connections(
        &mut self,
        db: &Connection,
        filter: &Filter,
        hits: &mut Hits,
        search: &mut Search<'_>,
    ) -> rusqlite::Result<()> {
        let sieve = Sieve::new(db, filter)?;
        if !filter.contains.is_empty() && matches!(hits, Hits::Unknown) {
            *hits = read_first(db, filter, search)?.map_or(Hits::Each(None), Hits::These);
        }
        if let Hits::These(connections) = hits {
            return self.take_these(db, &sieve, connections);
        }
        let mut pace = Pace::new();
        while !self.is_done {
            // What blocks say of payloads is said of messages, which may stand far behind their connection.
            let plain = Filter { contains: Vec::new(), ..filter.clone() };
            let skipping = Sieve::new(db, &plain)?;
            let range = match filter.state {
                // These have an index of their own.
                Some(ConnectionState::Open) => self.rest(),
                _ if skipping.asks_blocks() => self.next_range(db, &skipping)?,
                _ => self.rest(),
            };
            let Some(range) = range else { break };
            if !self.connections(db, &sieve, range, hits, search, &mut pace)? {
                return Ok(());
            }
        }
        self.exhaust_connections(db)
    }

    /// Looks through a range. False when the time is over, or the page is full.
    fn connections(
        &mut self,
        db: &Connection,
        sieve: &Sieve<'_>,
        range: Range,
        hits: &mut Hits,
        search: &mut Search<'_>,
        pace: &mut Pace,
    ) -> rusqlite::Result<bool> {
        let order = if self.order == Order::Ascending { "" } else { "DESC" };
        let open =
            if sieve.filter.state == Some(ConnectionState::Open) { "closed_at IS NULL AND" } else { "" };
        let mut statement = db.prepare_cached(&format!(
            "SELECT position, opened_at, listener, peer_ip, closed_at IS NULL FROM connections
             WHERE {open} position BETWEEN ?1 AND ?2 ORDER BY position {order}"
        ))?;
        let mut rows = statement.query([range.first, range.last].map(signed))?;
        while let Some(row) = rows.next()? {
            let at = position(row)?;
            let mut fits = sieve.is_within(row.get(1)?) && (sieve.is_open() || sieve.lets_through(row, 2)?);
            if fits && let Hits::Each(inside) = hits {
                match search_in(db, sieve.filter, at, inside, search, pace)? {
                    Some(found) => fits = found,
                    None => return Ok(false),
                }
            }
            if !fits {
                self.look(at);
            } else if !self.take(at, 0) {
                return Ok(false);
            }
            if pace.is_enough() {
                return Ok(false);
            }
        }
        self.pass(range);
        Ok(true)
    }

    /// Takes those of these connections that fit otherwise too.
    fn take_these(
        &mut self,
        db: &Connection,
        sieve: &Sieve<'_>,
        connections: &BTreeSet<u64>,
    ) -> rusqlite::Result<()> {
        let Some(rest) = self.rest() else {
            self.is_done = true;
            return Ok(());
        };
        let inside = connections.range(rest.first..=rest.last).copied();
        let ordered: Vec<u64> = match self.order {
            Order::Ascending => inside.collect(),
            Order::Descending => inside.rev().collect(),
        };
        for at in ordered {
            if sieve.has(db, at)? && sieve.is_within(opened_at(db, at)?) && !self.take(at, 0) {
                return Ok(());
            }
        }
        self.exhaust_connections(db)
    }
}

fn opened_at(db: &Connection, connection: u64) -> rusqlite::Result<i64> {
    let mut opened = db.prepare_cached("SELECT opened_at FROM connections WHERE position = ?1")?;
    opened.query_row([signed(connection)], |row| row.get(0))
}

/// Whether a message of the connection has what is looked for; `None` when the time is over before that is known.
fn search_in(
    db: &Connection,
    filter: &Filter,
    connection: u64,
    inside: &mut Option<(u64, u64)>,
    search: &mut Search<'_>,
    pace: &mut Pace,
) -> rusqlite::Result<Option<bool>> {
    let from = inside.filter(|(which, _)| *which == connection).map_or(0, |(_, at)| at + 1);
    *inside = None;
    let places = Places::new(db)?;
    let mut statement = db.prepare_cached(&exchange(filter))?;
    let mut trail = places.trail(connection, Range { first: from, last: u64::MAX }, Order::Ascending);
    while let Some(at) = trail.next()? {
        let mut rows = statement.query([signed(at)])?;
        if let Some(row) = rows.next()?
            && has_it(row, filter, search)?.is_some()
        {
            return Ok(Some(true));
        }
        if pace.is_enough() {
            *inside = Some((connection, at));
            return Ok(None);
        }
    }
    Ok(Some(false))
}

/// The connection of an exchange that has what is looked for.
fn has_it(row: &Row<'_>, filter: &Filter, search: &mut Search<'_>) -> rusqlite::Result<Option<u64>> {
    let exchange = Exchange::read(row)?;
    for (_, direction) in exchange.messages() {
        let wanted = filter.direction.is_none_or(|wanted| wanted == direction);
        if wanted && finds(search, filter, &exchange, direction, row)? {
            return Ok(Some(exchange.connection));
        }
    }
    Ok(None)
}

/// The connections with a message that has what is looked for, where the blocks leave little to read.
fn read_first(
    db: &Connection,
    filter: &Filter,
    search: &mut Search<'_>,
) -> rusqlite::Result<Option<BTreeSet<u64>>> {
    // The filter's time is that of the openings.
    let of_messages = Filter { since: None, until: None, ..filter.clone() };
    let sieve = Sieve::new(db, &of_messages)?;
    let newest: Option<i64> = db.query_row("SELECT max(position) FROM exchanges", [], |row| row.get(0))?;
    let oldest: Option<i64> = db.query_row("SELECT min(position) FROM exchanges", [], |row| row.get(0))?;
    let (Some(oldest), Some(newest)) = (oldest, newest) else { return Ok(Some(BTreeSet::new())) };
    let mut rest = Range { first: oldest.unsigned_abs(), last: newest.unsigned_abs() };
    let (mut ranges, mut positions) = (Vec::new(), 0);
    while let Some(range) = next_candidate(db, &sieve, Order::Ascending, rest, &mut None)? {
        positions += range.last - range.first;
        if positions > READ_FIRST {
            return Ok(None);
        }
        ranges.push(range);
        rest.first = range.last.saturating_add(1);
    }
    let mut hits = BTreeSet::new();
    for range in ranges {
        let mut statement = db.prepare_cached(&exchanges(Order::Ascending, filter))?;
        let mut rows = statement.query([range.first, range.last].map(signed))?;
        while let Some(row) = rows.next()? {
            hits.extend(has_it(row, filter, search)?);
        }
    }
    Ok(Some(hits))
}
