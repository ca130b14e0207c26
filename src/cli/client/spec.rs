//! A listener's spec as flags, a file, or both.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

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
    /// Where a message ends: `lines`, the name of a framing that needs no more (octet_counting, until_close, none), or JSON
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
    /// Any of the spec, as JSON; flags go before it
    #[arg(long, value_name = "JSON")]
    spec: Option<String>,
    /// The spec from this file: JSON, TOML (.toml) or YAML (.yaml, .yml); flags go before it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl SpecArgs {
    /// The spec as the API takes it.
    pub(super) fn into_json(self) -> Result<Map<String, Value>, Fault> {
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
        let reply = self.reply();
        let framing = self.framing.as_deref().map(framing).transpose()?;
        let mut limits = Map::new();
        let limit = [
            ("connections", self.connections.map(Value::from)),
            ("idle", self.idle.map(Value::from)),
            ("lifetime", self.lifetime.map(Value::from)),
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
            ("greeting", self.greeting.map(Value::from)),
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
            if let Some(value) = value {
                spec.insert(name.to_owned(), value);
            }
        }
        Ok(spec)
    }

    fn reply(&self) -> Option<Value> {
        match self {
            Self { reply: Some(text), .. } => Some(json!({"text": text})),
            Self { reply_hex: Some(hex), .. } => Some(json!({"hex": hex})),
            Self { reply_template: Some(template), .. } => Some(json!({"template": template})),
            Self { echo: true, .. } => Some(json!({"echo": true})),
            Self { silent: true, .. } => Some(Value::Null),
            _ => None,
        }
    }
}

fn framing(text: &str) -> Result<Value, Fault> {
    match text {
        "lines" => Ok(json!({"type": "delimiter", "delimiters": ["\r\n", "\n"]})),
        json if json.starts_with('{') => json_of("--framing", json),
        name => Ok(json!({"type": name})),
    }
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
