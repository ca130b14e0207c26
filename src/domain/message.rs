//! One recorded unit of bytes.

use std::sync::Arc;

use bytes::Bytes;
use encoding_rs::Encoding;

use super::charset::Charset;
use super::clock::Timestamp;
use super::id::ConnectionId;

/// Which way bytes went, seen from the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client.
    Received,
    /// To the client.
    Sent,
}

impl Direction {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
        }
    }
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Where it begins, from the message's first byte on.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

impl Content {
    /// All of a message of `size` bytes.
    pub const fn whole(size: u64) -> Self {
        Self { offset: 0, size }
    }

    /// The bytes of it that are among the first bytes of its message.
    pub fn of(self, message: &[u8]) -> &[u8] {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(message.len());
        message.get(index(self.offset)..index(self.offset.saturating_add(self.size))).unwrap_or_default()
    }
}

/// What framing and rules say about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether a framing cut it, or tried to: its text begins and ends with it. Otherwise it is a read, and its text goes on from
    /// the one before.
    pub is_frame: bool,
    /// The frame without delimiter, prefix or markers.
    pub content: Content,
    /// Why it is no frame, if it is none: `frame incomplete: 9 of 16 bytes`.
    pub fault: Option<Box<str>>,
    /// What the rules made of it; `None` where there were none, or where it was not to be answered.
    pub verdict: Option<Verdict>,
    /// Why its answer could not be computed; of a sent message of no bytes, why there were none to send.
    pub failure: Option<Box<str>>,
}

impl Note {
    /// About a frame, or what is none for a reason.
    pub const fn of_frame(content: Content, fault: Option<Box<str>>) -> Self {
        Self { is_frame: true, content, fault, verdict: None, failure: None }
    }

    /// About a read of so many bytes.
    pub const fn of_read(size: u64) -> Self {
        Self { is_frame: false, content: Content::whole(size), fault: None, verdict: None, failure: None }
    }
}

/// Which rule answered a message, or which came closest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This one did.
    Rule(Arc<str>),
    /// None did.
    NearMiss {
        /// The one that came closest.
        rule: Arc<str>,
        /// Where it differs: `differs at byte 7: expected 0d, got 0a`.
        detail: Box<str>,
    },
}

/// A unit of bytes that crossed the wire in one direction of one connection: what the framing says it is; without
/// framing, one read. Or one reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose.
    pub connection: ConnectionId,
    /// Which way.
    pub direction: Direction,
    /// Its number among the messages of its direction in its connection, from 1.
    pub seq: u64,
    /// Where its first byte stands in the stream of its direction, from 0.
    pub offset: u64,
    /// When it was read, or when its sending began.
    pub at: Timestamp,
    /// Bytes on the wire.
    pub size: u64,
    /// The bytes that are kept: all of them, or the first of them up to the listener's cap.
    pub payload: Bytes,
    /// SHA-256 of all the bytes, where only the first are kept.
    pub sha256: Option<Box<[u8; 32]>>,
    /// The encoding of the listener when it crossed.
    pub charset: Charset,
    /// What framing and rules say about it; `None` where there was neither: the content is the whole.
    pub note: Option<Box<Note>>,
}

impl Message {
    /// What of it is its content. Of a message that did not leave whole, it is what left.
    pub fn content(&self) -> Content {
        let Content { offset, size } =
            self.note.as_ref().map_or(Content::whole(self.size), |note| note.content);
        let offset = offset.min(self.size);
        Content { offset, size: size.min(self.size - offset) }
    }

    /// Whether its text is its own, and does not go on from the message before.
    pub fn is_frame(&self) -> bool {
        self.note.as_ref().is_some_and(|note| note.is_frame)
    }

    /// Why nothing was sent, if this stands on record for what was to be sent unasked and could not be computed.
    pub fn unsent(&self) -> Option<&str> {
        let failure = self.note.as_ref().and_then(|note| note.failure.as_deref());
        failure.filter(|_| self.direction == Direction::Sent)
    }

    /// Whether bytes are missing at its end.
    pub fn is_cut(&self) -> bool {
        (self.payload.len() as u64) < self.size
    }

    /// The encoding to read it in, if it does not have to be guessed.
    pub const fn encoding(&self) -> Option<&'static Encoding> {
        self.charset.fixed()
    }
}
