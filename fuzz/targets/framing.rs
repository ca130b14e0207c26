//! Any bytes under any framing, in any segments: the same frames, every byte once, none larger than allowed.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use answerback::domain::{Charset, Cut, Endian, Framing, FramingDraft, LengthPrefix, Literal, OnOverflow};
use answerback::wire::{End, Framer};
use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    how: How,
    max: u16,
    raw: bool,
    keep: bool,
    stream: Vec<u8>,
    /// Bytes of each segment.
    segments: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum How {
    Delimiter(Vec<Vec<u8>>),
    LengthPrefixed { offset: u8, width: u8, little: bool, counts_prefix: bool, adjust: i64 },
    AsciiLength { width: u8, counts_prefix: bool },
    OctetCounting,
    Fixed(u16),
    StartEnd(Vec<u8>, Vec<u8>),
    IdleGap,
    UntilClose,
}

fn cut(how: How) -> Cut {
    let literal = |bytes: Vec<u8>| Literal::Hex(bytes.into());
    match how {
        How::Delimiter(all) => Cut::Delimiter(all.into_iter().map(literal).collect()),
        How::LengthPrefixed { offset, width, little, counts_prefix, adjust } => {
            let endian = if little { Endian::Little } else { Endian::Big };
            let width = [1, 2, 3, 4, 8][usize::from(width % 5)];
            Cut::LengthPrefixed(LengthPrefix { offset: offset.into(), width, endian, counts_prefix, adjust })
        }
        How::AsciiLength { width, counts_prefix } => Cut::AsciiLength { width, counts_prefix },
        How::OctetCounting => Cut::OctetCounting,
        How::Fixed(size) => Cut::Fixed(size.into()),
        How::StartEnd(start, end) => Cut::StartEnd { start: literal(start), end: literal(end) },
        How::IdleGap => Cut::IdleGap(Duration::from_secs(1)),
        How::UntilClose => Cut::UntilClose,
    }
}

/// The frames, and what stands between two of them, each as one.
fn cut_up(framing: &Arc<Framing>, segments: &[&[u8]], max: u64) -> Vec<(bool, Vec<u8>)> {
    let mut framer = Framer::new(Arc::clone(framing));
    let mut found: Vec<(bool, Vec<u8>)> = Vec::new();
    let mut all = 0;
    for n in 0..=segments.len() {
        match segments.get(n) {
            Some(segment) => framer.push(Bytes::copy_from_slice(segment)),
            None => framer.end(End::Fin),
        }
        while let Some(piece) = framer.next_piece() {
            let is_frame = piece.fault.is_none();
            all += piece.bytes.len();
            assert!(!piece.bytes.is_empty());
            assert!(!is_frame || piece.bytes.len() as u64 <= max);
            assert!(piece.content.offset + piece.content.size <= piece.bytes.len() as u64);
            match found.last_mut() {
                Some((false, last)) if !is_frame => last.extend_from_slice(&piece.bytes),
                _ => found.push((is_frame, piece.bytes.to_vec())),
            }
        }
    }
    assert_eq!(all, segments.iter().map(|segment| segment.len()).sum::<usize>(), "every byte comes out once");
    found
}

fuzz_target!(|input: Input| {
    let mut draft = FramingDraft::new(cut(input.how));
    draft.max = input.max.into();
    draft.on_overflow = if input.raw { OnOverflow::Raw } else { OnOverflow::Close };
    draft.keep = input.keep;
    let Ok(framing) = Framing::new(draft, Charset::Auto) else { return };
    let (framing, max) = (Arc::new(framing), u64::from(input.max));
    let mut rest = input.stream.as_slice();
    let mut segments = Vec::new();
    for size in input.segments {
        let (segment, behind) = rest.split_at(usize::from(size).min(rest.len()));
        segments.push(segment);
        rest = behind;
    }
    segments.push(rest);
    segments.retain(|segment| !segment.is_empty());
    assert_eq!(cut_up(&framing, &segments, max), cut_up(&framing, &[&input.stream[..]], max));
});
