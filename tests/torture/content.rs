//! Messages whose every byte follows from a number: what is on record can be judged without the sender.

/// Which message or stream it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    /// How often the service had been started when it was sent.
    pub(crate) run: u32,
    pub(crate) client: u32,
    pub(crate) number: u32,
}

/// Bytes that name it, at its beginning.
pub(crate) const HEAD: usize = 16;

const MARK: [u8; 4] = *b"\x01tt\xff";

impl Id {
    fn head(self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let parts = [MARK, self.run.to_be_bytes(), self.client.to_be_bytes(), self.number.to_be_bytes()];
        head.copy_from_slice(parts.concat().as_slice());
        head
    }

    /// Which one begins like this.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEAD)?;
        let word = |n: usize| Some(u32::from_be_bytes(head.get(4 * n..4 * n + 4)?.try_into().ok()?));
        (head[..4] == MARK).then_some(Self { run: word(1)?, client: word(2)?, number: word(3)? })
    }

    /// Its bytes from `from` on, `len` of them.
    pub(crate) fn bytes(self, from: u64, len: usize) -> Vec<u8> {
        let head = self.head();
        let seed = mix(u64::from(self.run) << 40 ^ u64::from(self.client) << 20 ^ u64::from(self.number));
        let byte = |at: u64| match head.get(usize::try_from(at).unwrap_or(usize::MAX)) {
            Some(byte) => *byte,
            None => mix(seed ^ (at / 8)).to_le_bytes()[(at % 8) as usize],
        };
        (from..from + len as u64).map(byte).collect()
    }

    /// How long it is when it is one message: short enough for one segment.
    pub(crate) fn message_len(self) -> usize {
        HEAD + (mix(u64::from(self.number) << 32 | u64::from(self.client)) % 1_000) as usize
    }
}

/// Numbers that look random.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of `from..to`.
    pub(crate) fn roll(&mut self, from: u64, to: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        from + mix(self.0) % (to - from)
    }
}

/// The finalizer of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
