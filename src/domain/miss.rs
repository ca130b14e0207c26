//! How far a message is from what a matcher wants, and where it differs.

use std::fmt::Write;

use super::matcher::{Matcher, Subject, at, differs};

/// Bytes that are shown of what is missing.
const SHOWN: usize = 16;

/// Why a matcher does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    /// How near it came: 0 not at all, 1 almost.
    pub nearness: f64,
    /// Where it differs: `differs at byte 7: expected 0d, got 0a`.
    pub detail: String,
}

impl Miss {
    fn far(detail: impl Into<String>) -> Self {
        Self { nearness: 0.0, detail: detail.into() }
    }
}

impl Matcher {
    /// Why it does not fit; `None` where it does.
    pub fn miss(&self, subject: &Subject<'_>) -> Option<Miss> {
        if self.fits(subject) {
            return None;
        }
        let content = subject.content;
        Some(match self {
            Self::Equals(bytes) => equals(content, bytes),
            Self::StartsWith(bytes) => begins(content, bytes),
            Self::EndsWith(bytes) => ends(content, bytes),
            Self::Contains(finder) => Miss::far(format!("does not contain {}", hex(finder.needle()))),
            Self::Regex(_) => Miss::far("the regular expression finds nothing in it"),
            Self::BytesAt { offset, bytes, mask } => match at(content, *offset, bytes.len()) {
                None => Miss::far(format!(
                    "has {} bytes, and {} are wanted",
                    content.len(),
                    offset + bytes.len() as u64
                )),
                Some(found) => {
                    let n = differs(found, bytes, mask.as_ref()).unwrap_or(0);
                    let mut miss = difference(bytes, found, n, *offset);
                    if let Some(mask) = mask.as_ref().and_then(|mask| mask.get(n)) {
                        let _ = write!(miss.detail, " (mask {mask:02x})");
                    }
                    miss
                }
            },
            Self::Length { min, max } => {
                let size = content.len() as u64;
                Miss::far(if size < *min {
                    format!("has {size} bytes, at least {min} are wanted")
                } else {
                    format!("has {size} bytes, at most {max} are wanted")
                })
            }
            Self::Peer(network) => Miss::far(format!("comes from {}, not from {network}", subject.peer)),
            Self::Nth(nth) => Miss::far(format!("is message {} of its connection, not {nth}", subject.nth)),
            Self::All(all) => {
                let fit = all.iter().filter(|matcher| matcher.fits(subject)).count();
                let first = all.iter().find_map(|matcher| matcher.miss(subject));
                let Miss { nearness, detail } = first.unwrap_or_else(|| Miss::far("does not fit"));
                Miss { nearness: (fit as f64 + nearness) / all.len() as f64, detail }
            }
            Self::Any(any) => {
                let misses = any.iter().filter_map(|matcher| matcher.miss(subject));
                misses.reduce(nearer).unwrap_or_else(|| Miss::far("does not fit"))
            }
            Self::Not(_) => Miss::far("fits what it must not fit"),
        })
    }
}

/// The nearer of two; of equals the first.
pub(super) fn nearer(a: Miss, b: Miss) -> Miss {
    if b.nearness > a.nearness { b } else { a }
}

fn equals(content: &[u8], wanted: &[u8]) -> Miss {
    let same = content.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    if same < content.len().min(wanted.len()) {
        return difference(wanted, content, same, 0);
    }
    let nearness = same as f64 / content.len().max(wanted.len()).max(1) as f64;
    let detail = if content.len() < wanted.len() {
        format!("ends after {same} of {} bytes", wanted.len())
    } else {
        format!("goes on after {same} bytes, with {}", hex(content.get(same..).unwrap_or_default()))
    };
    Miss { nearness, detail }
}

fn begins(content: &[u8], wanted: &[u8]) -> Miss {
    equals(content.get(..wanted.len()).unwrap_or(content), wanted)
}

fn ends(content: &[u8], wanted: &[u8]) -> Miss {
    match content.len().checked_sub(wanted.len()) {
        None => Miss::far(format!("has {} bytes, and must end with {}", content.len(), hex(wanted))),
        Some(begin) => {
            let end = content.get(begin..).unwrap_or_default();
            difference(wanted, end, differs(end, wanted, None).unwrap_or(0), begin as u64)
        }
    }
}

/// Byte `n` of what was found is another one than is wanted.
fn difference(wanted: &[u8], found: &[u8], n: usize, offset: u64) -> Miss {
    let byte = |bytes: &[u8]| bytes.get(n).copied().unwrap_or_default();
    let (expected, got, place) = (byte(wanted), byte(found), offset + n as u64);
    Miss {
        nearness: n as f64 / wanted.len().max(1) as f64,
        detail: format!("differs at byte {place}: expected {expected:02x}, got {got:02x}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (n, byte) in bytes.iter().take(SHOWN).enumerate() {
        let _ = write!(text, "{}{byte:02x}", if n == 0 { "" } else { " " });
    }
    if bytes.len() > SHOWN {
        text.push_str(" …");
    }
    text
}
