//! What is sent back.

use bytes::Bytes;

use super::charset::{Charset, Unencodable};
use super::template::{Template, TemplateForm};

/// The standard reply of the tutorial that the project comes from ("the question is being dealt with..."): 17 bytes in
/// GBK.
pub const STANDARD_REPLY: &str = "问题正在处理中...";

/// What a listener sends back for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Silence,
    /// A text, in the listener's encoding unless it says otherwise.
    Text {
        /// The text as given.
        text: String,
        /// Its own encoding, if it has one.
        encoding: Option<ReplyEncoding>,
    },
    /// Bytes that were given as hex.
    Hex(Bytes),
    /// Bytes that were given as base64.
    Base64(Bytes),
    /// The message itself.
    Echo,
    /// What a template makes of the message.
    Template {
        /// The template as given.
        source: String,
        /// What its text is taken for.
        form: TemplateForm,
        /// Where its random numbers begin, if they are to be the same again.
        seed: Option<u64>,
    },
}

/// An encoding named beside a reply's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyEncoding {
    /// Always this one.
    Fixed(Charset),
    /// The one that the peer's bytes seem to be in.
    Peer,
}

impl Reply {
    /// The standard reply.
    pub fn standard() -> Self {
        Self::Text { text: STANDARD_REPLY.to_owned(), encoding: None }
    }

    /// Why it cannot be sent unasked, if it cannot: it needs a message, or is nothing.
    pub const fn is_no_message(&self) -> Option<&'static str> {
        match self {
            Self::Echo => Some("there is nothing to echo: give a text, hex, base64 or a template"),
            Self::Silence => Some("there is nothing to send: give a text, hex, base64 or a template"),
            _ => None,
        }
    }

    /// The template that it is, compiled.
    pub(super) fn template(&self) -> Result<Option<Template>, String> {
        match self {
            Self::Template { source, form, seed } => Template::new(source, *form, *seed).map(Some),
            _ => Ok(None),
        }
    }

    /// How long its text is in UTF-8; 0 where it is none.
    pub(super) const fn text_len(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.len(),
            _ => 0,
        }
    }

    /// The bytes, where they do not depend on the message; `None` for echo and for texts in the peer's encoding.
    ///
    /// # Errors
    /// The first character that the text's encoding cannot express.
    pub fn fixed_bytes(&self, listener: Charset) -> Result<Option<Bytes>, Unencodable> {
        match self {
            Self::Silence => Ok(Some(Bytes::new())),
            Self::Hex(bytes) | Self::Base64(bytes) => Ok(Some(bytes.clone())),
            Self::Echo | Self::Template { .. } => Ok(None),
            Self::Text { text, encoding } => {
                let charset = match encoding {
                    None => listener,
                    Some(ReplyEncoding::Fixed(charset)) => *charset,
                    Some(ReplyEncoding::Peer) => Charset::Auto,
                };
                match charset {
                    Charset::Auto => Ok(None),
                    Charset::Fixed(_) => charset.encode(text).map(|bytes| Some(bytes.into())),
                }
            }
        }
    }
}
