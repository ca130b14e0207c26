//! Connections that read beside the writer.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::open::open_for_reading;

/// Questions that are answered at one time: as many as keep two processors busy while one of them waits for the disk.
/// Others wait their turn.
const AT_ONCE: usize = 4;

/// A few connections. They are opened, files and all, before the first client comes: when descriptors have run out, what is
/// on record can still be read.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Readers {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()), turns: Semaphore::const_new(AT_ONCE) }
    }

    /// Opens all of them.
    pub(super) fn open(&self) -> rusqlite::Result<()> {
        let open = (0..AT_ONCE).map(|_| open_for_reading(&self.path)).collect::<Result<Vec<_>, _>>()?;
        self.lock().extend(open);
        Ok(())
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // It is closed when the journal is.
        self.turns.acquire().await.ok()
    }

    /// Answers a question, on a thread that may wait for the disk.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = self.lock().pop();
        let db = match idle {
            Some(db) => db,
            None => open_for_reading(&self.path)?,
        };
        let answer = question(&db);
        // One that met with an error is not asked again.
        if answer.is_ok() && !self.turns.is_closed() {
            self.lock().push(db);
        }
        answer
    }

    /// Nothing is answered any more.
    pub(super) fn close(&self) {
        self.turns.close();
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
