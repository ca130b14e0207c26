//! `answerback connections`: who connected.

use std::process::ExitCode;

use serde_json::Value;

use super::remote::{Done, Fault, Remote};
use super::screen::{brief, moment, size};
use super::which;
use crate::client::{Connection, Direction, Query};

const AFTER_HELP: &str = "\
Times are UTC. On a terminal ids are cut to what tells them apart; `show` takes them so.

Examples:
  answerback connections
  answerback connections --listener gate --state open
  answerback connections --peer 10.0.0.0/8 --contains LOGIN --limit 10
  answerback connections --contains-hex '78 78 0d' --json";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// How many; the newest first
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    /// Go on behind this cursor, which an earlier list ended with
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// The filters of a list of connections.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Of this listener: its name or id
    #[arg(long, value_name = "LISTENER")]
    listener: Option<String>,
    /// From this address or network
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
    /// `open` or `closed`
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// With this text in a message
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// With these bytes in a message
    #[arg(long, value_name = "HEX")]
    contains_hex: Option<String>,
    /// Opened at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Opened before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Filter {
    pub(super) fn query(self) -> Query {
        let pairs = [
            ("listener", self.listener),
            ("peer", self.peer),
            ("state", self.state),
            ("contains", self.contains),
            ("contains_hex", self.contains_hex),
            ("since", self.since),
            ("until", self.until),
        ];
        pairs.into_iter().fold(Query::new(), |query, (name, value)| match value {
            Some(value) => query.with(name, value),
            None => query,
        })
    }
}

impl Args {
    pub(super) async fn run(self) -> Done {
        let (client, screen) = (self.remote.client()?, self.remote.screen());
        let mut query = self.filter.query().limit(self.limit);
        if let Some(after) = &self.after {
            query = query.after(after);
        }
        let answer: Value = client.ask("GET", "/connections", &query, None).await?;
        if screen.is_json {
            screen.json(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        let items = answer.get("items").cloned().unwrap_or_default();
        let connections: Vec<Connection> = serde_json::from_value(items)?;
        if connections.is_empty() {
            screen.line("nobody")?;
            return Ok(ExitCode::SUCCESS);
        }
        // A program gets them whole.
        let id = if screen.is_terminal { which::enough(&connections) } else { usize::MAX };
        let rows = connections.iter().map(|connection| row(connection, id)).collect();
        screen.table(&["CONNECTION", "OPENED", "LISTENER", "PEER", "END", "IN", "OUT", "FIRST"], rows)?;
        if let Some(next) = next.filter(|_| screen.is_terminal) {
            screen.line(&format!("older ones: --after {next}"))?;
        }
        Ok::<_, Fault>(ExitCode::SUCCESS)
    }
}

fn row(connection: &Connection, id: usize) -> Vec<String> {
    let first = connection.messages.iter().find(|message| message.direction == Direction::Received);
    vec![
        connection.id.get(..id).unwrap_or(&connection.id).to_owned(),
        moment(&connection.opened_at),
        connection.listener.name.clone().unwrap_or_else(|| connection.local.port().to_string()),
        connection.peer.to_string(),
        connection.close_reason.clone().unwrap_or_else(|| "open".to_owned()),
        size(connection.received.bytes),
        size(connection.sent.bytes),
        first.map(|message| brief(&message.text)).unwrap_or_default(),
    ]
}
