//! Texts become settings.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use config::{Value, ValueKind};

use super::address::address;
use super::error::{ConfigError, Fault};
use super::file::Listeners;
use super::layers::Values;
use super::log_filter::LogFilter;
use super::settings::{Config, JournalSetting, LogFormat, Secret, TokenSetting};
use crate::api::guard::{AllowedHost, TokenDigest};
use crate::api::types::parse_document;
use crate::domain::{Durability, FieldError, ListenerDraft, PortSet, parse_duration, parse_size};

/// More listeners or connections than this is a slip of the hand: no machine has the file descriptors.
const MOST: u32 = 10_000_000;

/// All settings.
pub(super) fn config(values: &Values) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let mut reader = Reader { values, faults: Vec::new() };
    reader.one("listen", &mut config.listen, api_address);
    reader.list("open", &mut config.open, endpoint_address);
    config.token = reader.token();
    let mut ranges = Vec::new();
    if reader.list("allow_ports", &mut ranges, PortSet::parse_range) {
        config.allow_ports = PortSet::of(ranges);
    }
    reader.list("allow_host", &mut config.allow_hosts, host);
    reader.one("max_listeners", &mut config.max_listeners, count);
    reader.one("max_connections", &mut config.max_connections, count);
    reader.one("max_connections_per_listener", &mut config.max_connections_per_listener, count);
    reader.one("idle_timeout", &mut config.idle_timeout, some_time);
    reader.one("data_dir", &mut config.data_dir, directory);
    reader.one("journal", &mut config.journal, journal);
    reader.one("durability", &mut config.durability, durability);
    reader.one("retain_age", &mut config.retain_age, |text| or_none(text, some_time));
    reader.one("retain_bytes", &mut config.retain_bytes, |text| some_bytes(text).map(Some));
    reader.one("retain_messages", &mut config.retain_messages, |text| or_none(text, some_messages));
    reader.one("min_free_disk", &mut config.min_free_disk, parse_size);
    reader.one("log_format", &mut config.log_format, log_format);
    let mut parts = Vec::new();
    reader.list("log", &mut parts, |part| LogFilter::default().add(part).map(|()| part.to_owned()));
    for part in parts {
        // Each part has been read once already: a wrong one is among the faults.
        let _ = config.log.add(&part);
    }
    reader.check_open(&config);
    reader.end(config)
}

/// The listeners of the file. What they do not say is as in the other settings.
pub(super) fn listeners(written: &Listeners, config: &Config) -> Result<Vec<ListenerDraft>, ConfigError> {
    match parse_document(&written.document, &config.listener_defaults()) {
        Ok(specs) => Ok(specs.into_iter().map(|spec| spec.draft().clone()).collect()),
        Err(errors) => {
            let fault = |error: FieldError| written.fault(&error.pointer, error.detail);
            Err(ConfigError { faults: errors.into_iter().map(fault).collect() })
        }
    }
}

/// The API's address alone.
pub(super) fn listen(values: &Values) -> Result<SocketAddr, ConfigError> {
    let mut listen = Config::default().listen;
    let mut reader = Reader { values, faults: Vec::new() };
    reader.one("listen", &mut listen, api_address);
    reader.end(listen)
}

/// The data directory alone.
pub(super) fn data_dir(values: &Values) -> Result<PathBuf, ConfigError> {
    let mut data_dir = Config::default().data_dir;
    let mut reader = Reader { values, faults: Vec::new() };
    reader.one("data_dir", &mut data_dir, directory);
    reader.end(data_dir)
}

/// The token alone.
pub(super) fn token(values: &Values) -> Result<TokenSetting, ConfigError> {
    let mut reader = Reader { values, faults: Vec::new() };
    let token = reader.token();
    reader.end(token)
}

/// Whether a value says yes; a wrong one does not.
pub(super) fn is_true(value: &Value) -> bool {
    says(value, |text| yes_or_no(text) == Ok(true))
}

/// Whether a value asks for the journal in memory; a wrong one does not.
pub(super) fn is_memory(value: &Value) -> bool {
    says(value, |text| journal(text) == Ok(JournalSetting::Memory))
}

fn says(value: &Value, what: impl Fn(&str) -> bool) -> bool {
    texts(value).is_ok_and(|texts| matches!(texts.as_slice(), [text] if what(text.trim())))
}

struct Reader<'a> {
    values: &'a Values,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// Reads a setting of one value into `field`, if anybody gave it.
    fn one<T>(&mut self, name: &str, field: &mut T, parse: impl Fn(&str) -> Result<T, String>) {
        let Some(value) = self.values.get(name) else { return };
        let read = texts(value).and_then(|texts| match texts.as_slice() {
            [text] => parse(text.trim()),
            _ => Err("is a list; write one value".to_owned()),
        });
        match read {
            Ok(value) => *field = value,
            Err(detail) => self.fault(name, detail),
        }
    }

    /// Reads a setting of many values, separated by commas or listed, into `field`; says whether anybody gave it.
    fn list<T>(&mut self, name: &str, field: &mut Vec<T>, parse: impl Fn(&str) -> Result<T, String>) -> bool {
        let Some(value) = self.values.get(name) else { return false };
        match texts(value) {
            Err(detail) => self.fault(name, detail),
            Ok(texts) => {
                for part in texts.iter().flat_map(|text| text.split(',')) {
                    match parse(part.trim()) {
                        Ok(value) => field.push(value),
                        Err(detail) => self.fault(name, detail),
                    }
                }
            }
        }
        true
    }

    /// Which of the three was given; there is at most one.
    fn token(&mut self) -> TokenSetting {
        let (mut token, mut path, mut off) = (None, String::new(), false);
        self.one("no_auth", &mut off, yes_or_no);
        self.one("token", &mut token, |text| secret(text).map(Some));
        self.one("token_file", &mut path, |text| Ok(text.to_owned()));
        if !path.is_empty() {
            let read = fs::read_to_string(&path).map_err(|e| format!("`{path}` cannot be read: {e}"));
            match read.and_then(|text| secret(text.trim_end()).map_err(|e| format!("`{path}`: {e}"))) {
                Ok(secret) => token = Some(secret),
                Err(detail) => self.fault("token_file", detail),
            }
        }
        match token {
            Some(secret) => TokenSetting::Given(secret),
            None if off => TokenSetting::Off,
            None => TokenSetting::Automatic,
        }
    }

    /// What is known to fail before a socket is asked for.
    fn check_open(&mut self, config: &Config) {
        for (i, address) in config.open.iter().enumerate().filter(|(_, address)| address.port() != 0) {
            let port = address.port();
            if port == config.listen.port() {
                self.fault(
                    "open",
                    format!("port {port} is the API's own; choose another, or another --listen"),
                );
            } else if !config.allow_ports.contains(port) {
                let allowed = &config.allow_ports;
                self.fault("open", format!("port {port} is not among the allowed {allowed}; allow it with --allow-ports {port},{allowed}"));
            } else if config.open.iter().take(i).any(|other| other == address) {
                self.fault("open", format!("{address} is there twice; leave one"));
            }
        }
    }

    fn fault(&mut self, name: &str, detail: String) {
        let origin = self.values.get(name).and_then(Value::origin).unwrap_or("by default").to_owned();
        self.faults.push(Fault::Setting { setting: name.to_owned(), detail, origin });
    }

    fn end<T>(self, value: T) -> Result<T, ConfigError> {
        if self.faults.is_empty() { Ok(value) } else { Err(ConfigError { faults: self.faults }) }
    }
}

/// The texts of a value: one, or those of a list. TOML's numbers and booleans are as good as quoted ones.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let text = |value: &Value| match &value.kind {
        ValueKind::String(text) => Ok(text.clone()),
        ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::U64(_) => Ok(value.kind.to_string()),
        ValueKind::I128(_) | ValueKind::U128(_) | ValueKind::Float(_) => {
            Err(format!("`{}` is no whole number that can be meant here", value.kind))
        }
        ValueKind::Nil | ValueKind::Table(_) | ValueKind::Array(_) => {
            Err("is neither a text nor a number; write one value, or a list of them".to_owned())
        }
    };
    match &value.kind {
        ValueKind::Array(values) => values.iter().map(text).collect(),
        _ => text(value).map(|text| vec![text]),
    }
}

fn api_address(text: &str) -> Result<SocketAddr, String> {
    address(text, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn endpoint_address(text: &str) -> Result<SocketAddr, String> {
    address(text, IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

// The API says what it takes as a token; the text itself is in no message.
fn secret(text: &str) -> Result<Secret, String> {
    TokenDigest::of(text).map(|_| Secret::new(text))
}

fn host(text: &str) -> Result<String, String> {
    text.parse::<AllowedHost>().map(|_| text.to_ascii_lowercase())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

fn count(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|n| (1..=MOST).contains(n));
    number.ok_or_else(|| format!("`{text}` is no whole number from 1 to {MOST}"))
}

fn some_time(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err(format!("`{text}` is no time at all; write a longer one, like 5m")),
        duration => Ok(duration),
    }
}

fn some_bytes(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err(format!("`{text}` keeps nothing; write a larger size, like 256MiB")),
        bytes => Ok(bytes),
    }
}

fn some_messages(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|n| *n > 0);
    number.ok_or_else(|| format!("`{text}` is no number of messages; write a whole one from 1, or none"))
}

/// `none` takes back what a lower layer says.
fn or_none<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text == "none" { Ok(None) } else { parse(text).map(Some) }
}

fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') {
        return Err("is no path of a directory; write one, like ./answerback-data".to_owned());
    }
    Ok(PathBuf::from(text))
}

fn journal(text: &str) -> Result<JournalSetting, String> {
    match text {
        "sqlite" => Ok(JournalSetting::Sqlite),
        "memory" => Ok(JournalSetting::Memory),
        _ => Err(format!("`{text}` is no journal of this version; write sqlite or memory")),
    }
}

fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "process" => Ok(Durability::Process),
        "power" => Ok(Durability::Power),
        "memory" => Err("`memory` is a journal of its own; ask for it with --journal memory".to_owned()),
        _ => Err(format!("`{text}` is no durability; write process or power")),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{text}` is no format; write text or json")),
    }
}
