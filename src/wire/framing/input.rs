//! Bytes that wait to be cut.

use bytes::{Buf, Bytes, BytesMut};

/// What arrived and was not given out. Frames that are whole in what a read brought are parts of it; only what waits
/// for more is copied, once.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// What one read brought, as long as nothing else waits.
    fresh: Bytes,
    /// What waited when more came; `fresh` is empty then.
    pending: BytesMut,
}

impl Input {
    pub(super) fn push(&mut self, bytes: Bytes) {
        if self.bytes().is_empty() {
            self.fresh = bytes;
            return;
        }
        self.pending.extend_from_slice(&std::mem::take(&mut self.fresh));
        self.pending.extend_from_slice(&bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        if self.pending.is_empty() { &self.fresh } else { &self.pending }
    }

    /// The first `size` bytes; there must be so many.
    pub(super) fn take(&mut self, size: usize) -> Bytes {
        if self.pending.is_empty() {
            return self.fresh.split_to(size.min(self.fresh.len()));
        }
        let size = size.min(self.pending.len());
        // A copy of its own size: what is kept of the buffer would otherwise keep all of it.
        let taken = Bytes::copy_from_slice(self.pending.get(..size).unwrap_or_default());
        self.pending.advance(size);
        if self.pending.is_empty() {
            // A silent client needs no buffer.
            self.pending = BytesMut::new();
        }
        taken
    }
}
