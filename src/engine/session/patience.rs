//! How long the endpoint waits for its client.

use tokio::time::Instant;

use crate::domain::{CloseReason, Limits};

use super::super::stream::Stream;
use super::pump::{Mode, Session};

impl<S: Stream> Session<S> {
    /// Until when the endpoint waits for the client, and what it is called when that is over.
    pub(super) fn patience(&self, limits: &Limits) -> (Option<Instant>, CloseReason) {
        let idle = limits.idle.map(|idle| self.active + idle);
        let lifetime = limits.lifetime.map(|lifetime| self.opened + lifetime);
        match (self.mode, idle, lifetime) {
            (Mode::Lingering { until, idle, reason }, ..) => (Some(until.min(self.active + idle)), reason),
            (_, Some(idle), Some(lifetime)) if lifetime < idle => (Some(lifetime), CloseReason::Lifetime),
            (_, None, Some(lifetime)) => (Some(lifetime), CloseReason::Lifetime),
            (_, idle, _) => (idle, CloseReason::IdleTimeout),
        }
    }

    /// Why the connection ends however busy it is, as of the last time anything happened.
    pub(super) fn overdue(&self, limits: &Limits) -> Option<CloseReason> {
        if let Mode::Lingering { until, reason, .. } = self.mode {
            return (self.active >= until).then_some(reason);
        }
        let lifetime = limits.lifetime?;
        (self.active >= self.opened + lifetime).then_some(CloseReason::Lifetime)
    }
}
