//! Which events are to be followed, and what they carry besides connections, messages and listeners.

use axum::http::HeaderValue;
use serde::Serialize;

use crate::api::extract::QueryPairs;
use crate::domain::{Charset, ConnectionId, FieldError, ListenerId, Name};
use crate::store::{Cursor, EventKinds, EventQuery, Filter, Position};

use super::list::{as_text, as_text_or_null};
use super::message::Style;
use super::query::{ListOf, Parameters, word};

/// Events of each kind that are read in one go, and the payload bytes of the messages among them.
const PAGE: usize = 64;
const PAGE_BYTES: usize = 1 << 20;

/// What is to be followed.
#[derive(Debug, Clone)]
pub(crate) struct EventRequest {
    /// Which records; from where is not said by it.
    pub(crate) query: EventQuery,
    /// Whether changes of listeners are told too.
    pub(crate) listeners: bool,
    /// Behind this; `None` is from now on.
    pub(crate) after: Option<Position>,
    /// How messages are shown.
    pub(crate) style: Style,
}

/// One kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Opened,
    Message,
    Closed,
    Listener,
}

const KINDS: [(&str, Kind); 4] = [
    ("opened", Kind::Opened),
    ("message", Kind::Message),
    ("closed", Kind::Closed),
    ("listener", Kind::Listener),
];

/// Reads the query of a stream. The id of the last event that a reader has seen goes before `after`: a browser sends it by
/// itself when it comes again, with the address as it was.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_events(
    query: QueryPairs,
    last_event_id: Option<&HeaderValue>,
) -> Result<EventRequest, Vec<FieldError>> {
    let mut parameters = Parameters::new(query);
    let style = parameters.style();
    let filter = parameters.event_filter(style.encoding);
    let connection = parameters.read("connection", |text| {
        ConnectionId::parse(text).ok_or_else(|| "must be the id of a connection".to_owned())
    });
    let kinds = parameters.read("event", kinds).unwrap_or_else(|| KINDS.map(|(_, kind)| kind).to_vec());
    let mut after = parameters.read("after", |text| Cursor::parse(text).map(|cursor| cursor.0));
    let mut errors = parameters.finish().err().unwrap_or_default();
    // An empty one is what a browser has before it has seen any.
    if let Some(id) = last_event_id.filter(|id| !id.is_empty()) {
        match id.to_str().map_err(|fault| fault.to_string()).and_then(Cursor::parse) {
            Ok(cursor) => after = Some(cursor.0),
            Err(detail) => errors.push(FieldError::new("", format!("the header Last-Event-ID is {detail}"))),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let has = |kind| kinds.contains(&kind);
    let kinds =
        EventKinds { opened: has(Kind::Opened), message: has(Kind::Message), closed: has(Kind::Closed) };
    let query =
        EventQuery { kinds, connection, filter, after: Position::START, limit: PAGE, budget: PAGE_BYTES };
    Ok(EventRequest { query, listeners: has(Kind::Listener), after, style })
}

fn kinds(text: &str) -> Result<Vec<Kind>, String> {
    text.split(',').map(|one| word(one.trim(), &KINDS)).collect()
}

impl Parameters {
    /// The filters that can be told of a record at the moment when it comes.
    fn event_filter(&mut self, encoding: Option<Charset>) -> Filter {
        let filter = self.filter(ListOf::Messages, encoding);
        let times =
            [("since", filter.since), ("until", filter.until)].map(|(name, time)| (name, time.is_some()));
        for (name, _) in
            times.into_iter().chain([("state", filter.state.is_some())]).filter(|(_, given)| *given)
        {
            self.wrong(
                name,
                "is no filter of events: they are told as they come; `after` says from where on",
            );
        }
        filter
    }
}

/// A listener that is gone.
#[derive(Debug, Serialize)]
pub struct GoneView {
    #[serde(serialize_with = "as_text")]
    id: ListenerId,
    #[serde(serialize_with = "as_text_or_null")]
    name: Option<Name>,
}

impl GoneView {
    /// The listener of this id, and the name it had.
    pub(crate) fn new(id: ListenerId, name: Option<&Name>) -> Self {
        Self { id, name: name.cloned() }
    }
}

/// Something is missing from the stream.
#[derive(Debug, Serialize)]
pub struct EvictedView {
    #[serde(serialize_with = "as_text")]
    evicted_before: Cursor,
}

impl EvictedView {
    /// Before this position records were removed.
    pub(crate) const fn new(before: Position) -> Self {
        Self { evicted_before: Cursor(before) }
    }
}
