//! The settings: one plain struct, and where each of its values came from.
//!
//! One name for each setting everywhere: `max_listeners` is `--max-listeners`, `ANSWERBACK_MAX_LISTENERS` and the key
//! `max_listeners` of `answerback.toml`. Flags win over the environment, the environment over the file, the file over the
//! defaults. The layers are laid over each other as texts (`layers`), then each text is read once (`read`): whatever is
//! wrong names its setting and its origin, and all of it is said at once.

mod address;
mod alone;
mod document;
mod error;
mod file;
mod layers;
mod log_filter;
mod names;
mod read;
mod settings;

#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod tests;

pub use alone::{data_dir, listen_address};
pub use error::{ConfigError, Fault};
pub use layers::Inputs;
pub use log_filter::LogFilter;
pub use names::{SETTINGS, Setting};
pub use settings::{Config, JournalSetting, LogFormat, Secret, TokenSetting};

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
