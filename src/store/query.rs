//! What readers ask of a journal.

use encoding_rs::Encoding;
use ipnet::IpNet;

use crate::domain::{ConnectionId, Direction, ListenerId, Name, Timestamp};

use super::cursor::Position;

/// Which listener's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerFilter {
    /// Of the listener with this id.
    Id(ListenerId),
    /// Of every listener that had this name when the client came.
    Name(Name),
}

/// Whether a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Not yet.
    Open,
    /// It has.
    Closed,
}

/// Bytes to look for in the kept part of single messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needle {
    /// A text, looked for in the encoding of each message; where that is `auto`, in UTF-8 and in GBK.
    /// A text that an encoding cannot express is in no message of that encoding.
    Text(String),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// What a record must be like to be in a list. All that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub listener: Option<ListenerFilter>,
    /// The client's address lies here. An IPv4-mapped IPv6 peer counts as its IPv4 address.
    pub peer: Option<IpNet>,
    /// The connection's state.
    pub state: Option<ConnectionState>,
    /// Messages of this direction; for connections, the messages that `contains` looks at.
    pub direction: Option<Direction>,
    /// At or after this moment (a connection's opening, a message's time).
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// The message's bytes contain all of these (a connection: one of its messages does).
    pub contains: Vec<Needle>,
}

/// The order of a list, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

impl Order {
    /// The other one.
    pub(super) const fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Which way.
    pub order: Order,
    /// Begin behind this position, in the direction of the order; `None` is from that order's beginning.
    pub after: Option<Position>,
    /// Items at most; at least 1.
    pub limit: usize,
    /// Payload bytes after which the page ends early; a page always has room for one item.
    pub budget: usize,
}

/// A page of connections, by the position of their opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionQuery {
    /// Which ones.
    pub filter: Filter,
    /// Which page.
    pub page: PageRequest,
    /// How many of its first messages each carries.
    pub messages: usize,
    /// Payload bytes of each carried message at most; the rest of a payload is left out of the answer.
    pub payload: usize,
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageQuery {
    /// Of one connection, or of all.
    pub connection: Option<ConnectionId>,
    /// Which ones.
    pub filter: Filter,
    /// Which page.
    pub page: PageRequest,
}

/// A page of ends, by their own positions, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndQuery {
    /// Of one connection, or of all.
    pub connection: Option<ConnectionId>,
    /// Which connections. What the filter says of messages and of time is passed over.
    pub filter: Filter,
    /// Begin behind this position.
    pub after: Position,
    /// Items at most; at least 1.
    pub limit: usize,
}

/// Some of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// Where to go on: the position of the last item, or of the last record that was looked at and did not fit the
    /// filter. `None` when there was nothing at all behind `after`.
    pub last: Option<Position>,
    /// Whether the list went on at the time. Where there is a filter, nothing of what follows may fit it.
    pub more: bool,
    /// Set when the list reaches into what was evicted: the position of its oldest record behind all that was evicted,
    /// or the next one that will be given out. From there on nothing is missing.
    ///
    /// Ascending, a list reaches there if it begins before the newest evicted record; descending, if it comes to its
    /// end. What was forgotten is not missing. A position from before the first of this run stands before everything.
    pub evicted_before: Option<Position>,
}

impl Needle {
    /// The bytes to look for in a message of `encoding` (`None`: it is to be guessed); empty when there can be none.
    pub fn bytes_in(&self, encoding: Option<&'static Encoding>) -> Vec<Vec<u8>> {
        use crate::domain::Charset;
        match (self, encoding) {
            (Self::Bytes(bytes), _) => vec![bytes.clone()],
            (Self::Text(text), Some(encoding)) => Charset::Fixed(encoding).encode(text).into_iter().collect(),
            (Self::Text(text), None) => [encoding_rs::UTF_8, encoding_rs::GBK]
                .into_iter()
                .filter_map(|e| Charset::Fixed(e).encode(text).ok())
                .collect(),
        }
    }
}
