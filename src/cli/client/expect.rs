//! `answerback expect`: wait until something has happened.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::remote::{Done, Fault, Remote};
use super::screen::{Look, arrow, clock};
use super::spec::json_of;
use super::which;
use crate::client::{Error, Expectation, Outcome};
use crate::telemetry::printable;

const AFTER_HELP: &str = "\
Without a matcher, any message will do. It exits with 0 as soon as it has happened, with 1 when it has not within the time, or \
cannot any more; then it says what came nearest.

Examples:
  answerback expect --listener gate --starts-with 'LOGIN '
  answerback expect --listener gate --contains ORDER --exactly 3 --within 10s
  answerback expect --never --contains ALARM --within 2s
  answerback expect --sequence '[{\"starts_with\":\"LOGIN\"},{\"equals\":\"PING\"}]'
  answerback expect --match '{\"all\":[{\"length\":{\"min\":9}},{\"bytes_at\":{\"offset\":3,\"hex\":\"01\"}}]}'";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in super::super) struct Args {
    /// On this listener: its name or id
    #[arg(long, value_name = "LISTENER")]
    listener: Option<String>,
    /// On this connection: its id, or its beginning, or `last`
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// `received` or `sent` [default: received]
    #[arg(long, value_name = "DIRECTION")]
    direction: Option<String>,
    /// A message that is this text
    #[arg(long, value_name = "TEXT", group = "a_matcher")]
    equals: Option<String>,
    /// A message that begins so
    #[arg(long, value_name = "TEXT", group = "a_matcher")]
    starts_with: Option<String>,
    /// A message that ends so
    #[arg(long, value_name = "TEXT", group = "a_matcher")]
    ends_with: Option<String>,
    /// A message with this text in it
    #[arg(long, value_name = "TEXT", group = "a_matcher")]
    contains: Option<String>,
    /// A message with these bytes in it
    #[arg(long, value_name = "HEX", group = "a_matcher")]
    contains_hex: Option<String>,
    /// A message in which this is found
    #[arg(long, value_name = "REGEX", group = "a_matcher")]
    regex: Option<String>,
    /// Any matcher, as JSON
    #[arg(long = "match", value_name = "JSON", group = "a_matcher")]
    matcher: Option<String>,
    /// Matchers, as a JSON array: one after the other on one connection
    #[arg(long, value_name = "JSON", group = "a_matcher")]
    sequence: Option<String>,
    /// At least so many [default: 1]
    #[arg(long, value_name = "COUNT", group = "a_count")]
    at_least: Option<u64>,
    /// At most so many, until the time is over
    #[arg(long, value_name = "COUNT", group = "a_count")]
    at_most: Option<u64>,
    /// So many, until the time is over
    #[arg(long, value_name = "COUNT", group = "a_count")]
    exactly: Option<u64>,
    /// None, until the time is over
    #[arg(long, group = "a_count")]
    never: bool,
    /// How long [default: 5s]
    #[arg(long, value_name = "TIME")]
    within: Option<String>,
    /// Only what is behind this cursor
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Args {
    pub(super) async fn run(self) -> Done {
        let (client, screen) = (self.remote.client()?, self.remote.screen());
        let mut this = self;
        if let Some(said) = &this.connection {
            this.connection = Some(which::connection(&client, said).await?);
        }
        let expectation = this.expectation()?;
        if screen.is_json {
            return match client.expect_json(expectation).await? {
                (true, outcome) => screen.json(&outcome).map(|()| ExitCode::SUCCESS),
                (false, outcome) => screen.json(&outcome).map(|()| ExitCode::FAILURE),
            };
        }
        match client.expect(expectation).await {
            Ok(outcome) => {
                screen.line(&format!("met: {} of {} messages", outcome.matched, outcome.looked_at))?;
                for message in &outcome.evidence {
                    let (sign, look) = arrow(message.direction);
                    let (at, sign) = (clock(&message.at), screen.paint(look, sign));
                    screen.line(&format!("  {at} {sign} {}", printable(&message.text)))?;
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(Error::Unmet(unmet)) => {
                let Outcome { unknown, near_misses, .. } = &unmet.outcome;
                let word = if *unknown { "unknown" } else { "unmet" };
                screen.line(&format!("{}: {}", screen.paint(Look::Bad, word), printable(&unmet.detail)))?;
                for near in near_misses {
                    screen.line(&format!(
                        "  {}  {}",
                        printable(&near.detail),
                        printable(&near.message.text)
                    ))?;
                }
                Ok(ExitCode::FAILURE)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    fn expectation(self) -> Result<Expectation, Fault> {
        let texts = [
            ("equals", self.equals),
            ("starts_with", self.starts_with),
            ("ends_with", self.ends_with),
            ("contains", self.contains),
            ("regex", self.regex),
        ];
        let mut said = texts.into_iter().find_map(|(name, text)| Some(json!({name: text?})));
        if let Some(hex) = self.contains_hex {
            said = Some(json!({"contains": {"hex": hex}}));
        }
        if let Some(text) = &self.matcher {
            said = Some(json_of("--match", text)?);
        }
        let mut expectation = match &self.sequence {
            Some(text) => Expectation::from(json!({"sequence": json_of("--sequence", text)?})),
            None => Expectation::message(said.unwrap_or_else(|| json!({"length": {"min": 0}}))),
        };
        let counts = [("at_least", self.at_least), ("at_most", self.at_most), ("exactly", self.exactly)];
        if let Some((name, count)) = counts.into_iter().find_map(|(name, count)| Some((name, count?))) {
            expectation = expectation.with("count", json!({name: count}));
        }
        if self.never {
            expectation = expectation.with("never", true);
        }
        let fields = [
            ("listener", self.listener),
            ("connection", self.connection),
            ("direction", self.direction),
            ("within", self.within),
            ("after", self.after),
        ];
        Ok(fields.into_iter().fold(expectation, |expectation, (name, value)| match value {
            Some(value) => expectation.with(name, Value::from(value)),
            None => expectation,
        }))
    }
}
