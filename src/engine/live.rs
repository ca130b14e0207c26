//! The connections that are open now, and how they are reached from outside.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use slab::Slab;
use tokio::sync::oneshot;

use crate::domain::ConnectionId;

use super::talk::Command;

/// What a connection can be told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Finish what is being sent, then end: the service stops.
    Finish = 1,
    /// End at once: somebody asked for it.
    Cut = 2,
    /// End at once: the listener is closed.
    Abort = 3,
    /// End at once: the service's time to stop is over.
    AbortForShutdown = 4,
}

/// Commands that wait for one connection at most.
const MOST_COMMANDS: usize = 64;

/// The outside's handle on one open connection. An order is given at most once of each kind and only ever grows harder.
#[derive(Debug)]
pub(super) struct Live {
    id: ConnectionId,
    order: AtomicU8,
    has_mail: AtomicBool,
    inbox: Mutex<Inbox>,
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Inbox {
    commands: VecDeque<Command>,
    /// Dropped with the connection's end, and so told of it.
    watchers: Vec<oneshot::Sender<()>>,
    is_closed: bool,
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returned {
    /// The connection has ended.
    Ended,
    /// It has as many to carry out as it may.
    Full,
}

impl Live {
    /// The handle on the connection of that id.
    pub(super) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            order: AtomicU8::new(0),
            has_mail: AtomicBool::new(false),
            inbox: Mutex::default(),
            waker: AtomicWaker::new(),
        }
    }

    /// Tells it.
    pub(super) fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    /// Something that it keeps to has changed: it looks again.
    fn wake(&self) {
        self.waker.wake();
    }

    /// Has it carry out a command, after those before.
    pub(super) fn post(&self, command: Command) -> Result<(), Returned> {
        let mut inbox = self.inbox();
        if inbox.is_closed {
            return Err(Returned::Ended);
        }
        if inbox.commands.len() >= MOST_COMMANDS {
            return Err(Returned::Full);
        }
        inbox.commands.push_back(command);
        self.has_mail.store(true, Ordering::Release);
        drop(inbox);
        self.waker.wake();
        Ok(())
    }

    /// Ends, with an error, when the connection has.
    pub(super) fn ended(&self) -> oneshot::Receiver<()> {
        let (watcher, ended) = oneshot::channel();
        let mut inbox = self.inbox();
        if !inbox.is_closed {
            inbox.watchers.push(watcher);
        }
        ended
    }

    /// Whether there is a command. Whoever waits for orders is woken by one too.
    pub(super) fn has_mail(&self) -> bool {
        self.has_mail.load(Ordering::Acquire)
    }

    /// The next command.
    pub(super) fn next_command(&self) -> Option<Command> {
        if !self.has_mail() {
            return None;
        }
        let mut inbox = self.inbox();
        let next = inbox.commands.pop_front();
        self.has_mail.store(!inbox.commands.is_empty(), Ordering::Release);
        next
    }

    /// The connection has ended: whoever waits for a command of his is told so.
    pub(super) fn close(&self) {
        let mut inbox = self.inbox();
        inbox.is_closed = true;
        let left = (std::mem::take(&mut inbox.commands), std::mem::take(&mut inbox.watchers));
        drop(inbox);
        drop(left);
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order, if there is one.
    pub(super) fn order(&self) -> Option<Order> {
        match self.order.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Order::Finish),
            2 => Some(Order::Cut),
            3 => Some(Order::Abort),
            _ => Some(Order::AbortForShutdown),
        }
    }

    /// Ready when there is an order of at least this hardness; otherwise the task is woken by the next one.
    pub(super) fn poll_order(&self, at_least: Order, cx: &Context<'_>) -> Poll<Order> {
        let given = || self.order().filter(|order| *order >= at_least);
        if let Some(order) = given() {
            return Poll::Ready(order);
        }
        self.waker.register(cx.waker());
        // It may have come between the look and the registration.
        given().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The open connections of one listener.
#[derive(Debug, Default)]
pub(super) struct Lives(Mutex<Slab<Arc<Live>>>);

impl Lives {
    /// Adds one; the number takes it out again.
    pub(super) fn add(&self, live: Arc<Live>) -> usize {
        self.lock().insert(live)
    }

    /// Takes one out.
    pub(super) fn remove(&self, key: usize) {
        let gone = self.lock().try_remove(key);
        drop(gone);
    }

    /// Tells them all.
    pub(super) fn tell(&self, order: Order) {
        for (_, live) in self.lock().iter() {
            live.give(order);
        }
    }

    /// Has them all look again at what they keep to.
    pub(super) fn wake(&self) {
        for (_, live) in self.lock().iter() {
            live.wake();
        }
    }

    /// The one of that id.
    pub(super) fn find(&self, id: ConnectionId) -> Option<Arc<Live>> {
        self.lock().iter().find(|(_, live)| live.id == id).map(|(_, live)| Arc::clone(live))
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
