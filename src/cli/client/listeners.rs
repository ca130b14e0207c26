//! `answerback open`, `ls`, `set`, `close`: the listeners.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::remote::{Done, Fault, Remote};
use super::screen::{Look, brief, size};
use super::spec::{SpecArgs, Use};
use crate::client::{Client, Listener, Query, escaped};
use crate::domain::{format_duration, parse_duration};
use crate::telemetry::printable;

const OPEN_HELP: &str = "\
Examples:
  answerback open 8080
  answerback open 9000 --name gate --encoding utf-8 --reply OK --then keep
  answerback open 0 --host 127.0.0.1 --framing lines --echo
  answerback open 9002 --encoding utf-8 -e --greeting '220 ready\\r\\n' --silent
  answerback open 9001 --reply-hex '78 78 05' --fault '{\"type\":\"latency\",\"delay\":\"100ms\"}'
  answerback open --file examples/redis.json";

const LIST_HELP: &str = "\
Examples:
  answerback ls
  answerback ls --json | python3 -m json.tool";

const SET_HELP: &str = "\
Examples:
  answerback set gate --reply 'try again'
  answerback set gate --silent --idle 30s
  answerback set gate --spec '{\"faults\":[]}'";

const CLOSE_HELP: &str = "\
Examples:
  answerback close gate
  answerback close gate --drain 5s";

#[derive(Debug, clap::Args)]
#[command(after_help = OPEN_HELP)]
pub(in super::super) struct Open {
    /// The port; 0 lets the kernel choose. It may also stand in the file
    port: Option<u16>,
    /// A name for it: in addresses of the API, in filters
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Args)]
#[command(after_help = LIST_HELP)]
pub(in super::super) struct List {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Args)]
#[command(after_help = SET_HELP)]
pub(in super::super) struct Set {
    /// Its name or id
    listener: String,
    /// Another name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Another port: its clients go
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Args)]
#[command(after_help = CLOSE_HELP)]
pub(in super::super) struct Close {
    /// Its name or id
    listener: String,
    /// Let clients finish, for so long at most
    #[arg(long, value_name = "TIME")]
    drain: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Open {
    pub(super) async fn run(self) -> Done {
        let mut spec = self.spec.into_json(Use::Open)?;
        insert(&mut spec, "port", self.port.map(Value::from));
        insert(&mut spec, "name", self.name.map(Value::from));
        if !spec.contains_key("port") {
            return Err(Fault::Usage("say which port: answerback open 8080".to_owned()));
        }
        let body = Value::Object(spec);
        let answer: Value =
            self.remote.client()?.ask("POST", "/listeners", &Query::new(), Some(&body)).await?;
        let screen = self.remote.screen();
        if screen.is_json {
            screen.json(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let listener: Listener = serde_json::from_value(answer)?;
        let place = std::net::SocketAddr::new(listener.host, listener.port);
        screen.line(&format!("{}  {place}  {}", listener.called(), reply(&listener)))?;
        if screen.is_terminal {
            screen.line(
                &screen.paint(Look::Dim, &format!("  try  answerback send {} hello", listener.address())),
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    pub(super) async fn run(self) -> Done {
        let screen = self.remote.screen();
        let answer: Value = self.remote.client()?.ask("GET", "/listeners", &Query::new(), None).await?;
        if screen.is_json {
            screen.json(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let items = answer.get("items").cloned().unwrap_or_default();
        let listeners: Vec<Listener> = serde_json::from_value(items)?;
        if listeners.is_empty() {
            screen.line("no port is open: answerback open 8080")?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows = listeners.iter().map(row).collect();
        screen.table(
            &["LISTENER", "ADDRESS", "STATE", "ENCODING", "REPLY", "THEN", "OPEN", "TOTAL", "IN", "OUT"],
            rows,
        )?;
        for (listener, failure) in listeners.iter().filter_map(|l| Some((l, l.failure.as_ref()?))) {
            screen.line(&format!("{}: {}", listener.called(), printable(&failure.detail)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Set {
    pub(super) async fn run(self) -> Done {
        let mut spec = self.spec.into_json(Use::Change)?;
        insert(&mut spec, "port", self.port.map(Value::from));
        insert(&mut spec, "name", self.name.map(Value::from));
        if spec.is_empty() {
            let example = "say what is to change: answerback set gate --reply OK";
            return Err(Fault::Usage(example.to_owned()));
        }
        let (client, screen) = (self.remote.client()?, self.remote.screen());
        let path = format!("/listeners/{}", escaped(&self.listener));
        let answer: Value = client.ask("PATCH", &path, &Query::new(), Some(&Value::Object(spec))).await?;
        if screen.is_json {
            screen.json(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let listener: Listener = serde_json::from_value(answer)?;
        screen.line(&format!("{}  {}", listener.called(), reply(&listener)))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Close {
    pub(super) async fn run(self) -> Done {
        let client: Client = self.remote.client()?;
        let drain = self.drain.as_deref().map(parse_duration).transpose();
        let drain = drain.map_err(|fault| Fault::Usage(format!("--drain {fault}")))?;
        client.close(&self.listener, drain).await?;
        let screen = self.remote.screen();
        if screen.is_json {
            screen.json(&json!({"closed": self.listener}))?;
        } else {
            let drained = drain.map(|time| format!(", its clients had {}", format_duration(time)));
            screen.line(&format!(
                "{} is closed{}",
                printable(&self.listener),
                drained.unwrap_or_default()
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn insert(spec: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    spec.extend(value.map(|value| (name.to_owned(), value)));
}

fn row(listener: &Listener) -> Vec<String> {
    vec![
        listener.called().to_owned(),
        std::net::SocketAddr::new(listener.host, listener.port).to_string(),
        listener.state.clone(),
        listener.encoding.clone(),
        reply(listener),
        listener.then.clone(),
        listener.connections.open.to_string(),
        listener.connections.total.to_string(),
        size(listener.received.bytes),
        size(listener.sent.bytes),
    ]
}

/// What it answers, in a few words.
fn reply(listener: &Listener) -> String {
    let rules = listener.more.get("rules").and_then(Value::as_array).map_or(0, Vec::len);
    let member = |name: &str| listener.reply.get(name).and_then(Value::as_str);
    let reply = match (member("text"), member("hex"), member("base64"), member("template")) {
        (Some(text), ..) => brief(text),
        (_, Some(""), ..) => "silence".to_owned(),
        (_, Some(hex), ..) => format!("hex {}", brief(hex)),
        (_, _, Some(base64), _) => format!("base64 {}", brief(base64)),
        (_, _, _, Some(template)) => format!("template {}", brief(template)),
        _ if listener.reply.is_null() => "silence".to_owned(),
        _ => "echo".to_owned(),
    };
    if rules > 0 { format!("{rules} rules, else {reply}") } else { reply }
}
