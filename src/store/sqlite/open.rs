//! Opening the database: what is checked before anything is written.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;

use crate::domain::Durability;

use super::super::cursor::Position;
use super::migrate::{Schema, migrate, schema_of};

/// The database in the data directory.
pub const DATABASE: &str = "answerback.db";

/// SQLite before this may damage a database when its log starts over while another connection writes (fixed in 3.51.3).
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a statement waits for another process, such as a backup or `sqlite3`, that holds the database for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// Memory for pages: of the writer, which comes back to the ends of its tables all the time, and of each reader.
const WRITER_CACHE_KIB: i64 = 16 << 10;
const READER_CACHE_KIB: i64 = 4 << 10;

/// Why a journal on disk could not be opened. Nothing in it was changed then.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory cannot be made or written to.
    #[error("the data directory {} cannot be used: {cause}; choose another with --data-dir, or keep no files with --journal memory", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {} is in use by another answerback{}; stop that one first, or choose another directory with --data-dir", path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other process, if it said who it is.
        pid: Option<u32>,
    },
    /// It may be read but not written.
    #[error("{} cannot be written: {cause}; make it writable for this user, or choose another --data-dir", path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        cause: String,
    },
    /// It is no database, or its inside is broken.
    #[error("{} is damaged: {cause}; nothing was changed. Move it away together with its -wal and -shm files (or put a backup in its place), then start again; `sqlite3 FILE .recover` saves what can be saved", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// It belongs to another program.
    #[error("{} is a database of another program; nothing was changed. Choose another --data-dir", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A later version of this program has written it.
    #[error("{} has schema {found}, which a newer answerback has made; this one knows up to {known}. Nothing was changed: use that version, or another --data-dir", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// Anything else.
    #[error("{} cannot be opened: {cause}", path.display())]
    Other {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        cause: String,
    },
}

impl OpenError {
    /// What SQLite said of `path`, for people.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, cause) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, cause },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, cause }
            }
            _ => Self::Other { path, cause },
        }
    }
}

/// Makes the directory, for this user alone, if it is not there.
pub(super) fn make_directory(directory: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|cause| OpenError::Directory { path: directory.to_owned(), cause })
}

/// Opens the database for the one who writes, and brings it to the present schema.
///
/// The first record of a new one gets the position `first`.
pub(super) fn open_for_writing(
    path: &Path,
    durability: Durability,
    first: Position,
) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of(path, &error);
    let is_new = match fs::metadata(path) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_private(path)?;
            true
        }
        Err(cause) => return Err(OpenError::Directory { path: path.to_owned(), cause }),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::Other { path: path.to_owned(), cause: "its SQLite is too old".to_owned() });
    }
    db.busy_timeout(BUSY).map_err(failed)?;
    if !is_new {
        inspect(&db, path)?;
    }
    if db.is_readonly("main").map_err(failed)? {
        return Err(OpenError::ReadOnly { path: path.to_owned(), cause: "it is read-only".to_owned() });
    }
    configure(&db, durability).map_err(failed)?;
    migrate(&db, first).map_err(failed)?;
    Ok(db)
}

/// Opens the database for one who brings its log into it, beside the writer.
pub(super) fn open_for_checkpoints(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.pragma_update(None, "synchronous", synchronous(durability).0)?;
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    open_log(&db)?;
    Ok(db)
}

/// The first look opens the log too.
fn open_log(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("SELECT count(*) FROM journal", [], |row| row.get::<_, i64>(0)).map(|_| ())
}

/// How SQLite calls a durability, and the number it gives it.
const fn synchronous(durability: Durability) -> (&'static str, i64) {
    match durability {
        Durability::Process => ("NORMAL", 1),
        Durability::Power => ("FULL", 2),
    }
}

/// Opens the database for one who only reads.
pub(super) fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    db.pragma_update(None, "query_only", true)?;
    open_log(&db)?;
    Ok(db)
}

/// SQLite would make it as readable as the umask allows; what clients send may be secret.
fn create_private(path: &Path) -> Result<(), OpenError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(cause) => Err(OpenError::Directory { path: path.to_owned(), cause }),
    }
}

/// Looks at what is there, without a write.
fn inspect(db: &Connection, path: &Path) -> Result<(), OpenError> {
    match schema_of(db).map_err(|error| OpenError::of(path, &error))? {
        Schema::Empty | Schema::Known => Ok(()),
        Schema::Foreign => Err(OpenError::Foreign { path: path.to_owned() }),
        Schema::Newer { found, known } => Err(OpenError::Newer { path: path.to_owned(), found, known }),
    }
}

/// Settings that last as long as the connection, and the two that the file keeps.
fn configure(db: &Connection, durability: Durability) -> rusqlite::Result<()> {
    // Only a file without tables takes it: pages that are free can be given back to the file system later.
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    let (synchronous, expected) = synchronous(durability);
    db.pragma_update(None, "synchronous", synchronous)?;
    db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // The writer decides when: between batches.
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    // The promise stands on these two: they are read back rather than trusted.
    let in_force: i64 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if mode != "wal" || in_force != expected {
        let message =
            format!("it does not keep a write-ahead log here (journal mode {mode}): a network file system?");
        return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(1), Some(message)));
    }
    Ok(())
}
