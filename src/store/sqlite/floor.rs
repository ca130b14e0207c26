//! Free space on the disk that is left to others.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::ffi;

/// How long an answer of the file system is good for: even a fast disk does not fill by much meanwhile.
const FRESH: Duration = Duration::from_millis(20);

/// Refuses to write when less than so many bytes are free.
pub(super) struct DiskFloor {
    directory: PathBuf,
    bytes: u64,
    checked: Option<Instant>,
}

impl DiskFloor {
    /// `bytes` of 0 is no floor.
    pub(super) const fn new(directory: PathBuf, bytes: u64) -> Self {
        Self { directory, bytes, checked: None }
    }

    /// An error where there is less than the floor.
    pub(super) fn check(&mut self) -> rusqlite::Result<()> {
        if self.bytes == 0 || self.checked.is_some_and(|checked| checked.elapsed() < FRESH) {
            return Ok(());
        }
        self.check_now()
    }

    /// The same, asked of the file system now.
    pub(super) fn check_now(&mut self) -> rusqlite::Result<()> {
        self.checked = None;
        // What the file system does not tell cannot be kept to.
        let Ok(known) = rustix::fs::statvfs(&self.directory) else { return Ok(()) };
        let free = known.f_bavail.saturating_mul(known.f_frsize);
        if free < self.bytes {
            let message =
                format!("only {free} bytes are free on its disk, and min_free_disk is {}", self.bytes);
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), Some(message)));
        }
        self.checked = Some(Instant::now());
        Ok(())
    }
}
