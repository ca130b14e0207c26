//! `POST /reset`: as if the service had just been started.

use axum::extract::State;
use axum::http::StatusCode;

use crate::store::Filter;

use super::Api;
use super::error::{ApiError, ApiResult};
use super::extract::{NoBody, QueryPairs};

/// Closes all listeners, which ends their clients, and then forgets all records.
pub(super) async fn reset(State(api): State<Api>, query: QueryPairs, _: NoBody) -> ApiResult<StatusCode> {
    query.finish(&[])?;
    // In a task of its own: a caller who hangs up must not leave it half done.
    let whole = tokio::spawn(async move {
        api.engine.close_all().await?;
        api.recorder.journal().forget(Filter::default()).await?;
        Ok(())
    });
    let whole: ApiResult<()> = whole.await.map_err(ApiError::internal)?;
    whole.map(|()| StatusCode::NO_CONTENT)
}
