//! The control plane: the HTTP API.
//!
//! The only floor that says axum or `StatusCode`. [`router`] is the table of contents: every route on one line, one
//! file a noun. What crosses the wire as JSON is in [`types`]; what every request passes through is in [`layers`] and
//! [`guard`]; the server underneath is in [`server`].

mod answer;
mod answers;
mod compiled;
mod config;
mod connections;
mod contract;
pub mod error;
#[cfg(test)]
mod error_tests;
mod events;
mod expect;
mod export;
pub mod extract;
pub mod guard;
pub mod health;
mod json;
pub mod layers;
mod listeners;
mod messages;
pub mod metrics;
mod page;
mod payload;
mod quote;
mod recut;
mod reset;
pub mod server;
mod talk;
mod text;
pub mod types;
mod ui;
mod wait;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use tokio_util::sync::CancellationToken;

use crate::domain::{Clock, ListenerDraft};
use crate::engine::Engine;
use crate::store::Recorder;

use answers::Answers;
use error::ApiError;
use events::Readers;
use expect::Tail;
use guard::Guard;
use layers::RequestLimits;
use metrics::{Metrics, MetricsSnapshot, RequestDurations};

/// Reads a text as JSON, as strictly as the body of a request.
///
/// # Errors
/// A sentence with line and column.
pub fn read_json_text(text: &str) -> Result<serde_json::Value, String> {
    json::parse(text.as_bytes())
}

/// What the handlers share.
#[derive(Clone)]
pub struct Api {
    /// Opens, changes and closes listeners.
    pub engine: Engine,
    /// The way to the journal.
    pub recorder: Arc<Recorder>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What a listener is where its spec does not say.
    pub defaults: Arc<ListenerDraft>,
    /// Cancelled when the service begins to stop: whoever waits answers then.
    pub shutdown: CancellationToken,
}

/// The state of the routes: what the handlers share with the rest of the service, and among themselves.
#[derive(Clone)]
struct Shared {
    api: Api,
    answers: Answers,
    readers: Readers,
    tail: Tail,
}

impl FromRef<Shared> for Api {
    fn from_ref(shared: &Shared) -> Self {
        shared.api.clone()
    }
}

impl FromRef<Shared> for Answers {
    fn from_ref(shared: &Shared) -> Self {
        shared.answers.clone()
    }
}

impl FromRef<Shared> for Readers {
    fn from_ref(shared: &Shared) -> Self {
        shared.readers.clone()
    }
}

impl FromRef<Shared> for Tail {
    fn from_ref(shared: &Shared) -> Self {
        shared.tail.clone()
    }
}

/// The finished API: every route, inside everything that a request passes through.
pub fn router(api: Api, guard: Guard) -> Router {
    let durations = RequestDurations::new();
    let table = table(&api, &durations).router;
    let shared = Shared { api, answers: Answers::new(), readers: Readers::new(), tail: Tail::default() };
    let routes = table.with_state(shared);
    layers::wrap(routes, guard, durations, RequestLimits::default())
}

/// Every route, as (method, path).
pub fn routes(api: &Api) -> Vec<(&'static str, &'static str)> {
    table(api, &RequestDurations::new()).listed
}

/// The table of contents.
fn table(api: &Api, durations: &RequestDurations) -> Table {
    let metrics = Metrics::new(numbers(api), durations);
    Table::default()
        .post("/listeners", listeners::open)
        .get("/listeners", listeners::list)
        .get("/listeners/{key}", listeners::show)
        .put("/listeners/{key}", listeners::put)
        .patch("/listeners/{key}", listeners::patch)
        .delete("/listeners/{key}", listeners::close)
        .get("/connections", connections::list)
        .delete("/connections", connections::forget)
        .get("/connections/{id}", connections::show)
        .get("/connections/{id}/messages", messages::of_connection)
        .get("/connections/{id}/payload", payload::show)
        .post("/connections/{id}/send", talk::send)
        .post("/connections/{id}/close", talk::close)
        .get("/messages", messages::list)
        .get("/events", events::events)
        .post("/expect", expect::expect)
        .get("/export", export::export)
        .get("/config", config::show)
        .put("/config", config::apply)
        .post("/reset", reset::reset)
        .route("GET", "/healthz", health::live())
        .route("GET", "/readyz", health::ready(readiness(api)))
        .route("GET", "/metrics", metrics::route(metrics))
        .route("GET", "/openapi.yaml", contract::yaml())
        .route("GET", "/openapi.json", contract::json())
        .route("GET", "/docs", contract::docs())
        .route("GET", "/docs/{asset}", contract::asset())
        .route("GET", "/", ui::index())
        .route("GET", "/ui/{hash}/{asset}", ui::asset())
}

#[derive(Default)]
struct Table {
    router: Router<Shared>,
    listed: Vec<(&'static str, &'static str)>,
}

impl Table {
    fn route(mut self, method: &'static str, path: &'static str, handler: MethodRouter<Shared>) -> Self {
        self.listed.push((method, path));
        self.router = self.router.route(path, handler);
        self
    }

    fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, Shared>) -> Self {
        self.route("GET", path, on(MethodFilter::GET, handler))
    }

    fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, Shared>) -> Self {
        self.route("POST", path, on(MethodFilter::POST, handler))
    }

    fn put<T: 'static>(self, path: &'static str, handler: impl Handler<T, Shared>) -> Self {
        self.route("PUT", path, on(MethodFilter::PUT, handler))
    }

    fn patch<T: 'static>(self, path: &'static str, handler: impl Handler<T, Shared>) -> Self {
        self.route("PATCH", path, on(MethodFilter::PATCH, handler))
    }

    fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, Shared>) -> Self {
        self.route("DELETE", path, on(MethodFilter::DELETE, handler))
    }
}

fn readiness(api: &Api) -> health::Readiness {
    let (recorder, stopping) = (Arc::clone(&api.recorder), api.shutdown.clone());
    Arc::new(move || {
        if stopping.is_cancelled() {
            return Err(ApiError::shutting_down());
        }
        recorder.journal().status().unavailable.map_or(Ok(()), |error| Err(error.into()))
    })
}

fn numbers(api: &Api) -> impl Fn() -> MetricsSnapshot + Send + Sync + 'static {
    let (engine, recorder) = (api.engine.clone(), Arc::clone(&api.recorder));
    move || {
        let (stats, journal) = (engine.stats(), recorder.journal().status());
        MetricsSnapshot {
            listeners: stats.listeners,
            connections_open: stats.connections_open,
            connections_total: stats.connections_total,
            refused_listener_limit_total: stats.refused_by_listener,
            refused_total_limit_total: stats.refused_by_total,
            bytes_received_total: stats.received.bytes,
            bytes_sent_total: stats.sent.bytes,
            messages_received_total: stats.received.messages,
            messages_sent_total: stats.sent.messages,
            accept_pauses_total: stats.accept_pauses,
            journal_queue_bytes: journal.queued_bytes,
            journal_bytes: journal.bytes,
            journal_evicted_records_total: journal.evicted_records,
        }
    }
}
