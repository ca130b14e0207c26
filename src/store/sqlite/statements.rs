//! The statements of the hot path, prepared once.

use rusqlite::{Connection, Statement};

/// What every batch runs.
pub(super) struct Statements<'db> {
    pub(super) begin: Statement<'db>,
    pub(super) commit: Statement<'db>,
    pub(super) open: Statement<'db>,
    pub(super) exchange: Statement<'db>,
    pub(super) place: Statement<'db>,
    pub(super) close: Statement<'db>,
    pub(super) ends: Statement<'db>,
    pub(super) journal: Statement<'db>,
    pub(super) figures: Statement<'db>,
    pub(super) block: Statement<'db>,
}

impl<'db> Statements<'db> {
    pub(super) fn prepare(db: &'db Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: db.prepare("BEGIN IMMEDIATE")?,
            commit: db.prepare("COMMIT")?,
            open: db.prepare(
                "INSERT OR IGNORE INTO connections
                 (position, id, listener, peer_ip, peer_port, local_ip, local_port, opened_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            exchange: db.prepare(
                "INSERT INTO exchanges
                 (position, connection, at, encoding, received_seq, received_offset, received_size, received,
                  received_sha256, sent_at, sent_encoding, sent_seq, sent_offset, sent_size, sent, sent_sha256,
                  received_note, sent_note)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            )?,
            place: db.prepare("INSERT INTO places (connection, position) VALUES (?1, ?2)")?,
            ends: db.prepare("INSERT INTO ends (first, last, listed) VALUES (?1, ?2, ?3)")?,
            close: db.prepare(
                "UPDATE connections SET closed_at = ?2, close_reason = ?3 WHERE position = ?1 AND closed_at IS NULL",
            )?,
            journal: db.prepare(
                "UPDATE journal SET next = ?1, bytes = ?2, messages = ?3, evicted_to = ?4, looked_to = ?5,
                 placed_to = ?6, has_stale_places = ?7, newest_ends = ?8, newest_sums = ?9",
            )?,
            figures: db.prepare(
                "UPDATE listeners SET connections = ?2, received_messages = ?3, received_bytes = ?4,
                 sent_messages = ?5, sent_bytes = ?6 WHERE number = ?1",
            )?,
            block: db.prepare(
                "INSERT OR REPLACE INTO blocks (first, last, since, until, listeners, peers, encodings, trigrams)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
        })
    }
}
