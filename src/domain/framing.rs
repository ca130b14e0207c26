//! Where a message ends in a stream of bytes.

use std::time::Duration;

use super::charset::Charset;
use super::field::FieldError;
use super::literal::Literal;
use super::patterns::Patterns;

/// The largest frame that may be allowed: 16 MiB. The bytes of a frame that is not complete are held in memory, for each
/// connection.
const LARGEST_MAX: u64 = 16 << 20;
/// Delimiters at most.
const MOST_DELIMITERS: usize = 16;
/// Bytes of a delimiter or marker at most: so many are looked at again when a segment ends within one.
const LONGEST_MARK: usize = 64;

/// A framing as somebody wishes it; [`Framing::new`] says whether it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramingDraft {
    /// How the end of a frame is found.
    pub cut: Cut,
    /// Bytes of a whole frame at most, as it crosses the wire.
    pub max: u64,
    /// What follows bytes that cannot be framed.
    pub on_overflow: OnOverflow,
    /// Whether what is sent is put into frames too.
    pub frame_replies: bool,
    /// Whether the content of a frame is the whole frame.
    pub keep: bool,
}

impl FramingDraft {
    /// Bytes of a frame at most, unless told otherwise: 64 KiB, as much as one read takes.
    pub const DEFAULT_MAX: u64 = 64 << 10;

    /// This cut, and all else as by default.
    pub const fn new(cut: Cut) -> Self {
        let (max, on_overflow) = (Self::DEFAULT_MAX, OnOverflow::Close);
        Self { cut, max, on_overflow, frame_replies: false, keep: false }
    }
}

/// How the end of a frame is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// A frame ends with the first of these; the longest, where several stand at one place.
    Delimiter(Vec<Literal>),
    /// A frame begins with a header that has its length as a binary number.
    LengthPrefixed(LengthPrefix),
    /// A frame begins with its length in decimal digits.
    AsciiLength {
        /// How many digits.
        width: u8,
        /// Whether the length counts the digits too.
        counts_prefix: bool,
    },
    /// A frame begins with its length in decimal digits and a blank (RFC 6587, section 3.4.1).
    OctetCounting,
    /// A frame has so many bytes.
    Fixed(u64),
    /// A frame begins with the one and ends with the other.
    StartEnd {
        /// The first bytes.
        start: Literal,
        /// The last bytes.
        end: Literal,
    },
    /// A frame ends when nothing came for so long.
    IdleGap(Duration),
    /// All that a client sends is one frame, which ends with its FIN.
    UntilClose,
}

/// A header with a length in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthPrefix {
    /// Bytes before the length.
    pub offset: u64,
    /// Bytes of the length: 1, 2, 3, 4 or 8.
    pub width: u8,
    /// Which of them comes first.
    pub endian: Endian,
    /// Whether the length counts from the first byte of the frame on, and not only what follows it.
    pub counts_prefix: bool,
    /// What is added to the length to get what it counts.
    pub adjust: i64,
}

impl LengthPrefix {
    /// Bytes up to the end of the length.
    pub const fn head(&self) -> u64 {
        self.offset + self.width as u64
    }

    /// Bytes of the frame in which the length is `value`.
    pub const fn frame_size(&self, value: u64) -> i128 {
        let base = if self.counts_prefix { 0 } else { self.head() as i128 };
        base + value as i128 + self.adjust as i128
    }
}

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// The highest.
    Big,
    /// The lowest.
    Little,
}

impl Endian {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Big => "big",
            Self::Little => "little",
        }
    }
}

/// What follows bytes that cannot be framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOverflow {
    /// FIN, as after a last reply.
    Close,
    /// They are recorded without an answer, and framing begins anew behind them where that can be found.
    Raw,
}

impl OnOverflow {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Raw => "raw",
        }
    }
}

/// A framing that can be: its delimiters are bytes, its numbers fit each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Framing {
    draft: FramingDraft,
    marks: Marks,
    max: usize,
}

/// The bytes that are looked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Marks {
    None,
    Delimiters(Patterns),
    StartEnd(Patterns, Patterns),
}

/// How the end of a frame is found, with the bytes to look for.
#[derive(Debug, Clone, Copy)]
pub enum Boundary<'a> {
    /// Behind one of these.
    Delimiter(&'a Patterns),
    /// By a binary number.
    LengthPrefixed(LengthPrefix),
    /// By decimal digits, as many as these.
    AsciiLength {
        /// How many digits.
        width: u8,
        /// Whether the length counts the digits too.
        counts_prefix: bool,
    },
    /// By decimal digits and a blank.
    OctetCounting,
    /// By its size.
    Fixed(u64),
    /// From the one to the other.
    StartEnd(&'a Patterns, &'a Patterns),
    /// At a pause.
    IdleGap(Duration),
    /// With the client's FIN.
    UntilClose,
}

impl Framing {
    /// Checks a draft; texts are in `charset`.
    ///
    /// # Errors
    /// Everything that is wrong with it; pointers begin with `/framing`.
    pub fn new(draft: FramingDraft, charset: Charset) -> Result<Self, Vec<FieldError>> {
        let mut errors = check(&draft);
        let marks = marks(&draft.cut, charset, &mut errors);
        let max = usize::try_from(draft.max).unwrap_or(usize::MAX);
        if errors.is_empty() { Ok(Self { draft, marks, max }) } else { Err(errors) }
    }

    /// What was asked for.
    pub const fn draft(&self) -> &FramingDraft {
        &self.draft
    }

    /// Bytes of a whole frame at most.
    pub const fn max(&self) -> usize {
        self.max
    }

    /// How the end of a frame is found.
    pub const fn boundary(&self) -> Boundary<'_> {
        match (&self.draft.cut, &self.marks) {
            (_, Marks::Delimiters(delimiters)) => Boundary::Delimiter(delimiters),
            (_, Marks::StartEnd(start, end)) => Boundary::StartEnd(start, end),
            (Cut::LengthPrefixed(prefix), _) => Boundary::LengthPrefixed(*prefix),
            (Cut::AsciiLength { width, counts_prefix }, _) => {
                Boundary::AsciiLength { width: *width, counts_prefix: *counts_prefix }
            }
            (Cut::OctetCounting, _) => Boundary::OctetCounting,
            (Cut::Fixed(size), _) => Boundary::Fixed(*size),
            (Cut::IdleGap(gap), _) => Boundary::IdleGap(*gap),
            // The first two have their marks, which are matched above.
            (Cut::UntilClose | Cut::Delimiter(_) | Cut::StartEnd { .. }, Marks::None) => Boundary::UntilClose,
        }
    }
}

fn check(draft: &FramingDraft) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |bad: bool, name: &str, detail: String| {
        if bad {
            errors.push(FieldError::new(format!("/framing/{name}"), detail));
        }
    };
    let max = draft.max;
    wrong(max == 0 || max > LARGEST_MAX, "max", "must be from 1 to 16MiB".into());
    match &draft.cut {
        Cut::Delimiter(list) => {
            let bad = list.is_empty() || list.len() > MOST_DELIMITERS;
            wrong(bad, "delimiters", format!("must be from 1 to {MOST_DELIMITERS} delimiters"));
        }
        Cut::LengthPrefixed(prefix) => {
            let known = matches!(prefix.width, 1 | 2 | 3 | 4 | 8);
            wrong(!known, "width", "must be 1, 2, 3, 4 or 8 bytes".into());
            let fits = prefix.offset < max && (!known || prefix.head() <= max);
            wrong(!fits, "offset", format!("the length does not lie within `max` ({max} bytes)"));
            let adjust = prefix.adjust.unsigned_abs() > LARGEST_MAX;
            wrong(adjust, "adjust", "must be from -16777216 to 16777216".into());
        }
        Cut::AsciiLength { width, .. } => {
            wrong(*width == 0 || *width > 9, "width", "must be from 1 to 9 digits".into());
            wrong(u64::from(*width) > max, "max", "must have room for the length".into());
        }
        Cut::Fixed(size) => {
            let detail = format!("must be from 1 to `max`, which is {max}; say a larger `max` for more");
            wrong(*size == 0 || *size > max, "size", detail);
        }
        Cut::IdleGap(gap) => {
            let bad = *gap < Duration::from_millis(1) || *gap > Duration::from_secs(3600);
            wrong(bad, "gap", "must be from 1ms to 1h".into());
        }
        Cut::OctetCounting | Cut::StartEnd { .. } | Cut::UntilClose => {}
    }
    if let (true, Some(why)) = (draft.frame_replies, cannot_wrap(&draft.cut)) {
        wrong(true, "frame_replies", why.into());
    }
    errors
}

/// Why what is sent cannot be put into such frames.
const fn cannot_wrap(cut: &Cut) -> Option<&'static str> {
    match cut {
        Cut::IdleGap(_) => Some("a pause cannot be sent: with idle_gap, replies go out as they are"),
        Cut::UntilClose => {
            Some("with until_close, replies go out as they are; `then` says whether a FIN follows")
        }
        Cut::LengthPrefixed(LengthPrefix { offset: 1.., .. }) => {
            Some("what stands before the length is not known: give replies with their whole header instead")
        }
        _ => None,
    }
}

fn marks(cut: &Cut, charset: Charset, errors: &mut Vec<FieldError>) -> Marks {
    match cut {
        Cut::Delimiter(list) => {
            let name = |n| format!("delimiters/{n}");
            patterns(list.iter().enumerate().map(|(n, mark)| (name(n), mark)), charset, errors)
                .map_or(Marks::None, Marks::Delimiters)
        }
        Cut::StartEnd { start, end } => {
            let start = patterns([("start".to_owned(), start)].into_iter(), charset, errors);
            let end = patterns([("end".to_owned(), end)].into_iter(), charset, errors);
            start.zip(end).map_or(Marks::None, |(start, end)| Marks::StartEnd(start, end))
        }
        _ => Marks::None,
    }
}

/// `None` when one of them is wrong, which is noted.
fn patterns<'a>(
    marks: impl Iterator<Item = (String, &'a Literal)>,
    charset: Charset,
    errors: &mut Vec<FieldError>,
) -> Option<Patterns> {
    let before = errors.len();
    let mut found = Vec::new();
    for (name, mark) in marks.take(MOST_DELIMITERS) {
        let fault = match mark.bytes(charset) {
            Ok(bytes) if bytes.is_empty() || bytes.len() > LONGEST_MARK => {
                Some(format!("must be from 1 to {LONGEST_MARK} bytes"))
            }
            Ok(bytes) if found.contains(&bytes) => Some("is there already".to_owned()),
            Ok(bytes) => {
                found.push(bytes);
                None
            }
            Err(fault) => Some(format!("{fault}; give it as {{\"hex\":…}}")),
        };
        errors.extend(fault.map(|detail| FieldError::new(format!("/framing/{name}"), detail)));
    }
    if errors.len() > before {
        return None;
    }
    let built = Patterns::new(found);
    if let Err(fault) = &built {
        errors.push(FieldError::new("/framing", fault.to_string()));
    }
    built.ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn faults(cut: Cut, change: impl FnOnce(&mut FramingDraft)) -> Vec<String> {
        let mut draft = FramingDraft::new(cut);
        change(&mut draft);
        let made = Framing::new(draft, Charset::Fixed(encoding_rs::GBK));
        made.err().into_iter().flatten().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn every_fault_points_to_its_member() {
        let text = |text: &str| Literal::Text(text.to_owned());
        let hex = |bytes: &'static [u8]| Literal::Hex(Bytes::from_static(bytes));
        let none = |_: &mut FramingDraft| ();
        let list = vec![text("\n"), text(""), text("😀"), hex(b"\n"), hex(&[1; 65])];
        let places = [1, 2, 3, 4].map(|n| format!("/framing/delimiters/{n}"));
        assert_eq!(faults(Cut::Delimiter(list), none), places);
        assert_eq!(faults(Cut::Delimiter(vec![]), none), ["/framing/delimiters"]);
        assert_eq!(faults(Cut::Delimiter(vec![text("x"); 17]), none)[0], "/framing/delimiters");
        let markers = Cut::StartEnd { start: text(""), end: text("😀") };
        assert_eq!(faults(markers, none), ["/framing/start", "/framing/end"]);
        let prefix = |offset, width, adjust| {
            let (endian, counts_prefix) = (Endian::Big, false);
            Cut::LengthPrefixed(LengthPrefix { offset, width, endian, counts_prefix, adjust })
        };
        let all = ["/framing/width", "/framing/offset", "/framing/adjust"];
        assert_eq!(faults(prefix(u64::MAX, 5, i64::MIN), none), all);
        assert_eq!(faults(prefix(65_535, 2, 0), none), ["/framing/offset"]);
        let digits = |width| Cut::AsciiLength { width, counts_prefix: false };
        assert_eq!(faults(digits(0), none), ["/framing/width"]);
        assert_eq!(faults(digits(4), |d| d.max = 3), ["/framing/max"]);
        assert_eq!(faults(Cut::Fixed(0), none), ["/framing/size"]);
        assert_eq!(faults(Cut::Fixed(65_537), none), ["/framing/size"]);
        assert_eq!(faults(Cut::IdleGap(Duration::ZERO), none), ["/framing/gap"]);
        assert_eq!(faults(Cut::UntilClose, |d| d.max = LARGEST_MAX + 1), ["/framing/max"]);
        for cut in [Cut::UntilClose, Cut::IdleGap(Duration::from_secs(1)), prefix(1, 2, 0)] {
            assert_eq!(faults(cut, |d| d.frame_replies = true), ["/framing/frame_replies"]);
        }
        assert_eq!(faults(prefix(0, 8, -4), |d| d.frame_replies = true), [""; 0]);
    }
}
