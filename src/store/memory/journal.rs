//! The promise, kept in memory.

use std::future::ready;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::task::yield_now;

use crate::domain::{ConnectionId, Direction, ListenerId};

use super::super::changes::Changes;
use super::super::commit::Commit;
use super::super::cursor::Position;
use super::super::journal::{
    Answer, ConnectionRecord, EndRecord, Forgotten, Journal, JournalError, JournalStatus, ListenerRecord,
    MessageRecord, Record, Urgency,
};
use super::super::query::{ConnectionQuery, EndQuery, Filter, MessageQuery, Order, Page, PageRequest};
use super::super::search::Search;
use super::listeners::Listeners;
use super::log::{Freed, Log};
use super::read::Before;
use super::scan::{Scan, Step};

/// Messages that forgetting removes under one lock: about a tenth of a millisecond.
const PURGE: usize = 512;

/// A journal in memory, bounded in bytes.
///
/// The bound counts payloads and an estimate of what their bookkeeping costs. When it is reached, the oldest record
/// that can go is evicted, one at a time: a message, or an ended connection without messages. Open connections stay.
/// A payload is kept as it comes: if it is a small part of a large buffer, the whole buffer stays in memory.
#[derive(Debug)]
pub struct MemoryJournal {
    log: Mutex<Log>,
    changes: Changes,
    listeners: Listeners,
}

impl MemoryJournal {
    /// An empty journal for `capacity_bytes`.
    ///
    /// The first record gets the position `first` (at least 1). Give one that no earlier run can have reached, such as
    /// the microseconds of the clock: a cursor from an earlier run is then known to stand before all that is kept.
    pub fn new(first: Position, capacity_bytes: u64) -> Self {
        let log = Mutex::new(Log::new(first.0, capacity_bytes));
        Self { log, changes: Changes::default(), listeners: Listeners::default() }
    }

    fn lock(&self) -> Result<MutexGuard<'_, Log>, JournalError> {
        self.log.lock().map_err(|_| JournalError::Unavailable("a write was cut short by a panic".to_owned()))
    }

    /// One step of a scan. The log, still locked, when the scan has come to its end.
    fn advance(
        &self,
        scan: &mut Scan,
        search: &mut Search<'_>,
        look: impl FnOnce(&Log, &Scan) -> Step,
    ) -> Result<Option<MutexGuard<'_, Log>>, JournalError> {
        let log = self.lock()?;
        let step = look(&log, scan);
        if step.needs_search() {
            drop(log);
            scan.judge(&step, search);
            return if scan.is_done { self.lock().map(Some) } else { Ok(None) };
        }
        scan.judge(&step, search);
        Ok(scan.is_done.then_some(log))
    }

    /// Frees what was forgotten.
    async fn purge(&self) -> Result<(), JournalError> {
        loop {
            let mut freed = Freed::default();
            let more = self.lock()?.purge(PURGE, &mut freed);
            drop(freed);
            if !more {
                return Ok(());
            }
            yield_now().await;
        }
    }
}

impl Journal for MemoryJournal {
    fn append(&self, mut records: Vec<Record>, _: Urgency) -> Commit {
        let appended = self.lock().map(|mut log| log.append(&mut records));
        Commit::known(appended.map(|freed| {
            // Freed here, where nobody waits for the lock.
            drop(freed);
            self.changes.announce();
        }))
    }

    fn poll_room(&self, _: &Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn changes(&self) -> &Changes {
        &self.changes
    }

    fn connections(&self, query: ConnectionQuery) -> Answer<'_, Page<ConnectionRecord>> {
        Box::pin(async move {
            let mut search = Search::new(&query.filter.contains);
            let mut scan = Scan::new(&*self.lock()?, query.page);
            loop {
                let look = |log: &Log, scan: &Scan| log.step_connections(&query.filter, scan);
                if let Some(log) = self.advance(&mut scan, &mut search, look)? {
                    return Ok(log.connection_page(&query, &scan));
                }
                yield_now().await;
            }
        })
    }

    fn connection(
        &self,
        id: ConnectionId,
        messages: usize,
        budget: usize,
    ) -> Answer<'_, Option<ConnectionRecord>> {
        Box::pin(async move { Ok(self.lock()?.one_connection(id, messages, budget)) })
    }

    fn messages(&self, query: MessageQuery) -> Answer<'_, Page<MessageRecord>> {
        Box::pin(async move {
            let mut search = Search::new(&query.filter.contains);
            let mut scan = Scan::new(&*self.lock()?, query.page);
            loop {
                let look = |log: &Log, scan: &Scan| log.step_messages(&query, scan);
                if let Some(log) = self.advance(&mut scan, &mut search, look)? {
                    return Ok(log.message_page(&query, &scan));
                }
                yield_now().await;
            }
        })
    }

    fn ends(&self, query: EndQuery) -> Answer<'_, Page<EndRecord>> {
        Box::pin(async move { Ok(self.lock()?.end_page(&query)) })
    }

    fn before(
        &self,
        id: ConnectionId,
        direction: Direction,
        offset: u64,
        bytes: usize,
    ) -> Answer<'_, Vec<u8>> {
        Box::pin(async move {
            let mut state = Before { offset, left: bytes, parts: Vec::new() };
            while state.left > 0 && self.lock()?.step_before(id, direction, &mut state).is_continue() {
                yield_now().await;
            }
            let mut found = Vec::with_capacity(bytes - state.left);
            state.parts.iter().rev().for_each(|part| found.extend_from_slice(part));
            Ok(found)
        })
    }

    fn forget(&self, filter: Filter) -> Answer<'_, Forgotten> {
        Box::pin(async move {
            let all =
                PageRequest { order: Order::Ascending, after: None, limit: usize::MAX, budget: usize::MAX };
            let mut search = Search::new(&filter.contains);
            let mut scan = Scan::new(&*self.lock()?, all);
            let mut forgotten = Forgotten::default();
            while !scan.is_done {
                drop(self.advance(&mut scan, &mut search, |log, scan| log.step_connections(&filter, scan))?);
                self.lock()?.forget(&take(&mut scan.found), &mut forgotten);
                self.purge().await?;
                yield_now().await;
            }
            Ok(forgotten)
        })
    }

    fn keep_listener(&self, listener: ListenerRecord) -> Answer<'_, ()> {
        Box::pin(async move {
            self.listeners.keep(listener);
            Ok(())
        })
    }

    fn drop_listener(&self, id: ListenerId) -> Answer<'_, ()> {
        Box::pin(async move {
            self.listeners.remove(id);
            Ok(())
        })
    }

    fn listeners(&self) -> Answer<'_, Vec<ListenerRecord>> {
        Box::pin(async move { Ok(self.listeners.all(&*self.lock()?)) })
    }

    fn status(&self) -> JournalStatus {
        // Numbers can be told even when nothing can be written any more.
        let unavailable = self.lock().err();
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        JournalStatus {
            newest: Position(log.next - 1),
            bytes: log.bytes,
            evicted_records: log.eviction.records,
            queued_bytes: 0,
            unavailable,
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::thread;

    use bytes::Bytes;
    use futures_util::FutureExt;

    use crate::domain::{
        Charset, CloseReason, ClosedBy, Closing, Connection, IdSource, ListenerRef, Message, Timestamp,
    };

    use super::super::super::query::ConnectionQuery;
    use super::*;

    fn append(journal: &MemoryJournal, records: Vec<Record>) {
        journal.append(records, Urgency::Now).now_or_never().unwrap().unwrap();
    }

    /// Opens a connection, appends so many messages to it, ends it.
    fn conversation(journal: &MemoryJournal, ids: &IdSource, messages: u64) {
        let at = Timestamp::from_micros(0);
        let (id, peer) = (ids.connection(at), SocketAddr::from(([127, 0, 0, 1], 1)));
        let listener = Arc::new(ListenerRef { id: ids.listener(at), name: None });
        let opened = Connection { id, listener, peer, local: peer, opened_at: at };
        append(journal, vec![Record::Opened(Box::new(opened))]);
        for seq in 1..=messages {
            let message = Message {
                connection: id,
                direction: if seq % 2 == 0 { Direction::Sent } else { Direction::Received },
                seq: seq.div_ceil(2),
                offset: 0,
                at,
                size: 10,
                payload: Bytes::from_static(b"0123456789"),
                sha256: None,
                charset: Charset::Auto,
                note: None,
            };
            append(journal, vec![Record::Message(message)]);
        }
        let closing = Closing { at, by: ClosedBy::Peer, reason: CloseReason::PeerClosed };
        append(journal, vec![Record::Closed { connection: id, closing }]);
    }

    fn everything() -> ConnectionQuery {
        let page = PageRequest { order: Order::Ascending, after: None, limit: 10_000, budget: usize::MAX };
        ConnectionQuery { filter: Filter::default(), page, messages: 2, payload: 10 }
    }

    #[test]
    fn a_forgetting_that_is_given_up_is_finished_by_those_who_append() {
        let (journal, ids) = (MemoryJournal::new(Position(1), u64::MAX), IdSource::new(1));
        conversation(&journal, &ids, 10 * PURGE as u64);
        assert_eq!(journal.forget(Filter::default()).now_or_never(), None, "it pauses while it frees");
        let page = journal.connections(everything()).now_or_never().unwrap().unwrap();
        assert_eq!(page.items, [], "but what is forgotten is gone at once");
        let some = journal.status().bytes;
        assert!(some > 0);
        (0..1_000).for_each(|_| conversation(&journal, &ids, 0));
        assert!(journal.lock().unwrap().doomed.is_empty());
        assert_eq!(journal.lock().unwrap().messages.len(), 0);
    }

    #[test]
    fn those_who_append_list_and_forget_at_once_leave_nothing_behind() {
        let (journal, ids) = (MemoryJournal::new(Position(1), 200_000), IdSource::new(1));
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        thread::scope(|scope| {
            let writers =
                [0, 1].map(|_| scope.spawn(|| (0..2_000).for_each(|n| conversation(&journal, &ids, n % 7))));
            let runtime = runtime();
            while !writers.iter().all(thread::ScopedJoinHandle::is_finished) {
                for item in runtime.block_on(journal.connections(everything())).unwrap().items {
                    let crossed = item.received.messages + item.sent.messages;
                    assert!(item.messages.len() as u64 + item.more_messages <= crossed);
                }
                runtime.block_on(journal.forget(Filter::default())).unwrap();
            }
        });
        runtime().block_on(journal.forget(Filter::default())).unwrap();
        assert_eq!(journal.status().bytes, 0);
        let log = journal.lock().unwrap();
        assert_eq!((log.connections.len(), log.messages.len(), log.index.len()), (0, 0, 0));
    }

    #[test]
    fn a_page_in_the_middle_of_very_many_messages_looks_at_no_others() {
        let (journal, ids) = (MemoryJournal::new(Position(1), u64::MAX), IdSource::new(1));
        conversation(&journal, &ids, 200_000);
        let query = |after, connection, order| MessageQuery {
            connection,
            filter: Filter::default(),
            page: PageRequest { order, after: Some(Position(after)), limit: 3, budget: usize::MAX },
        };
        let id = journal.connections(everything()).now_or_never().unwrap().unwrap().items[0].connection.id;
        for connection in [None, Some(id)] {
            let log = journal.lock().unwrap();
            for (order, expected) in [
                (Order::Ascending, [100_001, 100_002, 100_003]),
                (Order::Descending, [99_999, 99_998, 99_997]),
            ] {
                let query = query(100_000, connection, order);
                let mut scan = Scan::new(&log, query.page);
                scan.judge(&log.step_messages(&query, &scan), &mut Search::new(&[]));
                assert!(scan.is_done, "one step suffices");
                assert_eq!(scan.found, expected);
            }
        }
    }
}
