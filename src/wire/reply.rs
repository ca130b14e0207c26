//! A reply's spec and a message to the bytes that leave.

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};

use crate::domain::{
    Charset, ConnectionId, Content, Context, ListenerSpec, Name, Note, Prepared, Ready, Reply, ReplyEncoding,
    Rule, Subject, Template, Then, Timestamp,
};

use super::turn::Client;

/// Bytes to send, and the encoding that whoever reads them as text should take.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) bytes: Bytes,
    pub(super) charset: Charset,
    /// What of them is the content, where they are a frame.
    pub(super) content: Option<Content>,
}

/// A rule that answers, and how often it has answered its connection before.
type Chosen<'r> = Option<(&'r Rule, u32)>;

/// What a template is told besides the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances {
    pub(super) connection: ConnectionId,
    pub(super) client: Client,
    /// The message's number among those that the connection received; 0 for a greeting.
    pub(super) seq: u64,
    pub(super) now: Timestamp,
}

/// What answers `message`; no bytes are silence. `peer` is the encoding that the client was last seen to speak.
///
/// # Errors
/// Why a template gave no answer.
pub(super) fn answer(
    spec: &ListenerSpec,
    rule: Chosen<'_>,
    (message, note): (&Bytes, Option<&Note>),
    peer: Option<&'static Encoding>,
    circumstances: Circumstances,
) -> Result<Outgoing, String> {
    let listener = spec.draft().charset;
    let Prepared { reply, ready, template } = own_reply(rule).unwrap_or_else(|| spec.reply());
    if let Some(template) = template {
        let content = note.map_or(&**message, |note| note.content.of(message));
        let subject = Subject { content, peer: circumstances.client.address.ip(), nth: circumstances.seq };
        let captures = rule.map(|(rule, _)| rule.captures(&subject)).unwrap_or_default();
        return rendered(template, spec, content, captures, circumstances);
    }
    Ok(match (ready, reply) {
        (Some(ready), _) => prepared(ready, charset_of(reply, listener)),
        (None, Reply::Echo) => {
            let content = note.map(|note| note.content);
            Outgoing { bytes: message.clone(), charset: listener, content }
        }
        (None, Reply::Text { text, .. }) => in_peers_encoding(text, spec, peer),
        (None, _) => nothing(listener),
    })
}

const fn nothing(charset: Charset) -> Outgoing {
    Outgoing { bytes: Bytes::new(), charset, content: None }
}

fn rendered(
    template: &Template,
    spec: &ListenerSpec,
    content: &[u8],
    captures: Vec<(String, Bytes)>,
    circumstances: Circumstances,
) -> Result<Outgoing, String> {
    let Circumstances { connection, client, seq, now } = circumstances;
    let draft = spec.draft();
    let context = Context {
        content,
        seq,
        captures,
        connection,
        number: client.number,
        peer: client.address,
        listener: draft.name.as_ref().map(Name::as_str),
        port: client.port,
        charset: draft.charset,
        counters: spec.counters(),
        now,
    };
    let bytes = template.render(&context)?;
    match spec.framing().map(|framing| framing.wrap(bytes.clone())) {
        None => Ok(Outgoing { bytes, charset: draft.charset, content: None }),
        Some(Ok(ready)) => Ok(prepared(&ready, draft.charset)),
        Some(Err(fault)) => Err(format!("the template's reply {fault}")),
    }
}

/// What follows the answer.
pub(super) fn then(spec: &ListenerSpec, rule: Chosen<'_>) -> Then {
    let is_echo = own_reply(rule).is_some_and(|own| own.reply == Reply::Echo);
    let said = rule.and_then(|(rule, _)| rule.then).or(spec.draft().then);
    said.unwrap_or_else(|| if is_echo { Then::Keep } else { spec.then() })
}

fn own_reply(rule: Chosen<'_>) -> Option<&Prepared> {
    rule.and_then(|(rule, answered)| rule.reply(answered))
}

/// What is sent without a message to answer.
///
/// # Errors
/// Why a template gave nothing.
pub(super) fn unasked(
    send: &Prepared,
    spec: &ListenerSpec,
    peer: Option<&'static Encoding>,
    circumstances: Circumstances,
) -> Result<Outgoing, String> {
    let listener = spec.draft().charset;
    if let Some(template) = &send.template {
        return rendered(template, spec, &[], Vec::new(), circumstances);
    }
    Ok(match (&send.ready, &send.reply) {
        (Some(ready), reply) => prepared(ready, charset_of(reply, listener)),
        (None, Reply::Text { text, .. }) => in_peers_encoding(text, spec, peer),
        (None, _) => nothing(listener),
    })
}

fn prepared(ready: &Ready, charset: Charset) -> Outgoing {
    Outgoing { bytes: ready.bytes.clone(), charset, content: ready.content }
}

/// The encoding of a reply that has one of its own; of any other, the listener's.
fn charset_of(reply: &Reply, listener: Charset) -> Charset {
    match reply {
        Reply::Text { encoding: Some(ReplyEncoding::Fixed(charset)), .. } => *charset,
        _ => listener,
    }
}

/// What the peer cannot read it cannot read in any case: a text that its encoding cannot express goes out in UTF-8, so
/// that it is whole, rather than with substitutes in it.
fn in_peers_encoding(text: &str, spec: &ListenerSpec, peer: Option<&'static Encoding>) -> Outgoing {
    let utf8 = Charset::Fixed(UTF_8);
    let wanted = match (peer, spec.draft().charset) {
        (Some(encoding), _) => Charset::Fixed(encoding),
        (None, Charset::Auto) => utf8,
        (None, fixed) => fixed,
    };
    let (bytes, charset) = match wanted.encode(text) {
        Ok(bytes) => (bytes, wanted),
        Err(_) => (text.as_bytes().to_vec(), utf8),
    };
    match spec.framing().map(|framing| framing.wrap(bytes.clone().into())) {
        None => Outgoing { bytes: bytes.into(), charset, content: None },
        Some(Ok(ready)) => prepared(&ready, charset),
        // Its encoding made it longer than a frame's length can say: a client that reads frames gets no half of one.
        Some(Err(_)) => Outgoing { bytes: Bytes::new(), charset, content: None },
    }
}
