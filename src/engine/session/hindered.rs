//! What faults do to a connection's socket.

use tokio::time::Instant;

use crate::domain::Limits;

use super::super::stream::Stream;
use super::buffer::SCRATCH;
use super::periodic::Sends;
use super::pump::Session;

/// Bytes that wait to be read on a slow line. A window that is open already cannot be smaller: what is in it would be dropped
/// and sent again. One that is not read at all does not grow, so it needs no bound.
const WINDOW: usize = 64 << 10;

/// How far it is held up.
#[derive(Debug, Default)]
pub(super) struct Hindered {
    /// Nothing that the client sends arrives any more.
    pub(super) is_deaf: bool,
    /// Its window was made small. It stays so: the kernel does not let it grow by itself again.
    is_narrow: bool,
    /// Bytes that were read.
    read: u64,
    next_read: Option<Instant>,
    /// When the next piece of a reply may leave, where there is a pace.
    pub(super) next_send: Option<Instant>,
}

/// Whether the client is read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// At most so many bytes.
    UpTo(usize),
    /// Not before then.
    At(Instant),
    /// Not any more, while things are as they are.
    Never,
}

impl<S: Stream> Session<S> {
    /// Takes up the spec in force, as far as it concerns more than the next message; its limits.
    pub(super) fn adopt(&mut self) -> Limits {
        let (place, conversation, sends) = (&self.place, &mut self.conversation, &mut self.sends);
        let limits = place.listener.with_spec(|spec| {
            Sends::adopt(sends, spec);
            conversation.adopt_faults(spec, || place.clock().now());
            spec.draft().limits
        });
        if self.conversation.is_troubled() {
            self.hinder();
        }
        limits
    }

    fn hinder(&mut self) {
        let conversation = &self.conversation;
        let (hindrance, hindered) = (conversation.hindrance(), &mut self.hindered);
        if hindrance.is_deaf != hindered.is_deaf {
            hindered.is_deaf = hindrance.is_deaf;
            self.stream.turn_deaf(hindrance.is_deaf);
        }
        if hindrance.reading.is_some() && !hindered.is_narrow {
            hindered.is_narrow = true;
            self.stream.narrow_window(WINDOW);
        }
    }

    /// Whether the client may be read now.
    pub(super) fn reading(&self) -> Reading {
        if !self.conversation.is_troubled() {
            return Reading::UpTo(SCRATCH);
        }
        let (hindrance, hindered) = (self.conversation.hindrance(), &self.hindered);
        let left = hindrance.reads_up_to.map_or(u64::MAX, |most| most.saturating_sub(hindered.read));
        if hindered.is_deaf || left == 0 {
            return Reading::Never;
        }
        let at = hindered.next_read.filter(|at| hindrance.reading.is_some() && *at > Instant::now());
        let piece = hindrance.reading.map_or(SCRATCH, |pace| pace.bytes);
        at.map_or_else(|| Reading::UpTo(piece.min(usize::try_from(left).unwrap_or(SCRATCH))), Reading::At)
    }

    /// So many bytes were read.
    pub(super) fn has_read(&mut self, bytes: usize) {
        self.hindered.read += bytes as u64;
        if !self.conversation.is_troubled() {
            return;
        }
        if let Some(pace) = self.conversation.hindrance().reading {
            let now = Instant::now();
            self.hindered.next_read = Some(now + pace.time(bytes));
        }
    }
}
