//! The connections that are open now, and how they are told to end.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use slab::Slab;

/// What a connection can be told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Finish what is being sent, then end: the service stops.
    Finish = 1,
    /// End at once: the listener is closed.
    Abort = 2,
    /// End at once: the service's time to stop is over.
    AbortForShutdown = 3,
}

/// The outside's handle on one open connection. An order is given at most once of each kind and only ever grows harder.
#[derive(Debug, Default)]
pub(super) struct Live {
    order: AtomicU8,
    waker: AtomicWaker,
}

impl Live {
    fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    /// The order, if there is one.
    pub(super) fn order(&self) -> Option<Order> {
        match self.order.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Order::Finish),
            2 => Some(Order::Abort),
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Slab<Arc<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
