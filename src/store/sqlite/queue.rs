//! What waits for the writer: bounded by back-pressure, taken all at once.

use std::collections::VecDeque;
use std::mem::{replace, swap, take};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::domain::Durability;

use super::super::commit::{Commit, Ticket};
use super::super::journal::{JournalError, Record, Urgency};
use super::command::Command;

/// Appends that become one batch at most, where a commit costs no flush. Many clients that all wait for the same commit
/// would all be silent while the next is written; so one part of them is answered while the other is written.
const TOGETHER: usize = 64;

/// Bytes that may wait for the writer before endpoints read slower. Enough to keep the writer busy through the longest
/// flush, little enough to be no matter for the machine.
const ROOM: u64 = 32 << 20;

/// How long records that nobody waits for may wait for company.
const SOON: Duration = Duration::from_millis(20);

/// What a record weighs beside its payload: about what it takes up in memory.
const RECORD: u64 = 256;

/// Records and commands on their way to the writer.
pub(super) struct Queue {
    /// Appends that become one batch at most.
    together: usize,
    inner: Mutex<Inner>,
    filled: Condvar,
    /// Bytes that wait or are being written.
    bytes: AtomicU64,
    waiting_for_room: Mutex<Vec<Waker>>,
}

#[derive(Default)]
struct Inner {
    /// What became a batch already, the oldest first.
    full: VecDeque<Batch>,
    records: Vec<Record>,
    commands: Vec<Command>,
    bytes: u64,
    /// How many appends the records are of.
    appends: usize,
    ticket: Arc<Ticket>,
    is_urgent: bool,
    is_closed: bool,
    writer_sleeps: bool,
}

/// What the writer takes in one go.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) commands: Vec<Command>,
    pub(super) ticket: Arc<Ticket>,
    /// What the records weigh; given back by `done`.
    bytes: u64,
}

/// Why the writer got what it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// There is something to do.
    Some,
    /// The time is over, and nothing came.
    Nothing,
    /// Nothing will come any more.
    End,
}

impl Inner {
    fn is_idle(&self) -> bool {
        self.full.is_empty() && self.records.is_empty() && self.commands.is_empty()
    }

    /// What waits is a batch; what comes from now on is of the next one.
    fn fill(&mut self) {
        let mut batch = Batch { records: Vec::with_capacity(self.records.len()), ..Batch::default() };
        self.move_records(&mut batch);
        self.full.push_back(batch);
    }

    /// Moves the records into an empty batch.
    fn move_records(&mut self, batch: &mut Batch) {
        swap(&mut self.records, &mut batch.records);
        batch.ticket = take(&mut self.ticket);
        batch.bytes = replace(&mut self.bytes, 0);
        self.appends = 0;
    }
}

impl Queue {
    /// An empty one. Where each commit costs a flush, all that wait share one.
    pub(super) fn new(durability: Durability) -> Self {
        let together = match durability {
            Durability::Process => TOGETHER,
            Durability::Power => usize::MAX,
        };
        let (inner, filled) = (Mutex::default(), Condvar::new());
        Self { together, inner, filled, bytes: AtomicU64::new(0), waiting_for_room: Mutex::default() }
    }

    /// Adds records that become one with what waits already.
    pub(super) fn push(&self, records: Vec<Record>, urgency: Urgency) -> Commit {
        let weight = records.iter().map(weight).sum();
        let mut inner = self.lock();
        if inner.is_closed {
            return Commit::known(Err(closed()));
        }
        if records.is_empty() && inner.is_idle() && self.bytes.load(Relaxed) == 0 {
            return Commit::known(Ok(()));
        }
        let was_idle = inner.is_idle();
        inner.bytes += weight;
        self.bytes.fetch_add(weight, Relaxed);
        inner.records.extend(records);
        inner.appends += 1;
        let ticket = Arc::clone(&inner.ticket);
        if inner.appends >= self.together {
            inner.fill();
        }
        self.wake(inner, was_idle, urgency == Urgency::Now);
        Commit::awaited(ticket)
    }

    /// Adds something that the writer is to do behind what waits already.
    pub(super) fn command(&self, command: Command) {
        let mut inner = self.lock();
        if inner.is_closed {
            return command.refuse(closed());
        }
        let was_idle = inner.is_idle();
        inner.commands.push(command);
        self.wake(inner, was_idle, true);
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner>, was_idle: bool, is_urgent: bool) {
        let was_urgent = inner.is_urgent;
        inner.is_urgent |= is_urgent;
        // One that sleeps for a moment because nothing was urgent is woken by the first that is.
        if inner.writer_sleeps && (was_idle || !was_urgent && is_urgent) {
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// Nothing is taken in from now on; what is there is still written.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// Bytes that wait or are being written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Ready while there is room.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if self.bytes.load(Relaxed) < ROOM {
            return Poll::Ready(());
        }
        self.waiting_for_room.lock().unwrap_or_else(PoisonError::into_inner).push(cx.waker().clone());
        // The writer may have finished between the look and the registration.
        if self.bytes.load(SeqCst) < ROOM { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Moves what waits into `batch`, which is empty. Waits for something urgent; for anything at all, a moment longer;
    /// and for `patience` at the most.
    pub(super) fn take(&self, batch: &mut Batch, patience: Option<Duration>) -> Taken {
        let mut inner = self.lock();
        let began = Instant::now();
        loop {
            let is_idle = inner.is_idle();
            let waited = began.elapsed();
            if let Some(full) = inner.full.pop_front() {
                *batch = full;
                return Taken::Some;
            }
            if inner.is_urgent || !is_idle && (inner.is_closed || waited >= SOON) {
                break;
            }
            if inner.is_closed {
                return Taken::End;
            }
            if patience.is_some_and(|patience| waited >= patience) && is_idle {
                return Taken::Nothing;
            }
            let most = if is_idle { patience } else { Some(SOON) };
            inner.writer_sleeps = true;
            inner = match most {
                Some(most) => {
                    let left = most.saturating_sub(waited);
                    self.filled.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
            inner.writer_sleeps = false;
        }
        inner.is_urgent = false;
        swap(&mut inner.commands, &mut batch.commands);
        inner.move_records(batch);
        Taken::Some
    }

    /// What the batch weighed is written, or given up: there is room for more.
    pub(super) fn done(&self, batch: &mut Batch) {
        let before = self.bytes.fetch_sub(batch.bytes, SeqCst);
        let has_room = before.saturating_sub(batch.bytes) < ROOM;
        batch.bytes = 0;
        let mut waiting = self.waiting_for_room.lock().unwrap_or_else(PoisonError::into_inner);
        if has_room && !waiting.is_empty() {
            let waiting = take(&mut *waiting);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(record: &Record) -> u64 {
    match record {
        Record::Message(message) => RECORD + message.payload.len() as u64,
        Record::Opened(_) | Record::SentShort { .. } | Record::Closed { .. } => RECORD,
    }
}

fn closed() -> JournalError {
    JournalError::Unavailable("it is closed".to_owned())
}
