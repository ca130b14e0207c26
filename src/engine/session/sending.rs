//! What leaves: when, at which pace, and what of it left.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::CloseReason;
use crate::store::Record;

use super::super::live::Order;
use super::super::replies::Replies;
use super::super::stream::Stream;
use super::pump::{Ending, Session, reason_of};

/// Whether a FIN follows what is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Last,
    OfMany,
}

impl<S: Stream> Session<S> {
    /// Lets time pass before a reply. What the client sends meanwhile waits in its own buffers.
    pub(super) async fn wait(&mut self, delay: Duration) -> Result<(), Ending> {
        let until = Instant::now() + delay;
        let lifetime = self.place.listener.limits().lifetime.map(|lifetime| self.opened + lifetime);
        let ends = lifetime.filter(|lifetime| *lifetime < until);
        poll_fn(|cx| {
            if let Poll::Ready(order) = self.place.live.poll_order(Order::Cut, cx) {
                return Poll::Ready(Err(Ending::reset(reason_of(order))));
            }
            ready!(self.deadline.poll(Some(ends.unwrap_or(until)), cx));
            Poll::Ready(if ends.is_some() { Err(Ending::quiet(CloseReason::Lifetime)) } else { Ok(()) })
        })
        .await
    }

    /// Sends all of it, or says on record how much left.
    pub(super) async fn send(&mut self, replies: &Replies, word: Word) -> Result<(), Ending> {
        let (bytes, mut left, mut stuck_since) = (replies.bytes(), 0, None);
        let write = self.place.listener.limits().write;
        let result = poll_fn(|cx| {
            while left < bytes.len() {
                let rest = bytes.get(left..).unwrap_or_default();
                let stream = Pin::new(&mut self.stream);
                let written = match word {
                    Word::Last => stream.poll_write_last(cx, rest),
                    Word::OfMany => stream.poll_write(cx, rest),
                };
                match written {
                    Poll::Ready(Ok(n)) => (left, stuck_since) = (left + n, None),
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Ending::quiet(CloseReason::PeerReset))),
                    Poll::Pending => {
                        let since = *stuck_since.get_or_insert_with(Instant::now);
                        return self.poll_stuck(since + write, cx).map(Err);
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
        .await;
        self.sent(replies, left as u64);
        result
    }

    /// Of the replies `left` bytes left in all. The record of those that did not leave whole is corrected, the last first.
    fn sent(&mut self, replies: &Replies, left: u64) {
        let mut short = Vec::new();
        for (planned, size) in replies.shares(left) {
            self.place.sent(planned, size);
            if size < planned {
                short.push((planned, size));
            }
        }
        if short.is_empty() {
            return;
        }
        let (connection, conversation) = (self.connection, &mut self.conversation);
        let correct = |(planned, size)| {
            let seq = conversation.on_sent_short(planned, size);
            Record::SentShort { connection, seq, size }
        };
        self.place.recorder().note(short.into_iter().rev().map(correct).collect());
    }

    /// The client takes nothing: until when, and does anybody want an end before?
    fn poll_stuck(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<Ending> {
        if let Poll::Ready(order) = self.place.live.poll_order(Order::Cut, cx) {
            return Poll::Ready(Ending::reset(reason_of(order)));
        }
        let lifetime = self.place.listener.limits().lifetime.map(|lifetime| self.opened + lifetime);
        let (until, reason) = match lifetime {
            Some(lifetime) if lifetime < until => (lifetime, CloseReason::Lifetime),
            _ => (until, CloseReason::WriteTimeout),
        };
        self.deadline.poll(Some(until), cx).map(|()| Ending::reset(reason))
    }
}
