//! Which records, and how they are shown.

use std::time::Duration;

use super::address::escaped;
use super::kinds::Direction;
use crate::domain::format_duration;

/// The query of a list. What it has no method for says [`Query::with`].
#[derive(Debug, Clone, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
    waits: Option<Duration>,
}

impl Query {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// A parameter of the API, by its name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.pairs.push((name.to_owned(), value.into()));
        self
    }

    /// Of this listener: its id or name.
    #[must_use]
    pub fn listener(self, key: &str) -> Self {
        self.with("listener", key)
    }

    /// Messages that crossed this way.
    #[must_use]
    pub fn direction(self, direction: Direction) -> Self {
        self.with("direction", direction.as_str())
    }

    /// With this text in a message.
    #[must_use]
    pub fn contains(self, text: &str) -> Self {
        self.with("contains", text)
    }

    /// So many items at most.
    #[must_use]
    pub fn limit(self, items: usize) -> Self {
        self.with("limit", items.to_string())
    }

    /// The oldest first.
    #[must_use]
    pub fn oldest_first(self) -> Self {
        self.with("order", "asc")
    }

    /// The newest first.
    #[must_use]
    pub fn newest_first(self) -> Self {
        self.with("order", "desc")
    }

    /// What comes behind this cursor; `start` is before the oldest.
    #[must_use]
    pub fn after(self, cursor: &str) -> Self {
        self.with("after", cursor)
    }

    /// Wait for the first item, at most so long, and at most 60 s.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.waits = Some(time);
        self.with("wait", format_duration(time))
    }

    /// How long the service may wait before it answers.
    pub(super) fn waits(&self) -> Duration {
        self.waits.unwrap_or_default()
    }

    /// The path with this query.
    pub(super) fn of(&self, path: &str) -> String {
        let pairs = self.pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}
