//! What it costs to find text, before anybody looks for any.

use std::time::Instant;

use anyhow::Result;
use rusqlite::{Connection, params};

use crate::fill::{fill, payload};

/// Payloads of one transaction.
const TOGETHER: u64 = 256;

/// Writes the same payloads three ways.
pub(crate) fn compare(payloads: u64) -> Result<()> {
    println!("\n{payloads} payloads of 64 bytes, {TOGETHER} in a transaction");
    plain(payloads, false)?;
    plain(payloads, true)?;
    println!("  this journal, with the connection of each and its answer, and blocks:");
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    fill(home.path(), 2 * payloads).map(|_| ())
}

/// A table alone, or with a full-text index of trigrams beside it.
fn plain(payloads: u64, indexed: bool) -> Result<()> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = home.path().join("plain.db");
    let mut db = Connection::open(&file)?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.execute_batch("CREATE TABLE payloads (position INTEGER PRIMARY KEY, payload BLOB) STRICT")?;
    if indexed {
        db.execute_batch(
            "CREATE VIRTUAL TABLE trigrams USING fts5 (payload, content='', tokenize='trigram', detail=none)",
        )?;
    }
    let began = Instant::now();
    for first in (0..payloads).step_by(TOGETHER as usize) {
        let transaction = db.transaction()?;
        for number in first..(first + TOGETHER).min(payloads) {
            let payload = payload(number);
            let position = i64::try_from(number)?;
            transaction
                .prepare_cached("INSERT INTO payloads VALUES (?1, ?2)")?
                .execute(params![position, &*payload])?;
            if indexed {
                let text = String::from_utf8_lossy(&payload);
                transaction
                    .prepare_cached("INSERT INTO trigrams (rowid, payload) VALUES (?1, ?2)")?
                    .execute(params![position, text])?;
            }
        }
        transaction.commit()?;
    }
    let elapsed = began.elapsed().as_secs_f64();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    let name = if indexed { "a table with FTS5 trigrams" } else { "a table alone" };
    let size = std::fs::metadata(&file)?.len() as f64;
    println!(
        "  {name:<28} {:.2} us each, {:.1} bytes each in the file",
        elapsed * 1e6 / payloads as f64,
        size / payloads as f64
    );
    Ok(())
}
