//! The ends of connections, in their own order.

use super::super::cursor::Position;
use super::super::journal::EndRecord;
use super::super::query::{EndQuery, Order, Page, PageRequest};
use super::log::Log;

/// Ends that are looked at under one lock.
const LOOKS: usize = 2_048;

impl Log {
    pub(super) fn end_page(&self, query: &EndQuery) -> Page<EndRecord> {
        let Position(after) = query.after;
        let wanted = query.connection.map(|id| self.position_of(id));
        let (mut items, mut last) = (Vec::new(), None);
        for (position, connection) in self.ends.after(after).take(LOOKS) {
            last = Some(position);
            let is_wanted = wanted.is_none_or(|wanted| wanted == Some(*connection));
            let Some(kept) = self.connections.get(*connection).filter(|kept| kept.fits(&query.filter)) else {
                continue;
            };
            if is_wanted {
                let (_, connection) = self.connection_record(*connection, kept, 0, 0, 0);
                items.push(EndRecord { position: Position(position), connection });
                if items.len() >= query.limit {
                    break;
                }
            }
        }
        let more = self.ends.after(last.unwrap_or(after)).next().is_some();
        let page =
            PageRequest { order: Order::Ascending, after: Some(query.after), limit: query.limit, budget: 0 };
        let evicted_before = self.evicted_before(page, more, self.eviction.to, |to| Some(to + 1));
        Page { items, last: last.map(Position), more, evicted_before }
    }
}
