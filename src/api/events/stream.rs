//! A reader of the stream, and what it is sent.
//!
//! Nothing is queued for a reader: what comes next is read from the journal when the reader has taken what came before. So one
//! that is slow is behind, and loses nothing as long as the journal keeps it; one that takes nothing is given up by the server,
//! and goes on from its last event id.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use crate::store::{Event, Order, Position, events as read_events};

use super::super::Api;
use super::super::error::{ApiError, ApiResult};
use super::super::extract::QueryPairs;
use super::super::text::Reader;
use super::super::types::{ConnectionView, EventRequest, EvictedView, parse_events};
use super::frame::{event, heartbeat};
use super::listeners::Listeners;

/// Readers at once.
const MOST: usize = 64;
/// How long nothing is sent before a sign of life is. Proxies give a silent answer up after 30 s and more.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Bytes of each message: a stream is an overview, as a list is.
const PAYLOAD: usize = 4 << 10;
/// Bytes that are handed to the server in one go.
const CHUNK: usize = 64 << 10;
/// After a look at the journal that took so long, the next comes this many times later at the earliest: while records pour in,
/// a reader takes a fifth of a processor, and not all of it.
const PACE: u32 = 4;
/// And no later than this, however long the disk took.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The places for readers.
#[derive(Debug, Clone)]
pub(in super::super) struct Readers(Arc<Semaphore>);

impl Readers {
    pub(in super::super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

/// `GET /events`
pub(in super::super) async fn events(
    State(api): State<Api>,
    State(readers): State<Readers>,
    headers: HeaderMap,
    query: QueryPairs,
) -> ApiResult<Response> {
    let request = parse_events(query, headers.get("last-event-id"))?;
    let place = readers.0.try_acquire_owned().map_err(|_| ApiError::reader_limit(MOST))?;
    let now = api.recorder.newest().await;
    let follower = Follower::new(api, request, place, now)?;
    let chunks = unfold(follower, |mut follower| async move {
        let chunk = follower.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), follower))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(response)
}

struct Follower {
    api: Api,
    request: EventRequest,
    listeners: Listeners,
    news: watch::Receiver<()>,
    /// What was read and is still to be written, and where the stream stands behind it.
    queue: VecDeque<Event>,
    read_to: Position,
    /// Whether the journal went on behind that.
    more: bool,
    /// Up to where it was told that something is missing.
    told_gap: Option<Position>,
    /// When the journal may be looked at again.
    earliest: Instant,
    quiet_until: Instant,
    begun: Option<Vec<u8>>,
    #[expect(dead_code, reason = "held for its drop")]
    place: OwnedSemaphorePermit,
}

impl Follower {
    fn new(api: Api, request: EventRequest, place: OwnedSemaphorePermit, now: Position) -> ApiResult<Self> {
        // Before the first look, so that no change between it and the wait is missed.
        let news = api.engine.listener_changes();
        let mut listeners = Listeners::new(request.query.filter.listener.clone());
        let mut begun = Vec::new();
        if request.listeners {
            listeners.tell(&api.engine, &mut begun)?;
        }
        let read_to = request.after.unwrap_or(now);
        event(&mut begun, "ready", Some(read_to), &serde_json::Map::new())?;
        Ok(Self {
            listeners,
            news,
            queue: VecDeque::new(),
            read_to,
            more: true,
            told_gap: None,
            earliest: Instant::now(),
            quiet_until: Instant::now() + HEARTBEAT,
            begun: Some(begun),
            place,
            api,
            request,
        })
    }

    /// The next part of the stream; `None` at its end. A journal that cannot be read ends it: the reader comes again, and is
    /// told why.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = match self.begun.take() {
            Some(begun) => begun,
            None => self.wait().await.ok()??,
        };
        // Whoever wants less has to ask for less: the buffer is as large as one message and one chunk.
        out.shrink_to_fit();
        self.quiet_until = Instant::now() + HEARTBEAT;
        Some(out.into())
    }

    /// Waits until there is something to be sent.
    async fn wait(&mut self) -> ApiResult<Option<Vec<u8>>> {
        let mut out = Vec::new();
        let recorder = Arc::clone(&self.api.recorder);
        let shutdown = self.api.shutdown.clone();
        while !shutdown.is_cancelled() {
            let mut changed = recorder.changed();
            if self.request.listeners && self.news.has_changed().unwrap_or(false) {
                self.news.borrow_and_update();
                self.listeners.tell(&self.api.engine, &mut out)?;
            }
            let looks = self.queue.is_empty() && self.earliest <= Instant::now();
            if looks {
                self.look(&mut out).await?;
            }
            self.write(&mut out).await?;
            if !out.is_empty() {
                return Ok(Some(out));
            }
            // A change that came after the last look and before this watch is found by looking again, and by nothing else.
            let (waits, earliest) = (looks && !self.more, self.earliest);
            let again = async {
                if waits {
                    changed.happened().await;
                }
                sleep_until(earliest).await;
            };
            tokio::select! {
                () = again => {}
                _ = self.news.changed(), if self.request.listeners => self.news.mark_changed(),
                () = sleep_until(self.quiet_until) => {
                    heartbeat(&mut out, self.read_to);
                    return Ok(Some(out));
                }
                () = shutdown.cancelled() => {}
            }
        }
        Ok(None)
    }

    /// Reads what comes next.
    async fn look(&mut self, out: &mut Vec<u8>) -> ApiResult<()> {
        let began = Instant::now();
        self.request.query.after = self.read_to;
        let page = read_events(self.api.recorder.journal(), &self.request.query).await?;
        // What is still to be read is read as fast as it is taken; what is new, at a pace.
        let pause = if page.more { Duration::ZERO } else { (began.elapsed() * PACE).min(LONGEST_PAUSE) };
        self.earliest = Instant::now() + pause;
        self.more = page.more;
        self.read_to = page.last.unwrap_or(self.read_to);
        self.queue = page.items.into_iter().map(shortened).collect();
        if let Some(before) = page.evicted_before.filter(|before| self.told_gap < Some(*before)) {
            self.told_gap = Some(before);
            // Without an id: what is left of before the gap comes behind it, and is not to be missed by who resumes here.
            event(out, "gap", None, &EvictedView::new(before))?;
        }
        Ok(())
    }

    /// Writes of what was read as much as goes out at once.
    async fn write(&mut self, out: &mut Vec<u8>) -> ApiResult<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let mut reader = Reader::new(self.api.recorder.journal(), self.request.style);
        while out.len() < CHUNK
            && let Some(next) = self.queue.pop_front()
        {
            let id = Some(next.position());
            match next {
                Event::Opened(record) => event(out, "opened", id, &ConnectionView::at_opening(record))?,
                Event::Closed(end) => {
                    event(out, "closed", id, &ConnectionView::new(end.connection, Vec::new()))?;
                }
                Event::Message(record) => {
                    for message in reader.messages(vec![record], Order::Ascending).await? {
                        event(out, "message", id, &message)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// An event with no more of a payload than is shown. What is left is copied, or all of it would be held.
fn shortened(mut event: Event) -> Event {
    if let Event::Message(record) = &mut event
        && let Some(first) = record.message.payload.get(..PAYLOAD)
    {
        record.message.payload = Bytes::copy_from_slice(first);
    }
    event
}
