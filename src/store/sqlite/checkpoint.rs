//! The log goes into the database: most of it on a thread of its own, beside the writer, and the rest between two batches.
//!
//! That costs two flushes and, on a busy journal, some ten milliseconds: too long for all clients to wait. But only when
//! all of the log is in the database does it start over, and as long as the writer writes there is always some that is not.
//! So the thread does the long part, and the writer what came meanwhile.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::domain::Durability;

use super::open::open_for_checkpoints;

/// Pages of the log after which it goes into the database: 16 MiB. Pages that are written again and again, such as the ends
/// of the tables, are copied once for all of that.
const LOG: i64 = 4_096;

/// Pages that the writer takes over itself: about a millisecond.
const REST: i64 = 512;

/// The longest the log may become while the thread is at it: then the writer waits.
const LONGEST: i64 = 8 * LOG;

/// How often the thread is asked for the same log before the writer does the rest, however much it is.
const ATTEMPTS: u32 = 4;

/// Brings the log into the database.
pub(super) struct Checkpoints {
    /// The log is looked at again when it has this many pages.
    next: i64,
    /// How often the thread was asked since the log started over.
    asked: u32,
    is_running: bool,
    thread: Option<Thread>,
}

struct Thread {
    ask: SyncSender<()>,
    answers: Receiver<rusqlite::Result<Progress>>,
    handle: JoinHandle<()>,
}

/// Pages of the log, and how many of them are in the database.
struct Progress {
    log: i64,
    done: i64,
}

impl Checkpoints {
    /// With a thread for the database at `path`. Where there can be no thread, the writer does it all.
    pub(super) fn new(path: &Path, durability: Durability) -> Self {
        Self { next: LOG, asked: 0, is_running: false, thread: Thread::start(path, durability) }
    }

    /// The log has this many pages: does what is to be done about it.
    pub(super) fn go_on(&mut self, db: &Connection, log: i64) -> rusqlite::Result<()> {
        if log < self.next {
            return Ok(());
        }
        let Some(progress) = self.answer(log)? else { return Ok(()) };
        let rest = progress.map_or(log, |progress| log - progress.done);
        if rest > REST && self.asked < ATTEMPTS && self.ask() {
            return Ok(());
        }
        let Progress { log, done } = checkpoint(db)?;
        // A reader may keep a part of it back: then it is tried again when there is as much again.
        self.next = if done >= log { LOG } else { log + LOG };
        self.asked = 0;
        Ok(())
    }

    /// Brings all of the log into the database, and with that gives the file its size. False where others are in the way.
    pub(super) fn now(&mut self, db: &Connection) -> rusqlite::Result<bool> {
        if self.is_running {
            self.answer(LONGEST)?;
        }
        checkpoint(db).map(|Progress { log, done }| done >= log)
    }

    /// What the thread has done; `None` while it is at it.
    fn answer(&mut self, log: i64) -> rusqlite::Result<Option<Option<Progress>>> {
        let Some(thread) = self.thread.as_ref().filter(|_| self.is_running) else { return Ok(Some(None)) };
        let answer = if log < LONGEST {
            match thread.answers.try_recv() {
                Ok(answer) => Some(answer),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => None,
            }
        } else {
            thread.answers.recv().ok()
        };
        self.is_running = false;
        Ok(Some(answer.transpose()?))
    }

    fn ask(&mut self) -> bool {
        self.is_running = self.thread.as_ref().is_some_and(|thread| thread.ask.try_send(()).is_ok());
        self.asked += 1;
        self.is_running
    }
}

impl Drop for Checkpoints {
    /// Waits for the thread: nobody else has the file when it is opened again.
    fn drop(&mut self) {
        if let Some(Thread { ask, answers, handle }) = self.thread.take() {
            drop((ask, answers));
            let _ = handle.join();
        }
    }
}

impl Thread {
    fn start(path: &Path, durability: Durability) -> Option<Self> {
        // Opened now, files and all: later there may be no descriptors left.
        let db = open_for_checkpoints(path, durability).ok()?;
        let (ask, asked) = sync_channel(1);
        let (tell, answers) = sync_channel(1);
        let work = move || {
            while asked.recv().is_ok() {
                if tell.send(checkpoint(&db)).is_err() {
                    return;
                }
            }
        };
        let handle = thread::Builder::new().name("checkpoint".to_owned()).spawn(work).ok()?;
        Some(Self { ask, answers, handle })
    }
}

/// Copies what it can without waiting for anybody.
fn checkpoint(db: &Connection) -> rusqlite::Result<Progress> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok(Progress { log: row.get(1)?, done: row.get(2)? })
    })
}
