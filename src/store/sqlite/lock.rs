//! One process a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use super::open::OpenError;

/// The file whose lock says that the directory is in use, and which names who uses it.
const FILE: &str = "answerback.lock";

/// The lock of a data directory, held until it is dropped: at the latest when the process ends, however it does.
#[derive(Debug)]
pub(super) struct DirectoryLock(
    #[expect(dead_code, reason = "the lock lives as long as the file is open")] File,
);

impl DirectoryLock {
    /// Takes the lock, and writes down who has it.
    pub(super) fn take(directory: &Path) -> Result<Self, OpenError> {
        let failed = |cause: io::Error| OpenError::Directory { path: directory.to_owned(), cause };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(directory.join(FILE)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                let mut note = || {
                    file.set_len(0)?;
                    file.rewind()?;
                    writeln!(file, "{}", std::process::id())
                };
                note().map_err(failed)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // What it says is for people only.
                let _ = file.read_to_string(&mut text);
                Err(OpenError::InUse { path: directory.to_owned(), pid: text.trim().parse().ok() })
            }
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}
