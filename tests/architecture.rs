//! The house, judged: floors look down, floors keep to their words, files stay small.
//!
//! The floors and their order are explained in `src/lib.rs`.
#![expect(clippy::unwrap_used, reason = "a test that meets a surprise has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the lowest up; the roof (`config`, `telemetry`, `app`, `cli`) stands on all of them.
const FLOORS: [&str; 11] =
    ["domain", "wire", "store", "engine", "fleet", "api", "client", "config", "telemetry", "app", "cli"];

/// What a floor must not say.
const BANNED: [(&str, &[&str]); 6] = [
    ("domain", &["tokio", "axum", "rusqlite", "socket2", "std::fs", "std::env", "async fn"]),
    ("wire", &["tokio", "axum", "rusqlite", "socket2", "std::fs", "std::env", "async fn"]),
    ("store", &["axum", "tokio::net", "StatusCode", "std::env"]),
    ("engine", &["axum", "rusqlite", "StatusCode", "std::env"]),
    ("api", &["rusqlite", "socket2", "std::env"]),
    ("client", &["axum", "rusqlite", "socket2", "StatusCode", "std::env", "std::fs"]),
];

const LONGEST_FILE: usize = 400;
const LONGEST_DOOR: usize = 60;
/// The engine's face and the API's table of contents may be long.
const LONG_DOORS: [&str; 2] = ["src/engine/mod.rs", "src/api/mod.rs"];
const SHUNNED_NAMES: [&str; 5] = ["util", "utils", "helpers", "common", "manager"];

struct Source {
    /// Relative to the repository's root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn floor(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let name = rest.split('/').next().unwrap_or(rest);
        let name = name.strip_suffix(".rs").unwrap_or(name);
        FLOORS.contains(&name).then_some(name)
    }

    /// Lines of code with their numbers: no comments, nothing from the tests at the bottom on.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        let lines = lines.take_while(|(_, line)| *line != "#[cfg(test)]");
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn sources(root: &str) -> Vec<Source> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut folders) = (Vec::new(), vec![home.join(root)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_none_or(|name| name != ".tools") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let relative = path.strip_prefix(home).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn height(floor: &str) -> usize {
    FLOORS.iter().position(|f| *f == floor).unwrap()
}

/// The floors that a line of code names with `crate::`.
fn named_floors(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn floors_look_down_and_never_up() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let Some(floor) = source.floor() else { continue };
        for (number, line) in source.code() {
            for named in named_floors(line) {
                if FLOORS.contains(&named) && height(named) > height(floor) {
                    faults.push(format!("{}:{number}: {floor} looks up at {named}", source.path));
                }
            }
            if line.contains("use crate::{") || line.contains("use super::super::{") {
                faults.push(format!("{}:{number}: one parent module a `use`", source.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn floors_keep_to_their_words() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let banned = BANNED.iter().filter(|(floor, _)| source.floor() == Some(floor));
        for word in banned.flat_map(|(_, words)| *words) {
            let said = source.code().filter(|(_, line)| says(line, word));
            faults.extend(said.map(|(n, _)| format!("{}:{n}: must not say `{word}`", source.path)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether the word stands in the line as a word of its own.
fn says(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(letter) && !line[at + word.len()..].starts_with(letter))
}

#[test]
fn files_stay_small() {
    let mut faults = Vec::new();
    for source in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        let lines = source.text.lines().count();
        let door = source.path.starts_with("src/") && source.path.ends_with("/mod.rs");
        if lines > LONGEST_FILE {
            faults.push(format!("{}: {lines} lines, {LONGEST_FILE} at most", source.path));
        }
        if door && lines > LONGEST_DOOR && !LONG_DOORS.contains(&source.path.as_str()) {
            faults.push(format!("{}: a front door of {lines} lines, {LONGEST_DOOR} at most", source.path));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_called_after_nothing() {
    let mut faults = Vec::new();
    for source in sources("src") {
        if !source.text.starts_with("//! ") {
            faults.push(format!("{}: begins without a sentence of purpose", source.path));
        }
        let shunned = source.path.split(['/', '.']).find(|part| SHUNNED_NAMES.contains(part));
        faults.extend(shunned.map(|name| format!("{}: `{name}` says nothing", source.path)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn tests_do_not_sleep() {
    let mut faults = Vec::new();
    for source in sources("tests") {
        if source.path == "tests/architecture.rs" {
            continue;
        }
        let naps = source.code().filter(|(_, line)| line.contains("sleep("));
        faults.extend(naps.map(|(n, _)| format!("{}:{n}: waits for time instead of an event", source.path)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_judge_can_find_fault() {
    assert!(says("use tokio::net::TcpStream;", "tokio"));
    assert!(!says("use my_tokio::x;", "tokio"));
    assert_eq!(named_floors("use crate::api::Api; crate::store::x").collect::<Vec<_>>(), ["api", "store"]);
    let up = Source { path: "src/domain/x.rs".into(), text: "use crate::api::Api;\n".into() };
    assert_eq!(up.floor(), Some("domain"));
    assert!(height("api") > height("domain"));
}
