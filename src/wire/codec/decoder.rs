//! The text of a stream, message by message.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE};

/// The text of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The characters that end in the message, and U+FFFD where bytes are none.
    pub text: String,
    /// Whether bytes were replaced by U+FFFD.
    pub malformed: bool,
}

/// Decodes one direction of one connection.
///
/// A character split over messages is whole, and stands in the text of the message in which it ends; so the texts of
/// all messages concatenate to the text of the stream.
pub struct StreamDecoder {
    encoding: &'static Encoding,
    decoder: Decoder,
    /// The next byte is the second half of a code unit whose first half is not there.
    half_unit: bool,
}

impl StreamDecoder {
    /// A decoder that begins at `offset` of the stream, in the state that a stream begins in.
    ///
    /// UTF-16 keeps to the stream's even and odd positions: what begins in the middle of a code unit, behind a gap,
    /// begins with a half of one, which is U+FFFD.
    pub fn new(encoding: &'static Encoding, offset: u64) -> Self {
        let half_unit = offset % 2 == 1 && (encoding == UTF_16LE || encoding == UTF_16BE);
        Self { encoding, decoder: encoding.new_decoder_without_bom_handling(), half_unit }
    }

    /// What it decodes from.
    pub const fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// The text of a message that others follow: a character that it only begins is in the text of the next.
    pub fn decode(&mut self, bytes: &[u8]) -> Decoded {
        let mut rest = bytes;
        let mut decoded = Decoded { text: String::with_capacity(bytes.len() + ROOM), malformed: false };
        if self.half_unit && !rest.is_empty() {
            (self.half_unit, decoded.malformed) = (false, true);
            decoded.text.push(char::REPLACEMENT_CHARACTER);
            rest = rest.get(1..).unwrap_or_default();
        }
        self.run(rest, false, &mut decoded);
        decoded
    }

    /// The text of a message that nothing follows: a character that is not complete at its end is U+FFFD.
    pub fn finish(mut self, bytes: &[u8]) -> Decoded {
        let mut decoded = self.decode(bytes);
        self.run(&[], true, &mut decoded);
        decoded
    }

    fn run(&mut self, bytes: &[u8], last: bool, decoded: &mut Decoded) {
        let mut rest = bytes;
        loop {
            let (result, read, malformed) = self.decoder.decode_to_string(rest, &mut decoded.text, last);
            decoded.malformed |= malformed;
            rest = rest.get(read..).unwrap_or_default();
            match result {
                CoderResult::InputEmpty => return,
                CoderResult::OutputFull => decoded.text.reserve(rest.len() + rest.len() / 2 + ROOM),
            }
        }
    }
}

/// Bytes of room that let any decoder write at least one more character.
const ROOM: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(label: &str) -> StreamDecoder {
        StreamDecoder::new(Encoding::for_label(label.as_bytes()).unwrap(), 0)
    }

    #[test]
    fn a_character_split_over_two_messages_stands_in_the_second() {
        let mut gbk = stream("gbk");
        assert_eq!(gbk.decode(b"a\xc4"), Decoded { text: "a".into(), malformed: false });
        assert_eq!(gbk.finish(b"\xe3b"), Decoded { text: "你b".into(), malformed: false });
    }

    #[test]
    fn what_the_stream_ends_in_the_middle_of_is_malformed() {
        assert_eq!(
            stream("utf-8").finish(b"ok\xe4\xbd"),
            Decoded { text: "ok\u{fffd}".into(), malformed: true }
        );
        assert_eq!(stream("gbk").finish(b"\xc4"), Decoded { text: "\u{fffd}".into(), malformed: true });
        assert_eq!(stream("gbk").finish(b""), Decoded { text: String::new(), malformed: false });
    }

    #[test]
    fn the_tutorials_27_bytes_of_utf_8_are_no_gbk() {
        let bytes = "登录请求，请处理！".as_bytes();
        assert_eq!(bytes.len(), 27);
        assert!(stream("gbk").finish(bytes).malformed);
        assert_eq!(stream("utf-8").finish(bytes).text, "登录请求，请处理！");
    }

    #[test]
    fn a_byte_order_mark_is_text() {
        assert_eq!(stream("utf-8").finish(b"\xef\xbb\xbfa").text, "\u{feff}a");
        assert!(stream("gbk").finish(b"\xff\xfea").malformed);
        assert_eq!(stream("utf-16le").finish(b"\xff\xfea\0").text, "\u{feff}a");
    }

    #[test]
    fn utf_16_behind_a_gap_keeps_to_the_units_of_the_stream() {
        let behind = |offset| StreamDecoder::new(UTF_16LE, offset);
        assert_eq!(behind(3).decode(b"\0a\0").text, "\u{fffd}a");
        assert_eq!(behind(4).decode(b"a\0").text, "a");
    }
}
