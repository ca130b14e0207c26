//! What is counted: a listener's own figures and the engine's sums.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::domain::{Direction, Tally};
use crate::store::ListenerFigures;

/// Bytes and messages of one direction.
#[derive(Debug, Default)]
struct Flow {
    bytes: AtomicU64,
    messages: AtomicU64,
}

impl Flow {
    const fn from(tally: Tally) -> Self {
        Self { bytes: AtomicU64::new(tally.bytes), messages: AtomicU64::new(tally.messages) }
    }

    fn tally(&self) -> Tally {
        Tally { bytes: self.bytes.load(Relaxed), messages: self.messages.load(Relaxed) }
    }
}

/// The figures of a listener since it was made, over all runs, or of the engine since it started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    open: AtomicU64,
    total: AtomicU64,
    received: Flow,
    sent: Flow,
}

impl Counters {
    /// Counters that count on from what earlier runs counted.
    pub(super) const fn from(figures: ListenerFigures) -> Self {
        Self {
            open: AtomicU64::new(0),
            total: AtomicU64::new(figures.total),
            received: Flow::from(figures.received),
            sent: Flow::from(figures.sent),
        }
    }

    fn flow(&self, direction: Direction) -> &Flow {
        match direction {
            Direction::Received => &self.received,
            Direction::Sent => &self.sent,
        }
    }

    /// Takes one of `limit` places for a connection; `false` when none is left.
    pub(super) fn enter(&self, limit: u64) -> bool {
        self.open.fetch_update(Relaxed, Relaxed, |open| (open < limit).then_some(open + 1)).is_ok()
    }

    /// Counts a connection that has its place.
    pub(super) fn arrived(&self) {
        self.total.fetch_add(1, Relaxed);
    }

    /// Connections ever.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// Gives the place back.
    pub(super) fn leave(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// Counts a message.
    pub(super) fn message(&self, direction: Direction, size: u64) {
        self.flow(direction).bytes.fetch_add(size, Relaxed);
        self.flow(direction).messages.fetch_add(1, Relaxed);
    }

    /// Of a sent message that was counted, `missing` bytes did not leave; all of it, if `whole`.
    pub(super) fn sent_short(&self, missing: u64, whole: bool) {
        self.sent.bytes.fetch_sub(missing, Relaxed);
        self.sent.messages.fetch_sub(u64::from(whole), Relaxed);
    }

    /// Open connections, connections ever, received, sent.
    pub(super) fn read(&self) -> (u64, u64, Tally, Tally) {
        (self.open.load(Relaxed), self.total.load(Relaxed), self.received.tally(), self.sent.tally())
    }
}

/// What the engine alone counts.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Everything that each listener counts too.
    pub(super) all: Counters,
    /// Clients refused because of their listener's `limits.connections`.
    pub(super) refused_by_listener: AtomicU64,
    /// Clients refused because of `--max-connections`.
    pub(super) refused_by_total: AtomicU64,
    /// Listening sockets.
    pub(super) sockets: AtomicU64,
    /// Times that accepting was paused because no file descriptor or memory was left.
    pub(super) pauses: AtomicU64,
    /// When the log last said so, in microseconds since the epoch.
    pub(super) pause_said: AtomicI64,
}

/// A snapshot of the engine's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Listeners that are listed as open or draining.
    pub listeners: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// Connections accepted since the start.
    pub connections_total: u64,
    /// Clients refused by a listener's own limit.
    pub refused_by_listener: u64,
    /// Clients refused by the limit of the service.
    pub refused_by_total: u64,
    /// What came in.
    pub received: Tally,
    /// What went out.
    pub sent: Tally,
    /// Times that accepting was paused.
    pub accept_pauses: u64,
}

impl Totals {
    /// File descriptors that listeners and connections hold.
    pub(super) fn descriptors(&self) -> u64 {
        self.sockets.load(Relaxed) + self.all.open.load(Relaxed)
    }

    /// The figures now.
    pub(super) fn stats(&self, listeners: u64) -> EngineStats {
        let (open, total, received, sent) = self.all.read();
        EngineStats {
            listeners,
            connections_open: open,
            connections_total: total,
            refused_by_listener: self.refused_by_listener.load(Relaxed),
            refused_by_total: self.refused_by_total.load(Relaxed),
            received,
            sent,
            accept_pauses: self.pauses.load(Relaxed),
        }
    }
}
