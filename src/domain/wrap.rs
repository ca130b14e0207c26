//! Putting what is sent into a frame.

use bytes::{BufMut, Bytes, BytesMut};

use super::framing::{Boundary, Endian, Framing, LengthPrefix};
use super::message::Content;

/// Bytes to send, and what of them is their content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// All of them.
    pub bytes: Bytes,
    /// The content, if they are a frame.
    pub content: Option<Content>,
}

impl Framing {
    /// Makes a frame of what is to be sent, if this framing frames replies. Nothing stays nothing.
    ///
    /// # Errors
    /// Why these bytes do not fit a frame, as a sentence without a full stop.
    pub fn wrap(&self, bytes: Bytes) -> Result<Ready, String> {
        if !self.draft().frame_replies || bytes.is_empty() {
            return Ok(Ready { bytes, content: None });
        }
        let size = bytes.len();
        let (head, tail) = match self.boundary() {
            Boundary::Delimiter(delimiters) => (Bytes::new(), delimiters.first().clone()),
            Boundary::StartEnd(start, end) => (start.first().clone(), end.first().clone()),
            Boundary::LengthPrefixed(prefix) => (binary(prefix, size)?, Bytes::new()),
            Boundary::AsciiLength { width, counts_prefix } => {
                (digits(width, counts_prefix, size)?, Bytes::new())
            }
            Boundary::OctetCounting => (Bytes::from(format!("{size} ")), Bytes::new()),
            Boundary::Fixed(fixed) if size as u64 == fixed => (Bytes::new(), Bytes::new()),
            Boundary::Fixed(fixed) => {
                return Err(format!("a frame has {fixed} bytes (`frame_replies`), and this has {size}"));
            }
            Boundary::IdleGap(_) | Boundary::UntilClose => (Bytes::new(), Bytes::new()),
        };
        let mut framed = BytesMut::with_capacity(head.len() + size + tail.len());
        [&head, &bytes, &tail].into_iter().for_each(|part| framed.put_slice(part));
        let content = Content { offset: head.len() as u64, size: size as u64 };
        let content = if self.draft().keep { Content::whole(framed.len() as u64) } else { content };
        Ok(Ready { bytes: framed.freeze(), content: Some(content) })
    }
}

/// The length of `size` bytes as a binary number.
fn binary(prefix: LengthPrefix, size: usize) -> Result<Bytes, String> {
    // What the length would be if it were 0 is what it does not count.
    let uncounted = prefix.frame_size(0) - i128::from(prefix.head());
    let value = u64::try_from(size as i128 - uncounted).ok();
    let bits = u32::from(prefix.width) * 8;
    let value = value.filter(|value| bits >= 64 || *value < 1 << bits).ok_or_else(|| {
        format!("a length of {} bytes cannot say that {size} bytes follow it (`frame_replies`)", prefix.width)
    })?;
    let width = usize::from(prefix.width);
    Ok(match prefix.endian {
        Endian::Big => Bytes::copy_from_slice(value.to_be_bytes().get(8 - width..).unwrap_or_default()),
        Endian::Little => Bytes::copy_from_slice(value.to_le_bytes().get(..width).unwrap_or_default()),
    })
}

/// The length of `size` bytes in decimal digits.
fn digits(width: u8, counts_prefix: bool, size: usize) -> Result<Bytes, String> {
    let width = usize::from(width);
    let value = if counts_prefix { size + width } else { size };
    let text = format!("{value:0width$}");
    if text.len() > width {
        return Err(format!(
            "a length of {width} digits cannot say that {size} bytes follow it (`frame_replies`)"
        ));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::domain::{Charset, Cut, FramingDraft, Literal};

    use super::*;

    fn framing(cut: Cut, keep: bool) -> Framing {
        let draft = FramingDraft { frame_replies: true, keep, ..FramingDraft::new(cut) };
        Framing::new(draft, Charset::Auto).unwrap()
    }

    fn wrapped(cut: Cut, content: &'static [u8]) -> Result<Bytes, String> {
        let ready = framing(cut, false).wrap(Bytes::from_static(content))?;
        let Content { offset, size } = ready.content.unwrap();
        assert_eq!(ready.bytes[offset as usize..][..size as usize], *content);
        Ok(ready.bytes)
    }

    fn prefix(width: u8, endian: Endian, counts_prefix: bool, adjust: i64) -> Cut {
        Cut::LengthPrefixed(LengthPrefix { offset: 0, width, endian, counts_prefix, adjust })
    }

    #[test]
    fn a_reply_is_framed_as_the_client_frames_its_messages() {
        let text = |text: &str| Literal::Text(text.to_owned());
        let ends = Cut::Delimiter(vec![text("\r\n"), text("\n")]);
        assert_eq!(wrapped(ends, b"ok").unwrap()[..], *b"ok\r\n");
        let markers = Cut::StartEnd { start: text("\u{b}"), end: text("\u{1c}\r") };
        assert_eq!(wrapped(markers, b"ok").unwrap()[..], *b"\x0bok\x1c\r");
        assert_eq!(wrapped(Cut::OctetCounting, b"ok").unwrap()[..], *b"2 ok");
        assert_eq!(wrapped(Cut::Fixed(2), b"ok").unwrap()[..], *b"ok");
        let digits = |counts_prefix| Cut::AsciiLength { width: 4, counts_prefix };
        assert_eq!(wrapped(digits(false), b"ok").unwrap()[..], *b"0002ok");
        assert_eq!(wrapped(digits(true), b"ok").unwrap()[..], *b"0006ok");
        for (cut, head) in [
            (prefix(2, Endian::Big, false, 0), &[0, 2][..]),
            (prefix(3, Endian::Little, false, 0), &[2, 0, 0]),
            (prefix(2, Endian::Big, true, 0), &[0, 4]),
            (prefix(1, Endian::Big, false, -1), &[3]),
            (prefix(8, Endian::Little, true, 2), &[8, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(wrapped(cut, b"ok").unwrap()[..], [head, b"ok"].concat());
        }
    }

    #[test]
    fn what_does_not_fit_a_frame_is_refused() {
        assert!(wrapped(prefix(1, Endian::Big, false, 0), &[0; 255]).is_ok());
        assert!(wrapped(prefix(1, Endian::Big, false, 0), &[0; 256]).is_err());
        assert!(wrapped(prefix(1, Endian::Big, false, 3), b"ok").is_err());
        assert!(wrapped(Cut::Fixed(3), b"ok").is_err());
        assert!(wrapped(Cut::AsciiLength { width: 1, counts_prefix: false }, &[0; 10]).is_err());
    }

    #[test]
    fn silence_and_what_is_not_to_be_framed_stay_as_they_are() {
        let plain = Framing::new(FramingDraft::new(Cut::OctetCounting), Charset::Auto).unwrap();
        let ok = Bytes::from_static(b"ok");
        assert_eq!(plain.wrap(ok.clone()), Ok(Ready { bytes: ok.clone(), content: None }));
        let framed = framing(Cut::OctetCounting, true);
        assert_eq!(framed.wrap(Bytes::new()).unwrap().content, None);
        assert_eq!(
            framed.wrap(ok).unwrap().content,
            Some(Content::whole(4)),
            "kept, the content is the frame"
        );
        let draft = FramingDraft::new(Cut::IdleGap(Duration::from_secs(1)));
        assert!(Framing::new(draft, Charset::Auto).is_ok());
    }
}
