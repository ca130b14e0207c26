//! A listener's spec as flags, a file, or both.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::escapes::unescape;
use super::remote::Fault;
use crate::config::read_document;

/// What a listener is to be. What is not said is left as it is; for a new one, to the service.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SpecArgs {
    /// The address to listen on [a new listener: 0.0.0.0]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// How text is read and written: gbk, utf-8, latin1, auto, … [a new listener: gbk]
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
    /// Answer this text [a new listener: the standard reply]
    #[arg(long, value_name = "TEXT", group = "a_reply")]
    reply: Option<String>,
    /// Answer these bytes, like `06 0d 0a`
    #[arg(long, value_name = "HEX", group = "a_reply")]
    reply_hex: Option<String>,
    /// Answer what this template makes of each message
    #[arg(long, value_name = "TEMPLATE", group = "a_reply")]
    reply_template: Option<String>,
    /// Answer what was sent
    #[arg(long, group = "a_reply")]
    echo: bool,
    /// Answer nothing
    #[arg(long, group = "a_reply")]
    silent: bool,
    /// What follows a reply: close, keep, half_close, reset
    #[arg(long, value_name = "WHAT")]
    then: Option<String>,
    /// Send this text to each client that comes
    #[arg(long, value_name = "TEXT")]
    greeting: Option<String>,
    /// Where a message ends: lines, delimiter:0d0a (hex), fixed:64 (bytes), length_prefixed:2, ascii_length:4 (the width),
    /// idle_gap:50ms, octet_counting, until_close, none; or JSON
    #[arg(long, value_name = "FRAMING")]
    framing: Option<String>,
    /// A rule, as JSON; repeatable, the first that fits answers
    #[arg(long, value_name = "JSON")]
    rule: Vec<String>,
    /// A fault, as JSON; repeatable
    #[arg(long, value_name = "JSON")]
    fault: Vec<String>,
    /// A periodic send, as JSON; repeatable
    #[arg(long, value_name = "JSON")]
    every: Vec<String>,
    /// Clients at one time
    #[arg(long, value_name = "COUNT")]
    connections: Option<u64>,
    /// How long a client may be silent, like 30s
    #[arg(long, value_name = "TIME")]
    idle: Option<String>,
    /// How long a client may take nothing of its reply
    #[arg(long, value_name = "TIME")]
    write_timeout: Option<String>,
    /// How much of each message is kept, like 64KiB
    #[arg(long, value_name = "SIZE")]
    stored_bytes: Option<String>,
    /// How long a client may stay at all
    #[arg(long, value_name = "TIME")]
    lifetime: Option<String>,
    /// Close by itself after so many clients
    #[arg(long, value_name = "COUNT")]
    max_connections_total: Option<u64>,
    /// Close by itself after this time
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Clients that may wait to be let in
    #[arg(long, value_name = "COUNT")]
    backlog: Option<u64>,
    /// Read \n, \r, \t, \x1b and such in --reply and --greeting as the characters they stand for
    #[arg(long, short)]
    escapes: bool,
    /// Any of the spec, as JSON; flags go before it
    #[arg(long, value_name = "JSON")]
    spec: Option<String>,
    /// The spec from this file: JSON, TOML (.toml) or YAML (.yaml, .yml); flags go before it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What a spec is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A new listener.
    Open,
    /// A change of one, where `null` would be the default.
    Change,
}

impl SpecArgs {
    /// The spec as the API takes it.
    pub(super) fn into_json(self, what_for: Use) -> Result<Map<String, Value>, Fault> {
        let mut spec = match &self.file {
            Some(file) => read_file(file)?,
            None => Map::new(),
        };
        if let Some(text) = &self.spec {
            match json_of("--spec", text)? {
                Value::Object(members) => spec.extend(members),
                _ => return Err(Fault::Usage("--spec must be a JSON object".to_owned())),
            }
        }
        let reply = self.reply(what_for)?;
        let greeting = self.greeting.as_deref().map(|text| self.text("--greeting", text)).transpose()?;
        let framing = self.framing.as_deref().map(framing).transpose()?;
        let mut limits = Map::new();
        let limit = [
            ("connections", self.connections.map(Value::from)),
            ("idle", self.idle.map(Value::from)),
            ("lifetime", self.lifetime.map(Value::from)),
            ("write", self.write_timeout.map(Value::from)),
            ("stored_bytes", self.stored_bytes.map(Value::from)),
        ];
        limits.extend(limit.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let all = |flag, texts: &[String]| -> Result<Option<Value>, Fault> {
            let each = texts.iter().map(|text| json_of(flag, text)).collect::<Result<Vec<_>, _>>()?;
            Ok((!each.is_empty()).then(|| Value::from(each)))
        };
        let fields = [
            ("host", self.host.map(Value::from)),
            ("encoding", self.encoding.map(Value::from)),
            ("reply", reply),
            ("then", self.then.map(Value::from)),
            ("greeting", greeting.map(Value::from)),
            ("framing", framing),
            ("rules", all("--rule", &self.rule)?),
            ("faults", all("--fault", &self.fault)?),
            ("sends", all("--every", &self.every)?),
            ("limits", (!limits.is_empty()).then_some(Value::Object(limits))),
            ("max_connections_total", self.max_connections_total.map(Value::from)),
            ("ttl", self.ttl.map(Value::from)),
            ("backlog", self.backlog.map(Value::from)),
        ];
        for (name, value) in fields {
            match (spec.get_mut(name), value) {
                // One limit leaves the others as they are.
                (Some(Value::Object(there)), Some(Value::Object(more))) if name == "limits" => {
                    there.extend(more)
                }
                (_, Some(value)) => drop(spec.insert(name.to_owned(), value)),
                (_, None) => {}
            }
        }
        Ok(spec)
    }

    /// A text as it was meant.
    fn text(&self, flag: &str, text: &str) -> Result<String, Fault> {
        if self.escapes { unescape(flag, text) } else { Ok(text.to_owned()) }
    }

    fn reply(&self, what_for: Use) -> Result<Option<Value>, Fault> {
        Ok(match self {
            Self { reply: Some(text), .. } => Some(json!({"text": self.text("--reply", text)?})),
            Self { reply_hex: Some(hex), .. } => Some(json!({"hex": hex})),
            Self { reply_template: Some(template), .. } => Some(json!({"template": template})),
            Self { echo: true, .. } => Some(json!({"echo": true})),
            Self { silent: true, .. } if what_for == Use::Change => Some(json!({"hex": ""})),
            Self { silent: true, .. } => Some(Value::Null),
            _ => None,
        })
    }
}

/// The short forms are those of `?framing=`, and those that only an endpoint can have.
fn framing(text: &str) -> Result<Value, Fault> {
    let number = |text: &str| {
        let number = text.parse::<u64>().map(Value::from);
        number.map_err(|_| Fault::Usage(format!("--framing: `{text}` is no number")))
    };
    Ok(match text.split_once(':') {
        _ if text == "lines" => json!({"type": "delimiter", "delimiters": ["\r\n", "\n"]}),
        _ if text.starts_with('{') => json_of("--framing", text)?,
        Some((name @ "delimiter", hex)) => json!({"type": name, "delimiters": [{"hex": hex}]}),
        Some((name @ "fixed", size)) => json!({"type": name, "size": number(size)?}),
        Some((name @ ("length_prefixed" | "ascii_length"), width)) => {
            json!({"type": name, "width": number(width)?})
        }
        Some((name @ "idle_gap", gap)) => json!({"type": name, "gap": gap}),
        _ => json!({"type": text}),
    })
}

/// Reads the JSON of a flag.
pub(super) fn json_of(flag: &str, text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|fault| Fault::Usage(format!("{flag} {text}: it is no JSON: {fault}")))
}

/// What a file says: JSON, TOML or YAML, by its name.
pub(super) fn read_file(path: &Path) -> Result<Map<String, Value>, Fault> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|fault| Fault::Failed(format!("{}: {fault}", path.display())))?;
    read_document(path, &text).map_err(|fault| Fault::Failed(fault.to_string()))
}
