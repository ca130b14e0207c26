//! A journal that can be told to keep no listeners.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll};

use answerback::domain::{ConnectionId, Direction, ListenerId};
use answerback::store::{
    Answer, Changes, Commit, ConnectionQuery, ConnectionRecord, EndQuery, EndRecord, Filter, Forgotten,
    Journal, JournalError, JournalStatus, ListenerRecord, MemoryJournal, MessageQuery, MessageRecord, Page,
    Position, Record, Urgency,
};

pub(super) struct Moody {
    journal: MemoryJournal,
    refuses: AtomicBool,
}

impl Default for Moody {
    fn default() -> Self {
        Self { journal: MemoryJournal::new(Position(1), 64 << 20), refuses: AtomicBool::new(false) }
    }
}

impl Moody {
    pub(super) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, SeqCst);
    }

    /// Keeps what no running service would have asked for.
    pub(super) async fn keep(&self, listener: ListenerRecord) {
        self.journal.keep_listener(listener).await.unwrap();
    }

    fn unless_it_refuses<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            // Not at once: a disk takes its time.
            tokio::task::yield_now().await;
            match self.refuses.load(SeqCst) {
                true => Err(JournalError::Unavailable("told so by a test".to_owned())),
                false => answer.await,
            }
        })
    }
}

impl Journal for Moody {
    fn append(&self, records: Vec<Record>, urgency: Urgency) -> Commit {
        self.journal.append(records, urgency)
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.journal.poll_room(cx)
    }

    fn changes(&self) -> &Changes {
        self.journal.changes()
    }

    /// It outlives every service over it.
    fn close(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn connections(&self, query: ConnectionQuery) -> Answer<'_, Page<ConnectionRecord>> {
        self.journal.connections(query)
    }

    fn connection(
        &self,
        id: ConnectionId,
        messages: usize,
        budget: usize,
    ) -> Answer<'_, Option<ConnectionRecord>> {
        self.journal.connection(id, messages, budget)
    }

    fn messages(&self, query: MessageQuery) -> Answer<'_, Page<MessageRecord>> {
        self.journal.messages(query)
    }

    fn ends(&self, query: EndQuery) -> Answer<'_, Page<EndRecord>> {
        self.journal.ends(query)
    }

    fn before(
        &self,
        connection: ConnectionId,
        direction: Direction,
        offset: u64,
        bytes: usize,
    ) -> Answer<'_, Vec<u8>> {
        self.journal.before(connection, direction, offset, bytes)
    }

    fn forget(&self, filter: Filter) -> Answer<'_, Forgotten> {
        self.journal.forget(filter)
    }

    fn keep_listener(&self, listener: ListenerRecord) -> Answer<'_, ()> {
        self.unless_it_refuses(self.journal.keep_listener(listener))
    }

    fn drop_listener(&self, id: ListenerId) -> Answer<'_, ()> {
        self.unless_it_refuses(self.journal.drop_listener(id))
    }

    fn listeners(&self) -> Answer<'_, Vec<ListenerRecord>> {
        self.unless_it_refuses(self.journal.listeners())
    }

    fn status(&self) -> JournalStatus {
        self.journal.status()
    }
}
