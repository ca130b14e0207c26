//! `answerback tail`: the newest messages, and those that come.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::command::complain;
use super::remote::{Done, Fault, Remote};
use super::screen::{Look, Screen, arrow, clock};
use crate::client::{Client, Connection, Error, Events, Happened, Message, Query};
use crate::telemetry::printable;

const AFTER_HELP: &str = "\
Times are UTC. `+` is a client that came, `-` one that went, `>` what a client sent, `<` what it was sent.

Examples:
  answerback tail
  answerback tail -f
  answerback tail -f --listener gate --direction received --contains LOGIN
  answerback tail -f --hex
  answerback tail -n 0 -f --json";

/// How long to wait before a service that is out of reach is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Peers that are remembered.
const PEERS: usize = 10_000;
/// Messages of the past at most: a page of the API.
const MOST: usize = 1_000;

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Args {
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Messages of the past
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    lines: usize,
    /// Show the bytes, as `hexdump -C` does
    #[arg(long)]
    hex: bool,
    /// Of this listener: its name or id
    #[arg(long, value_name = "LISTENER")]
    listener: Option<String>,
    /// From this address or network
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
    /// `received` or `sent`
    #[arg(long, value_name = "DIRECTION")]
    direction: Option<String>,
    /// With this text
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// With these bytes
    #[arg(long, value_name = "HEX")]
    contains_hex: Option<String>,
    /// Read the text in this encoding instead of the listener's
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Args {
    pub(super) async fn run(self) -> Done {
        let mut tail = Tail {
            client: self.remote.client()?,
            screen: self.remote.screen(),
            is_hex: self.hex,
            peers: HashMap::new(),
        };
        let count = self.lines.min(MOST);
        if !self.follow {
            tail.past(self.query(), count, None).await?;
            return Ok(ExitCode::SUCCESS);
        }
        // Whoever looks for some messages is not told who comes and goes.
        let looks = [&self.direction, &self.contains, &self.contains_hex].iter().any(|o| o.is_some());
        let kinds = if looks { "message" } else { "opened,message,closed" };
        let query = self.query().with("event", kinds);
        // The stream begins first, and the past ends where it begins: nothing is missed or told twice.
        let mut events = tail.client.events(&query, None).await?;
        while events.next().await?.is_some_and(|event| event.name != "ready") {}
        tail.past(self.query(), count, events.last_id()).await?;
        tail.follow(&query, events).await?;
        Ok(ExitCode::SUCCESS)
    }

    fn query(&self) -> Query {
        let pairs = [
            ("listener", &self.listener),
            ("peer", &self.peer),
            ("direction", &self.direction),
            ("contains", &self.contains),
            ("contains_hex", &self.contains_hex),
            ("encoding", &self.encoding),
        ];
        pairs.into_iter().fold(Query::new(), |query, (name, value)| match value {
            Some(value) => query.with(name, value.clone()),
            None => query,
        })
    }
}

struct Tail {
    client: Client,
    screen: Screen,
    is_hex: bool,
    /// By the ids of connections: who, and on which listener.
    peers: HashMap<String, String>,
}

impl Tail {
    /// Prints the newest, up to the one at `end`.
    async fn past(&mut self, query: Query, count: usize, end: Option<&str>) -> Result<(), Fault> {
        if count == 0 {
            return Ok(());
        }
        let newest = query.newest_first().limit(count);
        let answer: Value = self.client.ask("GET", "/messages", &newest, None).await?;
        let items = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for item in items.iter().rev() {
            let cursor = item.get("cursor").and_then(Value::as_str);
            // Cursors sort as what they stand for.
            if end.is_some_and(|end| cursor > Some(end)) {
                continue;
            }
            if self.screen.is_json {
                self.screen.json_line(&json!({"event": "message", "id": cursor, "data": item}))?;
            } else {
                self.message(&serde_json::from_value(item.clone())?).await?;
            }
        }
        Ok(())
    }

    /// Prints what comes. A service that stops, or restarts, is waited for.
    async fn follow(&mut self, query: &Query, mut events: Events) -> Result<(), Fault> {
        loop {
            match self.stream(&mut events).await {
                Err(Fault::Client(fault)) if is_passing(&fault) => {
                    complain(&format!("{fault}; trying again"));
                }
                Err(fault) => return Err(fault),
                Ok(()) => complain(&"the service stops; waiting for it to come back"),
            }
            let last = events.last_id().map(str::to_owned);
            events = loop {
                tokio::time::sleep(AGAIN).await;
                match self.client.events(query, last.as_deref()).await {
                    Err(fault) if is_passing(&fault) => {}
                    begun => break begun?,
                }
            };
        }
    }

    async fn stream(&mut self, events: &mut Events) -> Result<(), Fault> {
        while let Some(event) = events.next().await? {
            if self.screen.is_json {
                if event.name != "ready" {
                    let line = json!({"event": event.name, "id": event.id, "data": event.data});
                    self.screen.json_line(&line)?;
                }
                continue;
            }
            match event.happened()? {
                Happened::Opened(connection) => self.came(&connection)?,
                Happened::Message(message) => self.message(&message).await?,
                Happened::Closed(connection) => self.went(&connection)?,
                Happened::Gap(_) => {
                    self.screen.line(
                        &self.screen.paint(Look::Bad, "… some records were removed before they were read"),
                    )?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn came(&mut self, connection: &Connection) -> Result<(), Fault> {
        let who = self.remember(connection);
        let at = self.screen.paint(Look::Dim, clock(&connection.opened_at));
        self.screen.line(&format!("{at} {who} +"))
    }

    fn went(&mut self, connection: &Connection) -> Result<(), Fault> {
        let who = self.remember(connection);
        self.peers.remove(&connection.id);
        let at = connection.closed_at.as_deref().unwrap_or_default();
        let why = connection.close_reason.as_deref().unwrap_or_default();
        self.screen.line(&format!("{} {who} - {why}", self.screen.paint(Look::Dim, clock(at))))
    }

    fn remember(&mut self, connection: &Connection) -> String {
        let port = connection.local.port().to_string();
        let listener = connection.listener.name.as_deref().unwrap_or(&port);
        let who = format!("{listener} {}", connection.peer);
        if self.peers.len() >= PEERS {
            self.peers.clear();
        }
        self.peers.insert(connection.id.clone(), who.clone());
        who
    }

    async fn message(&mut self, message: &Message) -> Result<(), Fault> {
        let who = match self.peers.get(&message.connection) {
            Some(who) => who.clone(),
            None => match self.client.connection(&message.connection).await {
                Ok(connection) => self.remember(&connection),
                // It was forgotten meanwhile.
                Err(_) => message.connection.clone(),
            },
        };
        let (sign, look) = arrow(message.direction);
        let (at, sign) = (self.screen.paint(Look::Dim, clock(&message.at)), self.screen.paint(look, sign));
        let note = if message.malformed {
            self.screen.paint(Look::Bad, &format!("  [no {}]", message.encoding))
        } else {
            String::new()
        };
        self.screen.line(&format!("{at} {who} {sign} {}{note}", printable(&message.text)))?;
        if self.is_hex {
            self.screen.bytes(self.screen.hexdump(message.offset, &message.payload).as_bytes())?;
        }
        Ok(())
    }
}

/// Whether it may be over when it is asked again: a service that starts is not there, or not ready.
fn is_passing(fault: &Error) -> bool {
    let is_out_of_reach =
        matches!(fault, Error::Unreachable { .. } | Error::Broken { .. } | Error::TimedOut { .. });
    is_out_of_reach || fault.status() == Some(503)
}
