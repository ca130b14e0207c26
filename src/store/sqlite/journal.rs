//! The promise, kept on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::domain::{Clock, ConnectionId, Direction, Durability, ListenerId};

use super::super::changes::Changes;
use super::super::commit::Commit;
use super::super::cursor::Position;
use super::super::journal::{
    Answer, ConnectionRecord, EndRecord, Forgotten, Journal, JournalError, JournalStatus, ListenerRecord,
    MessageRecord, Record, Urgency,
};
use super::super::query::{ConnectionQuery, EndQuery, Filter, MessageQuery, Order, Page, PageRequest};
use super::super::search::Search;
use super::answer::{at_one_moment, before, connection_page, message_page, next, one_connection};
use super::command::Command;
use super::ends::{end_after_crash, end_page};
use super::floor::DiskFloor;
use super::listeners::listeners;
use super::lock::DirectoryLock;
use super::open::{DATABASE, OpenError, make_directory, open_for_writing};
use super::scan::Scan;
use super::scan_connections::Hits;
use super::shared::{Retention, Shared};
use super::writer::Writer;

/// Connections that are forgotten in one transaction: some milliseconds.
const FORGET: usize = 512;

/// How a journal on disk is to be kept.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Where; made if it is not there.
    pub directory: PathBuf,
    /// What it survives.
    pub durability: Durability,
    /// Bytes that are kept, payloads and an estimate of the rest, before the oldest records go.
    pub retain_bytes: u64,
    /// Messages that are kept; `None` is no bound.
    pub retain_messages: Option<u64>,
    /// How long records are kept; `None` is for ever.
    pub retain_age: Option<Duration>,
    /// Bytes that are left free on the disk: with less, nothing is written. 0 is no floor.
    pub min_free_disk: u64,
    /// The position of the first record of a new journal (at least 1). Give one that no journal before it can have
    /// reached, such as the microseconds of the clock.
    pub first: Position,
}

/// A journal on disk.
///
/// One thread writes: whatever waits goes into one transaction, and whoever waits for it is told when it is committed.
/// Others read beside it, each question from one moment.
pub struct SqliteJournal {
    shared: Arc<Shared>,
    /// Held as long as the journal may write.
    _lock: DirectoryLock,
    #[cfg(test)]
    _directory: Option<tempfile::TempDir>,
}

impl SqliteJournal {
    /// Opens the journal in a directory, or makes one. Connections that were open when the process before this one died
    /// are ended.
    ///
    /// # Errors
    /// Why it cannot be used. Nothing was changed then.
    pub fn open(options: &SqliteOptions, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        make_directory(&options.directory)?;
        let lock = DirectoryLock::take(&options.directory)?;
        let path = options.directory.join(DATABASE);
        let db = open_for_writing(&path, options.durability, options.first)?;
        let failed = |error: rusqlite::Error| OpenError::of(&path, &error);
        let crashed = end_after_crash(&db, clock.now()).map_err(failed)?;
        if crashed > 0 {
            tracing::warn!(
                connections = crashed,
                "the last run ended badly: its open connections ended with it"
            );
        }
        let retention = Retention {
            bytes: options.retain_bytes,
            messages: options.retain_messages.unwrap_or(u64::MAX),
            age: options.retain_age,
        };
        let shared = Arc::new(Shared::new(path.clone(), options.durability, retention, clock));
        shared.readers.open().map_err(failed)?;
        let floor = DiskFloor::new(options.directory.clone(), options.min_free_disk);
        let writer = Writer::new(Arc::clone(&shared), options.durability, floor);
        let thread = thread::Builder::new().name("journal".to_owned());
        let spawned = thread.spawn(move || writer.run(db));
        spawned.map_err(|error| OpenError::Other { path, cause: error.to_string() })?;
        Ok(Self {
            shared,
            _lock: lock,
            #[cfg(test)]
            _directory: None,
        })
    }

    /// A journal that is gone when it is dropped.
    #[cfg(test)]
    pub(in crate::store) fn in_a_directory_of_its_own(first: Position, retain_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions {
            directory: directory.path().to_owned(),
            durability: Durability::Process,
            retain_bytes,
            retain_messages: None,
            retain_age: None,
            min_free_disk: 0,
            first,
        };
        let mut journal = Self::open(&options, Arc::new(crate::domain::SystemClock)).unwrap();
        journal._directory = Some(directory);
        journal
    }

    /// Everything that was appended before this is in the answers after it, or cannot be written.
    async fn settled(&self) {
        let _ = self.shared.queue.push(Vec::new(), Urgency::Now).await;
    }

    /// Answers a question on a thread that may wait for the disk.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection, &Shared) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, JournalError> {
        let Some(turn) = self.shared.readers.turn().await else { return Err(closed()) };
        let shared = Arc::clone(&self.shared);
        let answer = tokio::task::spawn_blocking(move || {
            shared.readers.ask(|db| at_one_moment(db, |db| question(db, &shared)))
        });
        let answer = answer.await;
        drop(turn);
        match answer {
            Ok(answer) => answer.map_err(|error| JournalError::Unavailable(error.to_string())),
            Err(_) => Err(JournalError::Unavailable("a question ended badly".to_owned())),
        }
    }

    /// Tells the writer to do something, and waits for it.
    async fn tell<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Command,
    ) -> Result<T, JournalError> {
        let (told, answer) = oneshot::channel();
        self.shared.queue.command(command(told));
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn scan_connections(
        &self,
        filter: &Filter,
        scan: Scan,
        hits: Hits,
    ) -> Result<(Scan, Hits), JournalError> {
        let (filter, mut scan, mut hits) = (filter.clone(), scan, hits);
        self.ask(move |db, _| {
            let mut search = Search::new(&filter.contains);
            scan.step_connections(db, &filter, &mut hits, &mut search)?;
            Ok((scan, hits))
        })
        .await
    }

    async fn end(&self) -> Result<u64, JournalError> {
        self.settled().await;
        self.ask(|db, _| next(db)).await
    }
}

impl Journal for SqliteJournal {
    fn append(&self, records: Vec<Record>, urgency: Urgency) -> Commit {
        // Whoever waits for more is not to wait for company.
        let urgency = if self.shared.changes.is_watched() { Urgency::Now } else { urgency };
        self.shared.queue.push(records, urgency)
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.shared.queue.poll_room(cx)
    }

    fn changes(&self) -> &Changes {
        &self.shared.changes
    }

    fn connections(&self, query: ConnectionQuery) -> Answer<'_, Page<ConnectionRecord>> {
        Box::pin(async move {
            let (mut scan, mut hits) = (Scan::new(query.page, self.end().await?), Hits::Unknown);
            while !scan.is_done {
                (scan, hits) = self.scan_connections(&query.filter, scan, hits).await?;
            }
            self.ask(move |db, shared| connection_page(db, &shared.names, &query, &scan)).await
        })
    }

    fn connection(
        &self,
        id: ConnectionId,
        messages: usize,
        budget: usize,
    ) -> Answer<'_, Option<ConnectionRecord>> {
        Box::pin(async move {
            self.settled().await;
            self.ask(move |db, shared| one_connection(db, &shared.names, id, messages, budget)).await
        })
    }

    fn messages(&self, query: MessageQuery) -> Answer<'_, Page<MessageRecord>> {
        Box::pin(async move {
            let mut scan = Scan::new(query.page, self.end().await?);
            while !scan.is_done {
                let query = query.clone();
                scan = self
                    .ask(move |db, _| {
                        let mut search = Search::new(&query.filter.contains);
                        scan.step_messages(db, &query, &mut search)?;
                        Ok(scan)
                    })
                    .await?;
            }
            self.ask(move |db, shared| message_page(db, &shared.names, &query, &scan)).await
        })
    }

    fn ends(&self, query: EndQuery) -> Answer<'_, Page<EndRecord>> {
        Box::pin(async move {
            self.settled().await;
            self.ask(move |db, shared| end_page(db, &shared.names, &query)).await
        })
    }

    fn before(
        &self,
        connection: ConnectionId,
        direction: Direction,
        offset: u64,
        bytes: usize,
    ) -> Answer<'_, Vec<u8>> {
        Box::pin(async move {
            self.settled().await;
            self.ask(move |db, _| before(db, connection, direction, offset, bytes)).await
        })
    }

    fn forget(&self, filter: Filter) -> Answer<'_, Forgotten> {
        Box::pin(async move {
            let all =
                PageRequest { order: Order::Descending, after: None, limit: usize::MAX, budget: usize::MAX };
            let (mut scan, mut hits) = (Scan::new(all, self.end().await?), Hits::Unknown);
            let mut forgotten = Forgotten::default();
            while !scan.is_done {
                (scan, hits) = self.scan_connections(&filter, scan, hits).await?;
                for some in std::mem::take(&mut scan.found).chunks(FORGET) {
                    let done = self.tell(|told| Command::Forget(some.to_vec(), told)).await?;
                    forgotten.forgotten += done.forgotten;
                    forgotten.kept_open += done.kept_open;
                    while self.tell(Command::Purge).await? {}
                }
            }
            Ok(forgotten)
        })
    }

    fn keep_listener(&self, listener: ListenerRecord) -> Answer<'_, ()> {
        Box::pin(self.tell(|told| Command::Keep(Box::new(listener), told)))
    }

    fn drop_listener(&self, id: ListenerId) -> Answer<'_, ()> {
        Box::pin(self.tell(move |told| Command::Drop(id, told)))
    }

    fn listeners(&self) -> Answer<'_, Vec<ListenerRecord>> {
        Box::pin(async move {
            self.settled().await;
            self.ask(|db, _| listeners(db)).await
        })
    }

    fn status(&self) -> JournalStatus {
        let status = &self.shared.status;
        JournalStatus {
            newest: status.newest(),
            bytes: status.bytes(),
            evicted_records: status.evicted_records(),
            queued_bytes: self.shared.queue.bytes(),
            unavailable: status.unavailable(),
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.shared.queue.close();
            self.shared.closed.cancelled().await;
            Ok(())
        })
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        // What waits is still written, by a thread that nobody waits for any more.
        self.shared.queue.close();
    }
}

fn closed() -> JournalError {
    JournalError::Unavailable("it is closed".to_owned())
}
