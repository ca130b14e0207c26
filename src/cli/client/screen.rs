//! What is printed, and how it looks where it is a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::remote::Fault;
use crate::client::Direction;
use crate::domain::{Clock, SystemClock};
use crate::telemetry::{printable, printable_json};

/// Characters of a text that stand in a table.
const IN_TABLE: usize = 40;
/// Bytes in a line of a hexdump, as `hexdump -C` has it.
const LINE: usize = 16;

/// Standard output.
pub(super) struct Screen {
    pub(super) is_json: bool,
    pub(super) is_terminal: bool,
    has_colour: bool,
}

/// What a text is, where colours say it too.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    Received,
    Sent,
    Dim,
    Bold,
    Bad,
}

impl Look {
    const fn code(self) -> &'static str {
        match self {
            Self::Received => "36",
            Self::Sent => "32",
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Bad => "31",
        }
    }
}

impl Screen {
    pub(super) fn new(is_json: bool) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { is_json, is_terminal, has_colour: is_terminal && !is_plain }
    }

    /// A line.
    pub(super) fn line(&self, text: &str) -> Result<(), Fault> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }

    /// Bytes as they are.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<(), Fault> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// What the API answered: laid out for people where they look at it, a line for programs where they read it.
    pub(super) fn json(&self, value: &Value) -> Result<(), Fault> {
        let text = if self.is_terminal { format!("{value:#}") } else { value.to_string() };
        self.line(&printable_json(&text))
    }

    /// The same, where there is one after the other: each on a line.
    pub(super) fn json_line(&self, value: &Value) -> Result<(), Fault> {
        self.line(&printable_json(&value.to_string()))
    }

    /// Painted, where there are colours.
    pub(super) fn paint(&self, look: Look, text: &str) -> String {
        if self.has_colour { format!("\x1b[{}m{text}\x1b[0m", look.code()) } else { text.to_owned() }
    }

    /// A table. What stands in it must be printable. On a terminal, what is too wide for it is cut.
    pub(super) fn table(&self, head: &[&'static str], rows: Vec<Vec<String>>) -> Result<(), Fault> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(head);
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text = table.to_string();
        // A terminal may not know how wide it is, and says 0.
        let width =
            table.width().filter(|width| self.is_terminal && *width > 0).map_or(usize::MAX, usize::from);
        for (n, line) in text.lines().map(|line| cut(line.trim_end(), width)).enumerate() {
            // Painted when it is laid out: what paints takes up no room.
            let line = if n == 0 { self.paint(Look::Bold, &line) } else { line };
            self.line(&line)?;
        }
        Ok(())
    }

    /// Bytes as `hexdump -C` shows them, the first of which stands at `offset` of its stream.
    pub(super) fn hexdump(&self, offset: u64, bytes: &[u8]) -> String {
        let mut out = String::new();
        for (n, chunk) in bytes.chunks(LINE).enumerate() {
            let at = format!("{:08x}", offset + (n * LINE) as u64);
            // Writing to a string cannot fail.
            let _ = write!(out, "    {}", self.paint(Look::Dim, &at));
            for at in 0..LINE {
                out.push_str(if at % 8 == 0 { "  " } else { " " });
                match chunk.get(at) {
                    Some(byte) => drop(write!(out, "{byte:02x}")),
                    None => out.push_str("  "),
                }
            }
            let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
            let _ = writeln!(out, "  |{}|", chunk.iter().map(shown).collect::<String>());
        }
        out
    }
}

/// The sign of a direction.
pub(super) const fn arrow(direction: Direction) -> (&'static str, Look) {
    match direction {
        Direction::Received => (">", Look::Received),
        Direction::Sent => ("<", Look::Sent),
    }
}

/// The beginning of a text, harmless on a terminal.
pub(super) fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(IN_TABLE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    printable(&short)
}

/// What of a line a terminal of this width has room for.
fn cut(line: &str, width: usize) -> String {
    if line.width() <= width {
        return line.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let taken = c.width().unwrap_or(0);
        let fits = taken <= room;
        room = room.saturating_sub(taken);
        fits
    };
    line.chars().take_while(fits).chain(['…']).collect()
}

/// An RFC 3339 time to the second: of today, the time of day.
pub(super) fn moment(at: &str) -> String {
    let now = SystemClock.now().to_string();
    match (at.get(..10), at.get(11..19)) {
        (Some(day), Some(time)) if now.starts_with(day) => time.to_owned(),
        (Some(day), Some(time)) => format!("{day} {time}"),
        _ => printable(at),
    }
}

/// The time of day of an RFC 3339 time, to the millisecond.
pub(super) fn clock(at: &str) -> &str {
    at.split('T').nth(1).and_then(|time| time.get(..12)).unwrap_or(at)
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 10_000 { format!("{bytes} B") } else { indicatif::HumanBytes(bytes).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_width_that_it_is_shown_with() {
        assert_eq!(cut("gate 问题正在", 20), "gate 问题正在");
        assert_eq!(cut("gate 问题正在", 13), "gate 问题正在");
        assert_eq!(cut("gate 问题正在", 12), "gate 问题正…");
        assert_eq!(cut("gate 问题正在", 11), "gate 问题…");
        assert_eq!(cut("gate", 0), "…");
    }

    #[test]
    fn a_time_of_another_day_has_its_day() {
        assert_eq!(moment("2001-02-03T04:05:06.123456Z"), "2001-02-03 04:05:06");
        assert_eq!(moment("soon"), "soon");
    }
}
