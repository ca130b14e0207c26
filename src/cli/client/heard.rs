//! What came back, as it is printed: piece by piece, however much there is.

use data_encoding::BASE64;
use serde_json::json;

use super::remote::Fault;
use super::screen::Screen;
use crate::domain::{Charset, label_of};
use crate::telemetry::printable;
use crate::wire::{StreamDecoder, encoding_for};

/// Bytes of a line of a hexdump.
const LINE: usize = 16;
/// Bytes that are held for one JSON object.
const MOST: usize = 16 << 20;

/// How it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it came.
    Raw,
    /// Read as text, and escaped.
    Text,
    /// As `hexdump -C` has it.
    Dump,
    /// As one object.
    Json,
}

/// A reply that is being printed.
pub(super) struct Heard {
    screen: Screen,
    form: Form,
    charset: Charset,
    decoder: Option<StreamDecoder>,
    /// What is still to be printed: the beginning of a line of a dump, or all of an object.
    held: Vec<u8>,
    /// How many bytes came.
    size: u64,
    line: Line,
}

/// Where the text stands.
#[derive(Debug, Default)]
struct Line {
    /// Something stands in the line.
    is_begun: bool,
    /// A carriage return came last: before a line end it is a part of that.
    is_returned: bool,
}

impl Heard {
    pub(super) fn new(screen: Screen, form: Form, charset: Charset) -> Self {
        Self { screen, form, charset, decoder: None, held: Vec::new(), size: 0, line: Line::default() }
    }

    /// Prints what came.
    pub(super) fn piece(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let begins_at = self.size - self.held.len() as u64;
        self.size += piece.len() as u64;
        match self.form {
            Form::Raw => self.screen.bytes(piece),
            Form::Text => {
                let begin = || StreamDecoder::new(encoding_for(self.charset, piece), 0);
                let text = self.decoder.get_or_insert_with(begin).decode(piece).text;
                let shown = self.line.shown(&text);
                self.screen.bytes(shown.as_bytes())
            }
            Form::Dump => {
                self.held.extend_from_slice(piece);
                let whole = self.held.len() - self.held.len() % LINE;
                let lines: Vec<u8> = self.held.drain(..whole).collect();
                self.screen.bytes(self.screen.hexdump(begins_at, &lines).as_bytes())
            }
            Form::Json if self.held.len() + piece.len() > MOST => {
                Err(Fault::Failed(format!("more than {MOST} bytes came, too many for JSON")))
            }
            Form::Json => {
                self.held.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Prints the rest. Whether nothing came at all.
    pub(super) fn end(mut self) -> Result<bool, Fault> {
        match self.form {
            Form::Raw => {}
            Form::Text => {
                let rest = self.decoder.take().map(|decoder| decoder.finish(&[]).text).unwrap_or_default();
                let shown = self.line.shown(&rest) + &self.line.end();
                self.screen.bytes(shown.as_bytes())?;
            }
            Form::Dump => {
                let begins_at = self.size - self.held.len() as u64;
                self.screen.bytes(self.screen.hexdump(begins_at, &self.held).as_bytes())?;
            }
            Form::Json => {
                let encoding = encoding_for(self.charset, &self.held);
                let text = StreamDecoder::new(encoding, 0).finish(&self.held).text;
                self.screen.json(&json!({"size": self.size, "text": text, "encoding": label_of(encoding),
                                         "base64": BASE64.encode(&self.held)}))?;
            }
        }
        Ok(self.size == 0)
    }
}

impl Line {
    /// A text for a terminal: its lines are lines, and everything else that would steer it is escaped.
    fn shown(&mut self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for part in text.split_inclusive('\n') {
            let (content, ends) = match part.strip_suffix('\n') {
                Some(content) => (content, true),
                None => (part, false),
            };
            if std::mem::take(&mut self.is_returned) && !(content.is_empty() && ends) {
                shown.push_str("\\r");
            }
            let content = match content.strip_suffix('\r') {
                Some(content) => {
                    self.is_returned = !ends;
                    content
                }
                None => content,
            };
            shown.push_str(&printable(content));
            if ends {
                shown.push('\n');
            }
            self.is_begun = !ends;
        }
        shown
    }

    /// What completes the last line.
    fn end(&self) -> String {
        let returned = if self.is_returned { "\\r" } else { "" };
        let end = if self.is_begun { "\n" } else { "" };
        format!("{returned}{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&str]) -> String {
        let mut line = Line::default();
        let text: String = pieces.iter().map(|piece| line.shown(piece)).collect();
        text + &line.end()
    }

    #[test]
    fn lines_are_lines_and_nothing_else_steers_the_terminal() {
        for (pieces, text) in [
            (&["a\r\nb\n"][..], "a\nb\n"),
            (&["a\r", "\nb"], "a\nb\n"),
            (&["a\r", "b\r"], "a\\rb\\r\n"),
            (&["a\rb\x1b[2J\u{202e}"], "a\\rb\\u{1b}[2J\\u{202e}\n"),
            (&["\n", "\n"], "\n\n"),
            (&["\r", "\r", "\n"], "\\r\n"),
            (&[], ""),
        ] {
            assert_eq!(shown(pieces), text, "{pieces:?}");
        }
    }
}
