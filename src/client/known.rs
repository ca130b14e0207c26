//! What the API shows, as structs with its names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::kinds::Direction;

/// Some of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// Where to go on; `None` when there is no more.
    pub next: Option<String>,
    /// Records before this cursor were removed, and the list reaches back so far.
    pub evicted_before: Option<String>,
}

/// An open port, or one that was.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Listener {
    /// Names it for ever.
    pub id: String,
    /// The name it was given.
    pub name: Option<String>,
    /// `open`, `draining`, `closed` or `failed`.
    pub state: String,
    /// The address that it is bound to.
    pub host: IpAddr,
    /// The resolved port.
    pub port: u16,
    /// How text is read and written.
    pub encoding: String,
    /// Where a message ends.
    pub framing: Value,
    /// What is sent back.
    pub reply: Value,
    /// What follows the reply.
    pub then: String,
    /// Why it is `failed`.
    pub failure: Option<Failure>,
    /// Its clients.
    pub connections: ConnectionCounts,
    /// What they sent.
    pub received: Tally,
    /// What they were sent.
    pub sent: Tally,
    /// Every other field of the API, under its name.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Listener {
    /// Where a client on this machine reaches it: a wildcard is loopback.
    pub fn address(&self) -> SocketAddr {
        let ip = match self.host {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.port)
    }

    /// The name, or else the id.
    pub fn called(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// Why a listener cannot be open.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The code of the problem that opening it is answered with.
    pub code: String,
    /// What it is.
    pub detail: String,
}

/// A listener's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ConnectionCounts {
    /// Connected now.
    pub open: u64,
    /// All that ever came.
    pub total: u64,
}

/// How much crossed in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Tally {
    /// Bytes on the wire.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

/// Which listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListenerRef {
    /// Its id.
    pub id: String,
    /// Its name at that time.
    pub name: Option<String>,
}

/// One client on a listener.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Connection {
    /// Names it for ever.
    pub id: String,
    /// Its opening in the journal.
    pub cursor: String,
    /// The listener that it came to.
    pub listener: ListenerRef,
    /// The client's address.
    #[serde(deserialize_with = "address")]
    pub peer: SocketAddr,
    /// The address that it came to.
    #[serde(deserialize_with = "address")]
    pub local: SocketAddr,
    /// `open` or `closed`.
    pub state: String,
    /// When it came (RFC 3339, UTC).
    pub opened_at: String,
    /// When it ended.
    pub closed_at: Option<String>,
    /// `peer` or `endpoint`.
    pub closed_by: Option<String>,
    /// `replied`, `peer_closed`, `idle_timeout`, ….
    pub close_reason: Option<String>,
    /// What it sent.
    pub received: Tally,
    /// What it was sent.
    pub sent: Tally,
    /// The first of its messages.
    pub messages: Vec<Message>,
    /// How many come behind these.
    pub more_messages: u64,
}

/// A recorded unit of bytes.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Its position in the journal.
    pub cursor: String,
    /// The id of its connection.
    pub connection: String,
    /// The id of its listener.
    pub listener: String,
    /// Which way it crossed.
    pub direction: Direction,
    /// The how manieth of its connection, from 1.
    pub seq: u64,
    /// Where in the stream of its direction it begins.
    pub offset: u64,
    /// When it crossed (RFC 3339, UTC).
    pub at: String,
    /// Bytes on the wire.
    pub size: u64,
    /// Its text.
    pub text: String,
    /// What that was read in.
    pub encoding: String,
    /// Whether bytes of it were no text.
    pub malformed: bool,
    /// What the peer seems to speak.
    pub detected_encoding: Option<String>,
    /// Its bytes, or the first of them.
    #[serde(rename = "base64", default, deserialize_with = "bytes")]
    pub payload: Vec<u8>,
    /// Bytes that were kept.
    pub stored: u64,
    /// The digest of all its bytes, where not all were kept.
    pub sha256: Option<String>,
    /// The rule that answered it.
    pub rule: Option<String>,
    /// What came nearest, where no rule did.
    pub near_miss: Option<NearMiss>,
    /// Why a template gave no reply.
    pub template_error: Option<String>,
    /// Whether more of it was kept than is in `payload`.
    #[serde(default)]
    pub truncated_in_list: bool,
}

/// Why no rule, or no framing, took a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NearMiss {
    /// The rule that came nearest.
    pub rule: Option<String>,
    /// Why it did not fit.
    pub detail: String,
}

/// What came of an expectation.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// Whether it was met.
    pub met: bool,
    /// Whether that cannot be known, because records were evicted.
    pub unknown: bool,
    /// How many messages were like that; of a sequence, how far it came.
    pub matched: u64,
    /// How many messages were looked at.
    pub looked_at: u64,
    /// Where to go on.
    pub next: String,
    /// The first messages that were like that.
    pub evidence: Vec<Message>,
    /// Those that came nearest.
    pub near_misses: Vec<NearestMessage>,
}

/// A message that was not like that.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct NearestMessage {
    /// Where it differs.
    pub detail: String,
    /// The message.
    pub message: Message,
}

/// A message that was sent to a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Sent {
    /// The id of the connection.
    pub connection: String,
    /// The how manieth message of it.
    pub seq: u64,
    /// When it was recorded.
    pub at: String,
    /// Bytes on the wire.
    pub size: u64,
}

/// What has become of the listeners of a document: each by its name, or else its id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Applied {
    /// Opened.
    pub created: Vec<String>,
    /// Made another.
    pub changed: Vec<String>,
    /// As they were.
    pub unchanged: Vec<String>,
    /// Closed, because the document does not name them.
    pub closed: Vec<String>,
}

/// What was removed of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Forgotten {
    /// Connections that are no longer on record.
    pub forgotten: u64,
    /// Connections that stay, because they are open.
    pub kept_open: u64,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    #[derive(Deserialize)]
    struct Parts {
        ip: IpAddr,
        port: u16,
    }
    Parts::deserialize(from).map(|Parts { ip, port }| SocketAddr::new(ip, port))
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    data_encoding::BASE64.decode(text.as_bytes()).map_err(D::Error::custom)
}
