//! `/listeners`: open, list, show, change, close.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header::LOCATION};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::domain::{ListenerId, ListenerSpec, MatcherDraft, Name, Reply, RuleReply, parse_duration};
use crate::engine::{EngineError, Holder, ListenerKey, ListenerSnapshot, Put};

use super::Api;
use super::answer::Json;
use super::answers::Answers;
use super::error::{ApiError, ApiResult};
use super::extract::{JsonBody, MergePatchBody, NoBody, PathParam, QueryPairs};
use super::types::{List, ListenerView, parse_spec, patch_spec, spec_to_json};

/// The longest a `DELETE` lets clients finish; longer than that nobody waits for an HTTP answer.
const LONGEST_DRAIN: Duration = Duration::from_secs(60);

/// `POST /listeners`
pub(super) async fn open(State(api): State<Api>, query: QueryPairs, body: JsonBody) -> ApiResult<Response> {
    query.finish(&[])?;
    let spec = parse_spec(&body.0, &api.defaults)?;
    let snapshot = api.engine.open(spec).await?;
    Ok(created(snapshot))
}

/// `GET /listeners`
pub(super) async fn list(
    State(api): State<Api>,
    State(answers): State<Answers>,
    query: QueryPairs,
) -> ApiResult<Response> {
    query.finish(&[])?;
    let listeners = api.engine.list();
    let share = answers.share(listeners.iter().map(weight).sum()).await?;
    let items: Vec<_> = listeners.into_iter().map(ListenerView::from).collect();
    share.answer(&List { items, next: None, evicted_before: None })
}

/// Bytes of a listener's JSON, at most: a byte of a text is up to six.
pub(super) fn weight(listener: &ListenerSnapshot) -> usize {
    let draft = listener.spec.draft();
    let rules = draft.rules.iter().map(|rule| {
        let replies = match &rule.reply {
            RuleReply::Listeners => 0,
            RuleReply::One(reply) => reply_weight(reply),
            RuleReply::Many(replies) => replies.iter().map(reply_weight).sum(),
        };
        (1 << 10)
            + 256 * rule.faults.len()
            + replies
            + rule.when.as_ref().map_or(0, MatcherDraft::written_len)
    });
    let sends = draft.sends.iter().map(|send| 64 + reply_weight(&send.send));
    let replies = reply_weight(&draft.reply) + reply_weight(&draft.greeting);
    (2 << 10) + 256 * draft.faults.len() + replies + rules.sum::<usize>() + sends.sum::<usize>()
}

fn reply_weight(reply: &Reply) -> usize {
    32 + match reply {
        Reply::Text { text, .. } | Reply::Template { source: text, .. } => 6 * text.len(),
        Reply::Hex(bytes) | Reply::Base64(bytes) => 3 * bytes.len(),
        Reply::Silence | Reply::Echo => 0,
    }
}

/// `GET /listeners/{key}`
pub(super) async fn show(
    State(api): State<Api>,
    key: PathParam,
    query: QueryPairs,
) -> ApiResult<Json<ListenerView>> {
    query.finish(&[])?;
    let found = parse_key(&key.0).and_then(|key| api.engine.get(&key));
    found.map(|l| Json(l.into())).ok_or_else(|| missing(&key.0))
}

/// `PUT /listeners/{name}`
pub(super) async fn put(
    State(api): State<Api>,
    path: PathParam,
    query: QueryPairs,
    body: JsonBody,
) -> ApiResult<Response> {
    query.finish(&[])?;
    let mut document = body.0;
    let key = if let Some(id) = ListenerId::parse(&path.0) {
        ListenerKey::Id(id)
    } else {
        let name = Name::parse(&path.0)
            .map_err(|detail| ApiError::invalid_field("", format!("in the path: {detail}")))?;
        named(&mut document, &name)?;
        ListenerKey::Name(name)
    };
    let spec = parse_spec(&document, &api.defaults)?;
    let (put, snapshot) = api.engine.put(key, spec).await.map_err(|error| locate(error, &path.0))?;
    Ok(match put {
        Put::Created => created(snapshot),
        Put::Updated => Json(ListenerView::from(snapshot)).into_response(),
    })
}

/// `PATCH /listeners/{key}`
pub(super) async fn patch(
    State(api): State<Api>,
    path: PathParam,
    query: QueryPairs,
    body: MergePatchBody,
) -> ApiResult<Json<ListenerView>> {
    query.finish(&[])?;
    let key = parse_key(&path.0).ok_or_else(|| missing(&path.0))?;
    let defaults = api.defaults.clone();
    let edit = move |spec: &ListenerSpec| -> Result<ListenerSpec, ApiError> {
        let mut document = spec_to_json(spec);
        if !body.0.is_object() {
            return Err(ApiError::invalid_field("", "a merge patch is an object with the members to change"));
        }
        patch_spec(&mut document, &body.0);
        Ok(parse_spec(&document, &defaults)?)
    };
    let changed = api.engine.patch(key, edit).await;
    changed
        .map(|l| Json(l.into()))
        .map_err(|error| if error.code() == "not-found" { missing(&path.0) } else { error })
}

/// `DELETE /listeners/{key}`
pub(super) async fn close(
    State(api): State<Api>,
    path: PathParam,
    mut query: QueryPairs,
    _: NoBody,
) -> ApiResult<StatusCode> {
    let drain = query.take("drain");
    query.finish(&["drain"])?;
    let drain = drain.map(|text| parse_drain(&text)).transpose()?;
    let key = parse_key(&path.0).ok_or_else(|| missing(&path.0))?;
    api.engine.close(key, drain).await.map_err(|error| locate(error, &path.0))?;
    Ok(StatusCode::NO_CONTENT)
}

fn parse_drain(text: &str) -> ApiResult<Duration> {
    let drain = parse_duration(text).map_err(|detail| ApiError::invalid_query("drain", detail))?;
    if drain > LONGEST_DRAIN {
        return Err(ApiError::invalid_query("drain", "must be at most 60s"));
    }
    Ok(drain)
}

/// An id or a name; `None` for what is neither, and so names no listener.
fn parse_key(text: &str) -> Option<ListenerKey> {
    ListenerId::parse(text).map(ListenerKey::Id).or_else(|| Name::parse(text).ok().map(ListenerKey::Name))
}

/// The name is the path's; a body may repeat it, not contradict it.
fn named(document: &mut Value, name: &Name) -> ApiResult<()> {
    let Value::Object(object) = document else { return Ok(()) };
    match object.insert("name".into(), name.as_str().into()) {
        None | Some(Value::Null) => Ok(()),
        Some(given) if given.as_str() == Some(name.as_str()) => Ok(()),
        Some(_) => {
            let detail = format!("must be `{name}` as in the path, or left out; PATCH renames a listener");
            Err(ApiError::invalid_field("/name", detail))
        }
    }
}

fn created(snapshot: ListenerSnapshot) -> Response {
    let location = HeaderValue::try_from(format!("/listeners/{}", snapshot.id));
    let mut response = (StatusCode::CREATED, Json(ListenerView::from(snapshot))).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn missing(key: &str) -> ApiError {
    ApiError::not_found(format!("listener `{}`; GET /listeners shows those that are", key.escape_debug()))
}

fn locate(error: EngineError, key: &str) -> ApiError {
    if matches!(error, EngineError::NotFound) { missing(key) } else { error.into() }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match &error {
            EngineError::Io(cause) => Self::internal(cause),
            EngineError::Journal(cause) => Self::journal_unavailable(cause),
            other => Self::from(other),
        }
    }
}

/// As above, for a failure that is told again and again: nothing is logged.
impl From<&EngineError> for ApiError {
    fn from(error: &EngineError) -> Self {
        match error {
            EngineError::PortInUse { address, holder } => {
                Self::port_in_use(*address, holder.as_ref().map(Holder::called).as_deref())
            }
            EngineError::NameInUse(name) => Self::name_in_use(name.as_str()),
            EngineError::PortNotAllowed { port, allowed } => Self::port_not_allowed(format!(
                "port {port} is not among the allowed ones ({allowed}); choose one of these, or start the service \
                 with --allow-ports"
            )),
            EngineError::ControlPort(port) => {
                Self::port_not_allowed(format!("port {port} is the control plane's own; choose another"))
            }
            EngineError::PortRefused(port) => Self::port_not_allowed(format!(
                "the system refuses port {port} to this user; choose one from 1024 up"
            )),
            EngineError::AddressNotAvailable(host) => Self::address_not_available(host),
            EngineError::ListenerLimit(most) => {
                Self::listener_limit(usize::try_from(*most).unwrap_or(usize::MAX))
            }
            EngineError::OutOfDescriptors => Self::fd_limit(),
            EngineError::NotFound => Self::not_found("such listener; GET /listeners shows those that are"),
            EngineError::NotConnected | EngineError::AfterFin => {
                Self::connection_closed("the connection has ended")
            }
            EngineError::ConnectionBusy => Self::connection_busy(),
            EngineError::InvalidMessage(errors) => Self::invalid_fields(errors.clone()),
            EngineError::TemplateFailed(why) => Self::invalid_field("/template", why.as_str()),
            EngineError::Stopping => Self::shutting_down(),
            EngineError::Journal(_) => Self::journal_out_of_reach(),
            EngineError::Io(_) => Self::internal_logged(),
        }
    }
}
