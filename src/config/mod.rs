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
mod load;
mod log_filter;
mod names;
mod read;
mod settings;

#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod tests;

pub use alone::{data_dir, listen_address, token};
pub use error::{ConfigError, Fault};
pub use layers::Inputs;
pub use load::{Loaded, load, read_document, read_text};
pub use log_filter::LogFilter;
pub use names::{SETTINGS, Setting};
pub use settings::{Config, JournalSetting, LogFormat, Secret, TokenSetting};
