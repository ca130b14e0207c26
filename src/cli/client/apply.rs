//! `answerback apply`, `reset`: all listeners at once.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::remote::{Done, Fault, Remote};
use super::spec::read_file;
use crate::client::{Applied, Query};
use crate::config::read_text;

const APPLY_HELP: &str = "\
The file is what `serve --config` reads and GET /config answers: JSON, TOML (.toml) or YAML (.yaml, .yml), with `listeners`. All of \
it is done, or nothing. A listener that is as the file says keeps its clients.

Examples:
  answerback apply listeners.toml
  answerback apply --prune examples/redis.json";

const RESET_HELP: &str = "\
Examples:
  answerback reset
  answerback reset --yes";

#[derive(Debug, clap::Args)]
#[command(after_help = APPLY_HELP)]
pub(in super::super) struct Apply {
    /// The file
    file: PathBuf,
    /// Close the listeners that it does not name
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Args)]
#[command(after_help = RESET_HELP)]
pub(in super::super) struct Reset {
    /// Do not ask first
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Apply {
    pub(super) async fn run(self) -> Done {
        let document = document(&self.file)?;
        let query = if self.prune { Query::new().with("prune", "true") } else { Query::new() };
        let answer: Value = self.remote.client()?.ask("PUT", "/config", &query, Some(&document)).await?;
        let screen = self.remote.screen();
        if screen.is_json {
            screen.json(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let Applied { created, changed, unchanged, closed } = serde_json::from_value(answer)?;
        let groups =
            [("opened", created), ("changed", changed), ("as it was", unchanged), ("closed", closed)];
        for (word, names) in groups.iter().filter(|(_, names)| !names.is_empty()) {
            screen.line(&format!("{word}: {}", names.join(", ")))?;
        }
        if groups.iter().all(|(_, names)| names.is_empty()) {
            screen.line("nothing to do")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The listeners of a file. What is wrong with one is said here, where its line is known; the service's own settings in it are
/// not the business of a service that runs already. A file that is one listener is that one.
fn document(file: &Path) -> Result<Value, Fault> {
    let mut members = read_file(file)?;
    if let Some(listeners) = members.remove("listeners") {
        let text = std::fs::read_to_string(file)?;
        read_text(file, &text).map_err(|fault| Fault::Failed(fault.to_string()))?;
        return Ok(Value::Object(Map::from_iter([("listeners".to_owned(), listeners)])));
    }
    if members.contains_key("port") {
        let listeners = Value::from(vec![Value::Object(members)]);
        return Ok(Value::Object(Map::from_iter([("listeners".to_owned(), listeners)])));
    }
    Err(Fault::Failed(format!("{} has no `listeners`", file.display())))
}

impl Reset {
    pub(super) async fn run(self) -> Done {
        let client = self.remote.client()?;
        if !self.yes {
            if !io::stdin().is_terminal() {
                return Err(Fault::Usage("it cannot be undone; say --yes".to_owned()));
            }
            let url = client.url();
            write!(
                io::stderr(),
                "Close all listeners of {url} and forget all records? It cannot be undone. [y/N] "
            )?;
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer)?;
            if !matches!(answer.trim(), "y" | "Y" | "yes") {
                return Err(Fault::Failed("nothing was done".to_owned()));
            }
        }
        client.reset().await?;
        let screen = self.remote.screen();
        if screen.is_json {
            screen.json(&json!({"reset": true}))?;
        } else {
            screen.line("nothing is open and nothing is on record")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
