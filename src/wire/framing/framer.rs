//! The state machine: bytes are pushed in, pieces come out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::domain::{Boundary, Content, Framing, OnOverflow};

use super::fault::{FrameFault, Lack};
use super::input::Input;
use super::judge::{Skip, State, Verdict, judge};
use super::search::skip;

/// One direction of a stream that is cut into frames.
#[derive(Debug)]
pub struct Framer {
    framing: Arc<Framing>,
    input: Input,
    state: State,
    skip: Option<Skip>,
    /// Why what is skipped is no frame, until that is said.
    fault: Option<FrameFault>,
    end: Option<End>,
}

/// Some bytes of the stream; the pieces, one after the other, are the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// All of them, as they crossed the wire.
    pub bytes: Bytes,
    /// What of them matters; of what is no frame, all.
    pub content: Content,
    /// Why they are no frame, if they are none.
    pub fault: Option<Box<str>>,
    /// Whether the connection is to be closed, as `on_overflow` says.
    pub closes: bool,
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client said that nothing more comes.
    Fin,
    /// In any other way.
    Broken,
}

impl Framer {
    /// A framer at the beginning of a frame.
    pub fn new(framing: Arc<Framing>) -> Self {
        let (input, state) = (Input::default(), State::default());
        Self { framing, input, state, skip: None, fault: None, end: None }
    }

    /// Goes on with another framing, if it is another: what waits is cut anew.
    pub fn adopt(&mut self, framing: &Arc<Framing>) {
        if Arc::ptr_eq(&self.framing, framing) {
            return;
        }
        if self.framing != *framing {
            (self.state, self.skip, self.fault) = (State::default(), None, None);
        }
        self.framing = Arc::clone(framing);
    }

    /// More bytes.
    pub fn push(&mut self, bytes: Bytes) {
        self.input.push(bytes);
    }

    /// Nothing came for as long as [`Framer::gap`] says.
    pub const fn pause(&mut self) {
        self.state.is_paused = true;
    }

    /// Nothing more will come: what follows from that is in the next pieces, and in the end nothing waits any more.
    pub const fn end(&mut self, end: End) {
        self.state.is_over = true;
        self.end = Some(end);
    }

    /// How long a pause is to be told of, if one would end anything.
    pub fn gap(&self) -> Option<Duration> {
        let waits = !self.input.bytes().is_empty() || self.skip == Some(Skip::ToPause);
        match self.framing.boundary() {
            Boundary::IdleGap(gap) if waits => Some(gap),
            _ => None,
        }
    }

    /// How much waits.
    pub fn waiting(&self) -> usize {
        self.input.bytes().len()
    }

    /// All that waits, as it is.
    pub fn rest(&mut self) -> Bytes {
        self.input.take(self.input.bytes().len())
    }

    /// The next piece; `None` until more bytes come.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            if self.input.bytes().is_empty() {
                if self.state.is_paused && self.skip == Some(Skip::ToPause) {
                    self.skip = None;
                }
                self.state.is_paused = false;
                return None;
            }
            if let Some(skip) = self.skip {
                return self.skipped(skip);
            }
            match judge(&self.framing, self.input.bytes(), &mut self.state) {
                Verdict::Wait(lack) => return self.ended(lack),
                Verdict::Frame { size, head, tail } => return Some(self.frame(size, head, tail)),
                Verdict::Stray { size, fault } => return Some(self.stray(size, fault)),
                Verdict::GiveUp { fault, skip } if self.framing.draft().on_overflow == OnOverflow::Raw => {
                    (self.skip, self.fault) = (Some(skip), Some(fault));
                }
                Verdict::GiveUp { fault, .. } => {
                    self.skip = Some(Skip::All);
                    let all = self.stray(self.input.bytes().len(), fault);
                    return Some(Piece { closes: true, ..all });
                }
            }
        }
    }

    fn frame(&mut self, size: usize, head: usize, tail: usize) -> Piece {
        let bytes = self.take(size);
        let content = if self.framing.draft().keep {
            Content::whole(size as u64)
        } else {
            Content { offset: head as u64, size: (size - head - tail) as u64 }
        };
        Piece { bytes, content, fault: None, closes: false }
    }

    fn stray(&mut self, size: usize, fault: FrameFault) -> Piece {
        let bytes = self.take(size);
        Piece {
            content: Content::whole(size as u64),
            bytes,
            fault: Some(fault.to_string().into()),
            closes: false,
        }
    }

    fn take(&mut self, size: usize) -> Bytes {
        self.state.scanned = 0;
        self.input.take(size)
    }

    /// What belongs to bytes that cannot be framed, as far as it is there.
    fn skipped(&mut self, skipping: Skip) -> Option<Piece> {
        let all = self.input.bytes().len();
        let (size, rest) = match skipping {
            Skip::All => (all, Some(Skip::All)),
            Skip::ToPause => (all, (!self.state.is_paused).then_some(Skip::ToPause)),
            Skip::Bytes(left) => {
                let size = usize::try_from(left).unwrap_or(usize::MAX).min(all);
                let left = left - size as u64;
                (size, (left > 0).then_some(Skip::Bytes(left)))
            }
            Skip::ToMark => match self.framing.boundary() {
                Boundary::Delimiter(marks) | Boundary::StartEnd(_, marks) => {
                    let (size, is_all) = skip(marks, self.input.bytes(), &self.state);
                    (size, (!is_all).then_some(Skip::ToMark))
                }
                _ => (all, None),
            },
        };
        self.skip = rest;
        if size == 0 {
            return None;
        }
        let fault = self.fault.take().unwrap_or(FrameFault::Rest);
        Some(self.stray(size, fault))
    }

    /// What waits, if nothing more will come.
    fn ended(&mut self, lack: Lack) -> Option<Piece> {
        let end = self.end?;
        let size = self.input.bytes().len();
        let is_until_close = matches!(self.framing.boundary(), Boundary::UntilClose);
        if is_until_close && end == End::Fin {
            return Some(self.frame(size, 0, 0));
        }
        Some(self.stray(size, FrameFault::Incomplete { have: size as u64, lack }))
    }
}
