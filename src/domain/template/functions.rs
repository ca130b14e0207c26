//! What templates of binary protocols need: bytes are handed around as hex digits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use minijinja::value::Object;
use minijinja::{Environment, Error, ErrorKind, State, functions};

use super::super::charset::Charset;
use super::super::clock::Timestamp;
use super::super::dice::mix;
use super::checksum::Checksum;
use super::compiled::{Context, Counters, SEEN};

/// What a rendering's functions need and its template has no name for.
#[derive(Debug)]
pub(super) struct Hidden {
    pub(super) charset: Charset,
    pub(super) counters: Arc<Counters>,
    pub(super) now: Timestamp,
    pub(super) dice: AtomicU64,
}

/// The name of it.
pub(super) const HIDDEN: &str = "__hidden";

impl Object for Hidden {}

/// Bytes of the name of a CRC at most. It may be something that a client sent, and is compared with every name.
const LONGEST_NAME: usize = 64;
/// Bytes that `random` gives at most.
const MOST_RANDOM: usize = 4 << 10;

/// Where the random bytes of a rendering begin: with a seed at the same place for the same message of each connection.
pub(super) fn dice(seed: Option<u64>, context: &Context<'_>) -> AtomicU64 {
    let own = context.connection.as_u128();
    let seed = seed.unwrap_or((own as u64) ^ ((own >> 64) as u64));
    AtomicU64::new(mix(seed ^ mix(context.seq.wrapping_add(1))))
}

type Found<T> = Result<T, Error>;

/// Adds all functions.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_function("range", functions::range);
    environment.add_function("slice", slice);
    environment.add_function("u8", |n: i128| integer(n, 1, false));
    environment.add_function("u16be", |n: i128| integer(n, 2, false));
    environment.add_function("u16le", |n: i128| integer(n, 2, true));
    environment.add_function("u32be", |n: i128| integer(n, 4, false));
    environment.add_function("u32le", |n: i128| integer(n, 4, true));
    environment.add_function("u64be", |n: i128| integer(n, 8, false));
    environment.add_function("u64le", |n: i128| integer(n, 8, true));
    environment.add_function("int", int);
    environment.add_function("bcd", bcd);
    environment.add_function("hex", hex);
    environment.add_function("text", text);
    environment.add_function("len", |digits: &str| bytes(digits).map(|bytes| bytes.len()));
    environment.add_function("xor", |digits: &str| fold(digits, |sum, byte| sum ^ byte));
    environment.add_function("sum8", |digits: &str| fold(digits, u8::wrapping_add));
    environment.add_function("lrc", |digits: &str| {
        bytes(digits).map(|bytes| hex_of(&[bytes.iter().copied().fold(0, u8::wrapping_add).wrapping_neg()]))
    });
    environment.add_function("crc", crc);
    environment.add_function("random", random);
    environment.add_function("counter", counter);
    environment.add_function("strftime", strftime);
}

fn wrong(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail.into())
}

/// Hex digits of bytes.
pub(super) fn hex_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Characters of what went wrong that are told at most: some of it may be what a client sent.
const TOLD: usize = 500;

/// The beginning of what went wrong.
pub(super) fn beginning(detail: &str) -> &str {
    detail.char_indices().nth(TOLD).and_then(|(end, _)| detail.get(..end)).unwrap_or(detail)
}

/// Bytes of hex digits, with any white space between.
pub(super) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    // Mostly there is none. A template may ask for the bytes of a large message as often as it has fuel.
    if let Ok(bytes) = HEXLOWER_PERMISSIVE.decode(text.as_bytes()) {
        return Ok(bytes);
    }
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    match digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(stray) => Err(format!("`{}` is no hex digit", stray.escape_debug())),
        None => HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .map_err(|_| "an odd number of hex digits".to_owned()),
    }
}

/// Bytes that a function is given, as hex.
fn bytes(digits: &str) -> Found<Vec<u8>> {
    unhex(digits).map_err(wrong)
}

/// Hex that a function gives: no more than a template sees of a message.
fn given(bytes: &[u8]) -> Found<String> {
    if bytes.len() > SEEN { Err(wrong(format!("more than {SEEN} bytes"))) } else { Ok(hex_of(bytes)) }
}

fn hidden(state: &State) -> Found<Arc<Hidden>> {
    state
        .lookup(HIDDEN)
        .and_then(|value| value.downcast_object::<Hidden>())
        .ok_or_else(|| wrong("nothing is rendered"))
}

/// `length` bytes of the message from `offset` on; a negative offset counts from its end.
fn slice(state: &State, offset: i64, length: Option<usize>) -> Found<String> {
    let message = state.lookup("message").ok_or_else(|| wrong("there is no message"))?;
    let digits = message.get_attr("hex")?;
    let content = bytes(digits.as_str().unwrap_or_default())?;
    let size = content.len();
    let begin = if offset < 0 {
        size.checked_sub(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX))
    } else {
        usize::try_from(offset).ok()
    };
    let end = begin.and_then(|begin| length.map_or(Some(size), |length| begin.checked_add(length)));
    let part = begin.zip(end).and_then(|(begin, end)| content.get(begin..end));
    part.map(hex_of).ok_or_else(|| wrong(format!("the message has {size} bytes, and slice wants others")))
}

fn integer(n: i128, width: usize, little: bool) -> Found<String> {
    let (bits, all) = (8 * width, n.to_be_bytes());
    if n < -(1_i128 << (bits - 1)) || n >= 1_i128 << bits {
        return Err(wrong(format!("{n} does not fit {bits} bits")));
    }
    let mut bytes = all.get(16 - width..).unwrap_or_default().to_vec();
    if little {
        bytes.reverse();
    }
    Ok(hex_of(&bytes))
}

fn is_little(endian: Option<&str>) -> Found<bool> {
    match endian {
        None | Some("be" | "big") => Ok(false),
        Some("le" | "little") => Ok(true),
        Some(other) => Err(wrong(format!("{other:?} is neither \"be\" nor \"le\""))),
    }
}

fn int(digits: &str, endian: Option<&str>) -> Found<u64> {
    let mut bytes = bytes(digits)?;
    if is_little(endian)? {
        bytes.reverse();
    }
    if bytes.len() > 8 {
        return Err(wrong("an integer has at most 8 bytes"));
    }
    Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn bcd(n: u64, digits: usize) -> Found<String> {
    if digits == 0 || digits > 32 || digits % 2 == 1 {
        return Err(wrong("bcd takes an even number of digits from 2 to 32"));
    }
    let text = format!("{n:0digits$}");
    if text.len() > digits { Err(wrong(format!("{n} has more than {digits} digits"))) } else { Ok(text) }
}

fn hex(state: &State, text: &str) -> Found<String> {
    given(&hidden(state)?.charset.encode(text).map_err(|fault| wrong(fault.to_string()))?)
}

fn text(state: &State, digits: &str) -> Found<String> {
    Ok(hidden(state)?.charset.decode_lossy(&bytes(digits)?))
}

fn fold(digits: &str, step: fn(u8, u8) -> u8) -> Found<String> {
    Ok(hex_of(&[bytes(digits)?.into_iter().fold(0, step)]))
}

fn crc(name: &str, digits: &str, endian: Option<&str>) -> Found<String> {
    if name.len() > LONGEST_NAME {
        return Err(wrong("there is no CRC with such a long name"));
    }
    let known = Checksum::named(name);
    let checksum = known.ok_or_else(|| {
        wrong(format!("there is no CRC {name:?} in the catalogue; {} is like it", Checksum::like(name)))
    })?;
    let mut check = checksum.of(&bytes(digits)?);
    if is_little(endian)? {
        check.reverse();
    }
    Ok(hex_of(&check))
}

fn random(state: &State, count: usize) -> Found<String> {
    if count > MOST_RANDOM {
        return Err(wrong(format!("random gives at most {MOST_RANDOM} bytes")));
    }
    let hidden = hidden(state)?;
    let next = || mix(hidden.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed)).to_le_bytes();
    let bytes: Vec<u8> = std::iter::repeat_with(next).flatten().take(count).collect();
    given(&bytes)
}

fn counter(state: &State, name: &str) -> Found<u64> {
    hidden(state)?.counters.next(name).ok_or_else(|| wrong("there are too many counters"))
}

fn strftime(state: &State, format: &str) -> Found<String> {
    let now = jiff::Timestamp::from_microsecond(hidden(state)?.now.as_micros());
    let now = now.map_err(|error| wrong(error.to_string()))?;
    jiff::fmt::strtime::format(format, now).map_err(|error| wrong(error.to_string()))
}
