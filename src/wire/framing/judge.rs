//! What the first bytes of a stream are, by the framing.

use crate::domain::{Boundary, Framing};

use super::fault::{FrameFault, Lack};
use super::length::{Head, ascii, binary, octets};
use super::search::{Found, search};

/// What the first bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not a whole frame yet.
    Wait(Lack),
    /// A frame of so many bytes, of which the first `head` and the last `tail` are not its content.
    Frame { size: usize, head: usize, tail: usize },
    /// So many bytes that are no frame; behind them one may begin.
    Stray { size: usize, fault: FrameFault },
    /// They are no frame, and with them so much of what follows.
    GiveUp { fault: FrameFault, skip: Skip },
}

/// What belongs to bytes that cannot be framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// So many bytes.
    Bytes(u64),
    /// All up to the delimiter or end marker, with it.
    ToMark,
    /// All up to the next pause.
    ToPause,
    /// All.
    All,
}

/// What is known of the stream beside its bytes.
#[derive(Debug, Default)]
pub(super) struct State {
    /// No delimiter or end marker begins before this place.
    pub(super) scanned: usize,
    /// Nothing came for as long as `idle_gap` says.
    pub(super) is_paused: bool,
    /// Nothing more will come.
    pub(super) is_over: bool,
}

/// What the first of these bytes, of which there is at least one, are.
pub(super) fn judge(framing: &Framing, bytes: &[u8], state: &mut State) -> Verdict {
    let max = framing.max();
    match framing.boundary() {
        Boundary::Delimiter(delimiters) => match search(delimiters, bytes, 0, max, state) {
            Found::At(mark) => Verdict::Frame { size: mark.end, head: 0, tail: mark.len() },
            Found::NotYet => Verdict::Wait(Lack::Delimiter),
            Found::TooFar => too_long(None, max, Skip::ToMark),
        },
        Boundary::StartEnd(start, end) => {
            if !start.begins(bytes) {
                return outside(
                    start.find(bytes, 0).map(|mark| mark.start),
                    start.begun(bytes),
                    bytes,
                    state,
                );
            }
            let head = start.longest();
            match search(end, bytes, head, max, state) {
                Found::At(mark) => Verdict::Frame { size: mark.end, head, tail: mark.len() },
                Found::NotYet => Verdict::Wait(Lack::End),
                Found::TooFar => too_long(None, max, Skip::ToMark),
            }
        }
        Boundary::LengthPrefixed(prefix) => sized(binary(prefix, bytes), bytes, max),
        Boundary::AsciiLength { width, counts_prefix } => {
            sized(ascii(usize::from(width), counts_prefix, bytes), bytes, max)
        }
        Boundary::OctetCounting => sized(octets(bytes), bytes, max),
        Boundary::Fixed(size) => sized(Head::Size { head: 0, size: i128::from(size) }, bytes, max),
        Boundary::IdleGap(_) => by_time(bytes, max, state.is_paused || state.is_over, Skip::ToPause),
        Boundary::UntilClose => by_time(bytes, max, false, Skip::All),
    }
}

fn too_long(size: Option<i128>, max: usize, skip: Skip) -> Verdict {
    Verdict::GiveUp { fault: FrameFault::TooLong { size, max: max as u64 }, skip }
}

/// Bytes before the first marker; at their end `begun` bytes may be its beginning.
fn outside(marker: Option<usize>, begun: usize, bytes: &[u8], state: &State) -> Verdict {
    let begun = if state.is_over { 0 } else { begun };
    match marker.unwrap_or(bytes.len() - begun) {
        0 => Verdict::Wait(Lack::Start),
        size => Verdict::Stray { size, fault: FrameFault::Outside },
    }
}

/// A frame that says how long it is.
fn sized(head: Head, bytes: &[u8], max: usize) -> Verdict {
    match head {
        Head::NotYet(need) => Verdict::Wait(Lack::Head(need as u64)),
        Head::Bad(fault) => Verdict::GiveUp { fault, skip: Skip::All },
        Head::Size { head, size } if size < head as i128 => {
            let fault = FrameFault::TooShort { size, head: head as u64 };
            Verdict::GiveUp { fault, skip: Skip::All }
        }
        Head::Size { size, .. } if size > max as i128 => {
            too_long(Some(size), max, Skip::Bytes(u64::try_from(size).unwrap_or(u64::MAX)))
        }
        Head::Size { head, size } => match usize::try_from(size).unwrap_or(usize::MAX) {
            size if size <= bytes.len() => Verdict::Frame { size, head, tail: 0 },
            size => Verdict::Wait(Lack::Bytes(size as u64)),
        },
    }
}

/// All that came before some moment.
fn by_time(bytes: &[u8], max: usize, is_now: bool, skip: Skip) -> Verdict {
    if bytes.len() > max {
        too_long(None, max, skip)
    } else if is_now {
        Verdict::Frame { size: bytes.len(), head: 0, tail: 0 }
    } else {
        Verdict::Wait(Lack::Silence)
    }
}
