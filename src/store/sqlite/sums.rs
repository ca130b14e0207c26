//! The sums of listeners: those that counted last stand in the row of the journal, which every commit writes anyway, and go
//! into their own rows together.

use std::collections::HashMap;

use rusqlite::Connection as Database;

use crate::domain::Tally;

use super::apply::Writing;
use super::row::{number, signed};

/// Listeners whose sums stand in the row of the journal at most. More clients come to few listeners than to many.
const NEWEST: usize = if cfg!(test) { 2 } else { 16 };

/// A listener's sums.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    pub(super) connections: u64,
    pub(super) received: Tally,
    pub(super) sent: Tally,
    /// Whether its own row has less.
    pub(super) is_newer: bool,
}

impl Figures {
    const fn sums(&self) -> [u64; 5] {
        [self.connections, self.received.messages, self.received.bytes, self.sent.messages, self.sent.bytes]
    }

    pub(super) const fn of(sums: [u64; 5]) -> Self {
        let [connections, received, received_bytes, sent, sent_bytes] = sums;
        Self {
            connections,
            received: Tally { messages: received, bytes: received_bytes },
            sent: Tally { messages: sent, bytes: sent_bytes },
            is_newer: false,
        }
    }
}

impl Writing<'_, '_> {
    /// What of the sums goes into the row of the journal. Where that is too much, all of it goes into the listeners' rows.
    pub(super) fn newest_sums(&mut self) -> rusqlite::Result<Vec<u8>> {
        let state = &mut *self.state;
        if state.newest_sums.len() > NEWEST {
            for listener in state.newest_sums.drain(..) {
                let Some(figures) = state.figures.get_mut(&listener) else { continue };
                figures.is_newer = false;
                let [a, b, c, d, e] = figures.sums().map(signed);
                self.statements.figures.execute([listener, a, b, c, d, e])?;
            }
        }
        let mut newest = Vec::with_capacity(state.newest_sums.len() * 48);
        for listener in &state.newest_sums {
            let Some(figures) = state.figures.get(listener) else { continue };
            newest.extend_from_slice(&listener.to_be_bytes());
            newest.extend(figures.sums().into_iter().flat_map(u64::to_be_bytes));
        }
        Ok(newest)
    }
}

/// The sums that are newer than those in the listeners' rows, by `listeners.number`.
pub(super) fn read_newest(db: &Database) -> rusqlite::Result<HashMap<i64, Figures>> {
    db.prepare_cached("SELECT newest_sums FROM journal")?.query_row([], |row| {
        let newest = row.get_ref(0)?.as_blob()?;
        let words =
            newest.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect::<Vec<_>>();
        let each = words.as_chunks::<6>().0.iter();
        Ok(each.map(|[listener, sums @ ..]| (listener.cast_signed(), newer(*sums))).collect())
    })
}

const fn newer(sums: [u64; 5]) -> Figures {
    Figures { is_newer: true, ..Figures::of(sums) }
}

/// The sums of a listener, as its own row has them.
pub(super) fn read_own(db: &Database, listener: i64) -> rusqlite::Result<Figures> {
    db.query_row(
        "SELECT connections, received_messages, received_bytes, sent_messages, sent_bytes FROM listeners WHERE number = ?1",
        [listener],
        |row| {
            let sums = [number(row, 0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?, number(row, 4)?];
            Ok(Figures::of(sums))
        },
    )
}
