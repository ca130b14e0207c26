//! What can be wrong with settings.

use std::fmt;

/// One thing that is wrong, as a sentence that says where it was written and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A setting has a value it cannot have, or does not exist.
    #[error("{setting}: {detail} ({origin})")]
    Setting {
        /// Its name, as in the file.
        setting: String,
        /// What is wrong and what would be right.
        detail: String,
        /// Where it was written: `from the flag --open`, `from answerback.toml, line 3`.
        origin: String,
    },
    /// A file cannot be read, or is no TOML.
    #[error("{path}: {detail}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        detail: String,
    },
}

/// Everything that is wrong with the settings: one line each. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The faults, in the order in which the settings are listed.
    pub faults: Vec<Fault>,
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            let line_end = if i == 0 { "" } else { "\n" };
            write!(f, "{line_end}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
