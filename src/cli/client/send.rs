//! `answerback send`: the client of the tutorial, done well. It speaks to any TCP port, and asks no service.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::remote::{Done, Fault};
use super::screen::Screen;
use crate::domain::{Charset, parse_duration};
use crate::telemetry::printable;
use crate::wire::encoding_for;

const AFTER_HELP: &str = "\
It sends, says that nothing more will come (not with --keep), and prints the reply until the other side closes, or for as long as \
--wait says. On a terminal the reply is decoded and escaped; into a file or a pipe it goes as it came.

Examples:
  answerback send 127.0.0.1:8080 请帮我处理这个问题
  answerback send localhost:8080 --encoding gbk 你好
  answerback send 127.0.0.1:9001 --hex '78 78 0d 01' --dump
  answerback send 127.0.0.1:2575 --file message.hl7
  printf 'PING\\r\\n' | answerback send 127.0.0.1:6379 --keep --wait 1s

It exits with 0 when all was sent, and with 1 when there was nobody, or nothing came back within --wait.";

/// How long the other side may take to let it in.
const TO_CONNECT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Args {
    /// Where to
    #[arg(value_name = "HOST:PORT")]
    address: String,
    /// What to send; without it and without --hex and --file, standard input
    text: Option<String>,
    /// The encoding of the text, and of the reply; of the reply, `auto` guesses it
    #[arg(long, value_name = "LABEL", default_value = "utf-8")]
    encoding: String,
    /// The encoding of the reply, if it is another
    #[arg(long, value_name = "LABEL")]
    reply_encoding: Option<String>,
    /// Send these bytes
    #[arg(long, value_name = "HEX", conflicts_with_all = ["text", "file"])]
    hex: Option<String>,
    /// Send what is in this file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// Do not say that nothing more will come
    #[arg(long)]
    keep: bool,
    /// How long to wait for the end of the reply
    #[arg(long, value_name = "TIME", default_value = "5s")]
    wait: String,
    /// Print the reply as it came, whatever the terminal makes of it
    #[arg(long)]
    raw: bool,
    /// Print the reply as a hexdump
    #[arg(long, conflicts_with = "raw")]
    dump: bool,
}

impl Args {
    pub(super) async fn run(self) -> Done {
        let usage = |fault: String| Fault::Usage(fault);
        let charset = Charset::parse(&self.encoding).map_err(|fault| usage(format!("--encoding {fault}")))?;
        let reply_charset = match &self.reply_encoding {
            Some(label) => {
                Charset::parse(label).map_err(|fault| usage(format!("--reply-encoding {fault}")))?
            }
            None => charset,
        };
        let wait = parse_duration(&self.wait).map_err(|fault| usage(format!("--wait {fault}")))?;
        let bytes = self.bytes(charset)?;
        let reply = talk(&self.address, &bytes, !self.keep, wait).await?;
        let screen = Screen::new(false);
        if self.dump {
            screen.bytes(screen.hexdump(0, &reply).as_bytes())?;
        } else if self.raw || !screen.is_terminal {
            screen.bytes(&reply)?;
        } else if !reply.is_empty() {
            let encoding = encoding_for(reply_charset, &reply);
            let text = encoding.decode_without_bom_handling(&reply).0;
            let lines = text.lines().map(printable).collect::<Vec<_>>().join("\n");
            screen.line(&lines)?;
        }
        if reply.is_empty() && !wait.is_zero() {
            return Err(Fault::Failed(format!("nothing came back from {}", self.address)));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn bytes(&self, charset: Charset) -> Result<Vec<u8>, Fault> {
        if let Some(hex) = &self.hex {
            let digits: String = hex.chars().filter(|c| !c.is_whitespace()).collect();
            let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
            return bytes.map_err(|_| Fault::Usage(format!("--hex {hex}: pairs of hex digits, like 0d 0a")));
        }
        if let Some(file) = &self.file {
            return std::fs::read(file)
                .map_err(|fault| Fault::Failed(format!("{}: {fault}", file.display())));
        }
        if let Some(text) = &self.text {
            return charset.encode(text).map_err(|fault| Fault::Usage(fault.to_string()));
        }
        if std::io::stdin().is_terminal() {
            return Err(Fault::Usage(
                "say what to send: a text, --hex, --file, or standard input".to_owned(),
            ));
        }
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Sends, and reads what comes back.
async fn talk(address: &str, bytes: &[u8], is_all: bool, wait: Duration) -> Result<Vec<u8>, Fault> {
    let failed = |what: &str, fault: std::io::Error| Fault::Failed(format!("{what} {address}: {fault}"));
    let connected = timeout(TO_CONNECT, TcpStream::connect(address)).await;
    let connected = connected.map_err(|_| Fault::Failed(format!("{address} lets nobody in")))?;
    let mut stream = connected.map_err(|fault| failed("cannot connect to", fault))?;
    let (mut from, mut to) = stream.split();
    let deadline = Instant::now() + wait;
    let mut reply = Vec::new();
    let sending = async {
        to.write_all(bytes).await?;
        if is_all { to.shutdown().await } else { Ok(()) }
    };
    // Both at once: an echo of more than the buffers hold would wait for ever.
    let reading = async {
        while let Ok(Ok(read)) = timeout_at(deadline, from.read_buf(&mut reply)).await {
            if read == 0 {
                break;
            }
        }
    };
    let (sent, ()) = tokio::join!(timeout_at(deadline.max(Instant::now() + TO_CONNECT), sending), reading);
    match sent {
        // A reply that came all the same is the answer.
        Ok(Err(fault)) if reply.is_empty() => Err(failed("cannot send to", fault)),
        Err(_) => Err(Fault::Failed(format!("{address} does not take what is sent"))),
        _ => Ok(reply),
    }
}
