//! Replies that leave together.

use bytes::Bytes;

/// The replies of one turn: a client that asks much in one segment is answered in one.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The only one, or the first.
    first: Bytes,
    /// All of them, where there are several.
    joined: Vec<u8>,
    /// The number of the first, as it is recorded.
    first_seq: u64,
    /// The number and the size of each, where there are several.
    sizes: Vec<(u64, u64)>,
}

impl Replies {
    /// Adds one; none is added for silence.
    pub(super) fn add(&mut self, seq: u64, reply: Bytes) {
        if reply.is_empty() {
            return;
        }
        if self.first.is_empty() {
            (self.first, self.first_seq) = (reply, seq);
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&self.first);
            self.sizes.push((self.first_seq, self.first.len() as u64));
        }
        self.joined.extend_from_slice(&reply);
        self.sizes.push((seq, reply.len() as u64));
    }

    /// What leaves.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() { &self.first } else { &self.joined }
    }

    /// When `left` bytes left: the number and the size of each reply, and how much of it that was.
    pub(super) fn shares(&self, mut left: u64) -> impl Iterator<Item = (u64, u64, u64)> {
        let only = self.sizes.is_empty().then_some((self.first_seq, self.first.len() as u64));
        only.into_iter().chain(self.sizes.iter().copied()).map(move |(seq, size)| {
            let share = size.min(left);
            left -= share;
            (seq, size, share)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_has_its_share_of_what_left() {
        let mut replies = Replies::default();
        assert!(replies.bytes().is_empty());
        replies.add(7, Bytes::from_static(b"one"));
        assert_eq!((replies.bytes(), replies.shares(2).collect::<Vec<_>>()), (&b"one"[..], vec![(7, 3, 2)]));
        for reply in ["", "two", "three"] {
            replies.add(8 + reply.len() as u64, Bytes::from(reply));
        }
        assert_eq!(replies.bytes(), b"onetwothree");
        assert_eq!(replies.shares(4).collect::<Vec<_>>(), [(7, 3, 3), (11, 3, 1), (13, 5, 0)]);
    }
}
