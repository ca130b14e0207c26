//! `/connections/{id}/payload`: the raw bytes, as they crossed the wire.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use futures_util::stream::try_unfold;

use crate::domain::{ConnectionId, Direction, Tally};
use crate::store::{
    Filter, JournalError, MessageQuery, MessageRecord, Order, PageRequest, Position, Recorder,
};

use super::Api;
use super::connections::find;
use super::error::{ApiError, ApiResult};
use super::extract::{PathParam, QueryPairs};
use super::types::parse_direction;

/// Bytes that are read from the journal at once: what a slow reader makes the service hold. One message may exceed it.
const PIECE: usize = 256 << 10;
/// Messages that are read from the journal at once.
const PIECE_MESSAGES: usize = 1_000;

/// Bytes that crossed the wire.
const SIZE: HeaderName = HeaderName::from_static("x-payload-size");
/// Those of them that are kept, and follow.
const STORED: HeaderName = HeaderName::from_static("x-payload-stored");

/// `GET /connections/{id}/payload`
pub(super) async fn show(State(api): State<Api>, id: PathParam, query: QueryPairs) -> ApiResult<Response> {
    let direction = parse_direction(query)?;
    let record = find(&api, &id, 0, 0).await?;
    let id = record.connection.id;
    let tally = match direction {
        Direction::Received => record.received,
        Direction::Sent => record.sent,
    };
    let measure = Measure::of(Pieces::new(&api.recorder, id, direction), tally).await?;
    let name = format!("attachment; filename=\"{id}-{}.bin\"", direction.as_str());
    let name = HeaderValue::try_from(name).map_err(ApiError::internal)?;
    let pieces = Pieces { until: measure.last, ..Pieces::new(&api.recorder, id, direction) };
    let mut response = Response::new(body(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, name);
    // Should some of it be evicted meanwhile, the body is shorter than this, and every client sees that it is not whole.
    headers.insert(CONTENT_LENGTH, measure.stored.into());
    headers.insert(STORED, measure.stored.into());
    headers.insert(SIZE, measure.size.into());
    Ok(response)
}

fn body(pieces: Pieces) -> Body {
    let next = |mut pieces: Pieces| async move {
        let piece = pieces.next().await?;
        Ok::<_, JournalError>(piece.map(|messages| (joined(messages), pieces)))
    };
    Body::from_stream(try_unfold(pieces, next))
}

/// One write for many small messages; a large one is not copied.
fn joined(mut messages: Vec<MessageRecord>) -> Bytes {
    if messages.len() == 1 {
        return messages.pop().map(|record| record.message.payload).unwrap_or_default();
    }
    let mut bytes = Vec::with_capacity(messages.iter().map(|record| record.message.payload.len()).sum());
    messages.iter().for_each(|record| bytes.extend_from_slice(&record.message.payload));
    bytes.into()
}

/// What is to be sent, found out beforehand: what comes later on a live connection is not in this answer.
struct Measure {
    last: Position,
    stored: u64,
    size: u64,
}

impl Measure {
    async fn of(mut pieces: Pieces, tally: Tally) -> Result<Self, JournalError> {
        let mut measure = Self { last: Position::START, stored: 0, size: tally.bytes };
        while let Some(messages) = pieces.next().await? {
            for MessageRecord { position, message, stored, .. } in messages {
                measure.last = position;
                measure.stored += stored;
                measure.size = message.offset + message.size;
            }
        }
        Ok(measure)
    }
}

/// The messages of a stream, piece by piece.
pub(super) struct Pieces {
    recorder: Arc<Recorder>,
    connection: ConnectionId,
    direction: Direction,
    after: Position,
    until: Position,
}

impl Pieces {
    /// All of them, from the oldest on.
    pub(super) fn new(recorder: &Arc<Recorder>, connection: ConnectionId, direction: Direction) -> Self {
        let (after, until) = (Position::START, Position(u64::MAX));
        Self { recorder: Arc::clone(recorder), connection, direction, after, until }
    }

    /// Some more; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<MessageRecord>>, JournalError> {
        if self.after >= self.until {
            return Ok(None);
        }
        let filter = Filter { direction: Some(self.direction), ..Filter::default() };
        let page = PageRequest {
            order: Order::Ascending,
            after: Some(self.after),
            limit: PIECE_MESSAGES,
            budget: PIECE,
        };
        let query = MessageQuery { connection: Some(self.connection), filter, page };
        let mut page = self.recorder.journal().messages(query).await?;
        self.after = page.last.filter(|_| page.more).unwrap_or(self.until);
        page.items.retain(|record| record.position <= self.until);
        Ok(Some(page.items).filter(|items| !items.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::to_bytes;

    use crate::domain::{Charset, Connection, IdSource, ListenerRef, Message, Timestamp};
    use crate::store::{MemoryJournal, Record};

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn message(connection: ConnectionId, seq: u64, offset: u64, payload: &[u8]) -> Record {
        Record::Message(Message {
            connection,
            direction: Direction::Received,
            seq,
            offset,
            at: NOW,
            size: payload.len() as u64,
            payload: Bytes::copy_from_slice(payload),
            sha256: None,
            charset: Charset::Auto,
            note: None,
        })
    }

    fn recorder() -> (Arc<Recorder>, ConnectionId) {
        let recorder = Recorder::new(Arc::new(MemoryJournal::new(Position(1), 64 << 20)));
        let ids = IdSource::new(7);
        let (id, listener) = (ids.connection(NOW), ids.listener(NOW));
        let listener = Arc::new(ListenerRef { id: listener, name: None });
        let (peer, local): (SocketAddr, SocketAddr) =
            ("[::1]:1".parse().unwrap(), "[::1]:2".parse().unwrap());
        let connection = Connection { id, listener, peer, local, opened_at: NOW };
        drop(recorder.record(vec![Record::Opened(Box::new(connection))]));
        (Arc::new(recorder), id)
    }

    async fn measured(recorder: &Arc<Recorder>, id: ConnectionId) -> (Measure, Pieces) {
        let pieces = || Pieces::new(recorder, id, Direction::Received);
        let measure = Measure::of(pieces(), Tally::default()).await.unwrap();
        let pieces = Pieces { until: measure.last, ..pieces() };
        (measure, pieces)
    }

    #[tokio::test]
    async fn the_bytes_come_as_they_crossed_the_wire_however_they_were_split() {
        let (recorder, id) = recorder();
        let bytes: Vec<u8> = (0..3_000_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let (small, large) = bytes.split_at(5_000);
        let mut offset = 0;
        for (n, part) in small.chunks(1).chain(large.chunks(700_000)).enumerate() {
            drop(recorder.record(vec![message(id, n as u64 + 1, offset, part)]));
            offset += part.len() as u64;
        }
        let (measure, pieces) = measured(&recorder, id).await;
        assert_eq!((measure.stored, measure.size), (3_000_000, 3_000_000));
        drop(recorder.record(vec![message(id, 6_000, offset, b"later")]));
        assert!(to_bytes(body(pieces), usize::MAX).await.unwrap() == bytes);
    }

    #[tokio::test]
    async fn a_client_that_sent_nothing_has_an_empty_payload() {
        let (recorder, id) = recorder();
        let (measure, pieces) = measured(&recorder, id).await;
        assert_eq!((measure.stored, measure.size), (0, 0));
        drop(recorder.record(vec![message(id, 1, 0, b"later")]));
        assert!(to_bytes(body(pieces), usize::MAX).await.unwrap().is_empty());
    }
}
