//! The envelope of every list, and what stands in its items as text.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::store::{Cursor, Position};

/// Some of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// Where to go on; `null` when there is no more.
    pub next: Option<String>,
    /// The cursor of the oldest record that is still there, when the list reaches into what was removed before it.
    pub evicted_before: Option<String>,
}

impl<T> List<T> {
    /// Items with their positions in the journal.
    pub(crate) fn new(items: Vec<T>, next: Option<Position>, evicted_before: Option<Position>) -> Self {
        let cursor = |position| Cursor(position).to_string();
        Self { items, next: next.map(cursor), evicted_before: evicted_before.map(cursor) }
    }
}

/// Writes a value as the text that it displays as, without a copy in between.
pub(super) fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// As [`as_text`]; `null` for none.
pub(super) fn as_text_or_null<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
