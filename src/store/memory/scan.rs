//! Looking through the log step by step.
//!
//! A step looks at so many records under the lock and takes along what has to be searched; the search is done without
//! the lock, and then the next step goes on. What came after the first step is not looked at: a list that is asked
//! for while records pour in comes to an end.

use bytes::Bytes;
use encoding_rs::Encoding;

use crate::domain::{ConnectionId, Direction};

use super::super::cursor::Position;
use super::super::query::{Filter, MessageQuery, Order, PageRequest};
use super::super::search::{Search, is_within};
use super::kept::{KeptConnection, KeptMessage};
use super::log::Log;

/// Records that one step looks at: about a tenth of a millisecond.
const STEP_RECORDS: usize = 2_048;

/// Bytes of payload that one step takes along; one payload may exceed it.
const STEP_BYTES: usize = 1 << 20;

/// How far a list has been looked through.
#[derive(Debug)]
pub(super) struct Scan {
    order: Order,
    limit: usize,
    budget: usize,
    after: Option<u64>,
    /// The last record that was looked at.
    at: Option<u64>,
    /// A connection behind `at` of which the messages up to this one were searched in vain.
    inside: Option<(u64, u64)>,
    /// Records from here on came later.
    end: u64,
    /// What fits so far.
    pub(super) found: Vec<u64>,
    found_bytes: usize,
    pub(super) is_done: bool,
}

/// What one step brought.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// In the order of the scan; those of one item stand together, and one that fits suffices.
    candidates: Vec<Candidate>,
    /// The last item that was looked at whole.
    at: Option<u64>,
    inside: Option<(u64, u64)>,
    /// Whether there is nothing behind it.
    is_last: bool,
}

/// Something that fits as far as could be seen under the lock.
#[derive(Debug)]
struct Candidate {
    item: u64,
    /// Payload bytes that the item would bring to the page, if they are known already.
    size: usize,
    search: Option<(Bytes, Option<&'static Encoding>)>,
}

impl Scan {
    pub(super) fn new(log: &Log, page: PageRequest) -> Self {
        let PageRequest { order, after, limit, budget } = page;
        let after = after.map(|Position(after)| after);
        let (end, found) = (log.next, Vec::new());
        Self {
            order,
            limit,
            budget,
            after,
            at: None,
            inside: None,
            end,
            found,
            found_bytes: 0,
            is_done: false,
        }
    }

    /// The last record that was looked at; `None` when there was none.
    pub(super) const fn at(&self) -> Option<u64> {
        self.at
    }

    /// Searches what a step took along. Not to be called under the lock, unless there is nothing to search.
    pub(super) fn judge(&mut self, step: &Step, search: &mut Search<'_>) {
        let mut seen = self.at;
        let mut candidates = step.candidates.iter().peekable();
        while let Some(candidate) = candidates.next() {
            let Candidate { item, size, search: bytes } = candidate;
            let fits = bytes.as_ref().is_none_or(|(bytes, encoding)| search.finds_all(bytes, *encoding));
            if fits {
                while candidates.next_if(|next| next.item == *item).is_some() {}
                if !self.found.is_empty() && self.found_bytes + size > self.budget {
                    self.at = seen;
                    self.is_done = true;
                    return;
                }
                self.found.push(*item);
                self.found_bytes += size;
                self.at = Some(*item);
                if self.found.len() >= self.limit {
                    self.is_done = true;
                    return;
                }
            }
            seen = Some(*item);
        }
        // A connection that was not searched to its end is done with when something was found in it.
        self.inside = step.inside.filter(|(item, _)| self.at != Some(*item));
        if self.inside.is_some() || step.inside.is_none() {
            self.at = step.at.or(self.at);
        }
        self.is_done = step.is_last;
    }

    const fn behind(&self) -> Option<u64> {
        match self.at {
            Some(at) => Some(at),
            None => self.after,
        }
    }

    /// Whether a step has looked at enough.
    fn is_enough(&self, step: &Step, records: usize, bytes: usize, filter: &Filter) -> bool {
        let is_full = filter.contains.is_empty() && self.found.len() + step.candidates.len() >= self.limit;
        is_full || records >= STEP_RECORDS || bytes >= STEP_BYTES
    }
}

impl Log {
    /// Looks at the next messages.
    pub(super) fn step_messages(&self, query: &MessageQuery, scan: &Scan) -> Step {
        let (filter, mut step) = (&query.filter, Step::default());
        let (mut records, mut bytes) = (0, 0);
        // Neighbours often are of one connection.
        let mut owner = (0, false);
        for (position, message) in
            self.messages_behind(query.connection, filter.direction, scan.order, scan.behind())
        {
            if position >= scan.end && scan.order == Order::Ascending {
                break;
            }
            if owner.0 != message.owner {
                // One that is forgotten has no connection any more.
                let fits =
                    self.connections.get(message.owner).is_some_and(|connection| connection.fits(filter));
                owner = (message.owner, fits);
            }
            let direction = filter.direction.is_none_or(|direction| direction == message.direction);
            if owner.1 && direction && is_within(filter, message.at) {
                let candidate = Candidate::new(position, message, filter);
                bytes += candidate.bytes();
                step.candidates.push(Candidate { size: message.payload.len(), ..candidate });
            }
            records += 1;
            step.at = Some(position);
            if scan.is_enough(&step, records, bytes, filter) {
                return step;
            }
        }
        Step { is_last: true, ..step }
    }

    /// Looks at the next connections.
    pub(super) fn step_connections(&self, filter: &Filter, scan: &Scan) -> Step {
        let mut step = Step::default();
        let (mut records, mut bytes) = (0, 0);
        for (position, connection) in self.connections_behind(scan.order, scan.behind()) {
            if position >= scan.end && scan.order == Order::Ascending {
                break;
            }
            let fits = connection.fits(filter) && is_within(filter, connection.connection.opened_at);
            if fits && filter.contains.is_empty() {
                step.candidates.push(Candidate { item: position, size: 0, search: None });
            } else if fits {
                let from = scan.inside.filter(|(item, _)| *item == position).map(|(_, message)| message);
                for at in connection.positions(filter.direction, Order::Ascending, from) {
                    let Some(message) = self.messages.get(at) else { continue };
                    let candidate = Candidate::new(position, message, filter);
                    (records, bytes) = (records + 1, bytes + candidate.bytes());
                    step.candidates.push(candidate);
                    if scan.is_enough(&step, records, bytes, filter) {
                        return Step { inside: Some((position, at)), ..step };
                    }
                }
            }
            records += 1;
            step.at = Some(position);
            if scan.is_enough(&step, records, bytes, filter) {
                return step;
            }
        }
        Step { is_last: true, ..step }
    }

    /// Messages in their order, of one connection or all. The direction narrows only what is of one connection.
    pub(super) fn messages_behind(
        &self,
        connection: Option<ConnectionId>,
        direction: Option<Direction>,
        order: Order,
        after: Option<u64>,
    ) -> Box<dyn Iterator<Item = (u64, &KeptMessage)> + '_> {
        match (connection, order) {
            (None, Order::Ascending) => Box::new(self.messages.after(after.unwrap_or(0))),
            (None, Order::Descending) => Box::new(self.messages.before(after.unwrap_or(u64::MAX))),
            (Some(id), order) => {
                let connection = self.find(id).map(|(_, connection)| connection);
                let positions =
                    connection.into_iter().flat_map(move |c| c.positions(direction, order, after));
                Box::new(positions.filter_map(|at| self.messages.get(at).map(|message| (at, message))))
            }
        }
    }

    pub(super) fn connections_behind(
        &self,
        order: Order,
        after: Option<u64>,
    ) -> Box<dyn Iterator<Item = (u64, &KeptConnection)> + '_> {
        match order {
            Order::Ascending => Box::new(self.connections.after(after.unwrap_or(0))),
            Order::Descending => Box::new(self.connections.before(after.unwrap_or(u64::MAX))),
        }
    }
}

impl Step {
    pub(super) fn needs_search(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.search.is_some())
    }
}

impl Candidate {
    fn new(item: u64, message: &KeptMessage, filter: &Filter) -> Self {
        let search =
            (!filter.contains.is_empty()).then(|| (message.payload.clone(), message.charset.fixed()));
        Self { item, size: 0, search }
    }

    fn bytes(&self) -> usize {
        self.search.as_ref().map_or(0, |(payload, _)| payload.len())
    }
}
