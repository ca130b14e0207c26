//! Reading the settings, of all layers or of one file.

use std::path::Path;

use serde_json::{Map, Value};

use super::document::Format;
use super::error::ConfigError;
use super::layers::Inputs;
use super::settings::Config;
use super::{file, layers, read};

/// Settings that can be used, and what should be said about how they were given.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Sentences for the log: what was given and means nothing.
    pub warnings: Vec<String>,
}

/// Reads the settings of all layers.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load(inputs: &Inputs) -> Result<Loaded, ConfigError> {
    let merged = layers::merge(inputs)?;
    let mut config = read::config(&merged.values)?;
    if let Some(listeners) = merged.listeners {
        config.listeners = read::listeners(&listeners, &config)?;
    }
    Ok(Loaded { config, warnings: merged.warnings })
}

/// What a file says, as JSON; the name says in which language it is.
///
/// # Errors
/// What is wrong with it, with the line.
pub fn read_document(path: &Path, text: &str) -> Result<Map<String, Value>, String> {
    let document = Format::of(path).parse(text);
    document.map(|document| document.members).map_err(|fault| format!("{}: {fault}", path.display()))
}

/// Reads the text of a file as if it were the only layer; the name says in which language it is.
///
/// # Errors
/// Everything that is wrong with it, with the lines.
pub fn read_text(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let contents = file::contents(path, text)?;
    let mut config = read::config(&contents.settings)?;
    if let Some(listeners) = contents.listeners {
        config.listeners = read::listeners(&listeners, &config)?;
    }
    Ok(config)
}
