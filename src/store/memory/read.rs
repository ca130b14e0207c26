//! Answers, each made under one lock: what it carries was all there at one moment.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::domain::{ConnectionId, Direction};

use super::super::cursor::Position;
use super::super::journal::{ConnectionRecord, MessageRecord};
use super::super::query::{ConnectionQuery, MessageQuery, Order, Page, PageRequest};
use super::kept::{KeptConnection, KeptMessage};
use super::log::Log;
use super::scan::Scan;

/// Messages whose bytes one step of `before` collects.
const STEP_MESSAGES: usize = 1_024;

/// What is still to be collected of the bytes before an offset, and what has been, the last first.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) offset: u64,
    pub(super) left: usize,
    pub(super) parts: Vec<Bytes>,
}

impl Log {
    pub(super) fn message_page(&self, query: &MessageQuery, scan: &Scan) -> Page<MessageRecord> {
        let (items, last) = fill(scan, query.page.budget, |position| {
            let message = self.messages.get(position)?;
            let owner = self.connections.get(message.owner)?;
            let record = message_record(position, message, owner, usize::MAX);
            // The connection may have ended since it was looked at.
            owner.fits(&query.filter).then(|| (message.payload.len(), record))
        });
        let behind = last.or(after(query.page));
        let direction = query.filter.direction;
        let more =
            self.messages_behind(query.connection, direction, query.page.order, behind).next().is_some();
        let evicted_before = match query.connection {
            None => self.evicted_before(query.page, more, self.eviction.to, |behind| {
                self.messages.after(behind).next().map(|(position, _)| position)
            }),
            Some(id) => self.find(id).and_then(|(_, connection)| {
                self.evicted_before(query.page, more, connection.evicted_to, |behind| {
                    connection.positions(None, Order::Ascending, Some(behind)).next()
                })
            }),
        };
        Page { items, last: last.map(Position), more, evicted_before }
    }

    pub(super) fn connection_page(&self, query: &ConnectionQuery, scan: &Scan) -> Page<ConnectionRecord> {
        let (items, last) = fill(scan, query.page.budget, |position| {
            let connection =
                self.connections.get(position).filter(|connection| connection.fits(&query.filter))?;
            Some(self.connection_record(position, connection, query.messages, query.payload, usize::MAX))
        });
        let more = self.connections_behind(query.page.order, last.or(after(query.page))).next().is_some();
        let evicted_before = self.evicted_before(query.page, more, self.eviction.to, |behind| {
            self.connections.after(behind).next().map(|(position, _)| position)
        });
        Page { items, last: last.map(Position), more, evicted_before }
    }

    pub(super) fn one_connection(
        &self,
        id: ConnectionId,
        messages: usize,
        budget: usize,
    ) -> Option<ConnectionRecord> {
        let (position, connection) = self.find(id)?;
        Some(self.connection_record(position, connection, messages, usize::MAX, budget).1)
    }

    /// A connection with its first messages, and how many payload bytes these carry.
    pub(super) fn connection_record(
        &self,
        position: u64,
        kept: &KeptConnection,
        most: usize,
        payload: usize,
        budget: usize,
    ) -> (usize, ConnectionRecord) {
        let (mut messages, mut bytes) = (Vec::with_capacity(most.min(kept.kept())), 0);
        for at in kept.positions(None, Order::Ascending, None).take(most) {
            let Some(message) = self.messages.get(at) else { continue };
            let size = message.payload.len().min(payload);
            if bytes + size > budget {
                break;
            }
            bytes += size;
            messages.push(message_record(at, message, kept, payload));
        }
        let record = ConnectionRecord {
            position: Position(position),
            connection: kept.connection.clone(),
            closing: kept.closing,
            received: kept.received.tally,
            sent: kept.sent.tally,
            more_messages: (kept.kept() - messages.len()) as u64,
            messages,
        };
        (bytes, record)
    }

    /// Where the whole records begin, if a page reaches into what was evicted: `evicted_to` is the newest of that.
    pub(super) fn evicted_before(
        &self,
        page: PageRequest,
        more: bool,
        evicted_to: u64,
        first_behind: impl Fn(u64) -> Option<u64>,
    ) -> Option<Position> {
        let after = after(page).unwrap_or(0);
        let of_an_earlier_run = after != 0 && after.saturating_add(1) < self.begin;
        let reaches = match page.order {
            Order::Ascending => after < evicted_to,
            Order::Descending => !more && evicted_to > 0,
        };
        (reaches || of_an_earlier_run).then(|| Position(first_behind(evicted_to).unwrap_or(self.next)))
    }

    /// Collects some more of the bytes before an offset.
    pub(super) fn step_before(
        &self,
        id: ConnectionId,
        direction: Direction,
        state: &mut Before,
    ) -> ControlFlow<()> {
        let Some((_, connection)) = self.find(id) else { return ControlFlow::Break(()) };
        let kept = &connection.direct(direction).kept;
        let is_before = |at| self.messages.get(at).is_some_and(|message| message.offset < state.offset);
        let Some(last) = kept.last_where(is_before) else { return ControlFlow::Break(()) };
        let positions = connection.positions(Some(direction), Order::Descending, last.checked_add(1));
        for at in positions.take(STEP_MESSAGES) {
            let Some(message) = self.messages.get(at) else { return ControlFlow::Break(()) };
            // What is kept is the beginning of a message: it reaches up to the offset, or there is a gap.
            let wanted = usize::try_from(state.offset - message.offset).unwrap_or(usize::MAX);
            if wanted > message.payload.len() {
                return ControlFlow::Break(());
            }
            let part = message.payload.slice(wanted.saturating_sub(state.left)..wanted);
            state.left -= part.len();
            state.offset = message.offset;
            state.parts.push(part);
            if state.left == 0 {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

fn after(page: PageRequest) -> Option<u64> {
    page.after.map(|Position(after)| after)
}

/// Makes the items of a page until its budget is spent, and says where the next page goes on.
fn fill<T>(scan: &Scan, budget: usize, make: impl Fn(u64) -> Option<(usize, T)>) -> (Vec<T>, Option<u64>) {
    let (mut items, mut last, mut spent) = (Vec::with_capacity(scan.found.len()), None, 0);
    for position in &scan.found {
        // What went since it was found is not in the list any more.
        let Some((size, item)) = make(*position) else { continue };
        if !items.is_empty() && spent + size > budget {
            return (items, last);
        }
        spent += size;
        last = Some(*position);
        items.push(item);
    }
    (items, scan.at())
}

fn message_record(
    position: u64,
    message: &KeptMessage,
    owner: &KeptConnection,
    most: usize,
) -> MessageRecord {
    MessageRecord {
        position: Position(position),
        message: message.to_message(owner.connection.id, most),
        stored: message.payload.len() as u64,
        listener: owner.connection.listener.clone(),
        newest: owner.direct(message.direction).kept.last() == Some(position),
    }
}
