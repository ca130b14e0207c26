//! `answerback backup`: a copy of the journal on disk, while a service records into it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::USAGE;
use super::command::{complain, fail};
use super::signals::Signals;
use crate::config::{self, Inputs};
use crate::store::{self, BackupError, Existing, Progress};
use crate::telemetry::{printable, printable_json};

const AFTER_HELP: &str = "\
The copy is whole, of one moment, and checked; the service goes on meanwhile. FILE is one file that only you can read, and \
it is there only once it is complete. To restore it, stop the service, take answerback.db, answerback.db-wal and \
answerback.db-shm out of the data directory, put FILE there as answerback.db, and start the service.

Examples:
  answerback backup monday.db
  answerback backup --data-dir /var/lib/answerback --force /mnt/backup/answerback.db
  docker exec CONTAINER /answerback backup /data/backup.db

It exits with 0 when the backup is there, with 1 when it is not, with 2 for wrong settings.";

/// How often the bar moves while nothing can be counted.
const TICK: Duration = Duration::from_millis(100);

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The file to be made
    file: PathBuf,
    /// The data directory of the service
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Read settings from this TOML file [default: answerback.toml, if it is there] [env: ANSWERBACK_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Replace FILE if it is there; until the new one is complete the old one stays
    #[arg(long)]
    force: bool,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

/// A backup that is ready to be made.
pub struct Backup {
    what: store::Backup,
    is_json: bool,
}

pub(super) fn prepare(args: Args) -> Result<Backup, ExitCode> {
    let flags = args.data_dir.map(|directory| ("data_dir", vec![directory]));
    let inputs = Inputs::of_process(flags.into_iter().collect(), args.config);
    let directory = config::data_dir(&inputs).map_err(|fault| {
        complain(&fault);
        ExitCode::from(USAGE)
    })?;
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    Ok(Backup { what: store::Backup { directory, file: args.file, existing }, is_json: args.json })
}

impl Backup {
    /// Makes it, and says so.
    pub(super) async fn run(self) -> ExitCode {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return fail(&format!("cannot listen for signals: {error}")),
        };
        let file = self.what.file.display().to_string();
        let stop = CancellationToken::new();
        let until = stop.clone();
        let mut made = tokio::task::spawn_blocking(move || make(&self.what, &until));
        let made = tokio::select! {
            made = &mut made => made,
            _ = signals.next() => {
                stop.cancel();
                made.await
            }
        };
        match made {
            Ok(Ok(bytes)) => {
                // The backup is there, whether or not anybody reads this.
                let said = if self.is_json {
                    printable_json(&serde_json::json!({"file": file, "bytes": bytes}).to_string())
                } else {
                    format!("{}: {}, checked", printable(&file), HumanBytes(bytes))
                };
                let _ = writeln!(io::stdout(), "{said}");
                ExitCode::SUCCESS
            }
            Ok(Err(fault)) => fail(&fault.to_string()),
            Err(panic) => fail(&format!("the backup was not made: {panic}")),
        }
    }
}

/// Makes it, with a bar on standard error if that is a terminal.
fn make(backup: &store::Backup, stop: &CancellationToken) -> Result<u64, BackupError> {
    let bar = ProgressBar::new(0);
    let template = "{msg:8} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    let made = store::back_up(backup, stop, &mut |progress| match progress {
        Progress::Copied { done, total } => {
            bar.set_message("copying");
            bar.set_length(total);
            bar.set_position(done);
        }
        Progress::Checking => {
            bar.set_message("checking");
            bar.enable_steady_tick(TICK);
        }
    });
    bar.finish_and_clear();
    made
}
