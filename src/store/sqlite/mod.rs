//! The journal on disk: an embedded SQLite database.
//!
//! Records go through a [`queue`] to the one [`writer`], which [`apply`]s them batch by batch, [`evict`]s the oldest and does
//! its [`upkeep`] between batches. Questions are answered beside it by [`readers`]: a [`scan`] looks for what fits, with the
//! help of the [`block`]s passing over what cannot and of the [`places`] of a connection's exchanges, and an [`answer`] is made of
//! what was found. The tables are in `v1.sql` and `v2.sql`.
//! Another process may make a [`backup`] of it all meanwhile.

mod answer;
mod apply;
mod backup;
mod backup_error;
mod block;
mod checkpoint;
mod command;
mod ends;
mod evict;
mod floor;
mod journal;
mod listeners;
mod lock;
mod migrate;
mod names;
mod note;
mod open;
mod owed;
mod page;
mod places;
mod placing;
mod queue;
mod range;
mod readers;
mod row;
mod scan;
mod scan_connections;
mod shared;
mod sieve;
mod state;
mod statements;
mod status;
mod sums;
mod upkeep;
mod writer;

pub use backup::{Backup, Existing, Progress, back_up};
pub use backup_error::BackupError;
pub use journal::{SqliteJournal, SqliteOptions};
pub use migrate::APPLICATION_ID;
pub use open::{DATABASE, OpenError};
