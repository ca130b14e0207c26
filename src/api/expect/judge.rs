//! Deciding about an expectation, message by message.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::domain::{Charset, ConnectionId, FieldError, Matcher, Miss, Subject};
use crate::store::{MessageRecord, Position};

use super::super::types::{Expectation, What};

/// Messages that are shown of those that were as expected.
const EVIDENCE: usize = 10;
/// Messages that are shown of those that were not.
const NEAREST: usize = 3;
/// Bytes that are shown of each.
const SHOWN: usize = 4 << 10;

/// An expectation, and how far it has come.
pub(super) struct Judge {
    what: What,
    /// The matchers in each encoding that was met; none where one of their texts cannot be expressed in it.
    compiled: Vec<(Charset, Vec<Option<Matcher>>)>,
    pub(super) matched: u64,
    pub(super) looked_at: u64,
    pub(super) evidence: Vec<MessageRecord>,
    pub(super) nearest: Vec<(Miss, MessageRecord)>,
    /// How far each connection has come in a sequence, and where its steps stand.
    steps: HashMap<ConnectionId, Vec<Position>>,
    /// The steps of the connection that went through the sequence, or came farthest.
    pub(super) farthest: Option<(ConnectionId, Vec<Position>)>,
}

impl Judge {
    /// A judge who has seen nothing. Texts are checked in `charset`.
    ///
    /// # Errors
    /// Everything that is wrong with the matchers.
    pub(super) fn new(expectation: &Expectation, charset: Charset) -> Result<Self, Vec<FieldError>> {
        let (what, mut errors) = (expectation.what.clone(), Vec::new());
        for (pointer, draft) in what.matchers() {
            let _ = Matcher::new(draft, charset, &pointer, &mut errors);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            what,
            compiled: Vec::new(),
            matched: 0,
            looked_at: 0,
            evidence: Vec::new(),
            nearest: Vec::new(),
            steps: HashMap::new(),
            farthest: None,
        })
    }

    /// Whether the address of a client matters.
    pub(super) fn asks_for_peer(&self) -> bool {
        self.what.matchers().iter().any(|(_, draft)| draft.asks_for_peer())
    }

    /// Looks at the next message: whether that decides it, and how.
    pub(super) fn look(&mut self, record: &MessageRecord, peer: IpAddr) -> Option<bool> {
        self.looked_at += 1;
        let message = &record.message;
        if let Some(why) = message.unsent() {
            // It is nothing that crossed, but it may be why nothing did.
            self.missed(Miss { nearness: 1.0, detail: format!("was not sent: {why}") }, record);
            return None;
        }
        let subject = Subject { content: message.content().of(&message.payload), peer, nth: message.seq };
        let step = match &self.what {
            What::Count { .. } => 0,
            What::Sequence(_) => self.steps.get(&message.connection).map_or(0, Vec::len),
        };
        let matcher = self.matchers(message.charset).get(step).and_then(Option::as_ref);
        let miss = match matcher {
            Some(matcher) => matcher.miss(&subject),
            None => Some(Miss { nearness: 0.0, detail: "its encoding cannot express the text".to_owned() }),
        };
        match miss {
            Some(miss) => {
                self.missed(miss, record);
                None
            }
            None => self.hit(record),
        }
    }

    /// Whether it is met when nothing more comes.
    pub(super) fn end(&self) -> bool {
        match &self.what {
            What::Count { least, most, .. } => {
                self.matched >= *least && most.is_none_or(|most| self.matched <= most)
            }
            What::Sequence(steps) => self.matched >= steps.len() as u64,
        }
    }

    fn hit(&mut self, record: &MessageRecord) -> Option<bool> {
        let position = record.position;
        match &self.what {
            What::Count { least, most, .. } => {
                self.matched += 1;
                let (least, most) = (*least, *most);
                if self.evidence.len() < EVIDENCE {
                    self.evidence.push(shown(record));
                }
                match most {
                    Some(most) if self.matched > most => Some(false),
                    None if self.matched >= least => Some(true),
                    _ => None,
                }
            }
            What::Sequence(wanted) => {
                let steps = self.steps.entry(record.message.connection).or_default();
                steps.push(position);
                if steps.len() as u64 > self.matched {
                    self.matched = steps.len() as u64;
                    self.farthest = Some((record.message.connection, steps.clone()));
                }
                (steps.len() == wanted.len()).then_some(true)
            }
        }
    }

    fn missed(&mut self, miss: Miss, record: &MessageRecord) {
        // Of those that are equally near the first is kept.
        let behind = self.nearest.partition_point(|(other, _)| other.nearness >= miss.nearness);
        if behind < NEAREST {
            self.nearest.insert(behind, (miss, shown(record)));
            self.nearest.truncate(NEAREST);
        }
    }

    fn matchers(&mut self, charset: Charset) -> &[Option<Matcher>] {
        let known = self.compiled.iter().position(|(known, _)| *known == charset);
        let at = known.unwrap_or_else(|| {
            let compile = |(_, draft): &(String, &_)| Matcher::new(draft, charset, "", &mut Vec::new());
            let matchers = self.what.matchers().iter().map(compile).collect();
            self.compiled.push((charset, matchers));
            self.compiled.len() - 1
        });
        self.compiled.get(at).map_or(&[], |(_, matchers)| matchers)
    }
}

/// As much of a message as is shown.
fn shown(record: &MessageRecord) -> MessageRecord {
    let mut record = record.clone();
    // A copy, so that the rest can be given back.
    let beginning = record.message.payload.get(..SHOWN);
    if let Some(beginning) = beginning {
        record.message.payload = bytes::Bytes::copy_from_slice(beginning);
    }
    record
}
