//! `answerback backup`: a copy of a database that is in use, or was left by a service that is gone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use answerback::store::{Backup, BackupError, Existing, Progress, back_up};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::{Ended, Launch, Program, Tool, skipped};

/// A directory with a data directory in it.
struct Place {
    home: TempDir,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("data")).unwrap();
        Self { home }
    }

    /// With a database of `mebibytes`, which nobody has open.
    fn with_database(mebibytes: u32) -> Self {
        let place = Self::new();
        let db = place.connect();
        db.execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA application_id = 0x616e7362;
             CREATE TABLE records (n INTEGER PRIMARY KEY, payload BLOB); CREATE TABLE sums (records INTEGER);
             INSERT INTO sums VALUES (0);",
        )
        .unwrap();
        for _ in 0..mebibytes {
            record(&db, 1 << 20);
        }
        db.close().unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The database as its service has it.
    fn connect(&self) -> Connection {
        let db = Connection::open(self.path("data/answerback.db")).unwrap();
        db.busy_timeout(Duration::from_secs(20)).unwrap();
        db.pragma_update(None, "synchronous", "OFF").unwrap();
        db
    }

    /// `answerback backup FILE --data-dir DIR ARGS`.
    async fn back_up(&self, file: &str, args: &[&str]) -> Ended {
        let (file, data) = (self.path(file), self.path("data"));
        let command = ["backup", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
        Launch::new(command.iter().chain(args)).end().await
    }

    /// The same, which fails and leaves nothing; what it says.
    #[track_caller]
    fn refused(&self, ended: &Ended, left: &[&str]) -> String {
        let said = ended.said.err();
        assert_eq!((ended.code, ended.said.out()), (Some(1), String::new()), "{said}");
        assert!(said.starts_with("answerback: ") && said.lines().count() == 1, "{said}");
        assert_eq!(files(self.home.path()), left, "{said}");
        said
    }
}

/// Dropped, it says so: a test that fails must not leave its writer writing.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// One record, and the sum of them, in one transaction.
fn record(db: &Connection, size: u32) {
    let insert = format!(
        "BEGIN IMMEDIATE; INSERT INTO records (payload) VALUES (randomblob({size}));
         UPDATE sums SET records = records + 1; COMMIT"
    );
    db.execute_batch(&insert).unwrap();
}

/// How many records there are; the copy is one file, sound, and of one moment.
#[track_caller]
fn records(copy: &Path) -> i64 {
    let header = fs::read(copy).unwrap();
    assert_eq!(header[18..20], [1, 1], "it needs no file beside it");
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
    let db = Connection::open(copy).unwrap();
    let one = |query: &str| db.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!((sound.as_str(), one("PRAGMA auto_vacuum")), ("ok", 2));
    let count = one("SELECT count(*) FROM records");
    assert_eq!(count, one("SELECT records FROM sums"), "of one moment");
    count
}

/// The names in a directory, sorted.
fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_copy_is_of_one_moment_while_somebody_writes_and_never_starts_over() {
    let place = Place::with_database(8);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let db = place.connect();
            let mut written = 0;
            while !is_over.load(SeqCst) {
                record(&db, 2_000);
                written += 1;
            }
            written
        });
        let over = Over(&is_over);
        let mut seen = 0;
        for round in 0..3 {
            let backup = Backup {
                directory: place.path("data"),
                file: place.path(&format!("{round}.db")),
                existing: Existing::Keep,
            };
            let mut copied = 0;
            let bytes = back_up(&backup, &CancellationToken::new(), &mut |progress| {
                if let Progress::Copied { done, total } = progress {
                    assert!(copied <= done && done <= total, "{copied}, {done}, {total}");
                    copied = done;
                }
            });
            let (bytes, size) = (bytes.unwrap(), fs::metadata(&backup.file).unwrap().len());
            assert_eq!((bytes, copied), (size, size));
            let count = records(&backup.file);
            assert!(count >= seen.max(8), "{count} records after {seen}");
            seen = count;
        }
        drop(over);
        assert!(writer.join().unwrap() >= seen - 8, "what was copied was written");
    });
    assert_eq!(files(place.home.path()), ["0.db", "1.db", "2.db", "data"]);
}

#[tokio::test]
async fn a_database_that_nobody_has_open_is_copied_and_left_as_it_was() {
    let place = Place::with_database(1);
    let before = fs::read(place.path("data/answerback.db")).unwrap();
    let ended = place.back_up("copy.db", &[]).await;
    assert_eq!((ended.code, ended.said.err()), (Some(0), String::new()));
    let said = format!("{}: 1.", place.path("copy.db").display());
    assert!(ended.said.out().starts_with(&said) && ended.said.out().ends_with(" MiB, checked\n"), "{said}");
    assert_eq!(records(&place.path("copy.db")), 1);
    assert_eq!(files(&place.path("data")), ["answerback.db"]);
    assert!(fs::read(place.path("data/answerback.db")).unwrap() == before);
}

#[tokio::test]
async fn records_in_the_log_of_a_service_that_was_killed_are_copied_and_stay_in_the_log() {
    let place = Place::with_database(1);
    let db = place.connect();
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    record(&db, 100);
    db.close().unwrap();
    let all =
        || ["data/answerback.db", "data/answerback.db-wal"].map(|name| fs::read(place.path(name)).unwrap());
    let before = all();
    assert!(!before[1].is_empty());
    assert_eq!(place.back_up("copy.db", &[]).await.code, Some(0));
    assert_eq!(records(&place.path("copy.db")), 2);
    assert!(all() == before);
}

#[tokio::test]
async fn the_data_directory_is_the_one_of_the_settings() {
    let place = Place::with_database(0);
    let (data, copy) = (place.path("data"), |n: u8| place.path(&format!("{n}.db")));
    let data = data.to_str().unwrap();
    let launch = |n: u8| Launch::new(["backup", copy(n).to_str().unwrap()]);
    let file = format!("data_dir = '{data}'\nlisten = 'wrong, and of no interest here'");
    for (n, launch) in [
        (1, launch(1).env("ANSWERBACK_DATA_DIR", data)),
        (2, launch(2).file("answerback.toml", &file)),
        (3, launch(3).file("other.toml", &file).env("ANSWERBACK_CONFIG", "other.toml")),
    ] {
        let ended = launch.end().await;
        assert_eq!(ended.code, Some(0), "{}", ended.said.err());
        assert_eq!(records(&copy(n)), 0);
    }
    let nowhere = launch(4).end().await;
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.said.err().contains("./answerback-data/answerback.db"), "{}", nowhere.said.err());
    for (launch, says) in [
        (launch(4).env("ANSWERBACK_CONFIG", "none.toml"), "none.toml"),
        (launch(4).file("answerback.toml", "data_dir = 7.5"), "data_dir"),
        (Launch::new(["backup"]), "<FILE>"),
        (Launch::new(["backup", "a", "b"]), "'b'"),
    ] {
        let ended = launch.end().await;
        assert_eq!((ended.code, ended.said.out()), (Some(2), String::new()));
        assert!(ended.said.err().contains(says), "{}", ended.said.err());
    }
}

#[tokio::test]
async fn where_there_is_no_journal_of_ours_nothing_is_made() {
    let place = Place::new();
    let database = place.path("data/answerback.db");
    let said = place.refused(&place.back_up("copy.db", &[]).await, &["data"]);
    assert!(said.contains("there is no database at") && said.contains("--data-dir"), "{said}");
    assert!(files(&place.path("data")).is_empty());
    for (bytes, says) in
        [(&b""[..], "is empty"), (&[b'x'; 5_000], "is no database"), (b"short", "is no database")]
    {
        fs::write(&database, bytes).unwrap();
        let said = place.refused(&place.back_up("copy.db", &[]).await, &["data"]);
        assert!(said.contains(says) && said.contains("answerback.db"), "{said}");
        assert!(fs::read(&database).unwrap() == bytes, "{says}");
    }
    fs::remove_file(&database).unwrap();
    place.connect().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let said = place.refused(&place.back_up("copy.db", &[]).await, &["data"]);
    assert!(said.contains("of another program"), "{said}");
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    let said = place.refused(&place.back_up("copy.db", &[]).await, &["data"]);
    assert!(said.contains("is no database"), "{said}");
}

#[tokio::test]
async fn what_is_in_the_way_stays_unless_it_is_a_file_and_force_is_asked_for() {
    let place = Place::with_database(0);
    fs::write(place.path("old"), "precious").unwrap();
    symlink("old", place.path("link")).unwrap();
    let there = ["data", "link", "old"];
    let said = place.refused(&place.back_up("old", &[]).await, &there);
    assert!(said.contains("is there already") && said.contains("--force"), "{said}");
    for name in ["link", "data", "data/", "new/"] {
        let said = place.refused(&place.back_up(name, &["--force"]).await, &there);
        assert!(said.contains("no ordinary file"), "{said}");
    }
    for name in ["answerback.db", "answerback.db-wal", "answerback.db-shm", "answerback.lock"] {
        let said = place.refused(&place.back_up(&format!("data/../data/{name}"), &["--force"]).await, &there);
        assert!(said.contains("journal's own files"), "{said}");
    }
    let said = place.refused(&place.back_up("none/copy.db", &[]).await, &there);
    assert!(said.contains("none/copy.db cannot be written: No such file"), "{said}");
    assert_eq!(fs::read(place.path("old")).unwrap(), b"precious");
    assert_eq!(place.back_up("old", &["--force"]).await.code, Some(0));
    assert_eq!(records(&place.path("old")), 0);
    assert_eq!(
        place.back_up("data/old", &[]).await.code,
        Some(0),
        "beside the database there is room for it"
    );
}

#[tokio::test]
async fn the_unfinished_file_of_another_backup_is_not_touched() {
    let place = Place::with_database(0);
    fs::write(place.path("copy.db.partial"), "of another").unwrap();
    let said = place.refused(&place.back_up("copy.db", &["--force"]).await, &["copy.db.partial", "data"]);
    assert!(said.contains("copy.db.partial is there already") && said.contains("remove"), "{said}");
    assert_eq!(fs::read(place.path("copy.db.partial")).unwrap(), b"of another");
}

#[tokio::test]
async fn a_damaged_database_is_told_and_not_kept_as_a_backup() {
    let place = Place::with_database(1);
    let database = place.path("data/answerback.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[5 * 4_096..60 * 4_096].fill(0xff);
    fs::write(&database, &bytes).unwrap();
    let said = place.refused(&place.back_up("copy.db", &[]).await, &["data"]);
    assert!(said.contains("is damaged: ") && said.contains(".recover"), "{said}");
    assert!(fs::read(&database).unwrap() == bytes);
}

#[test]
fn a_backup_that_is_stopped_leaves_nothing_at_whatever_moment() {
    let place = Place::with_database(4);
    let backup =
        Backup { directory: place.path("data"), file: place.path("copy.db"), existing: Existing::Replace };
    fs::write(&backup.file, "the old one").unwrap();
    for copied in [0, 2 << 20, u64::MAX] {
        let stop = CancellationToken::new();
        let made = back_up(&backup, &stop, &mut |progress| match progress {
            Progress::Copied { done, .. } if done >= copied => stop.cancel(),
            Progress::Copied { .. } => assert!(place.path("copy.db.partial").is_file()),
            Progress::Checking => stop.cancel(),
        });
        assert!(matches!(made, Err(BackupError::Cancelled)), "{made:?}");
        assert_eq!(files(place.home.path()), ["copy.db", "data"]);
        assert_eq!(fs::read(&backup.file).unwrap(), b"the old one");
    }
    assert_eq!(files(&place.path("data")), ["answerback.db"]);
}

#[tokio::test]
async fn a_signal_stops_it_and_nothing_is_left() {
    let place = Place::with_database(96);
    for signal in ["INT", "TERM"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_answerback"));
        command.arg("backup").arg(place.path("copy.db")).arg("--data-dir").arg(place.path("data"));
        let program = Program::start(command, None);
        // Nothing tells when another process makes a file, so this looks again and again.
        let mut look = tokio::time::interval(Duration::from_millis(1));
        while !place.path("copy.db.partial").exists() && !program.has_ended() {
            look.tick().await;
        }
        program.signal(signal);
        let ended = program.ended().await;
        if ended.code == Some(0) {
            // This test was slower than 96 MiB: a signal that comes late changes nothing.
            records(&place.path("copy.db"));
            fs::remove_file(place.path("copy.db")).unwrap();
        } else {
            assert!(place.refused(&ended, &["data"]).contains("stopped before it was done"));
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_told_with_how_much_it_takes_and_nothing_is_left() {
    let Some(unshare) = Tool::find("unshare") else { return };
    let place = Place::with_database(2);
    fs::create_dir(place.path("small")).unwrap();
    let script = r#"mount -t tmpfs -o size=1m none small || exit 77
        "$0" backup small/copy.db --data-dir data; code=$?; ls -A small; exit $code"#;
    let program = env!("CARGO_BIN_EXE_answerback");
    let home = place.home.path().to_str().unwrap();
    let script = format!("cd '{home}' && {script}");
    let ended =
        unshare.run(&["--user", "--map-root-user", "--mount", "sh", "-c", &script, program], "").await;
    let said = ended.said.err();
    if ended.code == Some(77) || said.starts_with("unshare: ") {
        return skipped(&said);
    }
    assert_eq!((ended.code, ended.said.out()), (Some(1), String::new()), "{said}");
    assert!(said.contains("there is no room for small/copy.db: 2"), "{said}");
}

#[tokio::test]
async fn a_terminal_sees_a_bar_and_a_pipe_sees_none() {
    let Some(script) = Tool::find("script") else { return };
    let place = Place::with_database(4);
    let [program, copy, data] =
        [env!("CARGO_BIN_EXE_answerback").into(), place.path("copy.db"), place.path("data")]
            .map(|path: PathBuf| path.to_str().unwrap().to_owned());
    let command = format!("'{program}' backup '{copy}' --data-dir '{data}'");
    let ended = script.run(&["-qec", &command, "/dev/null"], "").await;
    let said = ended.said.out();
    assert!(ended.code == Some(0) && said.contains("copying") && said.contains("MiB/s"), "{said}");
    assert!(said.ends_with("MiB, checked\r\n"), "the bar is gone at the end: {said}");
    records(Path::new(&copy));
}
