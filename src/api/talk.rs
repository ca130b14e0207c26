//! `/connections/{id}/send` and `/connections/{id}/close`: speaking to a client that is connected.

use axum::extract::State;

use crate::domain::ConnectionId;
use crate::engine::EngineError;

use super::Api;
use super::answer::Json;
use super::connections::find;
use super::error::{ApiError, ApiResult};
use super::extract::{JsonBody, PathParam, QueryPairs};
use super::types::{HungUpView, SentView, parse_hang_up, parse_message};

/// `POST /connections/{id}/send`
pub(super) async fn send(
    State(api): State<Api>,
    id: PathParam,
    query: QueryPairs,
    body: JsonBody,
) -> ApiResult<Json<SentView>> {
    query.finish(&[])?;
    let message = parse_message(&body.0)?;
    let connection = known(&api, &id).await?;
    let sent = api.engine.send(connection, &message).await.map_err(|error| explained(error, connection))?;
    Ok(Json(SentView::new(connection, sent)))
}

/// `POST /connections/{id}/close`
pub(super) async fn close(
    State(api): State<Api>,
    id: PathParam,
    query: QueryPairs,
    body: JsonBody,
) -> ApiResult<Json<HungUpView>> {
    query.finish(&[])?;
    let how = parse_hang_up(&body.0)?;
    let connection = known(&api, &id).await?;
    api.engine.hang_up(connection, how).await.map_err(|error| explained(error, connection))?;
    Ok(Json(HungUpView::new(connection, how)))
}

/// The connection that a path names, live or not.
///
/// # Errors
/// 404.
async fn known(api: &Api, id: &PathParam) -> ApiResult<ConnectionId> {
    match ConnectionId::parse(&id.0).filter(|id| api.engine.is_connected(*id)) {
        Some(id) => Ok(id),
        None => Ok(find(api, id, 0, 0).await?.connection.id),
    }
}

fn explained(error: EngineError, id: ConnectionId) -> ApiError {
    match error {
        EngineError::NotConnected => ApiError::connection_closed(format!(
            "the connection {id} has ended; GET /connections?state=open shows those that have not"
        )),
        EngineError::AfterFin => ApiError::connection_closed(format!(
            "the endpoint has sent FIN to {id}, and nothing can follow that; let it `keep` the connection (`then`)"
        )),
        EngineError::InvalidMessage(errors) => ApiError::invalid_fields(errors),
        EngineError::TemplateFailed(why) => ApiError::invalid_field("/template", why),
        other => other.into(),
    }
}
