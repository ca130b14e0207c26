//! The promises of [`Journal`](super::journal::Journal) as tests, for every backend the same ones.
//!
//! Each promise is a function that is given a way to make a journal; [`promises`] lists them, and makes a `#[test]` of
//! each for every backend.

mod appending;
mod filters;
mod forgetting;
mod listeners;
mod lists;
mod model;
mod paging;
mod plain;
mod promises;
mod retention;
mod support;

use std::sync::Arc;

use super::cursor::Position;
use super::journal::Journal;

/// Makes an empty journal whose first record gets the position, and which evicts beyond so many bytes.
type Make = fn(Position, u64) -> Arc<dyn Journal>;
