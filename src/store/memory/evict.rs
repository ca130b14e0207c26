//! What goes: the oldest when there is no room, and what somebody wants forgotten.

use std::cmp::Reverse;

use super::super::journal::Forgotten;
use super::kept::KeptConnection;
use super::log::{END, Freed, Log};

/// Once the bound is reached, room is made for a few hundred records at once: they stand side by side in memory that is
/// cold by then, and the lock is held for some ten microseconds.
const MARGIN: u64 = 64 << 10;

/// Messages of forgotten connections that an append removes on its way, if nobody else does.
const ON_THE_WAY: usize = 64;

impl Log {
    /// Evicts the oldest while there is more than the bound.
    pub(super) fn make_room(&mut self, freed: &mut Freed) {
        if !self.doomed.is_empty() {
            self.purge(ON_THE_WAY, freed);
        }
        if self.bytes <= self.capacity {
            return;
        }
        let wanted = self.capacity - (self.capacity / 256).min(MARGIN);
        while self.bytes > wanted && self.evict_some(wanted, freed) {}
    }

    /// A connection that eviction has passed already goes first once it can go.
    pub(super) fn settle(&mut self, position: u64) {
        if position <= self.eviction.looked_to && self.is_spent(position) {
            self.eviction.late.push(Reverse(position));
        }
    }

    /// Evicts the oldest record that can go, an ended connection without messages or a message, and the messages right
    /// behind it, until no more than `wanted` bytes are left. False when there is none: open connections stay.
    fn evict_some(&mut self, wanted: u64, freed: &mut Freed) -> bool {
        while let Some(Reverse(position)) = self.eviction.late.pop() {
            // It may have been forgotten meanwhile, or something came after its end.
            if self.is_spent(position) {
                self.evict_connection(position);
                return true;
            }
        }
        loop {
            let message = self.messages.first().map(|(position, _)| position);
            let connection = self.connection_behind(self.eviction.looked_to);
            match (connection, message) {
                (Some((position, spent)), message) if message.is_none_or(|message| position < message) => {
                    self.eviction.looked_to = position;
                    if spent {
                        self.evict_connection(position);
                        return true;
                    }
                }
                (connection, Some(position)) => {
                    // As far as there are only messages, no connection is looked for.
                    let until = connection.map_or(u64::MAX, |(position, _)| position);
                    let mut next = Some(position);
                    while let Some(position) = next.filter(|position| *position < until) {
                        self.eviction.looked_to = position;
                        self.evict_first_message(position, freed);
                        if self.bytes <= wanted || !self.eviction.late.is_empty() {
                            break;
                        }
                        next = self.messages.first().map(|(position, _)| position);
                    }
                    return true;
                }
                (_, None) => return false,
            }
        }
    }

    fn connection_behind(&self, position: u64) -> Option<(u64, bool)> {
        // Mostly it is the first of all: no search.
        let first = self.connections.first().filter(|(first, _)| *first > position);
        let found = first.or_else(|| self.connections.after(position).next());
        found.map(|(position, connection)| (position, connection.is_spent()))
    }

    fn evict_first_message(&mut self, position: u64, freed: &mut Freed) {
        let Some(message) = self.messages.remove_first() else { return };
        self.bytes -= message.cost();
        // Without a connection it was forgotten, and only had not been removed yet.
        if let Some(connection) = self.connections.get_mut(message.owner) {
            connection.direct_mut(message.direction).kept.remove(position);
            connection.evicted_to = position;
            self.count_evicted(position);
            self.settle(message.owner);
        }
        freed.push(message.payload);
    }

    fn evict_connection(&mut self, position: u64) {
        if self.detach(position).is_some() {
            self.count_evicted(position);
        }
    }

    fn is_spent(&self, position: u64) -> bool {
        self.connections.get(position).is_some_and(KeptConnection::is_spent)
    }

    fn count_evicted(&mut self, position: u64) {
        self.eviction.to = self.eviction.to.max(position);
        self.eviction.records += 1;
    }

    /// Takes a connection out of the lists; its messages, if there are any, are left without one.
    fn detach(&mut self, position: u64) -> Option<KeptConnection> {
        let connection = self.connections.remove(position)?;
        self.index.remove(connection.connection.id.as_u128());
        self.bytes -= connection.cost();
        if self.ends.remove(connection.ended_at).is_some() {
            self.bytes -= END;
        }
        Some(connection)
    }

    /// Forgets those of these connections that have ended. They are gone from all lists at once; `purge` frees them.
    pub(super) fn forget(&mut self, positions: &[u64], forgotten: &mut Forgotten) {
        for position in positions {
            match self.connections.get(*position).map(|connection| connection.closing.is_some()) {
                Some(true) => {
                    forgotten.forgotten += 1;
                    let connection = self.detach(*position);
                    self.doomed.extend(connection);
                }
                Some(false) => forgotten.kept_open += 1,
                None => {}
            }
        }
    }

    /// Removes up to `most` messages of forgotten connections. False when none are left.
    pub(super) fn purge(&mut self, most: usize, freed: &mut Freed) -> bool {
        let mut left = most;
        while let Some(mut connection) = self.doomed.pop() {
            for direct in [&mut connection.received, &mut connection.sent] {
                while left > 0
                    && let Some(position) = direct.kept.first()
                {
                    left -= 1;
                    direct.kept.remove(position);
                    if let Some(message) = self.messages.remove(position) {
                        self.bytes -= message.cost();
                        freed.push(message.payload);
                    }
                }
            }
            if connection.kept() > 0 {
                self.doomed.push(connection);
                return true;
            }
            left = left.saturating_sub(1);
            if left == 0 {
                return !self.doomed.is_empty();
            }
        }
        false
    }
}
