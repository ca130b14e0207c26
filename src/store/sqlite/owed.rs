//! Who came and went while the journal could not be written.

use std::collections::HashSet;

use crate::domain::ConnectionId;

use super::super::journal::Record;

/// Records that are kept for later. Those of connections that are open are never given up, whose number the engine
/// bounds; when there are more than these, those of connections that came and went are.
const MOST: usize = 20_000;

/// Openings and ends that could not be written. Messages are not among them: whoever sent them was told by a reset.
#[derive(Default)]
pub(super) struct Owed(Vec<Record>);

impl Owed {
    /// Adds the openings and ends of a batch that was refused.
    pub(super) fn add(&mut self, records: impl Iterator<Item = Record>) {
        let is_fact = |record: &Record| matches!(record, Record::Opened(_) | Record::Closed { .. });
        self.0.extend(records.filter(is_fact));
        if self.0.len() > MOST {
            self.give_up_the_ended();
        }
    }

    /// In the order they happened.
    pub(super) fn records(&self) -> &[Record] {
        &self.0
    }

    /// They are written.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    fn give_up_the_ended(&mut self) {
        let id = |record: &Record| match record {
            Record::Opened(connection) => connection.id,
            Record::Closed { connection, .. } | Record::SentShort { connection, .. } => *connection,
            Record::Message(message) => message.connection,
        };
        let of = |opened: bool| -> HashSet<ConnectionId> {
            let wanted = |record: &&Record| matches!(record, Record::Opened(_)) == opened;
            self.0.iter().filter(wanted).map(id).collect()
        };
        let (opened, ended) = (of(true), of(false));
        self.0.retain(|record| !(opened.contains(&id(record)) && ended.contains(&id(record))));
    }
}
