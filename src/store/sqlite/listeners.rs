//! The listeners that are to be opened again.

use std::collections::HashMap;
use std::net::SocketAddr;

use rusqlite::{Connection, Row, params};

use crate::domain::{ListenerId, SelfClose, Timestamp};

use super::super::journal::{ListenerFigures, ListenerRecord};
use super::apply::Writing;
use super::row::{number, signed};
use super::sums::{Figures, read_newest};

impl Writing<'_, '_> {
    /// Keeps a listener as it is now. Its figures stay as they were counted.
    pub(super) fn keep_listener(&mut self, listener: &ListenerRecord) -> rusqlite::Result<()> {
        let mut keep = self.db.prepare_cached(
            "INSERT INTO listeners (id, spec, host, port, opened_at, closed_at, close_reason, total_at_opening)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET spec = ?2, host = ?3, port = ?4, opened_at = ?5, closed_at = ?6,
                    close_reason = ?7, total_at_opening = ?8",
        )?;
        keep.execute(params![
            listener.id.as_u128().to_be_bytes(),
            listener.spec,
            listener.address.ip().to_string(),
            listener.address.port(),
            listener.opened_at.as_micros(),
            listener.closed.map(|(at, _)| at.as_micros()),
            listener.closed.map(|(_, why)| why.as_str()),
            signed(listener.total_at_opening),
        ])?;
        Ok(())
    }

    /// A listener is deleted. What its records need of it stays; without records it goes whole.
    pub(super) fn drop_listener(&mut self, id: ListenerId) -> rusqlite::Result<()> {
        let id = id.as_u128().to_be_bytes();
        let mut gone = self.db.prepare_cached(
            "DELETE FROM listeners WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM names WHERE listener = listeners.number)",
        )?;
        if gone.execute([id])? == 0 {
            let mut drop = self.db.prepare_cached("UPDATE listeners SET spec = NULL WHERE id = ?1")?;
            drop.execute([id])?;
        }
        Ok(())
    }
}

/// All listeners that are kept, in the order of their ids.
pub(super) fn listeners(db: &Connection) -> rusqlite::Result<Vec<ListenerRecord>> {
    let mut kept = db.prepare_cached(
        "SELECT id, spec, host, port, opened_at, closed_at, close_reason, total_at_opening, connections,
                received_messages, received_bytes, sent_messages, sent_bytes, number
         FROM listeners WHERE spec IS NOT NULL ORDER BY id",
    )?;
    let newest = read_newest(db)?;
    kept.query_map([], |row| listener(row, &newest))?.collect()
}

fn listener(row: &Row<'_>, newest: &HashMap<i64, Figures>) -> rusqlite::Result<ListenerRecord> {
    let host: String = row.get(2)?;
    let wrong = |_| rusqlite::Error::InvalidColumnType(2, host.clone(), rusqlite::types::Type::Text);
    let (closed_at, reason): (Option<i64>, Option<String>) = (row.get(5)?, row.get(6)?);
    let why = reason.and_then(|word| SelfClose::parse(&word));
    let own = [number(row, 8)?, number(row, 9)?, number(row, 10)?, number(row, 11)?, number(row, 12)?];
    let figures = newest.get(&row.get(13)?).copied().unwrap_or(Figures::of(own));
    Ok(ListenerRecord {
        id: ListenerId::from_u128(u128::from_be_bytes(row.get(0)?)),
        spec: row.get(1)?,
        address: SocketAddr::new(host.parse().map_err(wrong)?, row.get(3)?),
        opened_at: Timestamp::from_micros(row.get(4)?),
        closed: closed_at.map(Timestamp::from_micros).zip(why),
        total_at_opening: number(row, 7)?,
        figures: ListenerFigures {
            total: figures.connections,
            received: figures.received,
            sent: figures.sent,
        },
    })
}
