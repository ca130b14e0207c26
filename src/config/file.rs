//! The file of settings.

use std::fs;
use std::path::Path;

use config::{File, FileFormat, Source, Value, ValueKind};

use super::error::{ConfigError, Fault};
use super::layers::Values;
use super::names::{Setting, nearest};

/// Reads a TOML file that must be there; each value remembers its line.
pub(super) fn read_file(path: &Path) -> Result<Values, ConfigError> {
    let text = fs::read_to_string(path);
    values(path, &text.map_err(|e| fault(path, format!("cannot be read: {e}")))?)
}

/// As [`read_file`]; a file that is not there is empty.
pub(super) fn read_file_if_there(path: &Path) -> Result<Values, ConfigError> {
    match fs::exists(path) {
        Ok(false) => Ok(Values::default()),
        Ok(true) | Err(_) => read_file(path),
    }
}

fn fault(path: &Path, detail: String) -> Fault {
    Fault::File { path: path.display().to_string(), detail }
}

fn values(path: &Path, text: &str) -> Result<Values, ConfigError> {
    let parsed = File::from_str(text, FileFormat::Toml).collect();
    let values = parsed.map_err(|e| fault(path, without_quotation(&e.to_string())))?;
    let origin = |key: &str| match line_of(key, text) {
        Some(line) => format!("from {}, line {line}", path.display()),
        None => format!("from {}", path.display()),
    };
    let mut faults: Vec<_> = values
        .iter()
        .filter_map(|(key, value)| Some((line_of(key, text), wrong_entry(key, value, origin(key))?)))
        .collect();
    if !faults.is_empty() {
        faults.sort_by_key(|(line, _)| *line);
        return Err(ConfigError { faults: faults.into_iter().map(|(_, fault)| fault).collect() });
    }
    let with_origin = |(key, value): (String, Value)| {
        let value = Value::new(Some(&origin(&key)), value.kind);
        (key, value)
    };
    Ok(values.into_iter().map(with_origin).collect())
}

/// Why an entry is no setting. Tables are refused here: when layers are laid over each other they lose their origin.
fn wrong_entry(key: &str, value: &Value, origin: String) -> Option<Fault> {
    let detail = match (Setting::find(key), nearest(key)) {
        (Some(_), _) if matches!(value.kind, ValueKind::Table(_)) => {
            "is a table; write one value, or a list of them".to_owned()
        }
        (Some(_), _) => return None,
        (None, Some(known)) => format!("there is no such setting; did you mean {known}?"),
        (None, None) => "there is no such setting; `answerback serve --help` lists them all".to_owned(),
    };
    Some(Fault::Setting { setting: key.to_owned(), detail, origin })
}

/// The line, from 1, on which a key of the top level stands.
fn line_of(key: &str, text: &str) -> Option<usize> {
    let quotes = ['"', '\''];
    let begins = |line: &str| {
        let line = line.trim_start().trim_start_matches('[').trim_start_matches(quotes);
        let after = line.strip_prefix(key).map(|rest| rest.trim_start_matches(quotes).trim_start());
        after.is_some_and(|after| after.starts_with(['=', '.', ']']))
    };
    text.lines().position(begins).map(|index| index + 1)
}

/// A TOML error without the line that it quotes: that may be the one with the token.
fn without_quotation(message: &str) -> String {
    let says = |line: &&str| !line.contains('|') && !line.is_empty();
    message.lines().map(str::trim).filter(says).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_on_its_line() {
        let text = "# listen = 1\nlisten_not = 2\n  listen=3\n'open' = []\n[table]\n";
        assert_eq!(line_of("listen", text), Some(3));
        assert_eq!(line_of("open", text), Some(4));
        assert_eq!(line_of("table", text), Some(5));
        assert_eq!(line_of("token", text), None);
    }

    #[test]
    fn a_broken_file_is_explained_without_quoting_it() {
        let broken =
            File::from_str("token = \"swordfish\nlisten = 1", FileFormat::Toml).collect().unwrap_err();
        let said = without_quotation(&broken.to_string());
        assert!(said.contains("line 1") && !said.contains("swordfish"), "{said}");
    }
}
