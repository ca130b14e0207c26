//! The names of the settings: the one list that flags, environment, file and help are made from.

/// One setting's name and default, as texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the file: `max_listeners`.
    pub name: &'static str,
    /// What it is when nobody says anything, as it would be written (`retain_bytes` has one for each kind of journal);
    /// `None` when it is nothing then.
    pub default: Option<&'static str>,
}

/// The prefix of the environment variables.
const PREFIX: &str = "ANSWERBACK_";

/// All settings of `answerback serve`, in the order of its help. `config`, the file's own path, is not among them: it
/// cannot be in the file.
pub const SETTINGS: [Setting; 20] = [
    with_default("listen", "127.0.0.1:7070"),
    without("open"),
    without("token"),
    without("token_file"),
    with_default("no_auth", "false"),
    with_default("allow_ports", "1024-65535"),
    without("allow_host"),
    with_default("max_listeners", "256"),
    with_default("max_connections", "10000"),
    with_default("max_connections_per_listener", "5000"),
    with_default("idle_timeout", "5m"),
    with_default("data_dir", "./answerback-data"),
    with_default("journal", "sqlite"),
    with_default("durability", "process"),
    without("retain_age"),
    with_default("retain_bytes", "1GiB, in memory 256MiB"),
    without("retain_messages"),
    with_default("min_free_disk", "64MiB"),
    with_default("log_format", "text"),
    with_default("log", "info"),
];

/// Names that the environment may hold besides the settings: the file's path, what other commands read, and what the
/// project's own tests read.
pub(super) const OTHER_VARIABLES: [&str; 3] = ["config", "url", "test_tools"];

const fn with_default(name: &'static str, default: &'static str) -> Setting {
    Setting { name, default: Some(default) }
}

const fn without(name: &'static str) -> Setting {
    Setting { name, default: None }
}

impl Setting {
    /// The setting of this name, as in the file.
    pub fn find(name: &str) -> Option<Self> {
        SETTINGS.into_iter().find(|setting| setting.name == name)
    }

    /// Its environment variable: `ANSWERBACK_MAX_LISTENERS`.
    pub fn variable(&self) -> String {
        variable_of(self.name)
    }

    /// Its flag: `--max-listeners`.
    pub fn flag(&self) -> String {
        flag_of(self.name)
    }
}

pub(super) fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

pub(super) fn flag_of(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// The name of the setting that an environment variable would be for; `None` for variables of others.
pub(super) fn name_of_variable(variable: &str) -> Option<String> {
    variable.strip_prefix(PREFIX).map(str::to_lowercase)
}

/// The known name that is nearest to `name`, if any is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &str| strsim::jaro_winkler(known, &name.to_lowercase().replace('-', "_"));
    let (score, known) = SETTINGS
        .iter()
        .map(|setting| (likeness(setting.name), setting.name))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    // Below this, two names have little more than letters in common.
    (score > 0.8).then_some(known)
}
