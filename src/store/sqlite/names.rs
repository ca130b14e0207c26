//! The listeners that records name, by their numbers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::domain::{ListenerId, ListenerRef, Name};

/// What was looked up once is known: a row of `names` never changes.
#[derive(Default)]
pub(super) struct Names(Mutex<HashMap<i64, Arc<ListenerRef>>>);

impl Names {
    /// The listener of this number.
    pub(super) fn get(&self, db: &Connection, number: i64) -> rusqlite::Result<Arc<ListenerRef>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let mut find = db.prepare_cached(
            "SELECT l.id, n.name FROM names n JOIN listeners l ON l.number = n.listener WHERE n.number = ?1",
        )?;
        let found = find.query_row([number], |row| {
            let id = ListenerId::from_u128(u128::from_be_bytes(row.get(0)?));
            let name: Option<String> = row.get(1)?;
            Ok(Arc::new(ListenerRef { id, name: name.and_then(|name| Name::parse(&name).ok()) }))
        })?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&found));
        Ok(found)
    }
}
