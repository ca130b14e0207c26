//! A file of settings and listeners as a document: what it says, and on which line it says it.
//!
//! TOML, JSON and YAML are read into the same values, so that a listener is written in a file as it is sent to the API.

mod json;
mod lines;
mod toml;
mod yaml;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::{Map, Value};

pub(super) use lines::Lines;

/// What a file says.
#[derive(Debug)]
pub(super) struct Document {
    /// The members of its top level.
    pub(super) members: Map<String, Value>,
    /// Where each value stands.
    pub(super) lines: Lines,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    Json,
    Yaml,
}

impl Format {
    /// By the end of the file's name; what is neither JSON nor YAML is TOML.
    pub(super) fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            _ => Self::Toml,
        }
    }

    /// Reads a document. Nothing of it is in the error: it may have a token.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub(super) fn parse(self, text: &str) -> Result<Document, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Toml => toml::parse(text),
            Self::Json => json::parse(text),
            Self::Yaml => yaml::parse(text),
        }
    }
}
