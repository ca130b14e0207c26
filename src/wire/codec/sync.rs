//! Where a decoder can begin in the middle of a stream.

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, REPLACEMENT, SHIFT_JIS, UTF_8, UTF_16BE,
    UTF_16LE,
};

/// Where in `bytes`, which end right before `offset` of a stream, a fresh decoder can begin so that at `offset` it is in
/// the state of one that read the whole stream. `None` when more of what stands before is needed.
///
/// The states are those of the decoders of the WHATWG Encoding Standard.
pub fn sync_point(encoding: &'static Encoding, bytes: &[u8], offset: u64) -> Option<usize> {
    if encoding.is_single_byte() {
        Some(bytes.len())
    } else if encoding == UTF_8 {
        utf_8(bytes)
    } else if encoding == UTF_16LE || encoding == UTF_16BE {
        // A whole code unit settles it: a high surrogate waits for its low one, anything else waits for nothing.
        let half = usize::from(offset % 2 == 1);
        bytes.len().checked_sub(half + 2)
    } else if encoding == ISO_2022_JP {
        bytes.windows(3).rposition(is_escape)
    } else if encoding == REPLACEMENT {
        // One U+FFFD for the first byte of the stream and silence from then on.
        bytes.len().checked_sub(1)
    } else {
        bytes.iter().rposition(|&byte| ends_character(encoding, byte)).map(|at| at + 1)
    }
}

/// A byte that begins a character ends whatever was open before it, and no character has more than three others.
fn utf_8(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.len().saturating_sub(3);
    let begins = bytes.get(tail..)?.iter().rposition(|byte| !matches!(byte, 0x80..=0xbf));
    match begins {
        Some(at) => Some(tail + at),
        None if bytes.len() >= 3 => Some(bytes.len()),
        None => None,
    }
}

/// The escape sequences of ISO-2022-JP: each sets the whole state, whatever it was.
fn is_escape(window: &[u8]) -> bool {
    matches!(window, b"\x1b(B" | b"\x1b(J" | b"\x1b(I" | b"\x1b$@" | b"\x1b$B")
}

/// Whether behind this byte nothing is open, no matter what stood before it: it is never the first byte of a character,
/// or none that could be one is left open by it.
fn ends_character(encoding: &'static Encoding, byte: u8) -> bool {
    if encoding == GBK || encoding == GB18030 {
        // Digits are the second and fourth byte of four.
        !matches!(byte, 0x30..=0x39 | 0x81..=0xfe)
    } else if encoding == BIG5 || encoding == EUC_KR {
        !matches!(byte, 0x81..=0xfe)
    } else if encoding == EUC_JP {
        !matches!(byte, 0x8e | 0x8f | 0xa1..=0xfe)
    } else if encoding == SHIFT_JIS {
        !matches!(byte, 0x81..=0x9f | 0xe0..=0xfc)
    } else {
        false
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::*;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::super::{Decoded, StreamDecoder};
    use super::sync_point;

    const ALL: [&Encoding; 40] = [
        BIG5,
        EUC_JP,
        EUC_KR,
        GB18030,
        GBK,
        IBM866,
        ISO_2022_JP,
        ISO_8859_10,
        ISO_8859_13,
        ISO_8859_14,
        ISO_8859_15,
        ISO_8859_16,
        ISO_8859_2,
        ISO_8859_3,
        ISO_8859_4,
        ISO_8859_5,
        ISO_8859_6,
        ISO_8859_7,
        ISO_8859_8,
        ISO_8859_8_I,
        KOI8_R,
        KOI8_U,
        MACINTOSH,
        REPLACEMENT,
        SHIFT_JIS,
        UTF_16BE,
        UTF_16LE,
        UTF_8,
        WINDOWS_1250,
        WINDOWS_1251,
        WINDOWS_1252,
        WINDOWS_1253,
        WINDOWS_1254,
        WINDOWS_1255,
        WINDOWS_1256,
        WINDOWS_1257,
        WINDOWS_1258,
        WINDOWS_874,
        X_MAC_CYRILLIC,
        X_USER_DEFINED,
    ];

    /// Bytes in which the states of the decoders are often left in the middle.
    fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
        let escape =
            select(vec![&b"\x1b(B"[..], b"\x1b(J", b"\x1b(I", b"\x1b$@", b"\x1b$B", b"\x1b$", b"\x1b"]);
        let piece = prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 1..6),
            4 => proptest::collection::vec(0x81..=0xffu8, 1..6),
            2 => proptest::collection::vec(prop_oneof![0x30..=0x39u8, 0x81..=0xfeu8], 1..8),
            2 => escape.prop_map(<[u8]>::to_vec),
            1 => "[ -~]{1,4}".prop_map(String::into_bytes),
            1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
            1 => proptest::collection::vec(0xd7..=0xe0u8, 1..6),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn messages(bytes: &[u8], cuts: &[Index]) -> Vec<(usize, Vec<u8>)> {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        at.windows(2).map(|pair| (pair[0], bytes[pair[0]..pair[1]].to_vec())).collect()
    }

    /// A message read alone, with as much of what stands before it as it takes.
    fn alone(
        encoding: &'static Encoding,
        stream: &[u8],
        from: usize,
        message: &[u8],
        first_window: usize,
    ) -> Decoded {
        let mut window = first_window;
        loop {
            let start = from.saturating_sub(window);
            let before = &stream[start..from];
            let begin = sync_point(encoding, before, from as u64).or((start == 0).then_some(0));
            if let Some(begin) = begin {
                let mut decoder = StreamDecoder::new(encoding, (start + begin) as u64);
                decoder.decode(&before[begin..]);
                return decoder.decode(message);
            }
            window *= 2;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn every_split_of_a_stream_gives_its_text_and_every_message_can_be_read_alone(
            encoding in select(ALL.to_vec()),
            bytes in some_bytes(),
            cuts in proptest::collection::vec(any::<Index>(), 0..12),
            first_window in 1..9usize,
        ) {
            let whole = StreamDecoder::new(encoding, 0).finish(&bytes);
            prop_assert_eq!(&whole.text, &encoding.decode_without_bom_handling(&bytes).0);
            let messages = messages(&bytes, &cuts);
            let (mut texts, mut malformed) = (String::new(), false);
            let mut decoder = StreamDecoder::new(encoding, 0);
            for (from, message) in &messages {
                let decoded = decoder.decode(message);
                prop_assert_eq!(&alone(encoding, &bytes, *from, message, first_window), &decoded);
                texts.push_str(&decoded.text);
                malformed |= decoded.malformed;
            }
            let end = decoder.finish(&[]);
            texts.push_str(&end.text);
            prop_assert_eq!(texts, whole.text);
            prop_assert_eq!(malformed | end.malformed, whole.malformed);
        }
    }

    #[test]
    fn a_stream_that_never_synchronizes_asks_for_more() {
        assert_eq!(sync_point(GBK, &[0xb0; 64], 64), None);
        assert_eq!(sync_point(GBK, b"\xc4\xe3\n\xba", 4), Some(3));
        assert_eq!(sync_point(ISO_2022_JP, b"plain", 5), None);
        assert_eq!(sync_point(UTF_8, &[], 9), None);
        assert_eq!(sync_point(WINDOWS_1252, &[], 9), Some(0));
    }
}
