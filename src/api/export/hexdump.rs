//! To read: as `hexdump -C` shows bytes, with who sent them and when.

use std::fmt::Write;

use crate::domain::Direction;
use crate::store::{ConnectionRecord, MessageRecord};

/// Bytes of a line.
const LINE: usize = 16;

/// Writes records down for people.
#[derive(Debug, Default)]
pub(super) struct Hexdump {
    text: String,
}

impl Hexdump {
    /// Who came where, and when.
    pub(super) fn connection(&mut self, record: &ConnectionRecord, out: &mut Vec<u8>) {
        let connection = &record.connection;
        let name = connection.listener.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        self.text.clear();
        let (id, at) = (connection.id, connection.opened_at);
        let _ = writeln!(self.text, "{at} {} -> {}{name} {id}", connection.peer, connection.local);
        out.extend_from_slice(self.text.as_bytes());
    }

    /// What crossed.
    pub(super) fn message(&mut self, record: &MessageRecord, out: &mut Vec<u8>) {
        let message = &record.message;
        let arrow = match message.direction {
            Direction::Received => '>',
            Direction::Sent => '<',
        };
        self.text.clear();
        let _ = write!(self.text, "{} {arrow} {} bytes", message.at, message.size);
        if message.is_cut() {
            let _ = write!(self.text, ", the first {} of them kept", message.payload.len());
        }
        self.text.push('\n');
        for (line, at) in message.payload.chunks(LINE).zip((message.offset..).step_by(LINE)) {
            self.line(line, at);
        }
        out.extend_from_slice(self.text.as_bytes());
    }

    /// How it ended.
    pub(super) fn end(&mut self, record: &ConnectionRecord, out: &mut Vec<u8>) {
        self.text.clear();
        let _ = match record.closing {
            Some(closing) => {
                let (by, reason) = (closing.by.as_str(), closing.reason.as_str());
                writeln!(self.text, "{} closed by {by}: {reason}\n", closing.at)
            }
            None => writeln!(self.text, "open\n"),
        };
        out.extend_from_slice(self.text.as_bytes());
    }

    /// As `hexdump -C` has it: the offset, the bytes in two halves, and what of them is ASCII.
    fn line(&mut self, bytes: &[u8], at: u64) {
        let _ = write!(self.text, "{at:08x} ");
        for n in 0..LINE {
            if n % (LINE / 2) == 0 {
                self.text.push(' ');
            }
            let _ = match bytes.get(n) {
                Some(byte) => write!(self.text, "{byte:02x} "),
                None => write!(self.text, "   "),
            };
        }
        self.text.push_str(" |");
        let shown =
            |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        self.text.extend(bytes.iter().map(shown));
        self.text.push_str("|\n");
    }
}
