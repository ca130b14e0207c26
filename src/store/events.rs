//! What happened, in the order in which it happened: openings, messages and ends as one list.
//!
//! A backend keeps three lists. They are read up to the same record, one after the other, and what one of them does not reach
//! yet is left for the next page: so nothing is passed over, and nothing is told twice.

use crate::domain::ConnectionId;

use super::cursor::Position;
use super::journal::{ConnectionRecord, EndRecord, Journal, JournalError, MessageRecord};
use super::query::{ConnectionQuery, EndQuery, Filter, MessageQuery, Order, Page, PageRequest};

/// Something that happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It came. Its messages are left out.
    Opened(ConnectionRecord),
    /// Bytes crossed.
    Message(MessageRecord),
    /// It went.
    Closed(EndRecord),
}

/// Which kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKinds {
    /// Openings.
    pub opened: bool,
    /// Messages.
    pub message: bool,
    /// Ends.
    pub closed: bool,
}

/// A page of events, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// Which kinds.
    pub kinds: EventKinds,
    /// Of one connection, or of all.
    pub connection: Option<ConnectionId>,
    /// Listener and peer are those of a connection; what it says of directions and contents is said of messages.
    pub filter: Filter,
    /// Begin behind this position.
    pub after: Position,
    /// Events of each kind at most; at least 1.
    pub limit: usize,
    /// Payload bytes after which the page ends early; it has room for one message.
    pub budget: usize,
}

impl Event {
    /// Where it stands.
    pub const fn position(&self) -> Position {
        match self {
            Self::Opened(record) => record.position,
            Self::Message(record) => record.position,
            Self::Closed(record) => record.position,
        }
    }
}

/// What was read of the lists so far.
struct Reading {
    events: Vec<Event>,
    /// All of them have been read up to here.
    horizon: Position,
    evicted_before: Option<Position>,
}

impl Reading {
    /// One more list was read.
    fn add<T>(&mut self, page: Page<T>, event: impl Fn(T) -> Event) {
        if let Some(last) = page.last.filter(|_| page.more) {
            self.horizon = self.horizon.min(last);
        }
        let (old, new) = (self.evicted_before, page.evicted_before);
        self.evicted_before = old.into_iter().chain(new).min();
        self.events.extend(page.items.into_iter().map(event));
    }
}

/// The next events behind `query.after`, as far as the journal goes now. A page may be empty and yet go on.
///
/// # Errors
/// The journal cannot be read.
pub async fn events(journal: &dyn Journal, query: &EventQuery) -> Result<Page<Event>, JournalError> {
    let newest = journal.status().newest;
    if newest <= query.after {
        return Ok(Page { items: Vec::new(), last: None, more: false, evicted_before: None });
    }
    let mut reading = Reading { events: Vec::new(), horizon: newest, evicted_before: None };
    let of_connections =
        Filter { listener: query.filter.listener.clone(), peer: query.filter.peer, ..Filter::default() };
    let EventQuery { connection, after, limit, .. } = *query;
    let page = PageRequest { order: Order::Ascending, after: Some(after), limit, budget: query.budget };
    if query.kinds.opened {
        let found = match connection {
            Some(id) => opening(journal, id, after).await?,
            None => {
                let (filter, messages, payload) = (of_connections.clone(), 0, 0);
                journal.connections(ConnectionQuery { filter, page, messages, payload }).await?
            }
        };
        reading.add(found, Event::Opened);
    }
    if query.kinds.message {
        let filter = query.filter.clone();
        reading.add(journal.messages(MessageQuery { connection, filter, page }).await?, Event::Message);
    }
    if query.kinds.closed {
        let query = EndQuery { connection, filter: of_connections, after, limit };
        reading.add(journal.ends(query).await?, Event::Closed);
    }
    let Reading { mut events, horizon, evicted_before } = reading;
    events.retain(|event| event.position() <= horizon);
    events.sort_unstable_by_key(Event::position);
    Ok(Page { items: events, last: Some(horizon), more: horizon < newest, evicted_before })
}

/// The opening of one connection, if it stands behind a position.
async fn opening(
    journal: &dyn Journal,
    id: ConnectionId,
    after: Position,
) -> Result<Page<ConnectionRecord>, JournalError> {
    let found = journal.connection(id, 0, 0).await?.filter(|record| record.position > after);
    let last = found.as_ref().map(|record| record.position);
    Ok(Page { items: found.into_iter().collect(), last, more: false, evicted_before: None })
}
