//! `answerback send`: the client of the tutorial, done well. It speaks to any TCP port, and asks no service.

use std::fs::File;
use std::io::{self, Cursor, IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::escapes::unescape;
use super::heard::{Form, Heard};
use super::remote::{Done, Fault};
use super::screen::Screen;
use crate::domain::{Charset, parse_duration};

const AFTER_HELP: &str = "\
It sends, says that nothing more will come (not with --keep), and prints the reply until the other side closes, or for as long as \
--wait says. On a terminal the reply is read as text and escaped; into a file or a pipe it goes as it came. Without anything to \
send it sends what you type, line by line, until Ctrl-D.

Examples:
  answerback send 127.0.0.1:8080 请帮我处理这个问题
  answerback send localhost:8080 --encoding gbk 你好
  answerback send 127.0.0.1:9001 --hex '78 78 0d 01' --dump
  answerback send 127.0.0.1:2575 --file message.hl7
  answerback send 127.0.0.1:6379 --escapes 'PING\\r\\n' --keep --wait 1s

It exits with 0 when all was sent, and with 1 when there was nobody, or nothing came back within --wait.";

/// How long the other side may take to let it in.
const TO_CONNECT: Duration = Duration::from_secs(10);
/// How long the other side may take none of what is sent.
const TO_TAKE: Duration = Duration::from_secs(30);
/// Bytes that are read from a file, or from the other side, at once.
const AT_ONCE: usize = 64 << 10;

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Args {
    /// Where to
    #[arg(value_name = "HOST:PORT")]
    address: String,
    /// What to send; without it and without --hex and --file, standard input
    text: Option<String>,
    /// The encoding of the text and of the reply; `auto` sends UTF-8, and reads the reply as what it seems to be
    #[arg(long, value_name = "LABEL", default_value = "auto")]
    encoding: String,
    /// The encoding of the reply, if it is another
    #[arg(long, value_name = "LABEL")]
    reply_encoding: Option<String>,
    /// Read \n, \r, \t, \x1b and such in the text as the characters they stand for
    #[arg(long, short)]
    escapes: bool,
    /// Send these bytes
    #[arg(long, value_name = "HEX", conflicts_with_all = ["text", "file"])]
    hex: Option<String>,
    /// Send what is in this file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Do not say that nothing more will come
    #[arg(long)]
    keep: bool,
    /// How long to wait for the end of the reply, once all is sent
    #[arg(long, value_name = "TIME", default_value = "5s")]
    wait: String,
    /// Print the reply as it came, whatever the terminal makes of it
    #[arg(long)]
    raw: bool,
    /// Print the reply as a hexdump
    #[arg(long, conflicts_with = "raw")]
    dump: bool,
    /// Print the reply as JSON, with its text and its bytes
    #[arg(long, conflicts_with_all = ["raw", "dump"])]
    json: bool,
}

impl Args {
    pub(super) async fn run(self) -> Done {
        let charset = charset("--encoding", &self.encoding)?;
        let of_reply = self.reply_encoding.as_deref().map(|label| self::charset("--reply-encoding", label));
        let of_reply = of_reply.transpose()?.unwrap_or(charset);
        let wait = parse_duration(&self.wait).map_err(|fault| Fault::Usage(format!("--wait {fault}")))?;
        let screen = Screen::new(self.json);
        let form = match () {
            () if self.json => Form::Json,
            () if self.dump => Form::Dump,
            () if self.raw || !screen.is_terminal => Form::Raw,
            () => Form::Text,
        };
        let source = self.source(charset)?;
        let mut heard = Heard::new(screen, form, of_reply);
        let mut stream = connect(&self.address).await?;
        let (from, to) = stream.split();
        let sending = sending(source, to, self.keep);
        let talked = talk(sending, from, &mut heard, wait).await;
        let nothing = heard.end()?;
        match talked {
            // A reply that came all the same is the answer.
            Err(Stop::Sending(fault)) if nothing => {
                Err(Fault::Failed(format!("cannot send to {}: {fault}", self.address)))
            }
            Err(Stop::Fault(fault)) => Err(fault),
            Ok(()) | Err(Stop::Sending(_)) if nothing && !wait.is_zero() => {
                Err(Fault::Failed(format!("nothing came back from {}", self.address)))
            }
            Ok(()) | Err(Stop::Sending(_)) => Ok(ExitCode::SUCCESS),
        }
    }

    /// What is to be sent.
    fn source(&self, charset: Charset) -> Result<Box<dyn Read + Send>, Fault> {
        let memory = |bytes: Vec<u8>| -> Box<dyn Read + Send> { Box::new(Cursor::new(bytes)) };
        if let Some(hex) = &self.hex {
            let digits: String = hex.chars().filter(|c| !c.is_whitespace()).collect();
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
            let wrong = |_| Fault::Usage(format!("--hex {hex}: pairs of hex digits, like 0d 0a"));
            return bytes.map(memory).map_err(wrong);
        }
        if let Some(file) = &self.file {
            let failed = |fault| Fault::Failed(format!("{}: {fault}", file.display()));
            return File::open(file).map(|file| Box::new(file) as Box<dyn Read + Send>).map_err(failed);
        }
        let Some(text) = &self.text else { return Ok(Box::new(io::stdin())) };
        let text = if self.escapes { unescape("TEXT", text)? } else { text.clone() };
        charset.encode(&text).map(memory).map_err(|fault| Fault::Usage(fault.to_string()))
    }
}

fn charset(flag: &str, label: &str) -> Result<Charset, Fault> {
    Charset::parse(label).map_err(|fault| Fault::Usage(format!("{flag} {fault}")))
}

async fn connect(address: &str) -> Result<TcpStream, Fault> {
    let connected = timeout(TO_CONNECT, TcpStream::connect(address)).await;
    let connected = connected.map_err(|_| Fault::Failed(format!("{address} lets nobody in")))?;
    connected.map_err(|fault| match fault.kind() {
        io::ErrorKind::InvalidInput => Fault::Usage(format!("{address}: write it like 127.0.0.1:8080")),
        _ => Fault::Failed(format!("cannot connect to {address}: {fault}")),
    })
}

/// Why a talk ended early.
enum Stop {
    /// What was to be sent was not.
    Sending(io::Error),
    /// What came was not printed, or what was to be sent not read.
    Fault(Fault),
}

/// Sends and hears at once: an echo of more than the buffers hold would wait for ever. It ends with the other side's end, or
/// so long after all was sent.
async fn talk(
    sending: impl Future<Output = Result<(), Stop>>,
    mut from: impl AsyncRead + Unpin,
    heard: &mut Heard,
    wait: Duration,
) -> Result<(), Stop> {
    let (all_sent, is_sent) = oneshot::channel();
    let sending = async move {
        let sent = sending.await;
        // Whoever hears no more does not want to know.
        let _ = all_sent.send(());
        sent
    };
    let hearing = async {
        let mut piece = Vec::with_capacity(AT_ONCE);
        loop {
            piece.clear();
            match from.read_buf(&mut piece).await {
                // A reset is an end too, and what came before it came.
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => heard.piece(&piece).map_err(Stop::Fault)?,
            }
        }
    };
    let late = async {
        let _ = is_sent.await;
        sleep(wait).await;
    };
    let mut sending = std::pin::pin!(sending);
    let mut sent = None;
    let (mut hearing, mut late) = (std::pin::pin!(hearing), std::pin::pin!(late));
    loop {
        tokio::select! {
            result = &mut sending, if sent.is_none() => sent = Some(result),
            () = &mut late => return sent.unwrap_or(Ok(())),
            ended = &mut hearing => {
                // Who types need not go on when nobody is there any more; a file is sent to its end, or to its fault.
                return match (ended, sent) {
                    (Err(fault), _) => Err(fault),
                    (Ok(()), Some(sent)) => sent,
                    (Ok(()), None) if io::stdin().is_terminal() => Ok(()),
                    (Ok(()), None) => sending.await,
                };
            }
        }
    }
}

/// Sends all of it, piece by piece, and then says so.
async fn sending(
    source: Box<dyn Read + Send>,
    mut to: impl AsyncWrite + Unpin,
    keep: bool,
) -> Result<(), Stop> {
    let mut pieces = pieces(source);
    let late = |_| Stop::Sending(io::Error::new(io::ErrorKind::TimedOut, "it does not take what is sent"));
    while let Some(piece) = pieces.recv().await {
        let piece = piece.map_err(|fault| Stop::Fault(fault.into()))?;
        timeout(TO_TAKE, to.write_all(&piece)).await.map_err(late)?.map_err(Stop::Sending)?;
    }
    if keep { Ok(()) } else { to.shutdown().await.map_err(Stop::Sending) }
}

/// Reads beside, as a file or a person lets wait. The queue is short: what is not taken is not read.
fn pieces(mut source: Box<dyn Read + Send>) -> Receiver<io::Result<Bytes>> {
    let (sender, pieces) = channel(2);
    tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; AT_ONCE];
        loop {
            let piece = match source.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => Ok(Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default())),
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
                Err(fault) => Err(fault),
            };
            let is_last = piece.is_err();
            if sender.blocking_send(piece).is_err() || is_last {
                return;
            }
        }
    });
    pieces
}
