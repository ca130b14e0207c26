//! Answers, each made in one transaction: what it carries was all there at one moment.

use rusqlite::{Connection, OptionalExtension};

use crate::domain::{ConnectionId, Direction};

use super::super::cursor::Position;
use super::super::journal::{ConnectionRecord, MessageRecord};
use super::super::query::{ConnectionQuery, MessageQuery, Order, Page, PageRequest};
use super::names::Names;
use super::page::{EXCHANGE, Exchange, Owner, position_of};
use super::places::Places;
use super::range::Range;
use super::row::{number, signed};
use super::scan::Scan;
use super::sieve::Sieve;

/// The rows that are read for one answer are read at one moment.
pub(super) fn at_one_moment<T>(
    db: &Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = db.unchecked_transaction()?;
    let answer = read(&transaction);
    // There is nothing to be kept or undone.
    drop(transaction);
    answer
}

/// The position of the next record.
pub(super) fn next(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT next FROM journal")?.query_row([], |row| number(row, 0))
}

pub(super) fn message_page(
    db: &Connection,
    names: &Names,
    query: &MessageQuery,
    scan: &Scan,
) -> rusqlite::Result<Page<MessageRecord>> {
    let sieve = Sieve::new(db, &query.filter)?;
    let places = Places::new(db)?;
    let mut known: Option<Owner> = None;
    let (items, last) = fill(scan, query.page.budget, |position| {
        let Some((exchange, direction)) = message_at(db, position)? else { return Ok(None) };
        if known.as_ref().is_none_or(|owner| owner.position != exchange.connection) {
            known = Owner::at(db, names, &places, exchange.connection)?;
        }
        // The connection may have ended, or gone, since it was looked at.
        let Some(owner) = known.as_ref() else { return Ok(None) };
        if !sieve.is_open() && !sieve.has(db, owner.position)? {
            return Ok(None);
        }
        let record = exchange.record(db, owner, position, direction, usize::MAX)?;
        Ok(Some((record.message.payload.len(), record)))
    })?;
    let owner = match query.connection {
        Some(id) => Owner::of(db, names, &places, id)?,
        None => None,
    };
    if query.connection.is_some() && owner.is_none() {
        return Ok(Page { items, last: last.map(Position), more: false, evicted_before: None });
    }
    let connection = owner.as_ref().map(|owner| owner.position);
    let behind = last.or(after(query.page));
    let more = match connection {
        Some(connection) => {
            has_message_of(&places, connection, query.filter.direction, query.page.order, behind)?
        }
        None => has_message(db, query.page.order, behind)?,
    };
    let first_behind = |evicted_to: u64| match connection {
        Some(connection) => {
            let behind = Range { first: evicted_to.saturating_add(1), last: u64::MAX };
            let first = places.trail(connection, behind, Order::Ascending).next_exchange()?;
            Ok(first.map(|exchange| exchange.position))
        }
        None => first_message(db, evicted_to),
    };
    let evicted_to = owner.as_ref().map(|owner| owner.evicted_to);
    let evicted_before = evicted_before(db, query.page, more, evicted_to, first_behind)?;
    Ok(Page { items, last: last.map(Position), more, evicted_before })
}

pub(super) fn connection_page(
    db: &Connection,
    names: &Names,
    query: &ConnectionQuery,
    scan: &Scan,
) -> rusqlite::Result<Page<ConnectionRecord>> {
    let sieve = Sieve::new(db, &query.filter)?;
    let places = Places::new(db)?;
    let (items, last) = fill(scan, query.page.budget, |position| {
        if !sieve.is_open() && !sieve.has(db, position)? {
            return Ok(None);
        }
        let Some(owner) = Owner::at(db, names, &places, position)? else { return Ok(None) };
        owner.record(db, &places, (query.messages, query.payload), usize::MAX).map(Some)
    })?;
    let behind = last.or(after(query.page));
    let sql = match query.page.order {
        Order::Ascending => "SELECT EXISTS (SELECT 1 FROM connections WHERE position > ?1)",
        Order::Descending => "SELECT EXISTS (SELECT 1 FROM connections WHERE position < ?1)",
    };
    let from = behind.unwrap_or(if query.page.order == Order::Ascending { 0 } else { u64::MAX });
    let more = db.prepare_cached(sql)?.query_row([signed(from)], |row| row.get(0))?;
    let evicted_before = evicted_before(db, query.page, more, None, |evicted_to| {
        db.prepare_cached("SELECT position FROM connections WHERE position > ?1 ORDER BY position LIMIT 1")?
            .query_row([signed(evicted_to)], |row| number(row, 0))
            .optional()
    })?;
    Ok(Page { items, last: last.map(Position), more, evicted_before })
}

/// Makes the items of a page until its budget is spent, and says where the next page goes on.
fn fill<T>(
    scan: &Scan,
    budget: usize,
    mut make: impl FnMut(u64) -> rusqlite::Result<Option<(usize, T)>>,
) -> rusqlite::Result<(Vec<T>, Option<u64>)> {
    let (mut items, mut last, mut spent) = (Vec::with_capacity(scan.found.len()), None, 0);
    for position in &scan.found {
        // What went since it was found is not in the list any more.
        let Some((size, item)) = make(*position)? else { continue };
        if !items.is_empty() && spent + size > budget {
            return Ok((items, last));
        }
        spent += size;
        last = Some(*position);
        items.push(item);
    }
    Ok((items, scan.at))
}

fn after(page: PageRequest) -> Option<u64> {
    page.after.map(|Position(after)| after)
}

/// The message at a position: a row's own, or the answer in the row before.
fn message_at(db: &Connection, position: u64) -> rusqlite::Result<Option<(Exchange, Direction)>> {
    let sql = format!(
        "SELECT {EXCHANGE} FROM exchanges WHERE position BETWEEN ?1 AND ?2 ORDER BY position DESC LIMIT 1"
    );
    let row = [position.saturating_sub(1), position].map(signed);
    let exchange = db.prepare_cached(&sql)?.query_row(row, Exchange::read).optional()?;
    Ok(exchange.and_then(|exchange| {
        let direction =
            exchange.messages().find(|(at, _)| *at == position).map(|(_, direction)| direction)?;
        Some((exchange, direction))
    }))
}

/// Whether a message stands behind a position.
fn has_message(db: &Connection, order: Order, behind: Option<u64>) -> rusqlite::Result<bool> {
    let (place, direction) = match order {
        Order::Ascending => ("position >= ?1 - 1", ""),
        Order::Descending => ("position < ?1", "DESC"),
    };
    // The row at the edge may stand before it; the one behind that does not.
    let sql = format!("SELECT {EXCHANGE} FROM exchanges WHERE {place} ORDER BY position {direction} LIMIT 3");
    let from = behind.unwrap_or(if order == Order::Ascending { 0 } else { u64::MAX });
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query([signed(from)])?;
    while let Some(row) = rows.next()? {
        if Exchange::read(row)?.messages().any(|(at, _)| is_behind(at, order, behind)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same for the messages of one connection, or those of a direction.
fn has_message_of(
    places: &Places<'_>,
    connection: u64,
    direction: Option<Direction>,
    order: Order,
    behind: Option<u64>,
) -> rusqlite::Result<bool> {
    let within = match (order, behind) {
        // The answer of an exchange stands one behind it.
        (Order::Ascending, Some(behind)) => Range { first: behind.saturating_sub(1), last: u64::MAX },
        (Order::Descending, Some(behind)) => Range { first: 0, last: behind.saturating_sub(1) },
        (_, None) => Range { first: 0, last: u64::MAX },
    };
    let mut exchanges = places.trail(connection, within, order);
    while let Some(exchange) = exchanges.next_exchange()? {
        let wanted = |of: Direction| direction.is_none_or(|direction| direction == of);
        if exchange.messages().any(|(at, of)| wanted(of) && is_behind(at, order, behind)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_behind(at: u64, order: Order, behind: Option<u64>) -> bool {
    behind.is_none_or(|behind| if order == Order::Ascending { at > behind } else { at < behind })
}

fn first_message(db: &Connection, behind: u64) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT position FROM exchanges WHERE position > ?1 ORDER BY position LIMIT 1";
    db.prepare_cached(sql)?.query_row([signed(behind)], |row| number(row, 0)).optional()
}

/// Where the whole records begin, if a page reaches into what was evicted: `evicted_to` is the newest of that, of all or of
/// one connection.
pub(super) fn evicted_before(
    db: &Connection,
    page: PageRequest,
    more: bool,
    evicted_to: Option<u64>,
    first_behind: impl Fn(u64) -> rusqlite::Result<Option<u64>>,
) -> rusqlite::Result<Option<Position>> {
    let mut journal = db.prepare_cached("SELECT first, next, evicted_to FROM journal")?;
    let (first, next, of_all) =
        journal.query_row([], |row| Ok((number(row, 0)?, number(row, 1)?, number(row, 2)?)))?;
    let evicted_to = evicted_to.unwrap_or(of_all);
    let after = after(page).unwrap_or(0);
    let of_another_journal = after != 0 && after.saturating_add(1) < first;
    let reaches = match page.order {
        Order::Ascending => after < evicted_to,
        Order::Descending => !more && evicted_to > 0,
    };
    if !reaches && !of_another_journal {
        return Ok(None);
    }
    Ok(Some(Position(first_behind(evicted_to)?.unwrap_or(next))))
}

/// The kept bytes that stand before `offset`, at most the last `bytes` of them, and none that stand before a gap.
pub(super) fn before(
    db: &Connection,
    id: ConnectionId,
    direction: Direction,
    offset: u64,
    bytes: usize,
) -> rusqlite::Result<Vec<u8>> {
    let Some(connection) = position_of(db, id)? else { return Ok(Vec::new()) };
    let places = Places::new(db)?;
    let Some(last) = last_before(&places, connection, direction, offset)? else { return Ok(Vec::new()) };
    let mut exchanges = places.trail(connection, Range { first: 0, last }, Order::Descending);
    let (mut parts, mut left, mut offset) = (Vec::new(), bytes, offset);
    while left > 0
        && let Some(exchange) = exchanges.next_exchange()?
    {
        if !exchange.has(direction) {
            continue;
        }
        let (from, to) = exchange.kept(direction);
        // What is kept is the beginning of a message: it reaches up to the offset, or there is a gap.
        if to < offset || from >= offset {
            break;
        }
        let wanted = usize::try_from(offset - from).unwrap_or(usize::MAX);
        let payload = exchange.payload(db, direction, wanted)?;
        let part = payload.slice(wanted.saturating_sub(left)..wanted.min(payload.len()));
        left -= part.len();
        offset = from;
        parts.push(part);
    }
    parts.reverse();
    Ok(parts.concat())
}

/// The last exchange of a connection whose bytes of a direction begin before `offset`: offsets grow with positions.
fn last_before(
    places: &Places<'_>,
    connection: u64,
    direction: Direction,
    offset: u64,
) -> rusqlite::Result<Option<u64>> {
    let edge = |order| -> rusqlite::Result<Option<u64>> {
        Ok(places.all(connection, order).next_exchange()?.map(|exchange| exchange.position))
    };
    let (Some(mut low), Some(mut high)) = (edge(Order::Ascending)?, edge(Order::Descending)?) else {
        return Ok(None);
    };
    let mut found = None;
    while low <= high {
        let middle = low + (high - low) / 2;
        let up_to = Range { first: low, last: middle };
        match places.trail(connection, up_to, Order::Descending).next_exchange()? {
            Some(exchange) if exchange.kept(direction).0 >= offset => {
                match exchange.position.checked_sub(1) {
                    Some(before) => high = before,
                    None => break,
                }
            }
            Some(exchange) => {
                found = Some(exchange.position);
                low = middle + 1;
            }
            None => low = middle + 1,
        }
    }
    Ok(found)
}

/// One connection, with its first `messages` messages, whole, but no more than `budget` payload bytes of them.
pub(super) fn one_connection(
    db: &Connection,
    names: &Names,
    id: ConnectionId,
    messages: usize,
    budget: usize,
) -> rusqlite::Result<Option<ConnectionRecord>> {
    let places = Places::new(db)?;
    let Some(owner) = Owner::of(db, names, &places, id)? else { return Ok(None) };
    owner.record(db, &places, (messages, usize::MAX), budget).map(|(_, record)| Some(record))
}
