//! What answers which message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;

use super::charset::Charset;
use super::fault::{Fault, FaultDraft, FaultTarget};
use super::field::FieldError;
use super::framing::Framing;
use super::listener::Then;
use super::matcher::{Matcher, MatcherDraft, Subject};
use super::miss::{Miss, nearer};
use super::prepared::Prepared;
use super::reply::Reply;

/// The state that each connection begins in.
pub const START: &str = "start";

/// Rules of a listener, and replies of a rule, at most.
const MOST: usize = 1_000;
/// The longest name of a rule or a state, in characters.
const LONGEST_NAME: usize = 64;
/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// A rule as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleDraft {
    /// What it is called; without a name, `r1` for the first of all, and so on.
    pub name: Option<String>,
    /// What a message must be like; `None`: any will do.
    pub when: Option<MatcherDraft>,
    /// The state that the connection must be in; `None`: any.
    pub state: Option<String>,
    /// What is sent.
    pub reply: RuleReply,
    /// Which of several replies is sent.
    pub sequence: Sequence,
    /// What follows; `None`: what follows the listener's reply.
    pub then: Option<Then>,
    /// How long the reply waits.
    pub delay: Option<Duration>,
    /// How often it answers, over all connections; `None`: as often as it fits.
    pub times: Option<u64>,
    /// The state that the connection is in afterwards; `None`: the same.
    pub set_state: Option<String>,
    /// What goes wrong on purpose with the messages that it takes.
    pub faults: Vec<FaultDraft>,
}

/// What a rule sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RuleReply {
    /// What the listener sends.
    #[default]
    Listeners,
    /// This.
    One(Reply),
    /// These, one after the other.
    Many(Vec<Reply>),
}

/// Which reply of several is sent, for each connection by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sequence {
    /// One after the other, and the last one again and again.
    #[default]
    Last,
    /// One after the other, and from the first on again.
    Cycle,
    /// Each once; then the rule does not fit any more.
    Once,
}

impl Sequence {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Last, Self::Cycle, Self::Once];

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Cycle => "cycle",
            Self::Once => "once",
        }
    }
}

/// A rule that can be applied.
#[derive(Debug)]
pub struct Rule {
    name: Arc<str>,
    when: Option<Matcher>,
    state: Option<Box<str>>,
    replies: Vec<Prepared>,
    sequence: Sequence,
    /// What follows its reply, if it says so.
    pub then: Option<Then>,
    /// How long its reply waits.
    pub delay: Duration,
    times: Option<u64>,
    uses: AtomicU64,
    /// The state that the connection is in afterwards, if it says so.
    pub set_state: Option<Box<str>>,
    faults: Arc<[Fault]>,
}

impl Rule {
    /// Makes the rules of a listener. What is wrong with them is noted.
    pub(super) fn all(
        drafts: &[RuleDraft],
        charset: Charset,
        framing: Option<&Framing>,
        errors: &mut Vec<FieldError>,
    ) -> Arc<[Self]> {
        if drafts.len() > MOST {
            errors.push(FieldError::new("/rules", format!("must be at most {MOST}")));
        }
        let mut rules: Vec<Self> = Vec::with_capacity(drafts.len());
        for (n, draft) in drafts.iter().enumerate().take(MOST) {
            let pointer = format!("/rules/{n}");
            let rule = Self::new(draft, n, &pointer, charset, framing, errors);
            if draft.name.is_some() && rules.iter().any(|other| other.name == rule.name) {
                let detail = format!("another rule is called {:?}", rule.name);
                errors.push(FieldError::new(format!("{pointer}/name"), detail));
            }
            rules.push(rule);
        }
        rules.into()
    }

    fn new(
        draft: &RuleDraft,
        n: usize,
        pointer: &str,
        charset: Charset,
        framing: Option<&Framing>,
        errors: &mut Vec<FieldError>,
    ) -> Self {
        check(draft, pointer, errors);
        let when = draft.when.as_ref();
        let when = when.and_then(|when| Matcher::new(when, charset, &format!("{pointer}/when"), errors));
        let mut prepare =
            |reply: &Reply, pointer: &str| Prepared::new(reply, pointer, charset, framing, errors);
        let place = format!("{pointer}/reply");
        let replies = match &draft.reply {
            RuleReply::Listeners => Vec::new(),
            RuleReply::One(reply) => vec![prepare(reply, &place)],
            RuleReply::Many(replies) => {
                replies.iter().enumerate().map(|(n, reply)| prepare(reply, &format!("{place}/{n}"))).collect()
            }
        };
        let faults = Fault::all(&draft.faults, FaultTarget::Rule, &format!("{pointer}/faults"), errors);
        Self {
            name: draft.name.as_deref().map_or_else(|| format!("r{}", n + 1).into(), Into::into),
            when,
            state: draft.state.as_deref().map(Into::into),
            replies,
            sequence: draft.sequence,
            then: draft.then,
            delay: draft.delay.unwrap_or_default(),
            times: draft.times,
            uses: AtomicU64::new(0),
            set_state: draft.set_state.as_deref().map(Into::into),
            faults,
        }
    }

    /// What goes wrong on purpose with the messages that it takes.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }

    /// What it is called.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether one of its replies is a text in the encoding that the peer speaks.
    pub(super) fn follows_peer(&self) -> bool {
        self.replies.iter().any(Prepared::follows_peer)
    }

    /// Whether to decide about a long message takes a time that others should not have to wait for.
    pub(super) fn is_costly(&self) -> bool {
        self.when.as_ref().is_some_and(Matcher::is_costly)
    }

    /// Whether it answers a message of a connection that is in `state` and has had `answered` answers of it. If so, that
    /// is one of its times.
    pub fn takes(&self, subject: &Subject<'_>, state: &str, answered: u32) -> bool {
        let fits = self.is_for(state)
            && !self.is_spent(answered)
            && self.when.as_ref().is_none_or(|when| when.fits(subject));
        fits && self.use_up()
    }

    /// What its regular expressions find in a message that it takes, by the names of their groups.
    pub fn captures(&self, subject: &Subject<'_>) -> Vec<(String, Bytes)> {
        let mut found = Vec::new();
        if let Some(when) = &self.when {
            when.captures(subject, &mut found);
        }
        found
    }

    /// Uses it once, if that may still be.
    fn use_up(&self) -> bool {
        let Some(times) = self.times else { return true };
        self.uses.fetch_update(Relaxed, Relaxed, |uses| (uses < times).then_some(uses + 1)).is_ok()
    }

    fn is_for(&self, state: &str) -> bool {
        self.state.as_deref().is_none_or(|wanted| wanted == state)
    }

    fn is_spent(&self, answered: u32) -> bool {
        self.sequence == Sequence::Once && answered as usize >= self.replies.len().max(1)
    }

    /// The reply of its `answered`-th answer to a connection, from 0; `None`: the listener's.
    pub fn reply(&self, answered: u32) -> Option<&Prepared> {
        let (n, count) = (answered as usize, self.replies.len());
        match self.sequence {
            Sequence::Cycle if count > 0 => self.replies.get(n % count),
            _ => self.replies.get(n.min(count.saturating_sub(1))),
        }
    }

    /// Why it did not take a message.
    fn miss(&self, subject: &Subject<'_>, state: &str, answered: u32) -> Miss {
        if let Some(miss) = self.when.as_ref().and_then(|when| when.miss(subject)) {
            return miss;
        }
        let detail = match &self.state {
            Some(wanted) if **wanted != *state => {
                format!("the connection is in state {state:?}, and it is for {wanted:?}")
            }
            _ if self.is_spent(answered) => "its replies have all been sent to this connection".to_owned(),
            _ => format!("it has answered {} times, as often as it may", self.times.unwrap_or_default()),
        };
        Miss { nearness: 1.0, detail }
    }
}

/// Of rules that did not take a message, the one that came closest, and where it differs. `answered` are the answers that
/// each has given to the connection.
pub fn near_miss<'r>(
    rules: &'r [Rule],
    subject: &Subject<'_>,
    state: &str,
    answered: impl Fn(usize) -> u32,
) -> Option<(&'r Rule, Miss)> {
    let misses = rules.iter().enumerate().map(|(n, rule)| (rule, rule.miss(subject, state, answered(n))));
    misses.reduce(|a, b| if nearer(a.1.clone(), b.1.clone()) == a.1 { a } else { b })
}

fn check(draft: &RuleDraft, pointer: &str, errors: &mut Vec<FieldError>) {
    let mut wrong = |bad: bool, name: &str, detail: &str| {
        if bad {
            errors.push(FieldError::new(format!("{pointer}/{name}"), detail));
        }
    };
    let named = |name: &Option<String>| {
        name.as_ref().is_some_and(|name| {
            name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control)
        })
    };
    let name = "must have 1 to 64 characters, and no control characters";
    wrong(named(&draft.name), "name", name);
    wrong(named(&draft.state), "state", name);
    wrong(named(&draft.set_state), "set_state", name);
    wrong(draft.times == Some(0), "times", "must be at least 1; a rule that never answers is no rule");
    wrong(draft.delay.is_some_and(|delay| delay > LONGEST_DELAY), "delay", "must be at most 1h");
    if let RuleReply::Many(replies) = &draft.reply {
        wrong(replies.is_empty(), "reply", "must have at least one reply; null is silence");
        wrong(replies.len() > MOST, "reply", "must have at most 1000 replies");
    }
}
