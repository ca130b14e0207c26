//! The settings once they are read.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::log_filter::LogFilter;
use crate::domain::{Durability, Limits, ListenerDraft, PortSet};

/// Bytes of records on disk: days of small messages, on any disk that is in use today.
const RETAIN_ON_DISK: u64 = 1 << 30;

/// Bytes of records in memory: a small machine has them to spare, and runs that are thrown away need no more.
const RETAIN_IN_MEMORY: u64 = 256 << 20;

/// Bytes that stay free on the disk. A journal that has no room must still be able to write what gives it room again, in
/// its log, which goes into the database every 16 MiB; and other programs of the machine want to go on meanwhile.
const MIN_FREE_DISK: u64 = 64 << 20;

/// Everything that `answerback serve` can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the API listens; port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// Endpoints that are opened at start, with all defaults; port 0 lets the kernel choose.
    pub open: Vec<SocketAddr>,
    /// Listeners that are there at start, as they are here; they are found again by their names, or by host and port.
    pub listeners: Vec<ListenerDraft>,
    /// What callers of the API must know.
    pub token: TokenSetting,
    /// The ports that listeners may have.
    pub allow_ports: PortSet,
    /// More names, lower case, each with a port or without, under which the API may be called.
    pub allow_hosts: Vec<String>,
    /// Listeners at one time; at least 1.
    pub max_listeners: u32,
    /// Clients at one time, on all listeners together; at least 1.
    pub max_connections: u32,
    /// Clients at one time on a listener that does not say otherwise; at least 1.
    pub max_connections_per_listener: u32,
    /// How long a client may be silent on a listener that does not say otherwise; longer than 0.
    pub idle_timeout: Duration,
    /// The directory of the journal on disk.
    pub data_dir: PathBuf,
    /// Where records are kept.
    pub journal: JournalSetting,
    /// What the journal on disk survives; the one in memory survives nothing.
    pub durability: Durability,
    /// How old records may become; longer than 0. `None`: as old as there is room for.
    pub retain_age: Option<Duration>,
    /// Bytes of records that are kept before the oldest go; at least 1. `None`: as many as fit the kind of journal; read it
    /// with [`Config::retained_bytes`].
    pub retain_bytes: Option<u64>,
    /// Messages that are kept before the oldest go; at least 1. `None`: as many as there is room for.
    pub retain_messages: Option<u64>,
    /// Bytes of the data directory's file system that are left to others: with less than that, nothing is recorded. 0
    /// leaves nothing.
    pub min_free_disk: u64,
    /// For a test that shows that nothing is lost, to show that it would notice: replies leave before their records are
    /// kept. No flag, variable or file reaches it.
    #[doc(hidden)]
    pub answer_early: bool,
    /// What a line of the log looks like.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: LogFilter,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7070)),
            open: Vec::new(),
            listeners: Vec::new(),
            token: TokenSetting::Automatic,
            allow_ports: PortSet::default(),
            allow_hosts: Vec::new(),
            max_listeners: 256,
            max_connections: 10_000,
            max_connections_per_listener: 5_000,
            idle_timeout: Duration::from_secs(5 * 60),
            data_dir: PathBuf::from("./answerback-data"),
            journal: JournalSetting::Sqlite,
            durability: Durability::Process,
            retain_age: None,
            retain_bytes: None,
            retain_messages: None,
            min_free_disk: MIN_FREE_DISK,
            answer_early: false,
            log_format: LogFormat::Text,
            log: LogFilter::default(),
        }
    }
}

impl Config {
    /// What a listener is where its spec does not say.
    pub fn listener_defaults(&self) -> ListenerDraft {
        let limits = Limits {
            connections: self.max_connections_per_listener,
            idle: Some(self.idle_timeout),
            ..Limits::default()
        };
        ListenerDraft { limits, ..ListenerDraft::default() }
    }

    /// Bytes of records that are kept before the oldest go: what was said, or what fits the kind of journal.
    pub fn retained_bytes(&self) -> u64 {
        self.retain_bytes.unwrap_or(match self.journal {
            JournalSetting::Sqlite => RETAIN_ON_DISK,
            JournalSetting::Memory => RETAIN_IN_MEMORY,
        })
    }
}

/// What a caller of the API must show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TokenSetting {
    /// Nothing on loopback; elsewhere a token that is made at start and shown once.
    #[default]
    Automatic,
    /// This token, on loopback too.
    Given(Secret),
    /// Nothing, wherever the API listens: somebody said so.
    Off,
}

/// Where records are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JournalSetting {
    /// On disk, in the data directory: there again after a restart.
    #[default]
    Sqlite,
    /// In memory: gone when the process ends.
    Memory,
}

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// A text that must not be seen: it never prints by itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps `text` from being printed.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}
