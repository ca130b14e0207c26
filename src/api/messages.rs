//! `/messages` and `/connections/{id}/messages`: what crossed, message by message.

use axum::extract::State;
use axum::response::Response;

use crate::domain::ConnectionId;
use crate::store::{ConnectionState, MessageQuery, Order};

use super::Api;
use super::answers::Answers;
use super::connections::find;
use super::error::ApiResult;
use super::extract::{PathParam, QueryPairs};
use super::page;
use super::recut::{Cut, cut};
use super::text::Reader;
use super::types::{List, ListOf, ListRequest, parse_list, parse_recut};
use super::wait::Misfits;

/// `GET /messages`
pub(super) async fn list(
    State(api): State<Api>,
    State(answers): State<Answers>,
    query: QueryPairs,
) -> ApiResult<Response> {
    let request = parse_list(query, ListOf::Messages)?;
    answer(&api, &answers, None, request).await
}

/// `GET /connections/{id}/messages`
pub(super) async fn of_connection(
    State(api): State<Api>,
    State(answers): State<Answers>,
    id: PathParam,
    query: QueryPairs,
) -> ApiResult<Response> {
    if query.has("framing") {
        return cut_anew(&api, &answers, &id, query).await;
    }
    let request = parse_list(query, ListOf::MessagesOfOne)?;
    let connection = find(&api, &id, 0, 0).await?;
    answer(&api, &answers, Some(connection.connection.id), request).await
}

/// `GET /connections/{id}/messages?framing=…`
async fn cut_anew(api: &Api, answers: &Answers, id: &PathParam, query: QueryPairs) -> ApiResult<Response> {
    let request = parse_recut(query)?;
    let (style, journal) = (request.style, api.recorder.journal());
    let connection = find(api, id, 0, 0).await?;
    let Cut { items, next, evicted_before } = cut(api, &connection, &request).await?;
    let share = answers.share(page::weight(&items, style)).await?;
    let items = Reader::new(journal, style).messages(items, Order::Ascending).await?;
    share.answer(&List::new(items, next, evicted_before))
}

async fn answer(
    api: &Api,
    answers: &Answers,
    connection: Option<ConnectionId>,
    request: ListRequest,
) -> ApiResult<Response> {
    let (filter, style, journal) = (&request.filter, request.style, api.recorder.journal());
    let may_change = filter.state == Some(ConnectionState::Closed);
    let misfits = if may_change { Misfits::MayChange } else { Misfits::Stay };
    let look = |page| journal.messages(MessageQuery { connection, filter: filter.clone(), page });
    let (page, next) = page::read(api, &request, misfits, look).await?;
    let share = answers.share(page::weight(&page.items, style)).await?;
    let items = Reader::new(journal, style).messages(page.items, request.page.order).await?;
    share.answer(&List::new(items, next, page.evicted_before))
}
