//! A listener as the API shows it.

use serde::Serialize;
use serde_json::Value;

use crate::api::error::ApiError;
use crate::domain::Tally;
use crate::engine::{EngineError, ListenerSnapshot, ListenerState};

use super::reply::reply_to_json;
use super::spec::spec_to_json;

/// A listener: its spec with all defaults, where it stands, what it has done.
#[derive(Debug, Serialize)]
pub struct ListenerView {
    id: String,
    name: Option<String>,
    state: &'static str,
    host: String,
    port: u16,
    backlog: u32,
    encoding: String,
    framing: Value,
    greeting: Value,
    reply: Value,
    then: &'static str,
    rules: Value,
    sends: Value,
    faults: Value,
    limits: Value,
    max_connections_total: Option<u64>,
    ttl: Value,
    opened_at: String,
    closed_at: Option<String>,
    close_reason: Option<&'static str>,
    failure: Option<FailureView>,
    connections: ConnectionCounts,
    received: TallyView,
    sent: TallyView,
}

/// Why a listener is failed, in the words of the error that opening it would be answered with.
#[derive(Debug, Serialize)]
struct FailureView {
    code: &'static str,
    detail: String,
}

impl From<&EngineError> for FailureView {
    fn from(cause: &EngineError) -> Self {
        let error = ApiError::from(cause);
        let detail = match cause {
            EngineError::Io(cause) => format!("the system does not open the port: {cause}"),
            _ => error.detail().to_owned(),
        };
        Self { code: error.code(), detail }
    }
}

/// A listener's clients.
#[derive(Debug, Serialize)]
struct ConnectionCounts {
    open: u64,
    total: u64,
}

/// How much crossed in one direction.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TallyView {
    /// Bytes on the wire.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        Self { bytes: tally.bytes, messages: tally.messages }
    }
}

impl From<ListenerSnapshot> for ListenerView {
    fn from(snapshot: ListenerSnapshot) -> Self {
        let spec = &snapshot.spec;
        let draft = spec.draft();
        let mut written = spec_to_json(spec);
        let mut member = |name: &str| written.get_mut(name).map(Value::take).unwrap_or_default();
        let closed = match snapshot.state {
            ListenerState::Closed { at, why } => Some((at, why)),
            ListenerState::Open | ListenerState::Draining | ListenerState::Failed { .. } => None,
        };
        Self {
            id: snapshot.id.to_string(),
            name: draft.name.as_ref().map(ToString::to_string),
            state: state_word(snapshot.state),
            host: draft.host.to_string(),
            port: snapshot.address.port(),
            backlog: draft.backlog,
            encoding: draft.charset.to_string(),
            framing: member("framing"),
            greeting: reply_to_json(&draft.greeting),
            reply: reply_to_json(&draft.reply),
            then: spec.then().as_str(),
            rules: member("rules"),
            sends: member("sends"),
            faults: member("faults"),
            limits: member("limits"),
            max_connections_total: draft.max_connections_total,
            ttl: member("ttl"),
            opened_at: snapshot.opened_at.to_string(),
            closed_at: closed.map(|(at, _)| at.to_string()),
            close_reason: closed.map(|(_, why)| why.as_str()),
            failure: snapshot.failure.as_deref().map(FailureView::from),
            connections: ConnectionCounts { open: snapshot.open, total: snapshot.total },
            received: snapshot.received.into(),
            sent: snapshot.sent.into(),
        }
    }
}

const fn state_word(state: ListenerState) -> &'static str {
    match state {
        ListenerState::Open => "open",
        ListenerState::Draining => "draining",
        ListenerState::Closed { .. } => "closed",
        ListenerState::Failed { .. } => "failed",
    }
}
