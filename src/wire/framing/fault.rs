//! Why bytes are no frame, in words.

use std::fmt;

/// What a frame that is not complete lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// So many bytes make the frame.
    Bytes(u64),
    /// So many bytes make its beginning, which says how many there are.
    Head(u64),
    /// Its delimiter.
    Delimiter,
    /// Its first marker.
    Start,
    /// Its last marker.
    End,
    /// The client's FIN, or a pause.
    Silence,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameFault {
    /// Nothing more came.
    Incomplete { have: u64, lack: Lack },
    /// It is larger than allowed; its size, where that is known.
    TooLong { size: Option<i128>, max: u64 },
    /// A byte of the length is no digit.
    NoDigit { at: u64, byte: u8 },
    /// The length makes the frame end before the end of the length.
    TooShort { size: i128, head: u64 },
    /// They stand where a marker must be.
    Outside,
    /// They follow bytes that could not be framed, and belong to these.
    Rest,
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Incomplete { have, lack } => {
                write!(f, "frame incomplete: {have}")?;
                match lack {
                    Lack::Bytes(need) => write!(f, " of {need} bytes"),
                    Lack::Head(need) => write!(f, " of at least {need} bytes"),
                    Lack::Delimiter => f.write_str(" bytes and no delimiter"),
                    Lack::Start => f.write_str(" bytes of its start"),
                    Lack::End => f.write_str(" bytes and no end marker"),
                    Lack::Silence => f.write_str(" bytes, and the client did not close"),
                }
            }
            Self::TooLong { size: Some(size), max } => {
                write!(f, "frame too long: {size} bytes, at most {max}")
            }
            Self::TooLong { size: None, max } => write!(f, "frame too long: no end within {max} bytes"),
            Self::NoDigit { at, byte } => {
                write!(f, "no frame: byte {at} of the length is {byte:02x}, which is no digit there")
            }
            Self::TooShort { size, head } => {
                write!(f, "no frame: its length makes it {size} bytes, and it has {head} up to its length")
            }
            Self::Outside => f.write_str("outside a frame: no start marker"),
            Self::Rest => f.write_str("the rest of what could not be framed"),
        }
    }
}
