//! A disk of our own: a file with a file system in it, whose power can be cut and which can be filled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Shuts an ext4 down as a power cut would: what is not on the disk is gone, the journal of the file system included.
/// `EXT4_IOC_SHUTDOWN` is `_IOR('X', 125, __u32)`, and its flag 2 is `NOLOGFLUSH`.
const CUT: &str = "\
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A mounted file system that is gone when this is dropped.
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
    _home: TempDir,
}

impl Disk {
    /// One of so many MiB.
    pub(crate) fn new(mebibytes: u64) -> Result<Self> {
        ensure!(cfg!(target_os = "linux"), "this needs Linux");
        ensure!(is_root()?, "this needs root, to mount a file system");
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let (image, mount) = (home.path().join("image"), home.path().join("mount"));
        fs::create_dir(&mount)?;
        fs::File::create(&image)?.set_len(mebibytes << 20)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let disk = Self { image, mount, _home: home };
        disk.attach()?;
        Ok(disk)
    }

    /// A directory on it.
    pub(crate) fn directory(&self) -> PathBuf {
        self.mount.join("data")
    }

    /// Where files that fill it can be put.
    pub(crate) fn root(&self) -> &Path {
        &self.mount
    }

    /// Brings everything that was written to it onto the disk.
    pub(crate) fn flush(&self) -> Result<()> {
        run(Command::new("sync").arg("--file-system").arg(&self.mount))
    }

    /// Cuts its power. Whoever has files open on it gets errors from now on.
    pub(crate) fn cut(&self) -> Result<()> {
        run(Command::new("python3").args(["-c", CUT]).arg(&self.mount))
    }

    /// Takes it away and brings it back, as after a power cut. Nobody may have a file open on it.
    pub(crate) fn restart(&self) -> Result<()> {
        run(Command::new("umount").arg(&self.mount))?;
        self.attach()
    }

    fn attach(&self) -> Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mount))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: it must not stay, whoever still has a file open on it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).stderr(Stdio::null()).status();
    }
}

/// Runs this program again where nobody else sees what it mounts: a mount that somebody else has a copy of is not gone when
/// it is taken away. And whatever happens, nothing stays behind. `None`: this is that run, or there is no such place.
pub(crate) fn run_with_mounts_of_our_own(words: &[String]) -> Option<ExitCode> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        command
    };
    let is_possible = || {
        let tried = unshare().arg("true").stdin(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    if words.iter().any(|word| word == OWN_MOUNTS) || !is_root().unwrap_or(false) || !is_possible() {
        return None;
    }
    let ended = unshare().arg(std::env::current_exe().ok()?).arg(OWN_MOUNTS).args(words).status().ok()?;
    Some(if ended.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says that nobody else sees the mounts.
const OWN_MOUNTS: &str = "--with-mounts-of-its-own";

fn is_root() -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    let effective =
        status.lines().find_map(|line| line.strip_prefix("Uid:")).context("a process has a user")?;
    Ok(effective.split_whitespace().nth(1) == Some("0"))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", said.trim());
    Ok(())
}
