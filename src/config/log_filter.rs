//! What is logged.

use tracing::level_filters::LevelFilter;

/// A level for everything, and other levels for parts of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// The level of whatever has none of its own.
    pub default: LevelFilter,
    /// Module paths, such as `hyper` or `answerback::engine`, and their levels.
    pub targets: Vec<(String, LevelFilter)>,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self { default: LevelFilter::INFO, targets: Vec::new() }
    }
}

impl LogFilter {
    /// Lays one part over the filter: `debug`, or `hyper=warn`.
    pub(super) fn add(&mut self, part: &str) -> Result<(), String> {
        match part.split_once('=') {
            None => self.default = level(part)?,
            Some((target, word)) => {
                if target.is_empty() {
                    return Err(format!(
                        "`{part}` names no part of the program; write it like answerback::engine=debug"
                    ));
                }
                self.targets.push((target.to_owned(), level(word)?));
            }
        }
        Ok(())
    }
}

// The usual filter syntaxes read a misspelt level as the name of a module, and then log nothing: here it is an error.
fn level(word: &str) -> Result<LevelFilter, String> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(format!("`{word}` is no level; write one of off, error, warn, info, debug, trace")),
    }
}
