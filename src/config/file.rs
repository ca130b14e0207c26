//! The file of settings and listeners.

use std::fs;
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};

use super::document::{Document, Format, Lines};
use super::error::{ConfigError, Fault};
use super::layers::Values;
use super::names::{Setting, nearest};

/// The member that is no setting.
const LISTENERS: &str = "listeners";

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Its settings, each with its line.
    pub(super) settings: Values,
    /// Its listeners, if it has any.
    pub(super) listeners: Option<Listeners>,
}

/// The listeners of a file, as they are written there.
#[derive(Debug)]
pub(super) struct Listeners {
    /// `{"listeners": …}`.
    pub(super) document: serde_json::Value,
    path: PathBuf,
    lines: Lines,
}

impl Listeners {
    /// What is wrong with the value at `pointer`, and where it stands.
    pub(super) fn fault(&self, pointer: &str, detail: String) -> Fault {
        let setting = pointer.trim_start_matches('/').to_owned();
        Fault::Setting { setting, detail, origin: origin(&self.path, self.lines.of(pointer)) }
    }
}

/// Reads a file that must be there; each value remembers its line.
pub(super) fn read_file(path: &Path) -> Result<Contents, ConfigError> {
    let text = fs::read_to_string(path);
    contents(path, &text.map_err(|e| fault(path, format!("cannot be read: {e}")))?)
}

/// As [`read_file`]; a file that is not there is empty.
pub(super) fn read_file_if_there(path: &Path) -> Result<Contents, ConfigError> {
    match fs::exists(path) {
        Ok(false) => Ok(Contents::default()),
        Ok(true) | Err(_) => read_file(path),
    }
}

fn fault(path: &Path, detail: String) -> Fault {
    Fault::File { path: path.display().to_string(), detail }
}

fn origin(path: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("from {}, line {line}", path.display()),
        None => format!("from {}", path.display()),
    }
}

/// Reads the text of a file.
pub(super) fn contents(path: &Path, text: &str) -> Result<Contents, ConfigError> {
    let parsed = Format::of(path).parse(text);
    let Document { mut members, lines } = parsed.map_err(|detail| fault(path, detail))?;
    let listeners = members.remove(LISTENERS);
    let origin = |key: &str| origin(path, lines.of(&format!("/{key}")));
    let mut faults: Vec<_> = members
        .iter()
        .filter_map(|(key, value)| {
            Some((lines.of(&format!("/{key}")), wrong_entry(key, value, origin(key))?))
        })
        .collect();
    if !faults.is_empty() {
        faults.sort_by_key(|(line, _)| *line);
        return Err(ConfigError { faults: faults.into_iter().map(|(_, fault)| fault).collect() });
    }
    // To leave a setting empty is to leave it out.
    let given = members.iter().filter(|(_, value)| !value.is_null());
    let settings =
        given.map(|(key, value)| (key.clone(), Value::new(Some(&origin(key)), setting(value)))).collect();
    let listeners = listeners.map(|list| Listeners {
        document: serde_json::json!({LISTENERS: list}),
        path: path.to_owned(),
        lines,
    });
    Ok(Contents { settings, listeners })
}

fn setting(value: &serde_json::Value) -> ValueKind {
    match value {
        serde_json::Value::Bool(value) => ValueKind::Boolean(*value),
        serde_json::Value::String(text) => ValueKind::String(text.clone()),
        serde_json::Value::Array(list) => {
            ValueKind::Array(list.iter().map(|value| Value::new(None, setting(value))).collect())
        }
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => ValueKind::I64(number),
            (None, Some(number)) => ValueKind::U64(number),
            (None, None) => ValueKind::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::Null | serde_json::Value::Object(_) => ValueKind::Nil,
    }
}

/// Why an entry is no setting. Tables are refused here: when layers are laid over each other they lose their origin.
fn wrong_entry(key: &str, value: &serde_json::Value, origin: String) -> Option<Fault> {
    let detail = match (Setting::find(key), nearest(key)) {
        (Some(_), _) if value.is_object() => "is a table; write one value, or a list of them".to_owned(),
        (Some(_), _) => return None,
        (None, Some(known)) => format!("there is no such setting; did you mean {known}?"),
        (None, None) => "there is no such setting; `answerback serve --help` lists them all".to_owned(),
    };
    Some(Fault::Setting { setting: key.to_owned(), detail, origin })
}
