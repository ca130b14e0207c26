//! Why there is no backup.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why there is no backup. Nothing of one is left then, and the database is as it was.
#[derive(Debug, Error)]
pub enum BackupError {
    /// Nothing has been recorded in that directory, or it is another one.
    #[error("there is no database at {}; --data-dir names the directory of the service whose records you want", path.display())]
    NoDatabase {
        /// Where it would be.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{} is no database; nothing was copied", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A database, but not of this program.
    #[error("{} is a database of another program; nothing was copied", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A service is about to make its first tables in it, or never came so far.
    #[error("{} is empty: no service has recorded anything there yet", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened.
    #[error("{} cannot be read: {cause}; run this as the user of the service: whoever reads a database that is in use must be able to write in its directory", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system or SQLite said.
        cause: String,
    },
    /// Its inside is broken.
    #[error("{} is damaged: {cause}; a copy would be too, so none was kept. `sqlite3 FILE .recover` saves what can be saved", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The backup would replace something.
    #[error("{} is there already; choose another name, or replace it with --force", path.display())]
    InTheWay {
        /// What is there.
        path: PathBuf,
    },
    /// Something that a backup never replaces.
    #[error("{} is no ordinary file, and nothing else is replaced; choose another name", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// The name is one of the files that the journal itself is made of.
    #[error("{} is a name of the journal's own files; choose another", path.display())]
    OwnFile {
        /// The name.
        path: PathBuf,
    },
    /// The unfinished file of another backup.
    #[error("{} is there already: another backup is being made, or was killed; remove that file if none is", path.display())]
    Unfinished {
        /// It.
        path: PathBuf,
    },
    /// The place for the backup cannot be written to.
    #[error("{} cannot be written: {cause}; choose another place", path.display())]
    Unwritable {
        /// The place.
        path: PathBuf,
        /// What the system or SQLite said.
        cause: String,
    },
    /// The disk is full.
    #[error("there is no room for {}: {needed} bytes are needed; choose another disk, or make room", path.display())]
    Full {
        /// The place.
        path: PathBuf,
        /// The size of the backup.
        needed: u64,
    },
    /// Somebody asked for it.
    #[error("stopped before it was done; nothing of the backup was kept")]
    Cancelled,
}

impl BackupError {
    /// What SQLite said while it read the database at `path`.
    pub(super) fn reading(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, cause) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, cause },
            _ => Self::Unreadable { path, cause },
        }
    }

    /// What the system said of the place for the backup, which takes `needed` bytes.
    pub(super) fn writing(path: &Path, needed: u64, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, needed },
            _ => Self::Unwritable { path, cause: error.to_string() },
        }
    }
}
