//! What the writer does between batches: the log goes into the database, the old goes, the file shrinks.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::domain::Timestamp;

use super::apply::Writing;
use super::checkpoint::Checkpoints;
use super::command::PURGE;
use super::evict::Bounds;
use super::shared::Shared;
use super::state::State;
use super::writer::transact;

/// How often the writer looks after the journal when nothing comes.
const ALONE: Duration = Duration::from_secs(1);

/// The least time between two steps where there is no pause. Steps take a tenth of the time at most.
const REST: Duration = Duration::from_millis(20);
const SHARE: u32 = 9;

/// How often the age of the oldest is looked at.
const AGE: Duration = Duration::from_secs(1);

/// Records that one step evicts.
const STEP: u64 = 512;

/// Free pages that one step gives back, and how many there must be, in all and among all, before any are: a journal that
/// stays at its bound writes into the pages that it freed.
const VACUUM_STEP: i64 = 128;
const VACUUM_LEAST: i64 = 512;
const VACUUM_SHARE: i64 = 8;

thread_local! {
    /// Pages in the log after the newest commit of this thread.
    static LOG: Cell<i64> = const { Cell::new(0) };
}

/// What is to be done, and when.
pub(super) struct Upkeep {
    checkpoints: Checkpoints,
    aged: Instant,
    /// When the last step ended, and how long there is none after it unless nobody waits.
    stepped: Instant,
    rest: Duration,
    /// Pages may have become free since they were last counted.
    may_shrink: bool,
    /// Pages were given back, in the log: the file itself is as large as before.
    has_shrunk: bool,
    /// The last step left something to do.
    is_behind: bool,
}

impl Upkeep {
    pub(super) fn new(checkpoints: Checkpoints) -> Self {
        let now = Instant::now();
        Self {
            checkpoints,
            aged: now,
            stepped: now,
            rest: REST,
            may_shrink: true,
            has_shrunk: false,
            is_behind: false,
        }
    }

    /// From now on this thread knows how long the log is.
    pub(super) fn watch_log(db: &mut Connection) {
        fn note(_: &mut Wal, pages: i32) -> rusqlite::Result<()> {
            LOG.set(i64::from(pages));
            Ok(())
        }
        // It is refused only to a connection that threads share.
        let _ = db.wal_hook(Some(note));
    }

    /// How long the writer may wait for work. Some things change by themselves: the age of the oldest, and the room on the
    /// disk.
    pub(super) const fn patience(&self, state: &State) -> Duration {
        if self.is_behind || self.may_shrink || state.has_doomed { Duration::ZERO } else { ALONE }
    }

    /// A batch evicted some, and may have left more to be evicted; or it had commands, which may have removed some.
    pub(super) const fn evicted(&mut self, records: u64, more: bool, commands: bool) {
        self.may_shrink |= records > 0 || commands;
        self.is_behind |= more;
    }

    /// What must be done even when there is no pause.
    pub(super) fn beside(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.checkpoints.go_on(db, LOG.get())
    }

    /// What cannot wait for a pause for ever, since there may never be one: now and then, a small step of it.
    pub(super) fn between(&mut self, writing: &mut Writing<'_, '_>, shared: &Shared) -> rusqlite::Result<()> {
        if self.stepped.elapsed() < self.rest {
            return Ok(());
        }
        let began = Instant::now();
        self.step(writing, shared)?;
        self.stepped = Instant::now();
        self.rest = REST.max(SHARE * (self.stepped - began));
        Ok(())
    }

    /// What is done when nobody waits, one small step at a time.
    pub(super) fn alone(&mut self, writing: &mut Writing<'_, '_>, shared: &Shared) -> rusqlite::Result<()> {
        if !self.step(writing, shared)? && writing.state.unplaced.has_stale() {
            transact(writing, |writing| {
                writing.clean_places()?;
                writing.sweep_places()
            })?;
            self.may_shrink = true;
        }
        Ok(())
    }

    /// One step; false where there was nothing to do.
    fn step(&mut self, writing: &mut Writing<'_, '_>, shared: &Shared) -> rusqlite::Result<bool> {
        let oldest = shared.oldest().filter(|_| self.aged.elapsed() >= AGE);
        let is_due = self.is_behind || oldest.is_some();
        let did = if is_due && self.evict(writing, shared, &shared.retention.bounds(oldest))? > 0 {
            true
        } else if writing.state.has_doomed {
            transact(writing, |writing| writing.purge(PURGE))?;
            self.may_shrink = true;
            true
        } else if self.may_shrink {
            self.shrink(writing.db)?;
            true
        } else {
            self.settle_size(writing.db)?;
            false
        };
        shared.status.publish(writing.state);
        self.beside(writing.db)?;
        Ok(did)
    }

    fn evict(
        &mut self,
        writing: &mut Writing<'_, '_>,
        shared: &Shared,
        bounds: &Bounds,
    ) -> rusqlite::Result<u64> {
        let (evicted, more) = transact(writing, |writing| writing.evict(bounds, STEP))?;
        shared.status.count_evicted(evicted);
        if evicted > 0 {
            self.may_shrink = true;
            shared.changes.announce();
        }
        self.is_behind = more;
        // While there is more that is too old, the next step follows at once.
        if !more {
            self.aged = Instant::now();
        }
        Ok(evicted)
    }

    /// Gives the file the size that its pages have. While somebody reads what is older that cannot be; it is tried again.
    fn settle_size(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.has_shrunk = self.has_shrunk && !self.checkpoints.now(db)?;
        Ok(())
    }

    /// Gives pages back to the file system.
    fn shrink(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let number = |pragma: &str| db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
        let (free, all) = (number("freelist_count")?, number("page_count")?);
        if free < VACUUM_LEAST || free < all / VACUUM_SHARE {
            self.may_shrink = false;
            return self.settle_size(db);
        }
        self.has_shrunk = true;
        let mut vacuum = db.prepare_cached(&format!("PRAGMA incremental_vacuum({VACUUM_STEP})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }
}

impl Shared {
    /// What is older than this goes.
    fn oldest(&self) -> Option<Timestamp> {
        let age = i64::try_from(self.retention.age?.as_micros()).unwrap_or(i64::MAX);
        Some(Timestamp::from_micros(self.clock.now().as_micros().saturating_sub(age)))
    }
}
