//! `/metrics`: the numbers of the service, in the OpenMetrics text format.
//!
//! Counters live where they are counted; a [`MetricsSource`] hands them over when somebody asks, so that nothing is
//! counted twice and the engine knows nothing of Prometheus. Only the durations of requests are kept here.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::error::ApiError;

/// The media type of the answer, with the version that the encoder writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the buckets of request durations, in seconds: most answers take less than a millisecond, long polls
/// up to a minute.
const BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0];

/// All numbers at one moment. What is called total only ever grows while the process lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// Listeners whose port is open.
    pub listeners: u64,
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that were accepted.
    pub connections_total: u64,
    /// Connections that were refused because their listener had as many as it may.
    pub refused_listener_limit_total: u64,
    /// Connections that were refused because all listeners together had as many as they may.
    pub refused_total_limit_total: u64,
    /// Bytes that clients sent.
    pub bytes_received_total: u64,
    /// Bytes that were sent to clients.
    pub bytes_sent_total: u64,
    /// Messages received.
    pub messages_received_total: u64,
    /// Messages sent.
    pub messages_sent_total: u64,
    /// Times that accepting paused because the system gave out no more file descriptors.
    pub accept_pauses_total: u64,
    /// Bytes that wait to be written to the journal.
    pub journal_queue_bytes: u64,
    /// Bytes that the journal takes up.
    pub journal_bytes: u64,
    /// Records that the journal removed to stay within its bound.
    pub journal_evicted_records_total: u64,
}

/// Where the numbers come from.
pub trait MetricsSource: Send + Sync + 'static {
    /// The numbers now.
    fn snapshot(&self) -> MetricsSnapshot;
}

impl<F: Fn() -> MetricsSnapshot + Send + Sync + 'static> MetricsSource for F {
    fn snapshot(&self) -> MetricsSnapshot {
        self()
    }
}

/// How long requests took.
#[derive(Debug, Clone)]
pub struct RequestDurations(Family<RequestLabels, Histogram>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

impl RequestDurations {
    /// None yet.
    pub fn new() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(BUCKETS)))
    }

    /// Counts one request. `route` is the route's pattern, never the path: every label value costs memory for ever.
    pub fn record(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let labels = RequestLabels {
            method: method_label(method).to_owned(),
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.0.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

impl Default for RequestDurations {
    fn default() -> Self {
        Self::new()
    }
}

/// A client may make up methods; labels are not for it to make up.
pub(super) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// All that `/metrics` shows.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Registry>);

impl Metrics {
    /// Shows what `source` counts and how long requests took.
    pub fn new(source: impl MetricsSource, durations: &RequestDurations) -> Self {
        let mut registry = Registry::with_prefix("answerback");
        registry.register_collector(Box::new(Counters(Box::new(source))));
        registry.register(
            "http_request_duration_seconds",
            "How long requests to the API took",
            durations.0.clone(),
        );
        Self(Arc::new(registry))
    }

    /// The text.
    fn render(&self) -> Result<String, ApiError> {
        let mut out = String::new();
        text::encode(&mut out, &self.0).map_err(ApiError::internal)?;
        Ok(out)
    }
}

/// `GET /metrics`.
pub fn route<S: Clone + Send + Sync + 'static>(metrics: Metrics) -> MethodRouter<S> {
    get(move || async move { show(&metrics) })
}

fn show(metrics: &Metrics) -> Response {
    match metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => error.into_response(),
    }
}

struct Counters(Box<dyn MetricsSource>);

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counters")
    }
}

type Label = [(&'static str, &'static str); 1];

impl Collector for Counters {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let now = self.0.snapshot();
        gauge(&mut out, "listeners", "Listeners that are open.", now.listeners)?;
        gauge(&mut out, "connections_open", "Connections that are open.", now.connections_open)?;
        counter(&mut out, "connections", "Connections that were accepted.", now.connections_total)?;
        let refused = [
            ([("reason", "listener_limit")], now.refused_listener_limit_total),
            ([("reason", "total_limit")], now.refused_total_limit_total),
        ];
        counters(&mut out, "connections_refused", "Connections that were refused, by the limit.", refused)?;
        let bytes = directions(now.bytes_received_total, now.bytes_sent_total);
        counters(&mut out, "bytes", "Bytes that crossed the wire, by direction.", bytes)?;
        let messages = directions(now.messages_received_total, now.messages_sent_total);
        counters(&mut out, "messages", "Messages that were recorded, by direction.", messages)?;
        counter(
            &mut out,
            "accept_pauses",
            "Pauses of accepting for want of file descriptors.",
            now.accept_pauses_total,
        )?;
        gauge(&mut out, "journal_queue_bytes", "Bytes that wait for the journal.", now.journal_queue_bytes)?;
        gauge(&mut out, "journal_bytes", "Bytes that the journal takes up.", now.journal_bytes)?;
        let evicted = now.journal_evicted_records_total;
        counter(&mut out, "journal_evicted_records", "Records removed to stay within the bound.", evicted)
    }
}

fn directions(received: u64, sent: u64) -> [(Label, u64); 2] {
    [([("direction", "received")], received), ([("direction", "sent")], sent)]
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> std::fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(out.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn counter(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> std::fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(out.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn counters(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: [(Label, u64); 2],
) -> std::fmt::Result {
    let mut metric = out.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (label, value) in values {
        ConstCounter::new(value).encode(metric.encode_family(&label)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(snapshot: MetricsSnapshot, durations: &RequestDurations) -> String {
        Metrics::new(move || snapshot, durations).render().unwrap()
    }

    #[test]
    fn every_number_has_its_name() {
        let snapshot = MetricsSnapshot {
            listeners: 1,
            connections_open: 2,
            connections_total: 3,
            refused_listener_limit_total: 4,
            refused_total_limit_total: 5,
            bytes_received_total: 6,
            bytes_sent_total: 7,
            messages_received_total: 8,
            messages_sent_total: 9,
            accept_pauses_total: 10,
            journal_queue_bytes: 11,
            journal_bytes: 12,
            journal_evicted_records_total: u64::MAX,
        };
        let text = rendered(snapshot, &RequestDurations::new());
        let expected = [
            "answerback_listeners 1",
            "answerback_connections_open 2",
            "answerback_connections_total 3",
            "answerback_connections_refused_total{reason=\"listener_limit\"} 4",
            "answerback_connections_refused_total{reason=\"total_limit\"} 5",
            "answerback_bytes_total{direction=\"received\"} 6",
            "answerback_bytes_total{direction=\"sent\"} 7",
            "answerback_messages_total{direction=\"received\"} 8",
            "answerback_messages_total{direction=\"sent\"} 9",
            "answerback_accept_pauses_total 10",
            "answerback_journal_queue_bytes 11",
            "answerback_journal_bytes 12",
            "answerback_journal_evicted_records_total 18446744073709551615",
        ];
        for line in expected {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("# TYPE answerback_connections counter") && text.ends_with("# EOF\n"));
    }

    #[test]
    fn durations_are_told_by_route_and_never_by_a_made_up_method() {
        let durations = RequestDurations::new();
        let made_up = Method::from_bytes(b"BREW").unwrap();
        durations.record(&Method::GET, "/listeners/{key}", StatusCode::OK, Duration::from_millis(3));
        durations.record(&made_up, "unmatched", StatusCode::NOT_FOUND, Duration::ZERO);
        let text = rendered(MetricsSnapshot::default(), &durations);
        let name = "answerback_http_request_duration_seconds";
        let labels = "method=\"GET\",route=\"/listeners/{key}\",status=\"200\"";
        assert!(text.contains(&format!("{name}_count{{{labels}}} 1")), "{text}");
        assert!(text.contains(&format!("{name}_bucket{{le=\"0.0025\",{labels}}} 0")), "{text}");
        assert!(text.contains(&format!("{name}_bucket{{le=\"0.005\",{labels}}} 1")), "{text}");
        assert!(text.contains("method=\"other\"") && !text.contains("BREW"));
    }
}
