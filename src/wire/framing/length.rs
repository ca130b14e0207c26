//! Lengths at the beginning of frames.

use crate::domain::{Endian, LengthPrefix};

use super::fault::FrameFault;

/// Digits of a length at most (RFC 6587 sets no bound): ten, 9.3 GiB, are more than any frame may have.
const MOST_DIGITS: usize = 10;

/// What the beginning of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// Nothing before there are so many bytes.
    NotYet(usize),
    /// The frame has `size` bytes, the first `head` of them up to the end of the length.
    Size { head: usize, size: i128 },
    /// It is no beginning of a frame.
    Bad(FrameFault),
}

/// A binary number.
pub(super) fn binary(prefix: LengthPrefix, bytes: &[u8]) -> Head {
    let head = usize::try_from(prefix.head()).unwrap_or(usize::MAX);
    let offset = usize::try_from(prefix.offset).unwrap_or(usize::MAX);
    let Some(number) = bytes.get(offset..head) else { return Head::NotYet(head) };
    let append = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = match prefix.endian {
        Endian::Big => number.iter().fold(0, append),
        Endian::Little => number.iter().rev().fold(0, append),
    };
    Head::Size { head, size: prefix.frame_size(value) }
}

/// `width` decimal digits. What is none is found before all of them are there.
pub(super) fn ascii(width: usize, counts_prefix: bool, bytes: &[u8]) -> Head {
    let number = bytes.get(..width).unwrap_or(bytes);
    match decimal(number) {
        Err(fault) => Head::Bad(fault),
        Ok(_) if number.len() < width => Head::NotYet(width),
        Ok(value) => {
            let base = if counts_prefix { 0 } else { width as i128 };
            Head::Size { head: width, size: base + i128::from(value) }
        }
    }
}

/// Decimal digits, of which the first is not 0, and a blank.
pub(super) fn octets(bytes: &[u8]) -> Head {
    let most = bytes.get(..=MOST_DIGITS).unwrap_or(bytes);
    let digits = most.iter().position(|byte| *byte == b' ').unwrap_or(most.len());
    match (bytes.first(), decimal(most.get(..digits).unwrap_or_default())) {
        (Some(byte @ (b'0' | b' ')), _) => Head::Bad(FrameFault::NoDigit { at: 0, byte: *byte }),
        (_, Err(fault)) => Head::Bad(fault),
        (_, Ok(value)) if digits < most.len() => {
            Head::Size { head: digits + 1, size: digits as i128 + 1 + i128::from(value) }
        }
        (_, Ok(_)) => match most.get(MOST_DIGITS) {
            Some(byte) => Head::Bad(FrameFault::NoDigit { at: MOST_DIGITS as u64, byte: *byte }),
            None => Head::NotYet(digits + 1),
        },
    }
}

fn decimal(digits: &[u8]) -> Result<u64, FrameFault> {
    match digits.iter().position(|byte| !byte.is_ascii_digit()) {
        Some(at) => {
            let byte = digits.get(at).copied().unwrap_or_default();
            Err(FrameFault::NoDigit { at: at as u64, byte })
        }
        None => Ok(digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_length_is_read_in_each_width_and_order() {
        let size = |width, endian, counts_prefix, adjust, bytes: &[u8]| {
            binary(LengthPrefix { offset: 2, width, endian, counts_prefix, adjust }, bytes)
        };
        let gt06 = b"\x78\x78\x0d\x01";
        assert_eq!(size(1, Endian::Big, false, 2, gt06), Head::Size { head: 3, size: 18 });
        assert_eq!(size(2, Endian::Little, true, 0, b"..\x07\x01"), Head::Size { head: 4, size: 263 });
        assert_eq!(size(3, Endian::Big, false, 0, b"..\x01\x00\x00"), Head::Size { head: 5, size: 65_541 });
        let most = Head::Size { head: 10, size: i128::from(u64::MAX) + 10 };
        assert_eq!(size(8, Endian::Little, false, 0, &[0xff; 10]), most);
        assert_eq!(size(4, Endian::Big, true, -9, b"..\0\0\0\x08"), Head::Size { head: 6, size: -1 });
        assert_eq!(size(4, Endian::Big, false, 0, b"..\0\0\0"), Head::NotYet(6));
    }

    #[test]
    fn decimal_lengths_are_read_and_their_faults_found_at_once() {
        assert_eq!(ascii(4, false, b"0012"), Head::Size { head: 4, size: 16 });
        assert_eq!(ascii(4, true, b"0012"), Head::Size { head: 4, size: 12 });
        assert_eq!(ascii(4, false, b"00"), Head::NotYet(4));
        assert_eq!(ascii(4, false, b"0x"), Head::Bad(FrameFault::NoDigit { at: 1, byte: b'x' }));
        assert_eq!(octets(b"12 <34>1"), Head::Size { head: 3, size: 15 });
        assert_eq!(octets(b"12"), Head::NotYet(3));
        assert_eq!(octets(b"0 "), Head::Bad(FrameFault::NoDigit { at: 0, byte: b'0' }));
        assert_eq!(octets(b" "), Head::Bad(FrameFault::NoDigit { at: 0, byte: b' ' }));
        assert_eq!(octets(b"<34>1 x"), Head::Bad(FrameFault::NoDigit { at: 0, byte: b'<' }));
        assert_eq!(octets(b"9999999999 "), Head::Size { head: 11, size: 10_000_000_010 });
        assert_eq!(octets(b"9999999999"), Head::NotYet(11));
        assert!(matches!(octets(b"99999999999"), Head::Bad(FrameFault::NoDigit { at: 10, .. })));
    }
}
