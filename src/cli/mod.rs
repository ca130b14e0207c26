//! The command line.
//!
//! One file a command; those that ask a running service are in `client`. What a command needs is read and checked before a
//! runtime is there (`prepare`), then it runs. Exit codes: 0 done, 1 failed, 2 wrong flags or settings.

mod backup;
mod client;
mod command;
mod health;
mod hints;
mod serve;
mod signals;

pub use backup::Backup;
pub use command::{Job, Question, fail, prepare};
pub use health::Health;
pub use serve::Serve;

/// Wrong flags or settings; clap uses the same code.
const USAGE: u8 = 2;
