//! A position in the journal, and how clients carry it.

use std::fmt;

use data_encoding::BASE32HEX_NOPAD;

/// Where a record stands in the journal. Every record has its own; later ones are greater. 0 is before all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// Before the oldest record.
    pub const START: Self = Self(0);
}

/// A position as clients carry it: 13 characters that sort as the positions do, and say nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub Position);

impl Cursor {
    /// Reads a cursor that was given out, or the word `start`.
    ///
    /// # Errors
    /// A sentence that says what a cursor is.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "start" {
            return Ok(Self(Position::START));
        }
        let upper = text.to_ascii_uppercase();
        let bytes = BASE32HEX_NOPAD.decode(upper.as_bytes()).ok().and_then(|b| <[u8; 8]>::try_from(b).ok());
        bytes.map(|b| Self(Position(u64::from_be_bytes(b)))).ok_or_else(|| {
            "no cursor; give one that an earlier answer carried as `next` or `cursor`, or `start`".to_owned()
        })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = BASE32HEX_NOPAD.encode(&self.0.0.to_be_bytes());
        f.write_str(&text.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_and_sort_as_their_positions() {
        let texts: Vec<_> =
            [1, 2, 255, 256, 1 << 40, u64::MAX].map(|p| Cursor(Position(p)).to_string()).into();
        assert!(texts.windows(2).all(|w| w[0] < w[1]), "{texts:?}");
        assert!(texts.iter().all(|t| t.len() == 13));
        assert_eq!(Cursor::parse(&texts[2]).unwrap().0, Position(255));
        assert_eq!(Cursor::parse("start").unwrap().0, Position::START);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for bad in ["", "0", "zzzzzzzzzzzzz", "00000000000001", "é", "START "] {
            assert!(Cursor::parse(bad).is_err(), "{bad}");
        }
    }
}
