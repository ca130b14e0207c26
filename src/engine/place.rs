//! A connection's place at a listener: what it holds while it lasts, given back when it is dropped.

use std::sync::Arc;

use crate::domain::{Clock, ConnectionId, Direction};
use crate::store::Recorder;

use super::Shared;
use super::listener::Listener;
use super::live::Live;

/// Counted, listed, and reachable for orders as long as it exists.
pub(super) struct Place {
    /// The listener.
    pub(super) listener: Arc<Listener>,
    /// How the connection is told to end.
    pub(super) live: Arc<Live>,
    shared: Arc<Shared>,
    key: usize,
}

impl Place {
    /// A place for one more connection. Its places in the counters have been taken already.
    pub(super) fn new(listener: Arc<Listener>, shared: Arc<Shared>, id: ConnectionId) -> Self {
        let live = Arc::new(Live::new(id));
        let key = listener.lives.add(Arc::clone(&live));
        Self { listener, live, shared, key }
    }

    /// The time.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// The way to the journal.
    pub(super) fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// Counts a message that came, or that is about to leave: whoever has a reply finds it counted.
    pub(super) fn count(&self, direction: Direction, size: u64) {
        self.listener.counters.message(direction, size);
        if direction == Direction::Received {
            self.shared.totals.all.message(direction, size);
        }
    }

    /// Of a message that was about to leave, `left` bytes did. The sums count it only now: what they count never goes
    /// down.
    pub(super) fn sent(&self, planned: u64, left: u64) {
        if left < planned {
            self.listener.counters.sent_short(planned - left, left == 0);
        }
        if left > 0 {
            self.shared.totals.all.message(Direction::Sent, left);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.close();
        self.listener.lives.remove(self.key);
        self.listener.counters.leave();
        self.shared.totals.all.leave();
    }
}
