//! What is expected to happen, read; and what came of it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::domain::{Charset, ConnectionId, Direction, FieldError, MatcherDraft};
use crate::store::{Cursor, ListenerFilter, MessageRecord, Position};

use super::fields::{Fields, integer, kind, string};
use super::list::{as_text, as_text_or_null};
use super::matcher::read_matcher;
use super::message::WrittenMessage;
use super::query::{direction, listener};
use super::spec::duration;

const MEMBERS: [&str; 9] =
    ["listener", "connection", "match", "sequence", "direction", "count", "never", "within", "after"];
/// How long is waited, unless told otherwise.
const WITHIN: Duration = Duration::from_secs(5);
/// The longest: proxies and clients give up on an answer after about a minute.
const LONGEST: Duration = Duration::from_secs(60);
/// Matchers of a sequence at most.
const MOST_STEPS: usize = 32;

/// What is expected.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    /// Whose messages.
    pub(crate) listener: Option<ListenerFilter>,
    /// Of one connection.
    pub(crate) connection: Option<ConnectionId>,
    /// Which way they crossed.
    pub(crate) direction: Direction,
    /// What of them.
    pub(crate) what: What,
    /// How long it may take.
    pub(crate) within: Duration,
    /// The records behind this.
    pub(crate) after: Position,
}

impl Expectation {
    /// Whether it is one of the messages in question.
    pub(crate) fn is_of(&self, record: &MessageRecord) -> bool {
        let listener = match &self.listener {
            None => true,
            Some(ListenerFilter::Id(id)) => record.listener.id == *id,
            Some(ListenerFilter::Name(name)) => record.listener.name.as_ref() == Some(name),
        };
        listener
            && record.message.direction == self.direction
            && self.connection.is_none_or(|id| record.message.connection == id)
    }
}

/// What of the messages.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// So many are like this.
    Count {
        /// Like what.
        matcher: MatcherDraft,
        /// At least so many.
        least: u64,
        /// At most so many.
        most: Option<u64>,
    },
    /// On one connection, these come one after the other; others may come between.
    Sequence(Vec<MatcherDraft>),
}

impl What {
    /// What messages are compared with, with the pointers to each.
    pub(crate) fn matchers(&self) -> Vec<(String, &MatcherDraft)> {
        match self {
            Self::Count { matcher, .. } => vec![("/match".to_owned(), matcher)],
            Self::Sequence(steps) => {
                steps.iter().enumerate().map(|(n, step)| (format!("/sequence/{n}"), step)).collect()
            }
        }
    }
}

/// Reads an expectation.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse_expectation(value: &Value) -> Result<Expectation, Vec<FieldError>> {
    let mut errors = Vec::new();
    let Some(mut fields) = Fields::new(value, "", &MEMBERS, &mut errors) else { return Err(errors) };
    let what = what(&mut fields);
    let within = fields.read("within", WITHIN, |v| match duration(v)? {
        within if within > LONGEST => {
            Err("must be at most 60s; ask again with the `next` of the answer".to_owned())
        }
        within => Ok(within),
    });
    let id = |v: &Value| {
        ConnectionId::parse(string(v)?).ok_or_else(|| "must be the id of a connection".to_owned())
    };
    let expectation = what.map(|what| Expectation {
        listener: fields.nullable("listener", None, |v| listener(string(v)?)),
        connection: fields.nullable("connection", None, id),
        direction: fields.read("direction", Direction::Received, |v| direction(string(v)?)),
        what,
        within,
        after: fields
            .nullable("after", None, |v| Cursor::parse(string(v)?).map(|c| c.0))
            .unwrap_or(Position::START),
    });
    match expectation {
        Some(expectation) if errors.is_empty() => Ok(expectation),
        _ => Err(errors),
    }
}

fn what(fields: &mut Fields<'_>) -> Option<What> {
    let is_there = |fields: &Fields<'_>, name| fields.get(name).is_some_and(|v| !v.is_null());
    match (is_there(fields, "match"), is_there(fields, "sequence")) {
        (true, false) => {}
        (false, true) => return sequence(fields),
        (true, true) => fields.wrong("sequence", "is in place of `match`: give one of them"),
        (false, false) => {
            fields.wrong("match", "is required: what a message must be like; or a `sequence` of such");
        }
    }
    let (least, most) = count(fields);
    let value = fields.get("match")?;
    let matcher = read_matcher(value, "/match", fields.errors())?;
    Some(What::Count { matcher, least, most })
}

fn sequence(fields: &mut Fields<'_>) -> Option<What> {
    for name in ["count", "never"] {
        if fields.get(name).is_some() {
            fields.wrong(name, "goes with `match`; a sequence is there or not");
        }
    }
    let Some(Value::Array(list)) = fields.get("sequence") else {
        fields.wrong("sequence", "must be an array of matchers");
        return None;
    };
    if list.is_empty() || list.len() > MOST_STEPS {
        fields.wrong("sequence", format!("must have from 1 to {MOST_STEPS} matchers"));
        return None;
    }
    let read = |(n, value)| read_matcher(value, &format!("/sequence/{n}"), fields.errors());
    let steps: Vec<_> = list.iter().enumerate().map(read).collect();
    steps.into_iter().collect::<Option<_>>().map(What::Sequence)
}

/// How many there are to be: one or more, unless told otherwise.
fn count(fields: &mut Fields<'_>) -> (u64, Option<u64>) {
    let never = fields.read("never", false, |v| {
        v.as_bool().ok_or_else(|| format!("must be true or false, not {}", kind(v)))
    });
    let Some(value) = fields.get("count").filter(|v| !v.is_null()) else {
        return if never { (0, Some(0)) } else { (1, None) };
    };
    if never {
        fields.wrong("count", "goes without `never`, which is at most 0");
    }
    let known = ["at_least", "exactly", "at_most"];
    let Some(mut fields) = Fields::new(value, "/count", &known, fields.errors()) else { return (1, None) };
    let mut number = |name: &str| fields.nullable(name, None, |v| integer(v, 0, u64::MAX));
    let [at_least, exactly, at_most] = known.map(&mut number);
    match (at_least, exactly, at_most) {
        (None, Some(exactly), None) => (exactly, Some(exactly)),
        (_, Some(_), _) => {
            fields.wrong("exactly", "goes without the others");
            (1, None)
        }
        (Some(least), _, Some(most)) if least > most => {
            fields.wrong("at_least", "must be at most `at_most`");
            (1, None)
        }
        (None, None, None) => {
            fields.errors().push(FieldError::new("/count", "must have at_least, at_most, both, or exactly"));
            (1, None)
        }
        (least, _, most) => (least.unwrap_or(0), most),
    }
}

/// What came of an expectation.
#[derive(Debug, Serialize)]
pub(crate) struct OutcomeView {
    /// Whether it was met.
    pub(crate) met: bool,
    /// Whether that cannot be known, because records were evicted that would have to be looked at.
    pub(crate) unknown: bool,
    /// How many messages were like that; of a sequence, how far the connection came that came farthest.
    pub(crate) matched: u64,
    /// How many messages were looked at.
    pub(crate) looked_at: u64,
    /// Where to go on.
    #[serde(serialize_with = "as_text")]
    pub(crate) next: Cursor,
    /// From there on nothing is missing; `null` when nothing is.
    #[serde(serialize_with = "as_text_or_null")]
    pub(crate) evicted_before: Option<Cursor>,
    /// The first messages that were like that.
    pub(crate) evidence: Vec<WrittenMessage>,
    /// Those that came nearest, where none is enough.
    pub(crate) near_misses: Vec<NearView>,
}

/// A message that was not like that.
#[derive(Debug, Serialize)]
pub(crate) struct NearView {
    pub(crate) detail: String,
    pub(crate) message: WrittenMessage,
}

/// The encoding that texts are checked in where no listener says which.
pub(crate) const UNSAID: Charset = Charset::Fixed(encoding_rs::UTF_8);
