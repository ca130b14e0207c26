//! What is expected to happen.

use std::time::Duration;

use serde_json::{Value, json};

use super::kinds::Direction;
use crate::domain::{format_duration, parse_duration};

/// How long the service waits where it is not told.
const WITHIN: Duration = Duration::from_secs(5);

/// What is expected. Matchers are those of the API: `json!({"contains": "ORDER"})`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation(Value);

impl Expectation {
    /// A message like this comes.
    pub fn message(matcher: impl Into<Value>) -> Self {
        Self(json!({"match": matcher.into()}))
    }

    /// No message like this comes.
    pub fn never(matcher: impl Into<Value>) -> Self {
        Self(json!({"match": matcher.into(), "never": true}))
    }

    /// On one connection, messages like these come one after the other.
    pub fn sequence(matchers: impl IntoIterator<Item = Value>) -> Self {
        Self(json!({"sequence": matchers.into_iter().collect::<Vec<_>>()}))
    }

    /// A field of the API, by its name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(members) = &mut self.0 {
            members.insert(name.to_owned(), value.into());
        }
        self
    }

    /// On this listener: its id or name.
    #[must_use]
    pub fn on(self, listener: &str) -> Self {
        self.with("listener", listener)
    }

    /// That crosses this way; `Received` where it is not said.
    #[must_use]
    pub fn direction(self, direction: Direction) -> Self {
        self.with("direction", direction.as_str())
    }

    /// At least so many.
    #[must_use]
    pub fn at_least(self, count: u64) -> Self {
        self.with("count", json!({"at_least": count}))
    }

    /// So many, no more and no less.
    #[must_use]
    pub fn exactly(self, count: u64) -> Self {
        self.with("count", json!({"exactly": count}))
    }

    /// In this time, at most 60 s; 5 s where it is not said.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        self.with("within", format_duration(time))
    }

    /// Behind this cursor.
    #[must_use]
    pub fn after(self, cursor: &str) -> Self {
        self.with("after", cursor)
    }

    /// How long the service may wait before it answers.
    pub(super) fn waits(&self) -> Duration {
        let within = self.0.get("within").and_then(Value::as_str);
        within.and_then(|text| parse_duration(text).ok()).unwrap_or(WITHIN)
    }

    /// As the API takes it.
    pub(super) const fn json(&self) -> &Value {
        &self.0
    }
}

/// A whole expectation, as the API takes it.
impl From<Value> for Expectation {
    fn from(value: Value) -> Self {
        Self(value)
    }
}
