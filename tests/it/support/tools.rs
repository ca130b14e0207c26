//! Clients that nobody here wrote, and what happens where they are missing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::peer::PATIENCE;
use super::process::{Ended, Program};

/// A program of this machine, or of `tests/setup.sh`.
pub(crate) struct Tool {
    path: PathBuf,
}

impl Tool {
    /// The tool. Where it is missing: a failure if `ANSWERBACK_TEST_TOOLS=required`, otherwise `None`, said loudly.
    #[track_caller]
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::find_if(name, |_| true)
    }

    /// The same, for a name that different programs have.
    #[track_caller]
    pub(crate) fn find_if(name: &str, fits: impl Fn(&Path) -> bool) -> Option<Self> {
        let path = folders().map(|folder| folder.join(name)).find(|path| path.is_file() && fits(path));
        if path.is_none() {
            missing(name);
        }
        path.map(|path| Self { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs it to its end, in an empty directory: what it leaves there goes with it.
    pub(crate) async fn run(&self, args: &[&str], input: &str) -> Ended {
        self.run_within(PATIENCE, args, input).await
    }

    /// The same for one that takes its time.
    pub(crate) async fn run_within(&self, patience: Duration, args: &[&str], input: &str) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(&self.path);
        command.args(args).current_dir(folder.path());
        Program::start(command, Some(input.as_bytes())).ended_within(patience).await
    }
}

/// The folder that has this package of Node.js, which `tests/setup.sh` installs. Where it is missing: as with programs.
#[track_caller]
pub(crate) fn node_package(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/node");
    let is_there = folder.join("node_modules").join(name).is_dir();
    if !is_there {
        missing(name);
    }
    is_there.then_some(folder)
}

/// Where programs are looked for: the machine's own first.
fn folders() -> impl Iterator<Item = PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let machine = std::env::split_paths(&path).collect::<Vec<_>>();
    machine.into_iter().chain([own.join("bin"), own.join("venv/bin")])
}

#[track_caller]
fn missing(name: &str) {
    let required = std::env::var_os("ANSWERBACK_TEST_TOOLS").is_some_and(|value| value == "required");
    assert!(!required, "`{name}` is missing: run tests/setup.sh");
    skipped(&format!("`{name}` is missing: run tests/setup.sh"));
}

/// Says loudly that this machine cannot do what a test needs, whatever is installed.
#[track_caller]
pub(crate) fn skipped(why: &str) {
    let place = std::panic::Location::caller();
    // Past the capture of the test's output: a skip that nobody sees is none.
    let _ = writeln!(
        std::io::stderr(),
        "\n*** SKIPPED: {}:{} tests nothing: {}\n",
        place.file(),
        place.line(),
        why.trim_end()
    );
}
