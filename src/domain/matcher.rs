//! What a message must be like: one grammar, wherever messages are told apart.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};

use super::charset::Charset;
use super::field::FieldError;
use super::literal::Literal;

/// How deep matchers may stand in each other.
const DEEPEST: usize = 16;
/// The largest offset: no message is longer.
const FARTHEST: u64 = 1 << 40;
/// The longest pattern of a regular expression, in characters.
const LONGEST_REGEX: usize = 4_096;
/// The most memory that a compiled regular expression may take: 256 KiB. A search takes at worst a time that grows with this
/// times the bytes it looks at.
const LARGEST_REGEX: usize = 256 << 10;
/// The most memory that a search may take besides: 1 MiB.
const LARGEST_SEARCH: usize = 1 << 20;
/// Bytes of a message that a regular expression looks at: 64 KiB. The worst expression found then takes a second.
const REGEX_SEES: usize = 64 << 10;

/// A matcher as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatcherDraft {
    /// The content is this.
    Equals(Literal),
    /// It begins with this.
    StartsWith(Literal),
    /// It ends with this.
    EndsWith(Literal),
    /// This is in it.
    Contains(Literal),
    /// A regular expression finds something in its bytes.
    Regex(String),
    /// These bytes stand at this offset.
    BytesAt {
        /// From the content's first byte on.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
        /// Which bits of them count; as long as they are. `None`: all.
        mask: Option<Bytes>,
    },
    /// It has so many bytes.
    Length {
        /// At least.
        min: Option<u64>,
        /// At most.
        max: Option<u64>,
    },
    /// It comes from this network.
    Peer(IpNet),
    /// It is the message of this number that its connection received, from 1.
    Nth(u64),
    /// All of these fit.
    All(Vec<Self>),
    /// One of these fits.
    Any(Vec<Self>),
    /// This does not fit.
    Not(Box<Self>),
}

impl MatcherDraft {
    /// Whether it asks who sent a message.
    pub fn asks_for_peer(&self) -> bool {
        match self {
            Self::Peer(_) => true,
            Self::All(list) | Self::Any(list) => list.iter().any(Self::asks_for_peer),
            Self::Not(not) => not.asks_for_peer(),
            _ => false,
        }
    }

    /// Bytes of its JSON, at most: a byte of a text is up to six.
    pub fn written_len(&self) -> usize {
        let literal = |literal: &Literal| match literal {
            Literal::Text(text) => 6 * text.len(),
            Literal::Hex(bytes) | Literal::Base64(bytes) => 3 * bytes.len(),
        };
        64 + match self {
            Self::Equals(bytes) | Self::StartsWith(bytes) | Self::EndsWith(bytes) | Self::Contains(bytes) => {
                literal(bytes)
            }
            Self::Regex(pattern) => 6 * pattern.len(),
            Self::BytesAt { bytes, .. } => 6 * bytes.len(),
            Self::Length { .. } | Self::Peer(_) | Self::Nth(_) => 64,
            Self::All(list) | Self::Any(list) => list.iter().map(Self::written_len).sum(),
            Self::Not(not) => not.written_len(),
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The message without delimiter, prefix or markers.
    pub content: &'a [u8],
    /// Who sent it.
    pub peer: IpAddr,
    /// Its number among the messages that its connection received, from 1.
    pub nth: u64,
}

/// A matcher that can be asked.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// The content is this.
    Equals(Bytes),
    /// It begins with this.
    StartsWith(Bytes),
    /// It ends with this.
    EndsWith(Bytes),
    /// This is in it.
    Contains(Box<memchr::memmem::Finder<'static>>),
    /// This finds something in it, in time that grows no faster than its length.
    Regex(Box<Regex>),
    /// These bytes stand at this offset, as far as the mask goes.
    BytesAt {
        /// From the content's first byte on.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
        /// Which bits of them count.
        mask: Option<Bytes>,
    },
    /// It has so many bytes.
    Length {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
    },
    /// It comes from this network.
    Peer(IpNet),
    /// It is the message of this number.
    Nth(u64),
    /// All of these fit.
    All(Vec<Self>),
    /// One of these fits.
    Any(Vec<Self>),
    /// This does not fit.
    Not(Box<Self>),
}

impl Matcher {
    /// Makes a matcher that stands at `pointer`. Texts are in `charset`. What is wrong with it is noted.
    pub fn new(
        draft: &MatcherDraft,
        charset: Charset,
        pointer: &str,
        errors: &mut Vec<FieldError>,
    ) -> Option<Self> {
        Compiler { charset, errors }.matcher(draft, pointer, 1)
    }

    /// Whether it fits.
    pub fn fits(&self, subject: &Subject<'_>) -> bool {
        let content = subject.content;
        match self {
            Self::Equals(bytes) => content == *bytes,
            Self::StartsWith(bytes) => content.starts_with(bytes),
            Self::EndsWith(bytes) => content.ends_with(bytes),
            Self::Contains(finder) => finder.find(content).is_some(),
            Self::Regex(regex) => regex.is_match(beginning(content)),
            Self::BytesAt { offset, bytes, mask } => {
                let found = at(content, *offset, bytes.len());
                found.is_some_and(|found| differs(found, bytes, mask.as_ref()).is_none())
            }
            Self::Length { min, max } => (*min..=*max).contains(&(content.len() as u64)),
            Self::Peer(network) => network.contains(&subject.peer.to_canonical()),
            Self::Nth(nth) => subject.nth == *nth,
            Self::All(all) => all.iter().all(|matcher| matcher.fits(subject)),
            Self::Any(any) => any.iter().any(|matcher| matcher.fits(subject)),
            Self::Not(not) => !not.fits(subject),
        }
    }
}

impl Matcher {
    /// Whether it takes a time that others should not have to wait for, if the message is long.
    pub(super) fn is_costly(&self) -> bool {
        match self {
            Self::Regex(_) => true,
            Self::All(list) | Self::Any(list) => list.iter().any(Self::is_costly),
            Self::Not(not) => not.is_costly(),
            _ => false,
        }
    }

    /// What named groups found in a message that fits.
    pub(super) fn captures(&self, subject: &Subject<'_>, found: &mut Vec<(String, Bytes)>) {
        match self {
            Self::Regex(regex) => {
                let Some(groups) = regex.captures(beginning(subject.content)) else { return };
                for name in regex.capture_names().flatten() {
                    if let Some(group) = groups.name(name) {
                        found.push((name.to_owned(), Bytes::copy_from_slice(group.as_bytes())));
                    }
                }
            }
            Self::All(all) => all.iter().for_each(|matcher| matcher.captures(subject, found)),
            Self::Any(any) => {
                if let Some(first) = any.iter().find(|matcher| matcher.fits(subject)) {
                    first.captures(subject, found);
                }
            }
            _ => {}
        }
    }
}

/// So many bytes from an offset on, if there are as many.
pub(super) fn at(content: &[u8], offset: u64, len: usize) -> Option<&[u8]> {
    let begin = usize::try_from(offset).ok()?;
    content.get(begin..begin.checked_add(len)?)
}

/// As much of a message as regular expressions look at.
fn beginning(content: &[u8]) -> &[u8] {
    content.get(..REGEX_SEES).unwrap_or(content)
}

/// The first byte that differs in a bit that counts.
pub(super) fn differs(found: &[u8], wanted: &[u8], mask: Option<&Bytes>) -> Option<usize> {
    let counts = |n: usize| mask.and_then(|mask| mask.get(n)).copied().unwrap_or(0xff);
    found.iter().zip(wanted).enumerate().position(|(n, (a, b))| (a ^ b) & counts(n) != 0)
}

struct Compiler<'e> {
    charset: Charset,
    errors: &'e mut Vec<FieldError>,
}

impl Compiler<'_> {
    fn matcher(&mut self, draft: &MatcherDraft, pointer: &str, depth: usize) -> Option<Matcher> {
        if depth > DEEPEST {
            return self.wrong(pointer, format!("matchers stand in each other at most {DEEPEST} deep"));
        }
        Some(match draft {
            MatcherDraft::Equals(literal) => Matcher::Equals(self.bytes(literal, pointer, "equals")?),
            MatcherDraft::StartsWith(literal) => {
                Matcher::StartsWith(self.some(literal, pointer, "starts_with")?)
            }
            MatcherDraft::EndsWith(literal) => Matcher::EndsWith(self.some(literal, pointer, "ends_with")?),
            MatcherDraft::Contains(literal) => {
                let bytes = self.some(literal, pointer, "contains")?;
                Matcher::Contains(Box::new(memchr::memmem::Finder::new(&bytes).into_owned()))
            }
            MatcherDraft::Regex(pattern) => Matcher::Regex(Box::new(self.regex(pattern, pointer)?)),
            MatcherDraft::BytesAt { offset, bytes, mask } => {
                let (offset, bytes, mask) = (*offset, bytes.clone(), mask.clone());
                if offset > FARTHEST {
                    return self
                        .wrong(&format!("{pointer}/bytes_at/offset"), format!("must be at most {FARTHEST}"));
                }
                if bytes.is_empty() {
                    return self
                        .wrong(&format!("{pointer}/bytes_at/hex"), "must be at least one byte".to_owned());
                }
                if mask.as_ref().is_some_and(|mask| mask.len() != bytes.len()) {
                    let detail = format!("must have as many bytes as hex: {}", bytes.len());
                    return self.wrong(&format!("{pointer}/bytes_at/mask"), detail);
                }
                Matcher::BytesAt { offset, bytes, mask }
            }
            MatcherDraft::Length { min: None, max: None } => {
                return self.wrong(&format!("{pointer}/length"), "must have min, max or both".to_owned());
            }
            MatcherDraft::Length { min, max } => {
                let (min, max) = (min.unwrap_or(0), max.unwrap_or(u64::MAX));
                if min > max {
                    return self
                        .wrong(&format!("{pointer}/length/min"), format!("must be at most max, {max}"));
                }
                Matcher::Length { min, max }
            }
            MatcherDraft::Peer(network) => Matcher::Peer(*network),
            MatcherDraft::Nth(0) => {
                return self
                    .wrong(&format!("{pointer}/nth"), "must be at least 1: the first is 1".to_owned());
            }
            MatcherDraft::Nth(nth) => Matcher::Nth(*nth),
            MatcherDraft::All(list) => Matcher::All(self.list(list, &format!("{pointer}/all"), depth)?),
            MatcherDraft::Any(list) => Matcher::Any(self.list(list, &format!("{pointer}/any"), depth)?),
            MatcherDraft::Not(not) => {
                Matcher::Not(Box::new(self.matcher(not, &format!("{pointer}/not"), depth + 1)?))
            }
        })
    }

    fn list(&mut self, list: &[MatcherDraft], pointer: &str, depth: usize) -> Option<Vec<Matcher>> {
        if list.is_empty() {
            return self.wrong(pointer, "must have at least one matcher".to_owned());
        }
        let compiled: Vec<_> = list
            .iter()
            .enumerate()
            .map(|(n, draft)| self.matcher(draft, &format!("{pointer}/{n}"), depth + 1))
            .collect();
        compiled.into_iter().collect()
    }

    /// Bytes of which there must be some: nothing is in everything.
    fn some(&mut self, literal: &Literal, pointer: &str, name: &str) -> Option<Bytes> {
        let bytes = self.bytes(literal, pointer, name)?;
        if bytes.is_empty() {
            return self.wrong(&format!("{pointer}/{name}"), "must be at least one byte".to_owned());
        }
        Some(bytes)
    }

    fn bytes(&mut self, literal: &Literal, pointer: &str, name: &str) -> Option<Bytes> {
        match literal.bytes(self.charset) {
            Ok(bytes) => Some(bytes),
            Err(fault) => self.wrong(&format!("{pointer}/{name}"), format!("{fault}; give the bytes as hex")),
        }
    }

    fn regex(&mut self, pattern: &str, pointer: &str) -> Option<Regex> {
        let place = format!("{pointer}/regex");
        if pattern.chars().count() > LONGEST_REGEX {
            return self.wrong(&place, format!("must have at most {LONGEST_REGEX} characters"));
        }
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(LARGEST_REGEX).dfa_size_limit(LARGEST_SEARCH);
        match builder.build() {
            Ok(regex) => Some(regex),
            Err(regex::Error::CompiledTooBig(_)) => {
                self.wrong(&place, "is too large when it is compiled; use smaller repetitions".to_owned())
            }
            Err(error) => self.wrong(&place, told(&error)),
        }
    }

    fn wrong<T>(&mut self, pointer: &str, detail: String) -> Option<T> {
        self.errors.push(FieldError::new(pointer, detail));
        None
    }
}

/// The last line of what the crate says: the others draw the pattern with a mark under it.
fn told(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("is no regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
}
