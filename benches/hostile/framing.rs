//! Framers, and bytes that they can make little of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bytes::Bytes;

use answerback::domain::{Charset, Cut, Endian, Framing, FramingDraft, LengthPrefix, Literal, OnOverflow};
use answerback::wire::{End, Framer};

use crate::Memory;

/// How many there are.
pub(crate) const LINES: usize = 2 * KINDS;
const KINDS: usize = 18;
/// As many bytes as one read of a session takes.
const READ: usize = 64 << 10;
/// Bytes of a delimiter or marker at most.
const MARK: usize = 64;
/// Where a length stands that stands far behind.
const FAR: usize = 65_000;
/// The largest `max`.
const LARGEST: usize = 16 << 20;

/// A framing, what comes, and how large a frame may be.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) cut: Cut,
    /// The beginning of the stream; behind it comes nothing but `a`.
    head: Vec<u8>,
    max: usize,
    overflow: OnOverflow,
}

fn mark(bytes: impl Into<Vec<u8>>) -> Literal {
    Literal::Hex(Bytes::from(bytes.into()))
}

/// So many `a`, and a `b`.
fn nearly(count: usize) -> Vec<u8> {
    [vec![b'a'; count], vec![b'b']].concat()
}

fn prefix(offset: u64) -> Cut {
    let (endian, counts_prefix) = (Endian::Big, false);
    Cut::LengthPrefixed(LengthPrefix { offset, width: 4, endian, counts_prefix, adjust: 0 })
}

/// The line of this number.
pub(crate) fn line(n: usize) -> Line {
    let lines = || Cut::Delimiter([&b"\r"[..], b"\n", b"\r\n"].map(mark).into());
    let near = || Cut::Delimiter((MARK - 16..MARK).map(|count| mark(nearly(count))).collect());
    let ahead = || Cut::Delimiter(vec![mark("a"), mark(nearly(MARK - 1))]);
    let all_ahead = || {
        let longer = (MARK - 15..MARK).map(|count| mark(nearly(count)));
        Cut::Delimiter([mark("a")].into_iter().chain(longer).collect())
    };
    let markers = |start: Vec<u8>, end: Vec<u8>| Cut::StartEnd { start: mark(start), end: mark(end) };
    let most = LARGEST - 16;
    let (raw, close) = (OnOverflow::Raw, OnOverflow::Close);
    let length = u32::try_from(most).unwrap_or_default().to_be_bytes().to_vec();
    let behind = [vec![b'a'; FAR], (most - FAR).to_be_bytes()[4..].to_vec()].concat();
    let (name, cut, head, max, overflow) = match n {
        0 => ("delimiter: none comes", lines(), vec![], LARGEST, close),
        1 => ("delimiter: 16 that nearly match", near(), vec![], LARGEST, close),
        2 => ("delimiter: each byte one, or 63 more", ahead(), vec![], LARGEST, close),
        3 => ("delimiter: the same, 16 of them", all_ahead(), vec![], LARGEST, close),
        4 => ("delimiter: too long, raw", near(), vec![], 1 << 10, raw),
        5 => {
            let all = markers(vec![b'a'; MARK], nearly(MARK - 1));
            ("start_end: an end that nearly comes", all, vec![], LARGEST, close)
        }
        6 => {
            let all = markers(nearly(MARK - 1), nearly(MARK - 1));
            ("start_end: a start that nearly comes", all, vec![], LARGEST, close)
        }
        7 => {
            ("start_end: overlapping, too long, raw", markers(vec![b'a'; MARK], nearly(9)), vec![], 100, raw)
        }
        8 => ("length_prefixed: asks for the maximum", prefix(0), length, LARGEST, close),
        9 => ("length_prefixed: far behind, the maximum", prefix(FAR as u64), behind, LARGEST, close),
        10 => ("length_prefixed: too long, raw", prefix(0), vec![0xff; 4], LARGEST, raw),
        11 => {
            let all = Cut::AsciiLength { width: 8, counts_prefix: false };
            ("ascii_length: asks for the maximum", all, format!("{most:08}").into(), LARGEST, close)
        }
        12 => {
            let head = format!("{most} ").into();
            ("octet_counting: asks for the maximum", Cut::OctetCounting, head, LARGEST, close)
        }
        13 => ("fixed: the maximum", Cut::Fixed(LARGEST as u64), vec![], LARGEST, close),
        14 => ("fixed: 1", Cut::Fixed(1), vec![], 1, close),
        15 => ("idle_gap: no pause", Cut::IdleGap(Duration::from_secs(1)), vec![], LARGEST, close),
        16 => ("idle_gap: too long, raw", Cut::IdleGap(Duration::from_secs(1)), vec![], 1, raw),
        _ => ("until_close", Cut::UntilClose, vec![], LARGEST, close),
    };
    Line { name, cut, head, max, overflow }
}

/// What a stream of so many bytes came to.
struct Figures {
    each: f64,
    held: u64,
    pieces: u64,
}

fn run(line: &Line, size: usize, segment: usize) -> Result<Figures> {
    let draft = FramingDraft {
        max: line.max as u64,
        on_overflow: line.overflow,
        ..FramingDraft::new(line.cut.clone())
    };
    let framing = Framing::new(draft, Charset::Auto).map_err(|faults| anyhow!("{faults:?}"))?;
    let mut framer = Framer::new(Arc::new(framing));
    let (memory, began, mut pieces) = (Memory::watch()?, Instant::now(), 0);
    let mut at = 0;
    while at < size {
        let end = size.min(at + segment);
        let mut bytes = vec![b'a'; end - at];
        if let Some(head) = line.head.get(at..) {
            let known = head.len().min(bytes.len());
            bytes[..known].copy_from_slice(&head[..known]);
        }
        framer.push(bytes.into());
        while framer.next_piece().is_some() {
            pieces += 1;
        }
        at = end;
    }
    framer.end(End::Fin);
    while framer.next_piece().is_some() {
        pieces += 1;
    }
    let each = began.elapsed().as_nanos() as f64 / size as f64;
    Ok(Figures { each, held: memory.held()?, pieces })
}

/// Prints a line.
pub(crate) fn measure(n: usize, size: usize) -> Result<()> {
    let (line, segment) = (line(n / 2), if n.is_multiple_of(2) { 1 } else { READ });
    let quarter = run(&line, size / 4, segment)?.each;
    let Figures { each, held, pieces } = run(&line, size, segment)?;
    let name = format!("{}, by {segment}", line.name);
    println!("{name:44} {quarter:9.1} {each:9.1} {held:10} {:10} {pieces:9}", line.max.div_ceil(1 << 10));
    Ok(())
}
