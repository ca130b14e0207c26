//! A journal that can be told to keep no listeners, and that says what it is asked for.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll};

use answerback::domain::{ConnectionId, Direction, ListenerId};
use answerback::store::{
    Answer, Changes, Commit, ConnectionQuery, ConnectionRecord, EndQuery, EndRecord, Filter, Forgotten,
    Journal, JournalError, JournalStatus, ListenerRecord, MemoryJournal, MessageQuery, MessageRecord, Page,
    Position, Record, Urgency,
};

type Looked = dyn Fn(&MemoryJournal) + Send + Sync;
type Keeping = dyn Fn(ListenerRecord) -> Answer<'static, ()> + Send + Sync;

pub(crate) struct Moody {
    journal: MemoryJournal,
    refuses: AtomicBool,
    looked: OnceLock<Box<Looked>>,
    keeping: OnceLock<Box<Keeping>>,
}

impl Default for Moody {
    fn default() -> Self {
        Self {
            journal: MemoryJournal::new(Position(1), 64 << 20),
            refuses: AtomicBool::new(false),
            looked: OnceLock::new(),
            keeping: OnceLock::new(),
        }
    }
}

impl Moody {
    /// Does this before each look at connections or messages.
    pub(crate) fn on_look(&self, looked: impl Fn(&MemoryJournal) + Send + Sync + 'static) {
        assert!(self.looked.set(Box::new(looked)).is_ok());
    }

    /// Does this before a listener is kept.
    pub(crate) fn on_keep(
        &self,
        keeping: impl Fn(ListenerRecord) -> Answer<'static, ()> + Send + Sync + 'static,
    ) {
        assert!(self.keeping.set(Box::new(keeping)).is_ok());
    }

    fn look(&self) -> &MemoryJournal {
        if let Some(looked) = self.looked.get() {
            looked(&self.journal);
        }
        &self.journal
    }

    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, SeqCst);
    }

    /// Keeps what no running service would have asked for.
    pub(crate) async fn keep(&self, listener: ListenerRecord) {
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
        self.look().connections(query)
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
        self.look().messages(query)
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
        let keeping = self.keeping.get().map(|keeping| keeping(listener.clone()));
        let keep = self.unless_it_refuses(self.journal.keep_listener(listener));
        Box::pin(async move {
            if let Some(keeping) = keeping {
                keeping.await?;
            }
            keep.await
        })
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
