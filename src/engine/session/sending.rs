//! What leaves: when, at which pace, and what of it left.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::CloseReason;
use crate::store::Record;
use crate::wire::Pace;

use super::super::live::Order;
use super::super::plan::Late;
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

    /// Sends what waits, each when its time has come, and records it then. How many bytes it was.
    pub(super) async fn send_late(&mut self, late: Vec<Late>, word: Word) -> Result<usize, Ending> {
        let (mut sent, last) = (0, late.len());
        for (n, late) in (1..).zip(late) {
            let pace = late.pace;
            if !late.delay.is_zero() {
                self.wait(late.delay).await?;
            }
            let (kept, replies) = late.begin(&self.place);
            if let Some(kept) = kept {
                kept.await.map_err(|_| Ending::reset(CloseReason::JournalUnavailable))?;
            }
            let size = replies.bytes().len();
            if size > 0 {
                self.send(&replies, if n == last { word } else { Word::OfMany }, pace).await?;
            }
            sent += size;
        }
        Ok(sent)
    }

    /// Sends all of it, at a pace if there is one, or says on record how much left.
    pub(super) async fn send(
        &mut self,
        replies: &Replies,
        word: Word,
        pace: Option<Pace>,
    ) -> Result<(), Ending> {
        let (bytes, mut left) = (replies.bytes(), 0);
        let sent = match pace {
            None => self.write(bytes, &mut left, word).await,
            Some(pace) => Box::pin(self.write_at(pace, bytes, &mut left, word)).await,
        };
        self.sent(replies, left as u64);
        sent
    }

    /// Writes a piece, lets the time pass that it takes at this pace, writes the next.
    async fn write_at(
        &mut self,
        pace: Pace,
        bytes: &[u8],
        left: &mut usize,
        word: Word,
    ) -> Result<(), Ending> {
        while *left < bytes.len() {
            if let Some(next) = self.hindered.next_send {
                self.wait(next.saturating_duration_since(Instant::now())).await?;
            }
            let (from, until) = (*left, left.saturating_add(pace.bytes.max(1)).min(bytes.len()));
            let word = if until == bytes.len() { word } else { Word::OfMany };
            self.write(bytes.get(..until).unwrap_or_default(), left, word).await?;
            self.hindered.next_send = Some(Instant::now() + pace.time(*left - from));
        }
        Ok(())
    }

    /// Writes the bytes from `left` on, and counts there how far that came.
    async fn write(&mut self, bytes: &[u8], left: &mut usize, word: Word) -> Result<(), Ending> {
        let mut stuck_since = None;
        poll_fn(|cx| {
            while *left < bytes.len() {
                let rest = bytes.get(*left..).unwrap_or_default();
                let stream = Pin::new(&mut self.stream);
                let written = match word {
                    Word::Last => stream.poll_write_last(cx, rest),
                    Word::OfMany => stream.poll_write(cx, rest),
                };
                match written {
                    Poll::Ready(Ok(n)) => (*left, stuck_since) = (*left + n, None),
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Ending::quiet(CloseReason::PeerReset))),
                    Poll::Pending => {
                        let since = *stuck_since.get_or_insert_with(Instant::now);
                        return self.poll_stuck(since + self.place.listener.limits().write, cx).map(Err);
                    }
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Of the replies `left` bytes left in all. The record of those that did not leave whole is corrected, the last first.
    fn sent(&mut self, replies: &Replies, left: u64) {
        let mut short = Vec::new();
        for (seq, planned, size) in replies.shares(left) {
            self.place.sent(planned, size);
            if size < planned {
                short.push((seq, planned, size));
            }
        }
        if short.is_empty() {
            return;
        }
        let (connection, conversation) = (self.connection, &mut self.conversation);
        let correct = |(seq, planned, size)| {
            conversation.on_sent_short(planned, size);
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
