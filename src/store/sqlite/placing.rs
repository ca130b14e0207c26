//! The writer's part of where exchanges stand: the newest are remembered, and go into the table together.

use std::collections::{HashSet, VecDeque};

use rusqlite::{Connection as Database, OptionalExtension};

use super::apply::Writing;
use super::places::{Places, UNPLACED};
use super::row::{number, signed};

/// Connections whose places are looked through for such that are gone, in one step after a crash.
const SWEPT: u64 = 512;

/// Exchanges that are not in the table yet, and what is in it and gone.
#[derive(Default)]
pub(super) struct Unplaced {
    /// Connection and position, in the order of the positions.
    newest: VecDeque<(u64, u64)>,
    /// Up to here exchanges are in the table.
    pub(super) placed_to: u64,
    /// Connections of which the table has exchanges that were evicted.
    stale: HashSet<u64>,
    /// Such connections are not known by name, because the process before this one died: those from here on are looked at.
    swept_to: Option<u64>,
}

impl Unplaced {
    /// What the database says.
    pub(super) fn load(db: &Database) -> rusqlite::Result<Self> {
        let columns = "placed_to, has_stale_places FROM journal";
        let (placed_to, is_stale) = db.query_row(&format!("SELECT {columns}"), [], |row| {
            Ok((number(row, 0)?, row.get::<_, bool>(1)?))
        })?;
        let mut newest = VecDeque::new();
        let mut rows =
            db.prepare("SELECT connection, position FROM exchanges WHERE position > ?1 ORDER BY position")?;
        let mut rows = rows.query([signed(placed_to)])?;
        while let Some(row) = rows.next()? {
            newest.push_back((number(row, 0)?, number(row, 1)?));
        }
        Ok(Self { newest, placed_to, stale: HashSet::new(), swept_to: is_stale.then_some(0) })
    }

    /// Whether the table has places of exchanges that are gone.
    pub(super) fn has_stale(&self) -> bool {
        !self.stale.is_empty() || self.swept_to.is_some()
    }

    /// Those of a connection.
    fn of(&self, connection: u64) -> impl DoubleEndedIterator<Item = u64> {
        self.newest.iter().filter(move |(of, _)| *of == connection).map(|(_, position)| *position)
    }
}

impl Writing<'_, '_> {
    /// Notes where an exchange stands; now and then all that were noted are written down.
    pub(super) fn note_place(&mut self, connection: u64, position: u64) -> rusqlite::Result<()> {
        let unplaced = &mut self.state.unplaced;
        unplaced.newest.push_back((connection, position));
        if unplaced.newest.len() < UNPLACED {
            return Ok(());
        }
        let mut places: Vec<(u64, u64)> = unplaced.newest.drain(..).collect();
        unplaced.placed_to = self.state.next - 1;
        places.sort_unstable();
        for (connection, position) in places {
            self.statements.place.execute([connection, position].map(signed))?;
        }
        self.clean_places()
    }

    /// The oldest exchange of all was evicted.
    pub(super) fn evicted_place(&mut self, connection: u64, position: u64) -> rusqlite::Result<()> {
        let unplaced = &mut self.state.unplaced;
        if position > unplaced.placed_to {
            unplaced.newest.retain(|(_, other)| *other != position);
            return Ok(());
        }
        unplaced.stale.insert(connection);
        if unplaced.stale.len() < UNPLACED { Ok(()) } else { self.clean_places() }
    }

    /// Removes the places of what was evicted.
    pub(super) fn clean_places(&mut self) -> rusqlite::Result<()> {
        let mut stale: Vec<u64> = self.state.unplaced.stale.drain().collect();
        stale.sort_unstable();
        stale.into_iter().try_for_each(|connection| self.clean_places_of(connection))
    }

    fn clean_places_of(&self, connection: u64) -> rusqlite::Result<()> {
        let mut delete =
            self.db.prepare_cached("DELETE FROM places WHERE connection = ?1 AND position <= ?2")?;
        delete.execute([connection, self.state.evicted_to].map(signed)).map(|_| ())
    }

    /// Looks for places of what was evicted before the process that evicted it died: a step of that, when nobody waits.
    pub(super) fn sweep_places(&mut self) -> rusqlite::Result<()> {
        let mut next = self.db.prepare_cached(
            "SELECT connection FROM places WHERE connection >= ?1 ORDER BY connection LIMIT 1",
        )?;
        for _ in 0..SWEPT {
            let Some(from) = self.state.unplaced.swept_to else { break };
            let connection = next.query_row([signed(from)], |row| number(row, 0)).optional()?;
            if let Some(connection) = connection {
                self.clean_places_of(connection)?;
            }
            self.state.unplaced.swept_to = connection.map(|connection| connection + 1);
        }
        Ok(())
    }

    /// Exchanges of a connection up to a position are gone.
    pub(super) fn forget_places(&mut self, connection: u64, from: u64, to: u64) -> rusqlite::Result<()> {
        self.state.unplaced.newest.retain(|(of, at)| *of != connection || !(from..=to).contains(at));
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM places WHERE connection = ?1 AND position BETWEEN ?2 AND ?3")?;
        delete.execute([connection, from, to].map(signed)).map(|_| ())
    }

    /// Whether messages of the connection are kept.
    pub(super) fn has_exchanges(&self, connection: u64) -> rusqlite::Result<bool> {
        if self.state.unplaced.of(connection).next().is_some() {
            return Ok(true);
        }
        let mut any = self
            .db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM places WHERE connection = ?1 AND position > ?2)")?;
        any.query_row([connection, self.state.evicted_to].map(signed), |row| row.get(0))
    }

    /// Where the exchanges of a connection stand, in the transaction that is under way.
    pub(super) fn places(&self, connection: u64) -> Places<'_> {
        let unplaced = &self.state.unplaced;
        let newer = unplaced.of(connection).collect();
        Places::known(self.db, (unplaced.placed_to, self.state.evicted_to), connection, newer)
    }
}
