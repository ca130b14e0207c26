//! A reply made ready for a listener.

use bytes::Bytes;

use super::charset::Charset;
use super::field::FieldError;
use super::framing::Framing;
use super::reply::Reply;
use super::template::Template;
use super::wrap::Ready;

/// The longest reply that is taken, so that one message cannot make the endpoint send more than this: 1 MiB.
const LONGEST_REPLY: usize = 1 << 20;

/// A reply, and its bytes where they are known beforehand.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What was asked for.
    pub reply: Reply,
    /// The bytes as they leave; `None` where they depend on the message or the peer.
    pub ready: Option<Ready>,
    /// The template that computes them, if one does.
    pub template: Option<Template>,
}

impl Prepared {
    /// Makes a reply ready that stands at `pointer`. What is wrong with it is noted.
    pub(super) fn new(
        reply: &Reply,
        pointer: &str,
        charset: Charset,
        framing: Option<&Framing>,
        errors: &mut Vec<FieldError>,
    ) -> Self {
        let ready = ready(reply, charset, framing);
        let ready = ready.map_err(|detail| errors.push(FieldError::new(pointer, detail)));
        let template = reply.template();
        let template =
            template.map_err(|detail| errors.push(FieldError::new(format!("{pointer}/template"), detail)));
        Self {
            reply: reply.clone(),
            ready: ready.unwrap_or_default(),
            template: template.unwrap_or_default(),
        }
    }

    /// Whether it is a text in the encoding that the peer speaks.
    pub(super) const fn follows_peer(&self) -> bool {
        self.ready.is_none() && matches!(self.reply, Reply::Text { .. })
    }
}

/// What is sent, where it does not depend on the message.
fn ready(reply: &Reply, charset: Charset, framing: Option<&Framing>) -> Result<Option<Ready>, String> {
    let bytes = reply.fixed_bytes(charset).map_err(|fault| {
        format!("{fault}; choose another encoding (utf-8 expresses everything) or other words")
    })?;
    // A text in the peer's encoding is measured as it is: UTF-8 is among the longest.
    if bytes.as_ref().map_or(reply.text_len(), Bytes::len) > LONGEST_REPLY {
        return Err("must be at most 1MiB long".to_owned());
    }
    match (bytes, framing) {
        (Some(bytes), Some(framing)) => framing.wrap(bytes).map(Some),
        (bytes, _) => Ok(bytes.map(|bytes| Ready { bytes, content: None })),
    }
}
