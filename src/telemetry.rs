//! What the program says about itself, on standard error.
//!
//! Lines go through a bounded queue to a thread of their own: a terminal that is paused, or a collector that reads no
//! more, stops neither the endpoints nor the API. When the queue is full lines are dropped and counted. Control
//! characters are escaped in every field, so that nothing a client sends can steer a terminal or forge a line.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{FormatFields, Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFilter, LogFormat};

/// Lines that may wait for a slow reader of standard error; at some 200 bytes each this is below 1 MiB.
const QUEUE: usize = 4_096;

/// How long the end of the program waits for a reader of standard error that has stopped reading.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The log while it runs; dropping it writes what is still queued.
#[derive(Debug)]
pub struct Telemetry {
    lines: Lines,
}

/// Starts the log of this process. Panics are logged too.
///
/// Colours only on a terminal, and only without `NO_COLOR`. If a log was started before, that one goes on.
pub fn start(format: LogFormat, filter: &LogFilter) -> Telemetry {
    let lines = Lines::start();
    let targets = Targets::new().with_default(filter.default).with_targets(filter.targets.iter().cloned());
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).log_internal_errors(false);
    let layer = match format {
        LogFormat::Text => {
            let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let colours = io::stderr().is_terminal() && !no_color;
            layer.with_ansi(colours).fmt_fields(escaped_fields()).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
    let to_panics = lines.clone();
    std::panic::set_hook(Box::new(move |panic| log_panic(panic, format, &to_panics)));
    Telemetry { lines }
}

impl Telemetry {
    /// Says something to the person who started the program: as it is, in turn with the log's lines.
    pub fn say(&self, text: &str) {
        self.lines.send(text.as_bytes().to_vec());
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let (written, wait) = channel();
        if self.lines.queue.try_send(Line::Flush(written)).is_ok() {
            let _ = wait.recv_timeout(LAST_WORDS);
        }
    }
}

/// A panic on one line; the backtrace, if `RUST_BACKTRACE` asks for one, where it can be read.
fn log_panic(panic: &PanicHookInfo<'_>, format: LogFormat, lines: &Lines) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    let backtrace = Backtrace::capture();
    match (backtrace.status(), format) {
        (BacktraceStatus::Captured, LogFormat::Json) => {
            tracing::error!(%place, %backtrace, "panicked: {message}")
        }
        (BacktraceStatus::Captured, LogFormat::Text) => {
            tracing::error!(%place, "panicked: {message}");
            lines.send(backtrace.to_string().into_bytes());
        }
        _ => tracing::error!(%place, "panicked: {message}"),
    }
}

/// A text whose control characters, bidirectional controls and invisible spaces are escaped: `\n`, `\u{1b}`.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Writing to a string cannot fail.
    let _ = Escape(&mut out).write_str(text);
    out
}

/// JSON in which nothing steers a terminal: what [`printable`] would escape stands there as JSON's own escape. The line ends of
/// its layout stay.
pub fn printable_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if harmless(c) || c == '\n' {
            out.push(c);
        } else {
            // All of these are below U+10000. Writing to a string cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
    out
}

/// `message name=value name=value`, each value escaped. The subscriber's own format escapes the message only, and
/// leaves line ends in it.
fn escaped_fields() -> impl for<'w> FormatFields<'w> + 'static {
    use tracing_subscriber::field::MakeExt as _;
    debug_fn(|writer: &mut Writer<'_>, field, value| {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        write!(Escape(writer), "{value:?}")
    })
    .delimited(" ")
}

struct Escape<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Escape<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if harmless(c) { self.0.write_char(c) } else { write!(self.0, "{}", c.escape_default()) }
        })
    }
}

fn harmless(c: char) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !c.is_control() && !reorders
}

enum Line {
    Text(Vec<u8>),
    Flush(Sender<()>),
}

/// The way to the thread that writes. Full: the line is dropped and counted.
#[derive(Debug, Clone)]
struct Lines {
    queue: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

impl Lines {
    fn start() -> Self {
        let (queue, lines) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        // Without the thread the receiver is gone and nothing is logged: no reason not to serve.
        let _ = std::thread::Builder::new().name("log".into()).spawn(move || write_all(&lines, &counter));
        Self { queue, dropped }
    }

    fn send(&self, line: Vec<u8>) {
        if self.queue.try_send(Line::Text(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_all(lines: &Receiver<Line>, dropped: &AtomicU64) {
    let mut stderr = io::stderr();
    for line in lines {
        // Nobody is left to tell when standard error is closed, or when the one who waited has gone.
        let _ = match line {
            Line::Text(text) => stderr.write_all(&text).is_ok(),
            Line::Flush(written) => written.send(()).is_ok(),
        };
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(
                stderr,
                "answerback: {lost} lines of the log were dropped: standard error was not read"
            );
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self)
    }
}

struct LineWriter<'a>(&'a Lines);

/// The subscriber hands over one whole event at a time.
impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_printable_is_touched_and_everything_else_is_escaped() {
        assert_eq!(printable("问题 ok é"), "问题 ok é");
        assert_eq!(
            printable("a\x1b[31m\nb\r\t\u{85}\u{202e}\u{feff}"),
            r"a\u{1b}[31m\nb\r\t\u{85}\u{202e}\u{feff}"
        );
    }

    #[test]
    fn json_stays_the_same_json_and_steers_nothing() {
        let value = serde_json::json!({"text": "问\u{7f}\u{9b}2J\u{202e}\u{1b}\n", "n": 1});
        let shown = printable_json(&format!("{value:#}"));
        assert!(
            !shown.contains(['\u{7f}', '\u{9b}', '\u{202e}', '\u{1b}']) && shown.contains('问'),
            "{shown}"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn no_field_can_forge_a_line_or_steer_a_terminal() {
        let (queue, lines) = sync_channel(8);
        let writer = Lines { queue, dropped: Arc::default() };
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(writer)
            .with_ansi(false)
            .fmt_fields(escaped_fields());
        let evil = "x\x1b]0;owned\x07\n2026 ERROR forged";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("span", peer = %evil);
            let _inside = span.enter();
            tracing::info!(shown = %evil, debugged = ?evil, error = &*Box::<dyn std::error::Error>::from(evil), "said {evil}");
        });
        let Ok(Line::Text(line)) = lines.try_recv() else { panic!("no line") };
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
        assert!(line.ends_with('\n') && !line.contains(['\x1b', '\x07']), "{line:?}");
        assert_eq!(line.matches("forged").count(), 5, "{line:?}");
    }

    #[test]
    fn a_full_queue_drops_lines_instead_of_waiting() {
        let (queue, lines) = sync_channel(1);
        let writer = Lines { queue, dropped: Arc::default() };
        for _ in 0..3 {
            writer.send(b"line\n".to_vec());
        }
        assert_eq!(writer.dropped.load(Ordering::Relaxed), 2);
        drop(lines);
    }
}
