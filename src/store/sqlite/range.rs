//! Which parts of the journal a search has to read.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::query::Order;
use super::row::{number, signed};
use super::sieve::Sieve;

/// Positions from the first to the last of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// What the blocks say of a place.
enum Place {
    /// In no block, up to here: it must be read.
    Uncovered(Range),
    /// In a block that may have something.
    Candidate(Range),
    /// In a block that has nothing.
    Barren(Range),
}

/// The next part of `within`, from its beginning in `order`, that may have something; `None` when there is none. `passed`
/// becomes the end of what was passed over.
pub(super) fn next_candidate(
    db: &Connection,
    sieve: &Sieve<'_>,
    order: Order,
    mut within: Range,
    passed: &mut Option<u64>,
) -> rusqlite::Result<Option<Range>> {
    while within.first <= within.last {
        let at = if order == Order::Ascending { within.first } else { within.last };
        match place(db, sieve, order, at)? {
            Place::Uncovered(range) | Place::Candidate(range) => {
                let (first, last) = (range.first.max(within.first), range.last.min(within.last));
                return Ok(Some(Range { first, last }));
            }
            Place::Barren(range) if order == Order::Ascending => {
                *passed = Some(range.last.min(within.last));
                within.first = range.last + 1;
            }
            Place::Barren(range) => {
                *passed = Some(range.first.max(within.first));
                match range.first.checked_sub(1) {
                    Some(last) => within.last = last,
                    None => return Ok(None),
                }
            }
        }
    }
    Ok(None)
}

const COLUMNS: &str = "first, last, since, until, listeners, peers, encodings, trigrams";

fn place(db: &Connection, sieve: &Sieve<'_>, order: Order, at: u64) -> rusqlite::Result<Place> {
    let mut around = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM blocks WHERE first <= ?1 ORDER BY first DESC LIMIT 1"
    ))?;
    let judge = |row: &Row<'_>| {
        let range = Range { first: number(row, 0)?, last: number(row, 1)? };
        if range.last < at {
            return Ok(Err(range));
        }
        Ok(Ok(if sieve.may_be_in(row, 2)? { Place::Candidate(range) } else { Place::Barren(range) }))
    };
    let before = match around.query_row([signed(at)], judge).optional()? {
        Some(Ok(place)) => return Ok(place),
        Some(Err(before)) => before.last + 1,
        None => 0,
    };
    if order == Order::Descending {
        return Ok(Place::Uncovered(Range { first: before, last: at }));
    }
    let mut next = db.prepare_cached("SELECT first FROM blocks WHERE first > ?1 ORDER BY first LIMIT 1")?;
    let next = next.query_row(params![signed(at)], |row| number(row, 0)).optional()?;
    Ok(Place::Uncovered(Range { first: at, last: next.map_or(u64::MAX, |first| first - 1) }))
}
