//! Bytes as somebody wrote them in a spec.

use bytes::Bytes;

use super::charset::{Charset, Unencodable};

/// Bytes in the form in which they were given, so that they are shown in it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A text, in the listener's encoding.
    Text(String),
    /// Bytes that were given as hex.
    Hex(Bytes),
    /// Bytes that were given as base64.
    Base64(Bytes),
}

impl Literal {
    /// The bytes; a text in `charset`, of which `auto` is UTF-8.
    ///
    /// # Errors
    /// The first character that the encoding cannot express.
    pub fn bytes(&self, charset: Charset) -> Result<Bytes, Unencodable> {
        match self {
            Self::Text(text) => charset.encode(text).map(Bytes::from),
            Self::Hex(bytes) | Self::Base64(bytes) => Ok(bytes.clone()),
        }
    }
}
