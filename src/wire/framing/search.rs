//! Delimiters and end markers, found without looking twice.

use std::ops::Range;

use crate::domain::Patterns;

use super::judge::State;

/// Where the end of a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Here; no more bytes will change that.
    At(Range<usize>),
    /// Not known yet.
    NotYet,
    /// Behind the largest frame.
    TooFar,
}

/// Looks for the end of the frame that begins with these bytes; it stands behind the first `head` of them.
pub(super) fn search(marks: &Patterns, bytes: &[u8], head: usize, max: usize, state: &mut State) -> Found {
    let window = bytes.get(..max.saturating_add(marks.longest())).unwrap_or(bytes);
    let from = state.scanned.max(head);
    state.scanned = from;
    let Some(mark) = marks.find(window, from) else {
        state.scanned = from.max((window.len() + 1).saturating_sub(marks.longest()));
        return if bytes.len() >= max { Found::TooFar } else { Found::NotYet };
    };
    if !state.is_over && may_grow(marks, bytes, mark.start) {
        state.scanned = from.max(mark.start.min((bytes.len() + 1).saturating_sub(marks.longest())));
        return Found::NotYet;
    }
    if mark.end > max { Found::TooFar } else { Found::At(mark) }
}

/// Looks for the end of what cannot be framed: how many bytes belong to it, and whether they are all of it.
pub(super) fn skip(marks: &Patterns, bytes: &[u8], state: &State) -> (usize, bool) {
    match marks.find(bytes, state.scanned) {
        Some(mark) if state.is_over || !may_grow(marks, bytes, mark.start) => (mark.end, true),
        _ if state.is_over => (bytes.len(), false),
        _ => (bytes.len() - marks.begun(bytes.get(state.scanned..).unwrap_or_default()), false),
    }
}

/// Whether bytes that are still to come can make another mark of it: one that begins earlier, or a longer one.
fn may_grow(marks: &Patterns, bytes: &[u8], start: usize) -> bool {
    bytes.len() - start < marks.longest() && marks.begun(bytes) >= bytes.len() - start
}
