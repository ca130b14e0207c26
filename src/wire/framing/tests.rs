//! Framers by what they make of streams, however these are split.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use crate::domain::{Charset, Cut, Endian, Framing, FramingDraft, LengthPrefix, Literal, OnOverflow};

use super::{End, Framer, Piece};

fn hex(bytes: &'static [u8]) -> Literal {
    Literal::Hex(Bytes::from_static(bytes))
}

fn framer(cut: Cut, change: impl FnOnce(&mut FramingDraft)) -> Framer {
    let mut draft = FramingDraft::new(cut);
    change(&mut draft);
    Framer::new(Arc::new(Framing::new(draft, Charset::Auto).unwrap()))
}

/// All pieces of a stream that comes in these parts.
fn pieces<'a>(mut framer: Framer, parts: impl IntoIterator<Item = &'a [u8]>, end: End) -> Vec<Piece> {
    let mut found = Vec::new();
    for part in parts {
        framer.push(Bytes::copy_from_slice(part));
        found.extend(std::iter::from_fn(|| framer.next_piece()));
    }
    framer.end(end);
    found.extend(std::iter::from_fn(|| framer.next_piece()));
    assert_eq!(framer.rest(), "", "nothing is left");
    found
}

/// The contents of the frames, and what is none with the reason.
fn told(found: &[Piece]) -> Vec<String> {
    let tell = |piece: &Piece| match &piece.fault {
        None => String::from_utf8_lossy(piece.content.of(&piece.bytes)).into_owned(),
        Some(fault) => format!("{}: {fault}", String::from_utf8_lossy(&piece.bytes)),
    };
    found.iter().map(tell).collect()
}

fn cut(framer: Framer, stream: &str) -> Vec<String> {
    let whole = pieces(framer, [stream.as_bytes()], End::Fin);
    assert_eq!(whole.iter().map(|piece| &piece.bytes[..]).collect::<Vec<_>>().concat(), stream.as_bytes());
    told(&whole)
}

fn lines() -> Cut {
    Cut::Delimiter(vec![hex(b"\r"), hex(b"\n"), hex(b"\r\n")])
}

fn prefix(offset: u64, width: u8, counts_prefix: bool, adjust: i64) -> Cut {
    Cut::LengthPrefixed(LengthPrefix { offset, width, endian: Endian::Big, counts_prefix, adjust })
}

#[test]
fn each_framing_finds_its_frames_and_names_what_is_none() {
    let none = |_: &mut FramingDraft| ();
    let rest = "c: frame incomplete: 1 bytes and no delimiter";
    assert_eq!(cut(framer(lines(), none), "a\r\n\nb\rc"), ["a", "", "b", rest]);
    let gt06 = framer(prefix(2, 1, false, 2), none);
    assert_eq!(cut(gt06, "xx\x01a..xx\x04bc"), ["a..", "xx\x04bc: frame incomplete: 5 of 9 bytes"]);
    assert_eq!(cut(framer(prefix(0, 1, true, 0), none), "\x03ab\x01"), ["ab", ""]);
    let short = "\0\0: no frame: its length makes it 0 bytes, and it has 1 up to its length";
    assert_eq!(cut(framer(prefix(0, 1, true, 0), none), "\x02a\0\0"), ["a", short]);
    let iso = |counts_prefix| framer(Cut::AsciiLength { width: 4, counts_prefix }, none);
    let head = "00: frame incomplete: 2 of at least 4 bytes";
    assert_eq!(cut(iso(false), "0002ok000000"), ["ok", "", head]);
    let no_digit = "00x1: no frame: byte 2 of the length is 78, which is no digit there";
    assert_eq!(cut(iso(true), "0006ok00x1"), ["ok", no_digit]);
    assert_eq!(cut(framer(Cut::OctetCounting, none), "5 <1>hi2 ab"), ["<1>hi", "ab"]);
    let fixed = framer(Cut::Fixed(3), none);
    assert_eq!(cut(fixed, "abcdefg"), ["abc", "def", "g: frame incomplete: 1 of 3 bytes"]);
    let mllp = || framer(Cut::StartEnd { start: hex(b"\x0b"), end: hex(b"\x1c\r") }, none);
    let outside = "junk: outside a frame: no start marker";
    assert_eq!(cut(mllp(), "junk\x0bmsg\x1c\r\x0b\x1c\r"), [outside, "msg", ""]);
    assert_eq!(cut(mllp(), "\x0bmsg\x1c"), ["\x0bmsg\x1c: frame incomplete: 5 bytes and no end marker"]);
    assert_eq!(cut(framer(Cut::UntilClose, none), "all of it"), ["all of it"]);
    assert_eq!(cut(framer(Cut::IdleGap(Duration::from_secs(1)), none), "all of it"), ["all of it"]);
    let broken = pieces(framer(Cut::UntilClose, none), [&b"abc"[..]], End::Broken);
    assert_eq!(told(&broken), ["abc: frame incomplete: 3 bytes, and the client did not close"]);
}

#[test]
fn a_delimiter_that_another_begins_with_waits_for_the_next_byte() {
    let mut lines = framer(lines(), |_| ());
    lines.push(Bytes::from_static(b"a\r"));
    assert_eq!(lines.next_piece(), None);
    lines.push(Bytes::from_static(b"b"));
    assert_eq!(lines.next_piece().unwrap().bytes, "a\r");
    // One that begins earlier wins, even when it is complete later.
    let mut marks = framer(Cut::Delimiter(vec![hex(b"abcd"), hex(b"bc")]), |_| ());
    marks.push(Bytes::from_static(b"xabc"));
    assert_eq!(marks.next_piece(), None);
    marks.push(Bytes::from_static(b"d"));
    assert_eq!(marks.next_piece().unwrap().content.size, 1);
}

#[test]
fn after_bytes_that_cannot_be_framed_framing_begins_anew_where_their_end_is_known() {
    let raw = |draft: &mut FramingDraft| (draft.max, draft.on_overflow) = (4, OnOverflow::Raw);
    let no_end = "frame too long: no end within 4 bytes";
    assert_eq!(cut(framer(lines(), raw), "ab\nabcdef\nab\n"), ["ab", &format!("abcdef\n: {no_end}"), "ab"]);
    let marks = Cut::StartEnd { start: hex(b"<"), end: hex(b">") };
    assert_eq!(cut(framer(marks, raw), "<abcdef><a>"), [&format!("<abcdef>: {no_end}"), "a"]);
    let long = "\x06abcdef: frame too long: 7 bytes, at most 4";
    assert_eq!(cut(framer(prefix(0, 1, false, 0), raw), "\x06abcdef\x01a"), [long, "a"]);
    let lost = "x1 a: no frame: byte 0 of the length is 78, which is no digit there";
    assert_eq!(cut(framer(Cut::OctetCounting, raw), "x1 a"), [lost]);
    assert_eq!(cut(framer(Cut::UntilClose, raw), "abcde"), [format!("abcde: {no_end}")]);
    let closing = |draft: &mut FramingDraft| draft.max = 4;
    let found = pieces(framer(lines(), closing), [&b"abcdef\n"[..], b"a\n"], End::Fin);
    assert_eq!(found.iter().map(|piece| piece.closes).collect::<Vec<_>>(), [true, false]);
    assert!(told(&found)[1].ends_with("the rest of what could not be framed"), "{found:?}");
}

#[test]
fn a_pause_ends_a_message_and_one_that_was_too_long() {
    let gap = Duration::from_millis(50);
    let mut framer = framer(Cut::IdleGap(gap), |d| (d.max, d.on_overflow) = (4, OnOverflow::Raw));
    assert_eq!(framer.gap(), None, "no pause before the first byte ends anything");
    for part in [&b"ab"[..], b"cd"] {
        framer.push(Bytes::from_static(part));
        assert_eq!((framer.next_piece(), framer.gap()), (None, Some(gap)));
    }
    framer.pause();
    assert_eq!(framer.next_piece().unwrap().bytes, "abcd");
    assert_eq!((framer.next_piece(), framer.gap()), (None, None));
    framer.push(Bytes::from_static(b"abcde"));
    assert!(framer.next_piece().unwrap().fault.is_some());
    framer.push(Bytes::from_static(b"f"));
    assert!(framer.next_piece().unwrap().fault.is_some(), "still the one that was too long");
    assert_eq!((framer.next_piece(), framer.gap()), (None, Some(gap)));
    framer.pause();
    assert_eq!(framer.next_piece(), None);
    framer.push(Bytes::from_static(b"ok"));
    framer.pause();
    assert_eq!(framer.next_piece().unwrap().content.size, 2);
}

#[test]
fn another_framing_cuts_what_waits_anew() {
    let mut framer = framer(lines(), |_| ());
    framer.push(Bytes::from_static(b"abc"));
    assert_eq!(framer.next_piece(), None);
    let same = Framing::new(FramingDraft::new(lines()), Charset::Auto).unwrap();
    framer.adopt(&Arc::new(same));
    assert_eq!(framer.next_piece(), None);
    let fixed = Framing::new(FramingDraft::new(Cut::Fixed(2)), Charset::Auto).unwrap();
    framer.adopt(&Arc::new(fixed));
    assert_eq!((framer.next_piece().unwrap().bytes, framer.next_piece()), (Bytes::from_static(b"ab"), None));
}

#[test]
fn a_large_frame_byte_by_byte_takes_linear_time() {
    let cuts = [
        lines(),
        Cut::Delimiter(vec![Literal::Text("b".repeat(64)), hex(b"\n")]),
        Cut::StartEnd { start: hex(b"a"), end: hex(b"aab") },
        prefix(0, 4, false, 0),
        Cut::UntilClose,
    ];
    for cut in cuts {
        let mut stream = vec![b'a'; 1 << 20];
        if matches!(cut, Cut::LengthPrefixed(_)) {
            stream[..4].copy_from_slice(&((1 << 20) - 4_u32).to_be_bytes());
        }
        stream.extend_from_slice(if matches!(cut, Cut::StartEnd { .. }) { b"b" } else { b"" });
        if matches!(cut, Cut::Delimiter(_)) {
            stream.push(b'\n');
        }
        let (began, found) = (Instant::now(), {
            let framer = framer(cut.clone(), |draft| draft.max = 2 << 20);
            pieces(framer, stream.chunks(1), End::Fin)
        });
        // Where each push looked at everything, these would be 2^39 looks.
        assert!(began.elapsed() < Duration::from_secs(30), "{cut:?}: {:?}", began.elapsed());
        assert_eq!(found.iter().filter(|piece| piece.fault.is_none()).count(), 1, "{cut:?}");
    }
}

/// Framings over a small alphabet, in which everything that matters is frequent.
fn cuts() -> impl Strategy<Value = Cut> {
    let mark = || proptest::collection::vec(prop::sample::select(&b"01a"[..]), 1..4);
    let literal = |bytes: Vec<u8>| Literal::Hex(bytes.into());
    let marks = proptest::collection::btree_set(mark(), 1..4)
        .prop_map(move |list| Cut::Delimiter(list.into_iter().map(literal).collect()));
    let ends = (mark(), mark())
        .prop_map(move |(start, end)| Cut::StartEnd { start: literal(start), end: literal(end) });
    let sizes = (0..3_u64, 1..4_u8, any::<bool>(), any::<bool>(), -3..3_i64).prop_map(
        |(offset, width, little, counts_prefix, adjust)| {
            let endian = if little { Endian::Little } else { Endian::Big };
            Cut::LengthPrefixed(LengthPrefix { offset, width, endian, counts_prefix, adjust })
        },
    );
    let digits =
        (1..4_u8, any::<bool>()).prop_map(|(width, counts_prefix)| Cut::AsciiLength { width, counts_prefix });
    let fixed = (1..8_u64).prop_map(Cut::Fixed);
    let others =
        prop::sample::select(vec![Cut::OctetCounting, Cut::UntilClose, Cut::IdleGap(Duration::from_secs(1))]);
    prop_oneof![marks, ends, sizes, digits, fixed, others]
}

/// What is the same for each split: the frames, and between them what is none, with the first of its reasons.
fn essence(found: &[Piece]) -> Vec<(Vec<u8>, Option<Box<str>>)> {
    let mut essence: Vec<(Vec<u8>, Option<Box<str>>)> = Vec::new();
    for piece in found {
        let continues = piece.fault.as_deref().is_some_and(|fault| fault.starts_with("the rest"));
        let same = |last: &Option<Box<str>>| last.is_some() && (*last == piece.fault || continues);
        match essence.last_mut() {
            Some((bytes, fault)) if same(fault) => bytes.extend_from_slice(&piece.bytes),
            _ => essence.push((piece.bytes.to_vec(), piece.fault.clone())),
        }
    }
    essence
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_split_gives_the_same_frames_and_every_byte_once(
        cut in cuts(),
        stream in proptest::collection::vec(prop::sample::select(&b"01a \x01\x02\x00"[..]), 0..60),
        ends in proptest::collection::vec(0..60_usize, 0..8),
        max in 9..30_u64,
        raw in any::<bool>(),
    ) {
        let make = || framer(cut.clone(), |draft| {
            draft.max = max;
            draft.on_overflow = if raw { OnOverflow::Raw } else { OnOverflow::Close };
        });
        let whole = pieces(make(), [&stream[..]], End::Fin);
        let single = pieces(make(), stream.chunks(1), End::Fin);
        let mut ends: Vec<_> = ends.into_iter().map(|end| end.min(stream.len())).chain([0, stream.len()]).collect();
        ends.sort_unstable();
        let split = pieces(make(), ends.windows(2).map(|two| &stream[two[0]..two[1]]), End::Fin);
        prop_assert_eq!(essence(&whole), essence(&single));
        prop_assert_eq!(essence(&whole), essence(&split));
        for found in [&whole, &single, &split] {
            let joined: Vec<_> = found.iter().flat_map(|piece| piece.bytes.to_vec()).collect();
            prop_assert_eq!(&joined, &stream);
            for piece in found.iter().filter(|piece| piece.fault.is_none()) {
                prop_assert!(piece.bytes.len() as u64 <= max);
                prop_assert!(piece.content.offset + piece.content.size <= piece.bytes.len() as u64);
            }
        }
    }

    #[test]
    fn any_bytes_under_any_framing_come_out_whole(
        cut in cuts(),
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..12),
        pauses in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let mut framer = framer(cut, |draft| draft.max = 20);
        let mut found = Vec::new();
        for (part, pause) in parts.iter().zip(pauses) {
            framer.push(part.clone().into());
            if pause {
                framer.pause();
            }
            found.extend(std::iter::from_fn(|| framer.next_piece()).flat_map(|piece| piece.bytes));
        }
        framer.end(End::Broken);
        found.extend(std::iter::from_fn(|| framer.next_piece()).flat_map(|piece| piece.bytes));
        prop_assert_eq!(found, parts.concat());
    }
}
