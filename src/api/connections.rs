//! `/connections`: who came, what they sent, and forgetting it.

use axum::extract::State;
use axum::response::Response;

use crate::domain::ConnectionId;
use crate::store::{ConnectionQuery, ConnectionRecord, ConnectionState};

use super::Api;
use super::answer::Json;
use super::answers::Answers;
use super::error::{ApiError, ApiResult};
use super::extract::{NoBody, PathParam, QueryPairs};
use super::page::{self, Weighed};
use super::text::Reader;
use super::types::{ForgottenView, List, ListOf, PAGE_BYTES, parse_filter, parse_list, parse_style};
use super::wait::Misfits;

/// Messages that each connection of a list carries.
const MESSAGES_IN_LIST: usize = 10;
/// Bytes of each of these messages: a list is an overview.
const PAYLOAD_IN_LIST: usize = 4 << 10;
/// Messages that one connection carries.
const MESSAGES: usize = 100;

/// `GET /connections`
pub(super) async fn list(
    State(api): State<Api>,
    State(answers): State<Answers>,
    query: QueryPairs,
) -> ApiResult<Response> {
    let request = parse_list(query, ListOf::Connections)?;
    let (filter, style, journal) = (&request.filter, request.style, api.recorder.journal());
    let may_change = filter.state == Some(ConnectionState::Closed) || !filter.contains.is_empty();
    let misfits = if may_change { Misfits::MayChange } else { Misfits::Stay };
    let look = |page| {
        let (filter, messages, payload) = (filter.clone(), MESSAGES_IN_LIST, PAYLOAD_IN_LIST);
        journal.connections(ConnectionQuery { filter, page, messages, payload })
    };
    let (page, next) = page::read(&api, &request, misfits, look).await?;
    let share = answers.share(page::weight(&page.items, style)).await?;
    let items = Reader::new(journal, style).connections(page.items).await?;
    share.answer(&List::new(items, next, page.evicted_before))
}

/// `GET /connections/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    State(answers): State<Answers>,
    id: PathParam,
    query: QueryPairs,
) -> ApiResult<Response> {
    let style = parse_style(query)?;
    let mut record = find(&api, &id, MESSAGES, PAGE_BYTES).await?;
    if record.messages.is_empty() && record.more_messages > 0 {
        // As a page of a list has it: there is room for one message, whatever its size.
        record = find(&api, &id, 1, usize::MAX).await?;
    }
    let room = page::room(&record.messages, style);
    record.more_messages += record.messages.drain(room.min(record.messages.len())..).len() as u64;
    let share = answers.share(record.weight(style)).await?;
    let view = Reader::new(api.recorder.journal(), style).connection(record).await?;
    share.answer(&view)
}

/// `DELETE /connections`
pub(super) async fn forget(
    State(api): State<Api>,
    query: QueryPairs,
    _: NoBody,
) -> ApiResult<Json<ForgottenView>> {
    let filter = parse_filter(query)?;
    let done = api.recorder.journal().forget(filter).await?;
    Ok(Json(done.into()))
}

/// The connection that a path names, with its first `messages` messages of no more than `bytes` in all.
///
/// # Errors
/// 404.
pub(super) async fn find(
    api: &Api,
    id: &PathParam,
    messages: usize,
    bytes: usize,
) -> ApiResult<ConnectionRecord> {
    let found = match ConnectionId::parse(&id.0) {
        Some(id) => api.recorder.journal().connection(id, messages, bytes).await?,
        None => None,
    };
    found.ok_or_else(|| {
        let id = id.0.escape_debug();
        ApiError::not_found(format!("connection `{id}` (any more); GET /connections shows those that are"))
    })
}
