//! A message as the API shows it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use encoding_rs::Encoding;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::{Charset, ConnectionId, ListenerId, Note, Timestamp, Verdict, label_of};
use crate::store::{Cursor, MessageRecord};
use crate::wire::Decoded;

use super::list::{as_text, as_text_or_null};

/// How messages are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// The raw view.
    pub(crate) payload: PayloadForm,
    /// Read in this encoding instead of the listener's.
    pub(crate) encoding: Option<Charset>,
}

/// The raw view of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PayloadForm {
    /// As `base64`.
    #[default]
    Base64,
    /// As `hex`.
    Hex,
    /// Left out.
    None,
}

/// A message read as text.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Its text.
    pub(crate) decoded: Decoded,
    /// What it was read in.
    pub(crate) encoding: &'static Encoding,
    /// What the peer seems to speak.
    pub(crate) detected: Option<&'static Encoding>,
}

/// A message: where and when it crossed, its text and its bytes.
#[derive(Debug, Serialize)]
pub struct MessageView {
    #[serde(serialize_with = "as_text")]
    cursor: Cursor,
    #[serde(serialize_with = "as_text")]
    connection: ConnectionId,
    #[serde(serialize_with = "as_text")]
    listener: ListenerId,
    direction: &'static str,
    seq: u64,
    offset: u64,
    #[serde(serialize_with = "as_text")]
    at: Timestamp,
    size: u64,
    text: String,
    encoding: String,
    malformed: bool,
    detected_encoding: Option<String>,
    #[serde(serialize_with = "as_text_or_null", skip_serializing_if = "Option::is_none")]
    base64: Option<Base64>,
    #[serde(serialize_with = "as_text_or_null", skip_serializing_if = "Option::is_none")]
    hex: Option<Hex>,
    stored: u64,
    #[serde(serialize_with = "as_text_or_null")]
    sha256: Option<Digest>,
    content: ContentView,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    near_miss: Option<NearMissView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_error: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated_in_list: Option<bool>,
}

/// Which part of a message is its content.
#[derive(Debug, Serialize)]
struct ContentView {
    offset: u64,
    size: u64,
}

/// Why a message was not taken for what was expected.
#[derive(Debug, Serialize)]
struct NearMissView {
    /// The rule that came nearest; none where it was no frame to begin with.
    rule: Option<Arc<str>>,
    detail: Box<str>,
}

impl MessageView {
    /// The view of a record; where its payload is shorter than what is kept, it says so.
    pub(crate) fn new(record: MessageRecord, reading: Reading, form: PayloadForm) -> Self {
        let MessageRecord { position, message, stored, listener, newest: _ } = record;
        let truncated = (message.payload.len() as u64) < stored;
        let content = message.content();
        let mut note = message.note;
        let template_error = note.as_mut().and_then(|note| note.failure.take());
        let (rule, near_miss) = judged(note);
        let payload = message.payload;
        Self {
            cursor: Cursor(position),
            connection: message.connection,
            listener: listener.id,
            direction: message.direction.as_str(),
            seq: message.seq,
            offset: message.offset,
            at: message.at,
            size: message.size,
            text: reading.decoded.text,
            encoding: label_of(reading.encoding),
            malformed: reading.decoded.malformed,
            detected_encoding: reading.detected.map(label_of),
            base64: (form == PayloadForm::Base64).then(|| Base64(payload.clone())),
            hex: (form == PayloadForm::Hex).then(|| Hex(payload.clone())),
            stored,
            // A digest is kept only of what is not whole.
            sha256: message.sha256.filter(|_| stored < message.size).map(Digest),
            content: ContentView { offset: content.offset, size: content.size },
            rule,
            near_miss,
            template_error,
            truncated_in_list: truncated.then_some(true),
        }
    }

    /// The view written down: its text need not be held beside the JSON of a whole page.
    ///
    /// # Errors
    /// None of what a view is made of can fail to be written.
    pub(crate) fn write(&self) -> Result<WrittenMessage, serde_json::Error> {
        to_raw_value(self).map(WrittenMessage)
    }
}

/// The rule that answered, or why none did.
fn judged(note: Option<Box<Note>>) -> (Option<Arc<str>>, Option<NearMissView>) {
    match note.map_or((None, None), |note| (note.verdict, note.fault)) {
        (Some(Verdict::Rule(rule)), _) => (Some(rule), None),
        (Some(Verdict::NearMiss { rule, detail }), _) => {
            (None, Some(NearMissView { rule: Some(rule), detail }))
        }
        (None, fault) => (None, fault.map(|detail| NearMissView { rule: None, detail })),
    }
}

/// A [`MessageView`] as JSON.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct WrittenMessage(Box<RawValue>);

impl WrittenMessage {
    /// The JSON.
    pub(crate) fn as_str(&self) -> &str {
        self.0.get()
    }
}

#[derive(Debug)]
struct Base64(Bytes);

impl fmt::Display for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BASE64.encode_display(&self.0).fmt(f)
    }
}

/// With a space between bytes, as people read it and as the API takes it.
#[derive(Debug)]
struct Hex(Bytes);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |half: u8| char::from(DIGITS[usize::from(half & 0xf)]);
        let mut written = String::with_capacity(3 * HEX_AT_ONCE);
        for (n, chunk) in self.0.chunks(HEX_AT_ONCE).enumerate() {
            written.clear();
            for (m, byte) in chunk.iter().enumerate() {
                if n + m > 0 {
                    written.push(' ');
                }
                written.extend([digit(byte >> 4), digit(*byte)]);
            }
            f.write_str(&written)?;
        }
        Ok(())
    }
}

/// Bytes that are written as hex in one go.
const HEX_AT_ONCE: usize = 1 << 10;

#[derive(Debug)]
struct Digest(Box<[u8; 32]>);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&*self.0).fmt(f)
    }
}
