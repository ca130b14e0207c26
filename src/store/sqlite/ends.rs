//! The ends of connections, in their own order.
//!
//! An end has a position, but no row of its own: some dozen stand in one row together, each as four bytes of how far it is from
//! the first, and eight of where its connection stands. The newest stand in the row of the journal, which every commit writes
//! anyway: an end costs no page of its own.

use rusqlite::{Connection as Database, params};

use crate::domain::{CloseReason, Timestamp};

use super::super::cursor::Position;
use super::super::journal::EndRecord;
use super::super::query::{EndQuery, Order, Page, PageRequest};
use super::answer::evicted_before;
use super::apply::Writing;
use super::names::Names;
use super::page::{Owner, position_of};
use super::places::Places;
use super::row::{number, signed};
use super::sieve::Sieve;

/// Bytes of one end.
const END: usize = 12;

/// Ends that stand in the row of the journal at most: 768 bytes.
const NEWEST: usize = if cfg!(test) { 3 } else { 64 };

/// How far from the first an end of the same row may be: four bytes say it. A journal in which few clients go but many bytes
/// cross takes days for that.
const FARTHEST: u64 = u32::MAX as u64;

/// Ends that are looked at for one page.
const LOOKS: usize = 4_096;

/// An end: its position, and that of its connection.
type End = (u64, u64);

impl Writing<'_, '_> {
    /// A connection ends here.
    pub(super) fn note_end(&mut self, connection: u64) {
        let position = self.state.take_position();
        self.state.ends.push((position, connection));
    }

    /// What of the ends goes into the row of the journal. Where that is too much, all of it goes into the table.
    pub(super) fn newest_ends(&mut self) -> rusqlite::Result<Vec<u8>> {
        let ends = &mut self.state.ends;
        let (Some((first, _)), Some((last, _))) = (ends.first(), ends.last()) else { return Ok(Vec::new()) };
        let (first, last) = (*first, *last);
        if ends.len() > NEWEST || last - first > FARTHEST {
            for (first, row) in rows_of(ends) {
                let last = row.last().map_or(first, |(last, _)| *last);
                self.statements.ends.execute(params![signed(first), signed(last), listed(first, row)])?;
            }
            ends.clear();
            return Ok(Vec::new());
        }
        let mut newest = first.to_be_bytes().to_vec();
        newest.extend(listed(first, ends));
        Ok(newest)
    }

    /// Removes the ends of what is gone: those before the oldest connection that is left are of none.
    pub(super) fn forget_ends(&self) -> rusqlite::Result<()> {
        let mut forget = self.db.prepare_cached(
            "DELETE FROM ends WHERE first < coalesce((SELECT min(position) FROM connections), ?1)
             AND last < coalesce((SELECT min(position) FROM connections), ?1)",
        )?;
        forget.execute([signed(self.state.next)]).map(|_| ())
    }
}

/// Ends that stand in one row: those that are not too far from the first of them.
fn rows_of(mut ends: &[End]) -> impl Iterator<Item = (u64, &[End])> {
    std::iter::from_fn(move || {
        let (first, _) = *ends.first()?;
        let (row, rest) = ends.split_at(ends.partition_point(|(position, _)| position - first <= FARTHEST));
        ends = rest;
        Some((first, row))
    })
}

fn listed(first: u64, ends: &[End]) -> Vec<u8> {
    let mut listed = Vec::with_capacity(ends.len() * END);
    for (position, connection) in ends {
        // No end of a row is farther away than that.
        let distance = u32::try_from(position - first).unwrap_or(u32::MAX);
        listed.extend_from_slice(&distance.to_be_bytes());
        listed.extend_from_slice(&connection.to_be_bytes());
    }
    listed
}

fn ends_of(first: u64, listed: &[u8]) -> impl Iterator<Item = End> + '_ {
    listed.as_chunks::<END>().0.iter().map(move |[a, b, c, d, connection @ ..]| {
        (first + u64::from(u32::from_be_bytes([*a, *b, *c, *d])), u64::from_be_bytes(*connection))
    })
}

/// The ends that are not in the table yet.
pub(super) fn newest_ends(db: &Database) -> rusqlite::Result<Vec<End>> {
    db.prepare_cached("SELECT newest_ends FROM journal")?.query_row([], |row| {
        let newest = row.get_ref(0)?.as_blob()?;
        let split = newest.split_first_chunk::<8>();
        Ok(split
            .map_or_else(Vec::new, |(first, listed)| ends_of(u64::from_be_bytes(*first), listed).collect()))
    })
}

/// Ends the connections that were open when the process before this one died.
pub(super) fn end_after_crash(db: &Database, now: Timestamp) -> rusqlite::Result<usize> {
    let transaction = db.unchecked_transaction()?;
    let open = transaction
        .prepare("SELECT position FROM connections WHERE closed_at IS NULL ORDER BY position")?
        .query_map([], |row| number(row, 0))?
        .collect::<Result<Vec<_>, _>>()?;
    if open.is_empty() {
        return Ok(0);
    }
    transaction.execute(
        "UPDATE connections SET closed_at = ?1, close_reason = ?2 WHERE closed_at IS NULL",
        params![now.as_micros(), CloseReason::Crash.as_str()],
    )?;
    let next = transaction.query_row("SELECT next FROM journal", [], |row| number(row, 0))?;
    let (crashed, after) = (open.len(), next + open.len() as u64);
    // Those before them go into the table too, or they would stand behind them there.
    for ends in [newest_ends(&transaction)?, (next..).zip(open).collect()] {
        if let (Some((first, _)), Some((last, _))) = (ends.first(), ends.last()) {
            transaction.execute(
                "INSERT INTO ends (first, last, listed) VALUES (?1, ?2, ?3)",
                params![signed(*first), signed(*last), listed(*first, &ends)],
            )?;
        }
    }
    transaction.execute("UPDATE journal SET next = ?1, newest_ends = x''", [signed(after)])?;
    transaction.commit()?;
    Ok(crashed)
}

pub(super) fn end_page(db: &Database, names: &Names, query: &EndQuery) -> rusqlite::Result<Page<EndRecord>> {
    let wanted = query.connection.map(|id| position_of(db, id)).transpose()?;
    let (sieve, places) = (Sieve::new(db, &query.filter)?, Places::new(db)?);
    let Position(after) = query.after;
    let (mut items, mut last, mut looks, mut more) = (Vec::new(), None, 0, false);
    let ends = some_ends(db, after)?;
    for (position, connection) in ends {
        if items.len() >= query.limit || looks >= LOOKS {
            more = true;
            break;
        }
        looks += 1;
        last = Some(position);
        let is_wanted = wanted.is_none_or(|wanted| wanted == Some(connection));
        // One that is evicted or forgotten has taken its end along.
        if is_wanted
            && (sieve.is_open() || sieve.has(db, connection)?)
            && let Some(owner) = Owner::at(db, names, &places, connection)?
        {
            let (_, connection) = owner.record(db, &places, (0, 0), usize::MAX)?;
            items.push(EndRecord { position: Position(position), connection });
        }
    }
    let page =
        PageRequest { order: Order::Ascending, after: Some(query.after), limit: query.limit, budget: 0 };
    let evicted_before = evicted_before(db, page, more, None, |to| Ok(Some(to + 1)))?;
    Ok(Page { items, last: last.map(Position), more, evicted_before })
}

/// The ends behind a position, and one more than are looked at.
fn some_ends(db: &Database, after: u64) -> rusqlite::Result<Vec<End>> {
    let mut rows = db.prepare_cached(
        "SELECT first, listed FROM ends
         WHERE first >= coalesce((SELECT max(first) FROM ends WHERE first <= ?1), 0) ORDER BY first",
    )?;
    let mut rows = rows.query([signed(after)])?;
    let mut ends = Vec::new();
    while let Some(row) = rows.next()? {
        let some = ends_of(number(row, 0)?, row.get_ref(1)?.as_blob()?);
        ends.extend(some.filter(|(position, _)| *position > after));
        if ends.len() > LOOKS {
            return Ok(ends);
        }
    }
    ends.extend(newest_ends(db)?.into_iter().filter(|(position, _)| *position > after));
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_are_far_apart_stand_in_rows_of_their_own_and_are_read_back() {
        let far = 5 << 32;
        let ends = [(7, 1), (8, 2), (7 + FARTHEST, 3), (8 + FARTHEST, 4), (far, 5)];
        let rows: Vec<_> = rows_of(&ends).collect();
        assert_eq!(
            rows.iter().map(|(first, row)| (*first, row.len())).collect::<Vec<_>>(),
            [(7, 3), (8 + FARTHEST, 1), (far, 1)]
        );
        let read: Vec<_> = rows
            .iter()
            .flat_map(|(first, row)| ends_of(*first, &listed(*first, row)).collect::<Vec<_>>())
            .collect();
        assert_eq!(read, ends);
    }
}
