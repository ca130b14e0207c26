//! `answerback show`: one connection, every byte.

use std::process::ExitCode;

use serde_json::Value;

use super::remote::{Done, Fault, Remote};
use super::screen::{Look, Screen, arrow, clock};
use super::which;
use crate::client::{Connection, Message, Page, Query, escaped};
use crate::telemetry::printable;

const AFTER_HELP: &str = "\
`>` is what the client sent, `<` what it was sent. Texts and bytes are shown escaped, whatever they are. Times are UTC.

Examples:
  answerback show last
  answerback show 01a202c0-9c1b --encoding utf-8
  answerback show 01a202c0-9c1b-7d3e-8f21-5a0b6c7d8e9f --framing delimiter:0a";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Args {
    /// The id of the connection, or its beginning (13 characters or more); `last` is the newest
    #[arg(value_name = "ID")]
    connection: String,
    /// Read the text in this encoding instead of the listener's
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
    /// Cut the bytes anew, like delimiter:0a
    #[arg(long, value_name = "FRAMING")]
    framing: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Args {
    pub(super) async fn run(self) -> Done {
        let (client, screen) = (self.remote.client()?, self.remote.screen());
        let id = which::connection(&client, &self.connection).await?;
        let path = format!("/connections/{}", escaped(&id));
        let answer: Value = client.ask("GET", &path, &Query::new(), None).await?;
        if screen.is_json && self.encoding.is_none() && self.framing.is_none() {
            screen.json(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let connection: Connection = serde_json::from_value(answer)?;
        if !screen.is_json {
            head(&screen, &connection)?;
        }
        let (path, mut after) = (format!("{path}/messages"), None);
        loop {
            let given = [("encoding", &self.encoding), ("framing", &self.framing), ("after", &after)];
            let query = given.into_iter().fold(Query::new(), |query, (name, value)| match value {
                Some(value) => query.with(name, value.clone()),
                None => query,
            });
            let answer: Value = client.ask("GET", &path, &query, None).await?;
            if screen.is_json {
                screen.json(&answer)?;
            }
            let page: Page<Message> = serde_json::from_value(answer)?;
            if !screen.is_json {
                page.items.iter().try_for_each(|message| show(&screen, message))?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if let (Some(at), false) = (&connection.closed_at, screen.is_json) {
            let (by, why) =
                (connection.closed_by.unwrap_or_default(), connection.close_reason.unwrap_or_default());
            screen.line(&format!("{} closed by {by}: {why}", screen.paint(Look::Dim, clock(at))))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn head(screen: &Screen, connection: &Connection) -> Result<(), Fault> {
    let listener = connection.listener.name.as_deref().unwrap_or(&connection.listener.id);
    let Connection { id, peer, local, opened_at, received, sent, state, .. } = connection;
    screen.line(&screen.paint(Look::Bold, id))?;
    screen.line(&format!("{peer} on {listener} ({local}), {state}, opened {opened_at}"))?;
    let (received, sent) = ((received.bytes, received.messages), (sent.bytes, sent.messages));
    let line =
        format!("received {} bytes in {}, sent {} bytes in {}", received.0, received.1, sent.0, sent.1);
    screen.line(&line)
}

/// A message: a line that says what it is, and its bytes.
fn show(screen: &Screen, message: &Message) -> Result<(), Fault> {
    let (sign, look) = arrow(message.direction);
    let mut line = format!(
        "{} {} {} bytes  {}",
        screen.paint(Look::Dim, clock(&message.at)),
        screen.paint(look, sign),
        message.size,
        printable(&message.text)
    );
    if message.malformed {
        let detected = message.detected_encoding.as_deref().map(|label| format!("; it may be {label}"));
        let no_text = format!("  [no {}{}]", message.encoding, detected.unwrap_or_default());
        line.push_str(&screen.paint(Look::Bad, &no_text));
    }
    if let Some(rule) = &message.rule {
        line.push_str(&screen.paint(Look::Dim, &format!("  [{}]", printable(rule))));
    }
    if let Some(near) = &message.near_miss {
        let rule = near.rule.as_deref().map(|rule| format!("{rule}: ")).unwrap_or_default();
        line.push_str(&screen.paint(Look::Bad, &printable(&format!("  [{rule}{}]", near.detail))));
    }
    screen.line(&line)?;
    let cut = message.size - message.stored;
    let dump = screen.hexdump(message.offset, &message.payload);
    screen.bytes(dump.as_bytes())?;
    if cut > 0 {
        screen.line(&format!("    and {cut} bytes that were not kept"))?;
    }
    Ok(())
}
