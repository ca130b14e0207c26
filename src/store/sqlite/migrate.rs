//! The schema, and how an older one becomes the present one.
//!
//! The version is SQLite's own `user_version`. Migrations only go forward; all that are missing run in one transaction, so
//! that a database has one schema or the other, whatever happens meanwhile. A library for this would bring a table of its
//! own and cannot tell a newer database before it has written to it; this is forty lines.

use rusqlite::{Connection, TransactionBehavior};

use super::super::cursor::Position;

/// "ansb" in SQLite's field for the program that a file belongs to (`file` and `sqlite3` show it).
pub const APPLICATION_ID: i32 = 0x616e_7362;

/// One a version, the first makes version 1. What was released is never changed.
const MIGRATIONS: [&str; 2] = [include_str!("v1.sql"), include_str!("v2.sql")];

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    /// Nothing.
    Empty,
    /// A schema of this version or of an earlier one.
    Known,
    /// Tables of another program.
    Foreign,
    /// One that is not known here.
    Newer { found: i64, known: i64 },
}

/// What the database holds; reads only.
pub(super) fn schema_of(db: &Connection) -> rusqlite::Result<Schema> {
    let number = |pragma: &str| db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (owner, found) = (number("application_id")?, number("user_version")?);
    let known = MIGRATIONS.len() as i64;
    Ok(match (tables, owner) {
        (0, 0) => Schema::Empty,
        (_, owner) if owner != i64::from(APPLICATION_ID) => Schema::Foreign,
        _ if found > known => Schema::Newer { found, known },
        _ => Schema::Known,
    })
}

/// Runs the migrations that are missing. In a new database the first record gets the position `first`.
pub(super) fn migrate(db: &Connection, first: Position) -> rusqlite::Result<()> {
    run(db, &MIGRATIONS)?;
    let first = first.0.max(1);
    db.execute(
        "INSERT INTO journal (one, first, next, bytes, messages, evicted_to, looked_to, placed_to, has_stale_places)
         SELECT 1, ?1, ?1, 0, 0, 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM journal)",
        [i64::try_from(first).unwrap_or(1)],
    )?;
    Ok(())
}

fn run(db: &Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(0);
    if done >= migrations.len() {
        return Ok(());
    }
    let transaction = rusqlite::Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    for migration in migrations.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", migrations.len() as i64)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(db: &Connection) -> i64 {
        db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_empty_database_gets_the_schema_and_keeps_it() {
        let db = Connection::open_in_memory().unwrap();
        assert_eq!(schema_of(&db).unwrap(), Schema::Empty);
        migrate(&db, Position(7)).unwrap();
        assert_eq!(schema_of(&db).unwrap(), Schema::Known);
        migrate(&db, Position(9)).unwrap();
        let first: i64 = db.query_row("SELECT first FROM journal", [], |row| row.get(0)).unwrap();
        let released = MIGRATIONS.len() as i64;
        assert_eq!((version(&db), first), (released, 7), "a second time changes nothing");
    }

    #[test]
    fn only_what_is_missing_runs_and_records_stay() {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db, Position(7)).unwrap();
        let released = MIGRATIONS.len() as i64;
        let later: Vec<_> =
            MIGRATIONS.into_iter().chain(["ALTER TABLE journal ADD COLUMN note TEXT DEFAULT 'x'"]).collect();
        run(&db, &later).unwrap();
        let row = db.query_row("SELECT first, note FROM journal", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!((version(&db), row.unwrap()), (released + 1, (7_i64, "x".to_owned())));
        assert_eq!(schema_of(&db).unwrap(), Schema::Newer { found: released + 1, known: released });
    }

    #[test]
    fn a_migration_that_fails_leaves_everything_as_it_was() {
        let db = Connection::open_in_memory().unwrap();
        migrate(&db, Position(7)).unwrap();
        let more = ["ALTER TABLE journal ADD COLUMN note TEXT", "CREATE nonsense"];
        let broken: Vec<_> = MIGRATIONS.into_iter().chain(more).collect();
        assert!(run(&db, &broken).is_err());
        assert_eq!(version(&db), MIGRATIONS.len() as i64);
        assert!(db.prepare("SELECT note FROM journal").is_err());
    }

    #[test]
    fn a_database_of_another_program_is_told() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert_eq!(schema_of(&db).unwrap(), Schema::Foreign);
    }
}
