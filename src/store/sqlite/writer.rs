//! The one who writes: a thread that takes whatever waits, writes it in one transaction, and tells those who wait.
//!
//! ```text
//! writing: take → begin → rows → (evict some) → commit → tell
//!    |  anything failed: roll back, refuse the batch
//!    v
//! failing: refuse whatever comes; now and then open the file anew, make the log whole, write what is owed → writing
//! ```
//!
//! After an error nothing that is in memory is trusted: what the writer knows is loaded from the database, and after an
//! error of the device the file is opened anew and its log written into the database with a flush of its own. A flush that
//! failed is never taken for done because the next one succeeds.

use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::domain::Durability;

use super::super::cursor::Position;
use super::super::journal::JournalError;
use super::apply::Writing;
use super::checkpoint::Checkpoints;
use super::floor::DiskFloor;
use super::open::{OpenError, open_for_writing};
use super::owed::Owed;
use super::queue::{Batch, Taken};
use super::shared::Shared;
use super::state::State;
use super::statements::Statements;
use super::upkeep::Upkeep;

/// How long the journal is left alone after it failed.
const RETRY: Duration = Duration::from_millis(250);

/// Records that one batch evicts beyond those that it brings: some milliseconds.
const EVICT: u64 = 256;

/// Bytes that must be had before a journal that failed is taken for writable again.
const PROOF: i64 = 256 << 10;

/// The writer, on its thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    durability: Durability,
    floor: DiskFloor,
    /// For the first time that it writes.
    checkpoints: Option<Checkpoints>,
    batch: Batch,
    owed: Owed,
}

/// Why writing ended.
enum Stopped {
    /// Everything is written and nothing more will come.
    Closed,
    /// This went wrong.
    Failed(rusqlite::Error),
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, durability: Durability, floor: DiskFloor) -> Self {
        let checkpoints = Some(Checkpoints::new(&shared.path, durability));
        Self { shared, durability, floor, checkpoints, batch: Batch::default(), owed: Owed::default() }
    }

    /// Writes until the queue is closed.
    pub(super) fn run(mut self, db: Connection) {
        let mut next = Some(db);
        while let Some(mut db) = next.take() {
            Upkeep::watch_log(&mut db);
            match self.write(&db) {
                Stopped::Closed => self.close(Some(db)),
                Stopped::Failed(error) => {
                    tracing::error!(%error, "the journal cannot be written: nothing is answered until it can");
                    self.shared.status.fail(unavailable(&error));
                    self.refuse(unavailable(&error));
                    next = self.recover(db, &error);
                }
            }
        }
    }

    /// Writes batch after batch.
    fn write(&mut self, db: &Connection) -> Stopped {
        let (mut statements, mut state) = match (Statements::prepare(db), State::load(db)) {
            (Ok(statements), Ok(state)) => (statements, state),
            (Err(error), _) | (_, Err(error)) => return Stopped::Failed(error),
        };
        let checkpoints = self.checkpoints.take();
        let checkpoints = checkpoints.unwrap_or_else(|| Checkpoints::new(&self.shared.path, self.durability));
        let mut upkeep = Upkeep::new(checkpoints);
        self.shared.status.publish(&state);
        // What was owed is seen from here on.
        self.shared.changes.announce();
        loop {
            let taken = self.shared.queue.take(&mut self.batch, Some(upkeep.patience(&state)));
            let mut writing = Writing { db, statements: &mut statements, state: &mut state };
            let done = match taken {
                Taken::End => return Stopped::Closed,
                Taken::Some => self
                    .write_batch(&mut writing, &mut upkeep)
                    .and_then(|()| upkeep.between(&mut writing, &self.shared)),
                Taken::Nothing => self.floor.check().and_then(|()| upkeep.alone(&mut writing, &self.shared)),
            };
            if let Err(error) = done {
                return Stopped::Failed(error);
            }
        }
    }

    /// Writes what was taken, and says so.
    fn write_batch(&mut self, writing: &mut Writing<'_, '_>, upkeep: &mut Upkeep) -> rusqlite::Result<()> {
        self.floor.check()?;
        let mut answers = Vec::new();
        let bounds = self.shared.retention.bounds(None);
        let (evicted, more) = transact(writing, |writing| {
            writing.apply(&self.batch.records)?;
            for command in &self.batch.commands {
                answers.push(command.run(writing)?);
            }
            writing.evict(&bounds, EVICT + 2 * self.batch.records.len() as u64)
        })?;
        self.shared.status.count_evicted(evicted);
        self.batch.records.clear();
        // Whoever is told looks at once, and finds the figures.
        self.shared.status.publish(writing.state);
        let had_commands = !self.batch.commands.is_empty();
        for (command, answer) in self.batch.commands.drain(..).zip(answers) {
            command.answer(answer);
        }
        take(&mut self.batch.ticket).settle(Ok(()));
        self.shared.queue.done(&mut self.batch);
        self.shared.changes.announce();
        upkeep.evicted(evicted, more, had_commands);
        upkeep.beside(writing.db)
    }

    /// Nothing of the batch is kept, except that its clients came and went.
    fn refuse(&mut self, error: JournalError) {
        self.owed.add(self.batch.records.drain(..));
        for command in self.batch.commands.drain(..) {
            command.refuse(error.clone());
        }
        take(&mut self.batch.ticket).settle(Err(error));
        self.shared.queue.done(&mut self.batch);
    }

    /// Refuses whatever comes until the journal can be written again. `None` when nothing will come any more.
    fn recover(&mut self, db: Connection, error: &rusqlite::Error) -> Option<Connection> {
        // One that cannot be trusted is closed before the file is opened again.
        let mut db = Some(db).filter(|_| !is_of_the_device(error));
        let mut cause = unavailable(error);
        let mut tried = Instant::now();
        loop {
            let patience = RETRY.saturating_sub(tried.elapsed());
            match self.shared.queue.take(&mut self.batch, Some(patience)) {
                Taken::End => {
                    self.close(db);
                    return None;
                }
                Taken::Some => self.refuse(cause.clone()),
                Taken::Nothing => {}
            }
            if tried.elapsed() < RETRY {
                continue;
            }
            tried = Instant::now();
            match self.try_again(&mut db) {
                Ok(()) => {
                    tracing::info!("the journal can be written again");
                    self.shared.status.recovered();
                    self.shared.changes.announce();
                    return db;
                }
                Err(text) => {
                    cause = JournalError::Unavailable(text);
                    self.shared.status.fail(cause.clone());
                }
            }
        }
    }

    /// Opens the file anew where there is none, and writes what is owed.
    fn try_again(&mut self, db: &mut Option<Connection>) -> Result<(), String> {
        let open = match db.take() {
            Some(db) => db,
            None => self.reopen().map_err(|error| error.to_string())?,
        };
        let paid = self.pay(&open);
        if paid.as_ref().err().is_none_or(|error| !is_of_the_device(error)) {
            *db = Some(open);
        }
        paid.map(|()| self.owed.clear()).map_err(|error| error.to_string())
    }

    /// Shows that there is room for more, and writes what is owed.
    fn pay(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.floor.check_now()?;
        // Space that a failed write left behind is no proof: more than that has to be had.
        db.execute("INSERT INTO proof VALUES (zeroblob(?1))", [PROOF])?;
        db.execute("DELETE FROM proof", [])?;
        let (mut statements, mut state) = (Statements::prepare(db)?, State::load(db)?);
        let mut writing = Writing { db, statements: &mut statements, state: &mut state };
        transact(&mut writing, |writing| writing.apply(self.owed.records()))
    }

    /// Opens the file, and writes its whole log into the database: what a failed flush may have lost is written again.
    fn reopen(&self) -> Result<Connection, OpenError> {
        let path = &self.shared.path;
        let db = open_for_writing(path, self.durability, Position(1))?;
        let busy: i64 = db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| OpenError::of(path, &error))?;
        if busy != 0 {
            return Err(OpenError::Other { path: path.clone(), cause: "somebody reads it".to_owned() });
        }
        Ok(db)
    }

    /// The last to use the file leaves no log behind.
    fn close(&mut self, db: Option<Connection>) {
        self.shared.readers.close();
        if let Some(db) = db
            && let Err((_, error)) = db.close()
        {
            tracing::warn!(%error, "the journal's log was not written into the database; the next start does it");
        }
        self.shared.closed.cancel();
    }
}

/// Runs `change` in one transaction: all of it, or nothing.
pub(super) fn transact<'a, 'db, T>(
    writing: &mut Writing<'a, 'db>,
    change: impl FnOnce(&mut Writing<'a, 'db>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    writing.statements.begin.execute([])?;
    let changed = change(writing).and_then(|result| {
        writing.finish()?;
        writing.statements.commit.execute([])?;
        Ok(result)
    });
    // Some errors have rolled back already.
    if changed.is_err() && !writing.db.is_autocommit() {
        let _ = writing.db.execute_batch("ROLLBACK");
    }
    changed
}

fn unavailable(error: &rusqlite::Error) -> JournalError {
    JournalError::Unavailable(error.to_string())
}

/// Whether the error is the device's or the file's: then nothing is certain that was not flushed before.
fn is_of_the_device(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
