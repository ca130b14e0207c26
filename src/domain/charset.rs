//! Encodings by their WHATWG labels, and text to bytes.
//!
//! Bytes to text, which depends on what came before, is `wire::codec`.

use std::fmt;

use encoding_rs::{EncoderResult, Encoding, REPLACEMENT, UTF_16BE, UTF_16LE};

/// The encoding of a listener's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Whatever the peer seems to speak; UTF-8 until that is known.
    Auto,
    /// One encoding.
    Fixed(&'static Encoding),
}

impl Charset {
    /// Reads a WHATWG label in any case (`gbk`, `UTF-8`, `latin1`, …) or `auto`.
    ///
    /// # Errors
    /// A sentence that names the label.
    pub fn parse(label: &str) -> Result<Self, String> {
        if label.trim().eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        match Encoding::for_label(label.as_bytes()) {
            Some(encoding) if encoding != REPLACEMENT => Ok(Self::Fixed(encoding)),
            _ => Err(format!(
                "unknown encoding `{}`; use a label of the WHATWG Encoding Standard such as gbk, utf-8, big5, \
                 shift_jis or windows-1252, or auto",
                label.escape_debug()
            )),
        }
    }

    /// A name that [`parse`](Self::parse) reads back, without an allocation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fixed(encoding) => encoding.name(),
        }
    }

    /// The encoding, where it does not depend on the peer.
    pub const fn fixed(self) -> Option<&'static Encoding> {
        match self {
            Self::Auto => None,
            Self::Fixed(encoding) => Some(encoding),
        }
    }
}

/// The canonical label, in lower case: `gbk`, `utf-8`, …; `auto`.
impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(encoding) => f.write_str(&label_of(encoding)),
        }
    }
}

/// The canonical label of an encoding, in lower case.
pub fn label_of(encoding: &'static Encoding) -> String {
    encoding.name().to_ascii_lowercase()
}

/// A character that an encoding has no bytes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unencodable {
    /// The first such character of the text.
    pub character: char,
    /// The encoding.
    pub encoding: &'static Encoding,
}

impl fmt::Display for Unencodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (c, code) = (self.character.escape_debug(), u32::from(self.character));
        write!(f, "`{c}` (U+{code:04X}) cannot be expressed in {}", label_of(self.encoding))
    }
}

/// The bytes of `text` in `encoding`; never a substitute such as `&#128512;`.
///
/// UTF-16 is written as UTF-16 and without a byte order mark, where the WHATWG standard, which thinks of forms, would
/// write UTF-8.
///
/// # Errors
/// The first character that the encoding cannot express.
pub(super) fn encode(text: &str, encoding: &'static Encoding) -> Result<Vec<u8>, Unencodable> {
    if encoding == UTF_16LE {
        return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    }
    if encoding == UTF_16BE {
        return Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    let mut encoder = encoding.new_encoder();
    let mut bytes = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return Ok(bytes),
            EncoderResult::OutputFull => bytes.reserve(rest.len() * 2 + 64),
            EncoderResult::Unmappable(character) => return Err(Unencodable { character, encoding }),
        }
    }
}

impl Charset {
    /// Bytes as text, of which `auto` is UTF-8; what is no text becomes U+FFFD.
    pub fn decode_lossy(self, bytes: &[u8]) -> String {
        let encoding = self.fixed().unwrap_or(encoding_rs::UTF_8);
        encoding.decode_without_bom_handling(bytes).0.into_owned()
    }

    /// The bytes of `text`; `auto` writes UTF-8.
    ///
    /// # Errors
    /// The first character that the encoding cannot express.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, Unencodable> {
        encode(text, self.fixed().unwrap_or(encoding_rs::UTF_8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charset(label: &str) -> Charset {
        Charset::parse(label).unwrap()
    }

    #[test]
    fn the_standard_reply_has_the_tutorials_17_bytes_in_gbk() {
        let bytes = charset("gbk").encode(super::super::STANDARD_REPLY).unwrap();
        assert_eq!(
            bytes,
            [
                0xce, 0xca, 0xcc, 0xe2, 0xd5, 0xfd, 0xd4, 0xda, 0xb4, 0xa6, 0xc0, 0xed, 0xd6, 0xd0, 0x2e,
                0x2e, 0x2e
            ]
        );
    }

    #[test]
    fn what_an_encoding_cannot_express_is_named_and_never_substituted() {
        let fault = charset("gbk").encode("ok 😀").unwrap_err();
        assert_eq!(fault.character, '😀');
        assert_eq!(fault.to_string(), "`😀` (U+1F600) cannot be expressed in gbk");
        assert_eq!(charset("latin1").encode("问").unwrap_err().character, '问');
    }

    #[test]
    fn utf_16_is_written_as_utf_16() {
        assert_eq!(charset("utf-16le").encode("A问").unwrap(), [0x41, 0, 0xee, 0x95]);
        assert_eq!(charset("utf-16be").encode("A").unwrap(), [0, 0x41]);
    }

    #[test]
    fn a_stateful_encoding_ends_where_it_began() {
        assert_eq!(charset("iso-2022-jp").encode("日").unwrap(), b"\x1b$BF|\x1b(B");
    }

    #[test]
    fn labels_are_read_in_any_case_and_unknown_ones_are_refused() {
        assert_eq!(charset("GB2312").to_string(), "gbk");
        assert_eq!(charset("Auto"), Charset::Auto);
        assert!(Charset::parse("klingon").unwrap_err().contains("`klingon`"));
        // A label that the standard maps to "replacement", which can express nothing.
        assert!(Charset::parse("iso-2022-kr").is_err());
    }
}
