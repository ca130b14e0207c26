//! The settings of the journal.

use std::path::Path;
use std::time::Duration;

use super::tests::Given;
use super::*;
use crate::domain::{Durability, parse_size};

#[test]
fn records_are_on_disk_unless_somebody_says_otherwise() {
    let config = Given::nothing().config();
    assert_eq!((config.journal, config.durability), (JournalSetting::Sqlite, Durability::Process));
    assert_eq!(config.data_dir, Path::new("./answerback-data"));
    assert_eq!((config.retain_age, config.retain_messages, config.min_free_disk), (None, None, 64 << 20));
}

#[test]
fn a_file_may_say_everything_about_the_journal() {
    let given = Given::nothing().file(
        "data_dir = '/var/lib/answerback'\njournal = 'sqlite'\ndurability = 'power'\nretain_age = '30d'\n\
         retain_bytes = '4GiB'\nretain_messages = 1_000_000\nmin_free_disk = 0\n",
    );
    let config = given.config();
    assert_eq!((config.journal, config.durability), (JournalSetting::Sqlite, Durability::Power));
    assert_eq!(config.data_dir, Path::new("/var/lib/answerback"));
    assert_eq!(config.retain_age, Some(Duration::from_secs(30 * 86_400)));
    assert_eq!((config.retained_bytes(), config.retain_messages), (4 << 30, Some(1_000_000)));
    assert_eq!(config.min_free_disk, 0);
}

#[test]
fn how_much_is_kept_depends_on_the_journal_until_somebody_says_it() {
    let said = Setting::find("retain_bytes").and_then(|setting| setting.default).unwrap();
    let (on_disk, in_memory) = said.split_once(", in memory ").unwrap();
    assert_eq!(Given::nothing().config().retained_bytes(), parse_size(on_disk).unwrap());
    let memory = || Given::nothing().flag("journal", &["memory"]);
    assert_eq!(memory().config().retained_bytes(), parse_size(in_memory).unwrap());
    assert_eq!(memory().flag("retain_bytes", &["3GiB"]).config().retained_bytes(), 3 << 30);
}

#[test]
fn what_the_journal_cannot_be_is_refused_with_what_it_can() {
    for (text, expected) in [
        ("journal = 'disk'", "journal: `disk` is no journal of this version; write sqlite or memory"),
        ("durability = 'full'", "durability: `full` is no durability; write process or power"),
        (
            "durability = 'memory'",
            "durability: `memory` is a journal of its own; ask for it with --journal memory",
        ),
        ("data_dir = ''", "data_dir: is no path of a directory"),
        ("data_dir = 'a\u{1}b'", "answerback.toml: "),
        ("data_dir = \"a\\u0000b\"", "data_dir: is no path of a directory"),
        ("retain_age = '0s'", "retain_age: `0s` is no time at all"),
        ("retain_messages = 0", "retain_messages: `0` is no number of messages"),
        (
            "retain_messages = 'all'",
            "retain_messages: `all` is no number of messages; write a whole one from 1, or none",
        ),
        ("min_free_disk = '64M'", "min_free_disk: `64M` is no size"),
    ] {
        let complaint = Given::nothing().file(text).complaint();
        assert!(complaint.starts_with(expected), "{complaint}");
    }
}

#[test]
fn none_takes_back_what_the_file_says() {
    let given = Given::nothing().file("retain_age = '1h'\nretain_messages = 5");
    let given = given.variable("ANSWERBACK_RETAIN_AGE", "none").flag("retain_messages", &["none"]);
    assert_eq!((given.config().retain_age, given.config().retain_messages), (None, None));
}

#[test]
fn a_durability_of_the_journal_in_memory_is_refused() {
    let says = "durability: a journal in memory survives nothing, so it has no durability; leave this out, or keep the \
                journal on disk with --journal sqlite";
    let together = Given::nothing().file("durability = 'process'\njournal = 'memory'");
    assert_eq!(together.complaint(), format!("{says} (from answerback.toml, line 1)"));
    let above = Given::nothing().variable("ANSWERBACK_JOURNAL", "memory").flag("durability", &["power"]);
    assert_eq!(above.complaint(), format!("{says} (from the flag --durability)"));
}

#[test]
fn a_durability_in_the_file_does_not_stand_in_the_way_of_one_run_in_memory() {
    let given = Given::nothing().file("journal = 'sqlite'\ndurability = 'power'");
    assert_eq!(given.config().durability, Durability::Power);
    let given = given.flag("journal", &["memory"]);
    assert_eq!(
        (given.config().journal, given.config().durability),
        (JournalSetting::Memory, Durability::Process)
    );
    let back = Given::nothing().file("journal = 'memory'").flag("journal", &["sqlite"]);
    assert_eq!(back.flag("durability", &["power"]).config().durability, Durability::Power);
}

#[test]
fn the_data_directory_alone_is_read_whatever_else_is_wrong() {
    let given = Given::nothing().file("data_dir = 'a'\nlisten = 'x'").variable("ANSWERBACK_LOG", "loud");
    assert_eq!(data_dir(&given.inputs).unwrap(), Path::new("a"));
    let given = given.variable("ANSWERBACK_DATA_DIR", "b");
    assert_eq!(data_dir(&given.inputs).unwrap(), Path::new("b"));
    let given = given.flag("data_dir", &["c d"]);
    assert_eq!(data_dir(&given.inputs).unwrap(), Path::new("c d"));
    assert!(data_dir(&Given::nothing().flag("data_dir", &[""]).inputs).is_err());
}
