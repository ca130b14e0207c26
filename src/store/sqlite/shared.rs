//! What the writer and the readers have in common.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::{Clock, Durability, Timestamp};

use super::super::changes::Changes;
use super::evict::Bounds;
use super::names::Names;
use super::queue::Queue;
use super::readers::Readers;
use super::status::Status;

/// One journal on disk.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) queue: Queue,
    pub(super) changes: Changes,
    pub(super) status: Status,
    pub(super) readers: Readers,
    pub(super) names: Names,
    pub(super) retention: Retention,
    pub(super) clock: Arc<dyn Clock>,
    /// Cancelled when the writer has ended.
    pub(super) closed: CancellationToken,
}

impl Shared {
    pub(super) fn new(
        path: PathBuf,
        durability: Durability,
        retention: Retention,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            readers: Readers::new(path.clone()),
            path,
            queue: Queue::new(durability),
            changes: Changes::default(),
            status: Status::default(),
            names: Names::default(),
            retention,
            clock,
            closed: CancellationToken::new(),
        }
    }
}

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    pub(super) bytes: u64,
    pub(super) messages: u64,
    pub(super) age: Option<Duration>,
}

impl Retention {
    /// The bounds, with what is older than `oldest` beyond them.
    pub(super) const fn bounds(&self, oldest: Option<Timestamp>) -> Bounds {
        Bounds { bytes: self.bytes, messages: self.messages, oldest }
    }
}
