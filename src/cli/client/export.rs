//! `answerback export`: records to take away.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::signals::Signals;
use super::connections::Filter;
use super::remote::{Done, Fault, Remote};
use super::which;
use crate::client::{Download, ExportFormat};
use crate::telemetry::{printable, printable_json};

const AFTER_HELP: &str = "\
The form is that of the file's name: .pcapng for Wireshark and tshark, .ndjson or .jsonl, .txt for a hexdump; --format says it \
otherwise. FILE is there only once it is complete. `-` is standard output.

Examples:
  answerback export monday.pcapng
  answerback export --listener gate --since 2026-11-27T00:00:00Z gate.ndjson
  answerback export --contains LOGIN --format hexdump - | less";

/// How often the bar moves: how much there is to come is not known.
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Args {
    /// Where to; `-` is standard output
    file: PathBuf,
    /// pcapng, ndjson or hexdump
    #[arg(long, value_name = "FORM")]
    format: Option<String>,
    /// Replace FILE if it is there
    #[arg(long)]
    force: bool,
    /// Only this connection: its id, or its beginning, or `last`
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    remote: Remote,
}

impl Args {
    pub(super) async fn run(self) -> Done {
        let format = form(self.format.as_deref(), &self.file)?;
        let name = printable(&self.file.display().to_string());
        let is_output = self.file == Path::new("-");
        if is_output && format == ExportFormat::Pcapng && io::stdout().is_terminal() {
            return Err(Fault::Usage("a capture file on a terminal is no use: give it a name".to_owned()));
        }
        if !is_output && self.file.exists() && !self.force {
            return Err(Fault::Failed(format!(
                "{} is there already; --force replaces it",
                self.file.display()
            )));
        }
        let query = self.filter.query();
        let client = self.remote.client()?;
        let query = match &self.connection {
            Some(said) => query.with("connection", which::connection(&client, said).await?),
            None => query,
        };
        let download = client.export(format, &query).await?;
        if is_output {
            print(download, format).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let began = Instant::now();
        let bytes = save_file(download, &self.file).await?;
        let took = began.elapsed().as_secs_f64().max(0.001);
        let rate = HumanBytes((bytes as f64 / took) as u64);
        let screen = self.remote.screen();
        if screen.is_json {
            screen
                .json(&json!({"file": self.file.display().to_string(), "bytes": bytes, "seconds": took}))?;
        } else {
            screen.line(&format!("{name}: {} at {rate}/s", HumanBytes(bytes)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn form(said: Option<&str>, file: &Path) -> Result<ExportFormat, Fault> {
    let extension = file.extension().and_then(|extension| extension.to_str());
    match said.or(extension) {
        Some("pcapng" | "pcap") => Ok(ExportFormat::Pcapng),
        Some("ndjson" | "jsonl") => Ok(ExportFormat::Ndjson),
        Some("hexdump" | "txt") => Ok(ExportFormat::Hexdump),
        Some(other) if said.is_some() => {
            Err(Fault::Usage(format!("--format {other}: it is pcapng, ndjson or hexdump")))
        }
        _ => Err(Fault::Usage("say in which form: --format pcapng, ndjson or hexdump".to_owned())),
    }
}

/// To standard output; on a terminal so that nothing steers it. A capture file never gets there, and a hexdump is ASCII.
async fn print(mut download: Download, format: ExportFormat) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    if !io::stdout().is_terminal() {
        return save(download, &mut out).await.map(drop);
    }
    if format != ExportFormat::Ndjson {
        while let Some(piece) = download.piece().await? {
            out.write_all(&piece)?;
        }
        return Ok(());
    }
    let mut line = Vec::new();
    while let Some(piece) = download.piece().await? {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                out.write_all(printable_json(&String::from_utf8_lossy(&line)).as_bytes())?;
                line.clear();
            }
        }
    }
    Ok(())
}

/// Into a file beside it first, which then takes its name.
async fn save_file(download: Download, file: &Path) -> Result<u64, Fault> {
    let failed = |fault: io::Error| Fault::Failed(format!("{}: {fault}", file.display()));
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut writer = BufWriter::new(File::create(&part).map_err(failed)?);
    let mut signals = Signals::new().map_err(failed)?;
    let saved = tokio::select! {
        saved = save(download, &mut writer) => saved,
        name = signals.next() => Err(Fault::Failed(format!("{name}: nothing was saved"))),
    };
    let saved = saved.and_then(|bytes| {
        writer.flush().map_err(failed)?;
        fs::rename(&part, file).map_err(failed)?;
        Ok(bytes)
    });
    if saved.is_err() {
        let _ = fs::remove_file(&part);
    }
    saved
}

/// Piece by piece, with a bar on standard error if that is a terminal.
async fn save(mut download: Download, to: &mut impl Write) -> Result<u64, Fault> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec} {elapsed}") {
        bar.set_style(style);
    }
    bar.tick();
    bar.enable_steady_tick(TICK);
    let mut bytes = 0;
    let saved = loop {
        match download.piece().await {
            Ok(Some(piece)) => {
                if let Err(fault) = to.write_all(&piece) {
                    break Err(Fault::from(fault));
                }
                bytes += piece.len() as u64;
                bar.set_position(bytes);
            }
            Ok(None) => break Ok(bytes),
            Err(fault) => break Err(fault.into()),
        }
    };
    bar.finish_and_clear();
    saved
}
