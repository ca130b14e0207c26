//! What happens, as it happens.

use std::time::Duration;

use bytes::BytesMut;
use hyper::Method;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;

use super::door::{Answer, Ask, Door};
use super::error::Error;
use super::known::{Connection, Listener, ListenerRef, Message};
use super::query::Query;

/// The service gives a sign of life every 15 s: one that gives none for so long is out of reach.
const PATIENCE: Duration = Duration::from_secs(45);
/// Bytes of an event at most. A listener with all its rules is the largest, and a spec has at most 1 MiB.
const LONGEST: usize = 16 << 20;

/// A stream of events. Dropping it ends it.
pub struct Events {
    answer: Answer,
    read: BytesMut,
    last_id: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `opened`, `message`, `closed`, `listener`, `listener_deleted`, `ready` or `gap`.
    pub name: String,
    /// Its position in the journal, where it has one.
    pub id: Option<String>,
    /// As the API shows it.
    pub data: Value,
}

/// What an event says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Happened {
    /// A client came.
    Opened(Box<Connection>),
    /// A message crossed.
    Message(Box<Message>),
    /// A client is gone.
    Closed(Box<Connection>),
    /// A listener, at first and whenever it has changed.
    Listener(Box<Listener>),
    /// A listener is gone.
    Gone(ListenerRef),
    /// What comes from here on happened after the stream began.
    Ready,
    /// Records before this cursor were removed before they could be told.
    Gap(String),
    /// Something that this client does not know.
    Other,
}

impl Event {
    /// Reads what it says.
    ///
    /// # Errors
    /// Its data are not what the API promises.
    pub fn happened(&self) -> Result<Happened, serde_json::Error> {
        #[derive(Deserialize)]
        struct Gap {
            evicted_before: String,
        }
        let data = || self.data.clone();
        Ok(match self.name.as_str() {
            "opened" => Happened::Opened(serde_json::from_value(data())?),
            "message" => Happened::Message(serde_json::from_value(data())?),
            "closed" => Happened::Closed(serde_json::from_value(data())?),
            "listener" => Happened::Listener(serde_json::from_value(data())?),
            "listener_deleted" => Happened::Gone(serde_json::from_value(data())?),
            "ready" => Happened::Ready,
            "gap" => Happened::Gap(serde_json::from_value::<Gap>(data())?.evicted_before),
            _ => Happened::Other,
        })
    }
}

impl Events {
    pub(super) async fn follow(door: &Door, query: &Query, after: Option<String>) -> Result<Self, Error> {
        let (method, path, patience) = (Method::GET, query.of("/events"), PATIENCE);
        let ask = Ask { method, path, body: None, last_event_id: after.clone(), patience };
        Ok(Self { answer: door.ask(ask).await?, read: BytesMut::new(), last_id: after })
    }

    /// Where the stream stands: follow again behind it, and nothing is missed or told twice.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// The next event; `None` when the service stops.
    ///
    /// # Errors
    /// The connection broke, or it is no stream of events.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        let mut looked_at = 0;
        loop {
            // A block ends with an empty line, which may come in two pieces.
            let from = usize::saturating_sub(looked_at, 1);
            if let Some(end) = memmem::find(self.read.get(from..).unwrap_or_default(), b"\n\n") {
                let block = self.read.split_to(from + end + 2);
                looked_at = 0;
                if let Some(event) = self.event(&block)? {
                    return Ok(Some(event));
                }
                continue;
            }
            looked_at = self.read.len();
            if looked_at > LONGEST {
                return Err(self.answer.foreign(format!("an event of more than {LONGEST} bytes")));
            }
            match self.answer.piece().await? {
                Some(piece) => self.read.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }

    /// Reads a block; one without data is none, but it may move the last id.
    fn event(&mut self, block: &[u8]) -> Result<Option<Event>, Error> {
        let text = std::str::from_utf8(block).map_err(|fault| self.answer.foreign(fault.to_string()))?;
        let (mut name, mut id, mut data) = (None, None, None);
        for line in text.lines() {
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = Some(value.to_owned()),
                "id" => id = Some(value.to_owned()),
                "data" => data = Some(value),
                _ => {}
            }
        }
        if id.is_some() {
            self.last_id.clone_from(&id);
        }
        let (Some(name), Some(data)) = (name, data) else { return Ok(None) };
        let data = serde_json::from_str(data).map_err(|fault| self.answer.foreign(fault.to_string()))?;
        Ok(Some(Event { name, id, data }))
    }
}
