//! Watching the journal until an expectation is decided.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use tokio::time::{Instant, sleep_until};

use crate::domain::{Charset, ConnectionId};
use crate::engine::ListenerKey;
use crate::store::{
    Filter, JournalError, ListenerFilter, MessageQuery, MessageRecord, Order, PageRequest, Position, Recorder,
};

use super::super::Api;
use super::super::answers::Answers;
use super::super::error::{ApiError, ApiResult};
use super::super::extract::{JsonBody, QueryPairs};
use super::super::text::Reader;
use super::super::types::{Expectation, NearView, OutcomeView, Style, UNSAID, parse_expectation};
use super::judge::Judge;
use super::tail::{Follower, Tail, TailPage};

/// Messages that are looked at in one go, and their bytes.
const PAGE: usize = 500;
const PAGE_BYTES: usize = 1 << 20;
/// Addresses that are remembered.
const PEERS: usize = 4_096;
/// Bytes of an outcome's JSON at most: some messages of 4 KiB.
const OUTCOME: usize = 13 * (64 << 10);

/// `POST /expect`
pub(in super::super) async fn expect(
    State(api): State<Api>,
    State(answers): State<Answers>,
    State(tail): State<Tail>,
    query: QueryPairs,
    body: JsonBody,
) -> ApiResult<Response> {
    query.finish(&[])?;
    let expectation = parse_expectation(&body.0)?;
    let mut judge = Judge::new(&expectation, charset(&api, &expectation))?;
    let watched = watch(&api, &tail, &expectation, &mut judge).await?;
    let share = answers.share(OUTCOME).await?;
    let outcome = outcome(&api, judge, &watched).await?;
    if outcome.met {
        return share.answer(&outcome);
    }
    Err(ApiError::expectation_unmet(unmet(&outcome), &outcome))
}

/// The encoding of the listener that is meant, where there is one.
fn charset(api: &Api, expectation: &Expectation) -> Charset {
    let key = match &expectation.listener {
        Some(ListenerFilter::Id(id)) => Some(ListenerKey::Id(*id)),
        Some(ListenerFilter::Name(name)) => Some(ListenerKey::Name(name.clone())),
        None => None,
    };
    let listener = key.and_then(|key| api.engine.get(&key));
    listener.map_or(UNSAID, |listener| listener.spec.draft().charset)
}

/// What came of watching.
struct Watched {
    met: bool,
    /// Whether a message decided it, and not the end of the time.
    is_decided: bool,
    next: Position,
    evicted_before: Option<Position>,
}

async fn watch(api: &Api, tail: &Tail, expectation: &Expectation, judge: &mut Judge) -> ApiResult<Watched> {
    let deadline = Instant::now() + expectation.within;
    let source = Source { recorder: &api.recorder, expectation, follower: tail.follow() };
    let mut peers = judge.asks_for_peer().then(HashMap::new);
    let mut watched =
        Watched { met: false, is_decided: false, next: expectation.after, evicted_before: None };
    let mut until = None;
    // One alarm for all rounds: a thousand that set theirs anew with each record are a load of their own.
    let mut end = pin!(sleep_until(deadline));
    loop {
        // Before the look, so that no change between it and the wait is missed.
        let mut changed = api.recorder.changed();
        if until.is_none() && deadline <= Instant::now() {
            // What is there when the time is over is still looked at, and no more than that.
            until = Some(api.recorder.newest().await);
        }
        let some = source.behind(watched.next).await?;
        watched.evicted_before = some.evicted_before.or(watched.evicted_before);
        for record in some.records() {
            let peer = match &mut peers {
                Some(peers) => peer(api, peers, record).await?,
                None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            };
            if let Some(met) = judge.look(record, peer) {
                return Ok(Watched { met, is_decided: true, next: record.position, ..watched });
            }
        }
        watched.next = some.to;
        if api.shutdown.is_cancelled() {
            return Err(ApiError::shutting_down());
        }
        if until.is_some_and(|until| watched.next >= until) {
            return Ok(Watched { met: judge.end(), ..watched });
        }
        if until.is_none() && !some.more {
            let pause = Instant::now() + source.follower.pause();
            tokio::select! {
                () = changed.happened() => {}
                () = &mut end => continue,
                () = api.shutdown.cancelled() => continue,
            }
            if Instant::now() < pause {
                sleep_until(pause.min(deadline)).await;
            }
        }
    }
}

/// Where messages come from.
struct Source<'a> {
    recorder: &'a Recorder,
    expectation: &'a Expectation,
    follower: Follower,
}

/// Some messages that follow each other.
struct Batch<'a> {
    read: Read,
    expectation: &'a Expectation,
    after: Position,
    to: Position,
    /// Whether there was more.
    more: bool,
    evicted_before: Option<Position>,
}

enum Read {
    Own(Vec<MessageRecord>),
    Shared(Arc<TailPage>),
    Nothing,
}

impl<'a> Source<'a> {
    /// What comes next behind a position: of what was read for all who wait, or, for who is far behind, of the journal.
    async fn behind(&self, after: Position) -> Result<Batch<'a>, JournalError> {
        let (recorder, expectation) = (self.recorder, self.expectation);
        let newest = recorder.journal().status().newest;
        let some =
            |read, to, more, evicted_before| Batch { read, expectation, after, to, more, evicted_before };
        if Follower::is_near(after, newest) {
            return Ok(match self.follower.behind(recorder, after).await? {
                Some(page) => {
                    let (to, evicted_before) = (page.to, page.evicted_before);
                    let more = recorder.journal().status().newest > to;
                    some(Read::Shared(page), to, more, evicted_before)
                }
                None => some(Read::Nothing, after, false, None),
            });
        }
        let filter = Filter {
            listener: expectation.listener.clone(),
            direction: Some(expectation.direction),
            ..Filter::default()
        };
        let after = Some(after);
        let page = PageRequest { order: Order::Ascending, after, limit: PAGE, budget: PAGE_BYTES };
        let query = MessageQuery { connection: expectation.connection, filter, page };
        let page = recorder.journal().messages(query).await?;
        let to = page.last.filter(|last| page.more || *last > newest).unwrap_or(newest);
        Ok(some(Read::Own(page.items), to, true, page.evicted_before))
    }
}

impl Batch<'_> {
    /// Those that the expectation is of.
    fn records(&self) -> impl Iterator<Item = &MessageRecord> {
        let all = match &self.read {
            Read::Own(records) => records.as_slice(),
            Read::Shared(page) => &page.items,
            Read::Nothing => &[],
        };
        let wanted = |record: &&MessageRecord| record.position > self.after && self.expectation.is_of(record);
        all.iter().filter(wanted)
    }
}

/// The address of a message's client; none of anybody's where the connection is not on record any more.
async fn peer(
    api: &Api,
    peers: &mut HashMap<ConnectionId, IpAddr>,
    record: &MessageRecord,
) -> ApiResult<IpAddr> {
    let id = record.message.connection;
    if let Some(peer) = peers.get(&id) {
        return Ok(*peer);
    }
    let found = api.recorder.journal().connection(id, 0, 0).await?;
    let peer = found.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |found| found.connection.peer.ip());
    if peers.len() >= PEERS {
        peers.clear();
    }
    peers.insert(id, peer);
    Ok(peer)
}

async fn outcome(api: &Api, judge: Judge, watched: &Watched) -> ApiResult<OutcomeView> {
    let mut evidence = judge.evidence;
    if let Some((connection, steps)) = judge.farthest {
        for position in steps {
            evidence.extend(message(api, connection, position).await?);
        }
    }
    let mut reader = Reader::new(api.recorder.journal(), Style::default());
    let mut near_misses = Vec::new();
    // What is missing of too many is nothing.
    for (miss, record) in judge.nearest.into_iter().filter(|_| !watched.met) {
        let message = reader.messages(vec![record], Order::Ascending).await?.pop();
        near_misses.extend(message.map(|message| NearView { detail: miss.detail, message }));
    }
    let mut written = Vec::with_capacity(evidence.len());
    for record in evidence {
        written.extend(reader.messages(vec![record], Order::Ascending).await?);
    }
    // What a message decided is decided, whatever is missing before it; what nothing decided is not.
    let undecided = watched.evicted_before.is_some() && !watched.is_decided;
    Ok(OutcomeView {
        met: watched.met && !undecided,
        unknown: undecided,
        matched: judge.matched,
        looked_at: judge.looked_at,
        next: crate::store::Cursor(watched.next),
        evicted_before: watched.evicted_before.map(crate::store::Cursor),
        evidence: written,
        near_misses,
    })
}

/// One message of a connection, if it is still kept.
async fn message(
    api: &Api,
    connection: ConnectionId,
    position: Position,
) -> ApiResult<Option<MessageRecord>> {
    let after = Some(Position(position.0.saturating_sub(1)));
    let page = PageRequest { order: Order::Ascending, after, limit: 1, budget: PAGE_BYTES };
    let query = MessageQuery { connection: Some(connection), filter: Filter::default(), page };
    let found = api.recorder.journal().messages(query).await?.items.pop();
    Ok(found.filter(|found| found.position == position))
}

/// Why it was not met, as a sentence.
fn unmet(outcome: &OutcomeView) -> String {
    let OutcomeView { matched, looked_at, .. } = outcome;
    if outcome.unknown {
        return format!(
            "it cannot be known: records were evicted that would have to be looked at; {matched} of the {looked_at} messages \
             that are left fitted. Ask with an `after`, or let more be retained"
        );
    }
    let nearest = outcome.near_misses.first().map(|near| format!("; the nearest {}", near.detail));
    format!("{matched} of {looked_at} messages fitted{}", nearest.unwrap_or_default())
}
