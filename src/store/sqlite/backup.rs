//! A copy of the database that is whole and of one moment, while a service goes on recording into it.
//!
//! SQLite's online backup copies the pages. A read transaction pins the moment first: without it, each commit of the
//! service would make the copy start over. The service is not held up; only its write-ahead log grows until the copy is
//! made. The copy is written under another name and gets its own when it is whole, checked and on the disk.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use rusqlite::backup::{Backup as Copying, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use tokio_util::sync::CancellationToken;

use super::backup_error::BackupError;
use super::migrate::APPLICATION_ID;
use super::open::DATABASE;

/// The files of a data directory that a backup must not be called like.
const OWN_FILES: [&str; 5] =
    [DATABASE, "answerback.db-wal", "answerback.db-shm", "answerback.db-journal", "answerback.lock"];

/// What an unfinished backup is called, behind its name.
const PARTIAL: &str = ".partial";

/// What SQLite calls the files that it puts beside a database while it writes.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Pages that are copied at a time: 1 MiB, between two looks at whether to stop.
const STEP: i32 = 256;

/// SQLite's instructions between two looks at whether to stop while it checks the copy: well below a millisecond.
const CHECK_STEP: i32 = 10_000;

/// How long to wait for another process that has the whole database for itself for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// A backup to be made.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The data directory.
    pub directory: PathBuf,
    /// The file that it is copied to.
    pub file: PathBuf,
    /// What is to be done where that file is there already.
    pub existing: Existing,
}

/// What is to be done with a file that is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and no backup is made.
    Keep,
    /// It is replaced once the backup is whole; until then it stays.
    Replace,
}

/// How far a backup has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many of so many bytes are copied.
    Copied {
        /// Bytes that are.
        done: u64,
        /// Bytes that will be.
        total: u64,
    },
    /// All are; the copy is read again and checked.
    Checking,
}

/// Makes the backup; its size in bytes. Takes as long as it takes to copy and to read that much: not for a thread that
/// others wait for. `watch` is told how far it is, and `stop` ends it early.
///
/// The database is read and nothing else: no page of it is written, and what its log holds stays in its log.
///
/// # Errors
/// Why there is none; nothing of it is left then.
pub fn back_up(
    backup: &Backup,
    stop: &CancellationToken,
    watch: &mut dyn FnMut(Progress),
) -> Result<u64, BackupError> {
    let path = backup.directory.join(DATABASE);
    check_place(backup)?;
    let source = open_source(&path)?;
    let reading = |error: rusqlite::Error| BackupError::reading(&path, &error);
    // It lasts until the copy is made: this is the moment that the backup shows.
    let moment = source.unchecked_transaction().map_err(reading)?;
    let total = inspect(&source, &path)?;
    let partial = Partial::create(&backup.file, total)?;
    copy(&source, &path, &partial, stop, watch)?;
    drop(moment);
    drop(source);
    watch(Progress::Checking);
    check(&path, &partial, stop)?;
    if stop.is_cancelled() {
        return Err(BackupError::Cancelled);
    }
    partial.finish(backup.existing)?;
    Ok(total)
}

/// What is known to fail before anything is copied.
fn check_place(backup: &Backup) -> Result<(), BackupError> {
    let file = &backup.file;
    let Some(name) = file.file_name().filter(|_| !file.as_os_str().as_bytes().ends_with(b"/")) else {
        return Err(BackupError::NotAFile { path: file.clone() });
    };
    let is_same = |a: &Path, b: &Path| match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    if OWN_FILES.iter().any(|own| name == *own) && is_same(directory_of(file), &backup.directory) {
        return Err(BackupError::OwnFile { path: file.clone() });
    }
    match fs::symlink_metadata(file) {
        Ok(found) if !found.is_file() => Err(BackupError::NotAFile { path: file.clone() }),
        Ok(_) if backup.existing == Existing::Keep => Err(BackupError::InTheWay { path: file.clone() }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BackupError::writing(file, 0, &error)),
        _ => Ok(()),
    }
}

/// The directory in which a file is or will be.
fn directory_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a database that is there. Where nobody has it open, SQLite makes the two files beside it that a reader needs;
/// they are gone again at the end, unless records of a service that was killed are in one of them.
fn open_source(path: &Path) -> Result<Connection, BackupError> {
    let unreadable =
        |error: io::Error| BackupError::Unreadable { path: path.to_owned(), cause: error.to_string() };
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(BackupError::NotADatabase { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(BackupError::NoDatabase { path: path.to_owned() });
        }
        Err(error) => return Err(unreadable(error)),
    }
    let reading = |error: rusqlite::Error| BackupError::reading(path, &error);
    // Absolute, because SQLite takes what begins with `file:` for a URI. Writable, because only such a connection takes
    // the files that it made away again; `query_only` keeps it from writing.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(absolute(path).map_err(unreadable)?, flags).map_err(reading)?;
    source.busy_timeout(BUSY).map_err(reading)?;
    source.pragma_update(None, "query_only", true).map_err(reading)?;
    let log = fs::metadata(with_suffix(path, "-wal"));
    if log.is_ok_and(|log| log.len() > 0) {
        // Whoever closes a database last writes its log into it; that is the service's to do.
        source.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(reading)?;
    }
    Ok(source)
}

/// Looks at whose database it is, which begins to read; its size in bytes.
fn inspect(source: &Connection, path: &Path) -> Result<u64, BackupError> {
    let reading = |error: rusqlite::Error| BackupError::reading(path, &error);
    let number = |query: &str| source.query_row(query, [], |row| row.get::<_, i64>(0)).map_err(reading);
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (tables, number("PRAGMA application_id")?) {
        (0, 0) => return Err(BackupError::Empty { path: path.to_owned() }),
        (_, owner) if owner != i64::from(APPLICATION_ID) => {
            return Err(BackupError::Foreign { path: path.to_owned() });
        }
        _ => {}
    }
    let size = number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?);
    Ok(u64::try_from(size).unwrap_or(0))
}

fn copy(
    source: &Connection,
    path: &Path,
    partial: &Partial<'_>,
    stop: &CancellationToken,
    watch: &mut dyn FnMut(Progress),
) -> Result<(), BackupError> {
    let writing = |error: rusqlite::Error| partial.failed(&error);
    let mut target = partial.open()?;
    let copying = Copying::new(source, &mut target).map_err(writing)?;
    loop {
        if stop.is_cancelled() {
            return Err(BackupError::Cancelled);
        }
        let step = copying.step(STEP).map_err(|error| match is_of_reading(&error) {
            true => BackupError::reading(path, &error),
            false => writing(error),
        })?;
        let pages = copying.progress();
        let [done, total] =
            [pages.pagecount - pages.remaining, pages.pagecount].map(|n| u64::try_from(n).unwrap_or(0));
        let size = partial.size;
        watch(Progress::Copied { done: size.saturating_mul(done) / total.max(1), total: size });
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // The moment is pinned and nobody else knows the copy, so nobody can hold it up.
            _ => return Err(partial.unwritable("it is locked by another program")),
        }
    }
    drop(copying);
    // The copy says of itself that it has a log beside it, as the database has. One file without is easier to keep, and can
    // be read where nothing can be written; the service that it is given to makes a log of its own.
    let mode: String =
        target.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).map_err(writing)?;
    if mode != "delete" {
        return Err(partial.unwritable(&format!("its journal mode stays {mode}")));
    }
    target.close().map_err(|(_, error)| writing(error))
}

/// Whether the database is at fault, where one call reads it and writes the copy.
fn is_of_reading(error: &rusqlite::Error) -> bool {
    let Some(error) = error.sqlite_error() else { return false };
    matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        || matches!(error.extended_code, ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ)
}

/// Reads the whole copy: what is broken in the database would be broken in it too, and is better known today.
fn check(path: &Path, partial: &Partial<'_>, stop: &CancellationToken) -> Result<(), BackupError> {
    let mut target = partial.open()?;
    let writing = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => BackupError::Cancelled,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => BackupError::reading(path, &error),
        _ => partial.failed(&error),
    };
    let interrupt = stop.clone();
    target.progress_handler(CHECK_STEP, Some(move || interrupt.is_cancelled())).map_err(writing)?;
    let verdict: String = target.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(writing)?;
    if verdict != "ok" {
        return Err(BackupError::Damaged { path: path.to_owned(), cause: verdict.replace('\n', ": ") });
    }
    target.close().map_err(|(_, error)| writing(error))
}

/// A backup that is not finished: dropped, it leaves nothing.
struct Partial<'a> {
    file: &'a Path,
    path: PathBuf,
    /// Bytes that it will have.
    size: u64,
    /// It has its name, and there is nothing to take away.
    is_finished: bool,
}

impl<'a> Partial<'a> {
    /// A new file, for this user alone: what clients send may be secret.
    fn create(file: &'a Path, size: u64) -> Result<Self, BackupError> {
        let failed = |error: &io::Error| BackupError::writing(file, size, error);
        let path = absolute(with_suffix(file, PARTIAL)).map_err(|error| failed(&error))?;
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => Ok(Self { file, path, size, is_finished: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::Unfinished { path: with_suffix(file, PARTIAL) })
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// Nothing of it is worth a log or a flush before all of it is there.
    fn open(&self) -> Result<Connection, BackupError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&self.path, flags).and_then(|db| {
            db.pragma_update(None, "synchronous", "OFF")?;
            db.pragma_update(None, "journal_mode", "OFF")?;
            Ok(db)
        });
        opened.map_err(|error| self.failed(&error))
    }

    /// Gives it its name, once it is on the disk.
    fn finish(mut self, existing: Existing) -> Result<(), BackupError> {
        let named = File::open(&self.path).and_then(|file| file.sync_all()).and_then(|()| match existing {
            Existing::Replace => fs::rename(&self.path, self.file),
            Existing::Keep => name_new(&self.path, self.file),
        });
        self.is_finished = named.is_ok();
        match named.and_then(|()| File::open(directory_of(self.file))?.sync_all()) {
            Ok(()) => Ok(()),
            // Some file systems cannot flush a directory: what can be done is done.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(BackupError::InTheWay { path: self.file.to_owned() })
            }
            Err(error) => Err(BackupError::writing(self.file, self.size, &error)),
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> BackupError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => BackupError::Full { path: self.file.to_owned(), needed: self.size },
            _ => self.unwritable(&error.to_string()),
        }
    }

    fn unwritable(&self, cause: &str) -> BackupError {
        BackupError::Unwritable { path: self.file.to_owned(), cause: cause.to_owned() }
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        // What was never made is not there.
        let _ = fs::remove_file(&self.path);
        for companion in COMPANIONS {
            let _ = fs::remove_file(with_suffix(&self.path, companion));
        }
    }
}

/// Renames without replacing what has come meanwhile: a link fails where a rename would not. Where a file system has no
/// links, a last look must do.
fn name_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if fs::symlink_metadata(to).is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
