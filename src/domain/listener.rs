//! An open TCP port and what it does.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::charset::Charset;
use super::clock::Timestamp;
use super::fault::{Fault, FaultDraft, FaultKind, FaultTarget};
use super::field::FieldError;
use super::framing::{Framing, FramingDraft};
use super::limits::Limits;
use super::listener_check::check;
use super::periodic::{Periodic, PeriodicDraft};
use super::prepared::Prepared;
use super::reply::Reply;
use super::rule::{Rule, RuleDraft};
use super::template::Counters;

/// A listener's name: `[a-z0-9][a-z0-9._-]{0,62}`, and never the form of an id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// A sentence that says what a name is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let shape = text.len() <= 63
            && text.starts_with(fits)
            && text.chars().all(|c| fits(c) || matches!(c, '.' | '_' | '-'));
        if !shape {
            return Err(
                "a name is 1 to 63 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or a digit".into(),
            );
        }
        if super::id::ListenerId::parse(text).is_some() {
            return Err("a name must not look like an id; choose a word".into());
        }
        Ok(Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the endpoint does with the connection after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Send FIN, keep reading for a bounded while, close.
    Close,
    /// Wait for the next message.
    Keep,
    /// Send FIN, then read (and record) until the client closes.
    HalfClose,
    /// Send RST.
    Reset,
}

impl Then {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Keep => "keep",
            Self::HalfClose => "half_close",
            Self::Reset => "reset",
        }
    }
}

/// Why a listener closed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfClose {
    /// It had served `max_connections_total` clients.
    MaxConnectionsTotal,
    /// Its `ttl` was over.
    Ttl,
    /// Another program took the port while the listener was being moved.
    PortLost,
}

impl SelfClose {
    /// Reads the word of the API.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::MaxConnectionsTotal, Self::Ttl, Self::PortLost].into_iter().find(|why| why.as_str() == word)
    }

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxConnectionsTotal => "max_connections_total",
            Self::Ttl => "ttl",
            Self::PortLost => "port_lost",
        }
    }
}

/// A listener as somebody wishes it; [`ListenerSpec::new`] says whether it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerDraft {
    /// The TCP port; 0 lets the kernel choose.
    pub port: u16,
    /// The address to bind. `::` takes IPv4 clients too.
    pub host: IpAddr,
    /// A unique name.
    pub name: Option<Name>,
    /// Connections that the kernel holds ready for accepting (`listen(2)`).
    pub backlog: u32,
    /// The encoding of texts.
    pub charset: Charset,
    /// Where a message ends; `None`: a message is one read.
    pub framing: Option<FramingDraft>,
    /// Sent when a client connects, before anything is read.
    pub greeting: Reply,
    /// Sent for each message.
    pub reply: Reply,
    /// What follows the reply; `None` is `close`, or `keep` for an echo.
    pub then: Option<Then>,
    /// What answers which message; the first that fits. `reply` is for those that none fits.
    pub rules: Vec<RuleDraft>,
    /// What is sent unasked, again and again.
    pub sends: Vec<PeriodicDraft>,
    /// What it does wrong on purpose.
    pub faults: Vec<FaultDraft>,
    /// Bounds.
    pub limits: Limits,
    /// How many clients it serves before it closes by itself.
    pub max_connections_total: Option<u64>,
    /// How long it stays open.
    pub ttl: Option<Duration>,
}

impl Default for ListenerDraft {
    /// The tutorial's server on a port of the kernel's choice.
    fn default() -> Self {
        Self {
            port: 0,
            host: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            name: None,
            backlog: 128,
            charset: Charset::Fixed(encoding_rs::GBK),
            framing: None,
            greeting: Reply::Silence,
            reply: Reply::standard(),
            then: None,
            rules: Vec::new(),
            sends: Vec::new(),
            faults: Vec::new(),
            limits: Limits::default(),
            max_connections_total: None,
            ttl: None,
        }
    }
}

/// A listener that can be: every text can be encoded, every bound makes sense.
#[derive(Debug, Clone)]
pub struct ListenerSpec {
    draft: ListenerDraft,
    framing: Option<Arc<Framing>>,
    reply: Prepared,
    greeting: Prepared,
    sends: Arc<[Periodic]>,
    rules: Arc<[Rule]>,
    faults: Arc<[Fault]>,
    counters: Arc<Counters>,
    follows_peer: bool,
    is_costly: bool,
}

/// Two specs are the same when the same was asked for.
impl PartialEq for ListenerSpec {
    fn eq(&self, other: &Self) -> bool {
        self.draft == other.draft
    }
}

impl ListenerSpec {
    /// Checks a draft.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(draft: ListenerDraft) -> Result<Self, Vec<FieldError>> {
        let mut errors = check(&draft);
        let framing = draft.framing.clone().map(|framing| Framing::new(framing, draft.charset));
        let framing = framing.transpose().map_err(|faults| errors.extend(faults)).unwrap_or_default();
        let (charset, frame) = (draft.charset, framing.as_ref());
        let reply = Prepared::new(&draft.reply, "/reply", charset, frame, &mut errors);
        let greeting = Prepared::new(&draft.greeting, "/greeting", charset, frame, &mut errors);
        let sends = Periodic::all(&draft.sends, charset, frame, &mut errors);
        let rules = Rule::all(&draft.rules, charset, frame, &mut errors);
        let faults = Fault::all(&draft.faults, FaultTarget::Listener, "/faults", &mut errors);
        let framing = framing.map(Arc::new);
        if !errors.is_empty() {
            return Err(errors);
        }
        let follows_peer = reply.follows_peer()
            || sends.iter().any(|send| send.send.follows_peer())
            || rules.iter().any(Rule::follows_peer);
        let (counters, is_costly) = (Arc::default(), rules.iter().any(Rule::is_costly));
        Ok(Self { draft, framing, reply, greeting, sends, rules, faults, counters, follows_peer, is_costly })
    }

    /// The same, asking for another port.
    #[must_use]
    pub fn at_port(mut self, port: u16) -> Self {
        self.draft.port = port;
        self
    }

    /// Makes a message ready that is to be sent unasked to its clients.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn prepare(&self, message: &Reply) -> Result<Prepared, Vec<FieldError>> {
        if let Some(detail) = message.is_no_message() {
            return Err(vec![FieldError::new("", detail)]);
        }
        let (mut errors, framing) = (Vec::new(), self.framing.as_deref());
        let prepared = Prepared::new(message, "", self.draft.charset, framing, &mut errors);
        if errors.is_empty() { Ok(prepared) } else { Err(errors) }
    }

    /// What was asked for.
    pub const fn draft(&self) -> &ListenerDraft {
        &self.draft
    }

    /// Where a message ends; `None`: a message is one read.
    pub const fn framing(&self) -> Option<&Arc<Framing>> {
        self.framing.as_ref()
    }

    /// The reply.
    pub const fn reply(&self) -> &Prepared {
        &self.reply
    }

    /// The greeting.
    pub const fn greeting(&self) -> &Prepared {
        &self.greeting
    }

    /// What is sent unasked, again and again.
    pub const fn sends(&self) -> &Arc<[Periodic]> {
        &self.sends
    }

    /// What it does wrong on purpose.
    pub const fn faults(&self) -> &Arc<[Fault]> {
        &self.faults
    }

    /// All faults, its rules' too, are in force from `now` on, unless they were before.
    pub fn begin(&self, now: Timestamp) {
        self.faults.iter().chain(self.rules.iter().flat_map(Rule::faults)).for_each(|fault| fault.begin(now));
    }

    /// When the next of its own faults switches itself off.
    pub fn next_fault_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.faults.iter().filter_map(|fault| fault.ends(now)).min()
    }

    /// Whether its port is to be closed, and held.
    pub fn refuses(&self, now: Timestamp) -> bool {
        self.faults.iter().any(|fault| *fault.kind() == FaultKind::Refuse && fault.is_on(now))
    }

    /// Goes on with the counters of another spec of the same listener; and where they are the same, with its rules and how
    /// often they have answered, its periodic sends, and its faults and how long they have been in force.
    pub fn go_on_from(&mut self, other: &Self) {
        self.counters = Arc::clone(&other.counters);
        let (new, old) = (&self.draft, &other.draft);
        if new.faults == old.faults {
            self.faults = Arc::clone(&other.faults);
        }
        if (new.charset, &new.framing) != (old.charset, &old.framing) {
            return;
        }
        if new.rules == old.rules {
            self.rules = Arc::clone(&other.rules);
        }
        if new.sends == old.sends {
            self.sends = Arc::clone(&other.sends);
        }
    }

    /// What answers which message, the first that fits.
    pub const fn rules(&self) -> &Arc<[Rule]> {
        &self.rules
    }

    /// Whether a reply depends on the encoding that the peer speaks.
    pub const fn follows_peer(&self) -> bool {
        self.follows_peer
    }

    /// Whether to answer a long message may take a time that others should not have to wait for.
    pub const fn is_costly(&self) -> bool {
        self.is_costly
    }

    /// What its templates count with.
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What follows the reply.
    pub fn then(&self) -> Then {
        let default = if self.draft.reply == Reply::Echo { Then::Keep } else { Then::Close };
        self.draft.then.unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_listener_is_the_tutorials_server() {
        let spec = ListenerSpec::new(ListenerDraft::default()).unwrap();
        assert_eq!(spec.reply().ready.as_ref().unwrap().bytes.len(), 17);
        assert_eq!(spec.then(), Then::Close);
    }

    #[test]
    fn an_echo_keeps_the_connection_unless_told_otherwise() {
        let mut draft = ListenerDraft { reply: Reply::Echo, ..ListenerDraft::default() };
        assert_eq!(ListenerSpec::new(draft.clone()).unwrap().then(), Then::Keep);
        draft.then = Some(Then::Close);
        assert_eq!(ListenerSpec::new(draft).unwrap().then(), Then::Close);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let draft = ListenerDraft {
            backlog: 0,
            reply: Reply::Text { text: "😀".into(), encoding: None },
            ttl: Some(Duration::ZERO),
            ..ListenerDraft::default()
        };
        let pointers: Vec<_> = ListenerSpec::new(draft).unwrap_err().into_iter().map(|e| e.pointer).collect();
        assert_eq!(pointers, ["/backlog", "/ttl", "/reply"]);
    }

    #[test]
    fn names_keep_to_their_pattern() {
        for good in ["gate", "0", "a.b-c_d", &"x".repeat(63)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        let id = "01980000-0000-7000-8000-000000000000";
        for bad in ["", "Gate", "-a", ".a", "a b", "名", &"x".repeat(64), id] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }
}
