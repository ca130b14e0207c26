//! `/config`: all listeners as one document.

use axum::extract::State;
use axum::response::Response;

use crate::engine::NotApplied;

use super::Api;
use super::answer::Json;
use super::answers::Answers;
use super::error::{ApiError, ApiResult};
use super::extract::{JsonBody, QueryPairs};
use super::listeners::weight;
use super::types::{AppliedView, document_to_json, parse_document, parse_flag};

/// `GET /config`
pub(super) async fn show(
    State(api): State<Api>,
    State(answers): State<Answers>,
    query: QueryPairs,
) -> ApiResult<Response> {
    query.finish(&[])?;
    let mut listeners = api.engine.list();
    listeners.retain(|listener| !listener.is_closed());
    let share = answers.share(listeners.iter().map(weight).sum()).await?;
    share.answer(&document_to_json(&listeners))
}

/// `PUT /config`
pub(super) async fn apply(
    State(api): State<Api>,
    mut query: QueryPairs,
    body: JsonBody,
) -> ApiResult<Json<AppliedView>> {
    let prune = query.take("prune");
    query.finish(&["prune"])?;
    let prune = parse_flag("prune", prune.as_deref())?;
    let specs = parse_document(&body.0, &api.defaults)?;
    let names: Vec<_> = specs.iter().map(|spec| spec.draft().name.clone()).collect();
    let applied = api.engine.apply(specs, prune).await.map_err(|NotApplied { listener, cause }| {
        let name = listener.and_then(|n| names.get(n)).and_then(Option::as_ref);
        match (listener, name) {
            (Some(n), name) => {
                let called = name.map(|name| format!(" ({name})")).unwrap_or_default();
                ApiError::from(cause).within(&format!("/listeners/{n}"), &format!("listener {n}{called}: "))
            }
            (None, _) => cause.into(),
        }
    })?;
    Ok(Json(applied.into()))
}
