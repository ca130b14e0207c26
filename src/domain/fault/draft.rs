//! A fault as somebody wrote it.

use std::time::Duration;

use super::super::field::FieldError;
use super::super::message::Direction;

/// The longest time that a fault speaks of.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The shortest pause of a dribble: the timer has no finer one.
const SHORTEST: Duration = Duration::from_millis(1);
/// Bits that are flipped at most.
const MOST_BITS: u32 = 1 << 20;
/// The highest rate, in bytes a second: 1 TiB/s.
const HIGHEST_RATE: u64 = 1 << 40;

/// A fault as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultDraft {
    /// What it does.
    pub kind: FaultKind,
    /// How likely it strikes.
    pub probability: Probability,
    /// Where its chance begins, if it is to be the same again.
    pub seed: Option<u64>,
    /// After how long it switches itself off, if it does.
    pub ttl: Option<Duration>,
}

/// What a fault does. How each looks on the wire is said in `wire::fault`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Replies come late.
    Latency {
        /// By how much.
        delay: Duration,
        /// How much more or less it may be.
        jitter: Duration,
        /// How the jitter spreads.
        distribution: Distribution,
    },
    /// The line is slow.
    Bandwidth {
        /// Bytes a second.
        rate: u64,
        /// Which way; `None`: both.
        direction: Option<Direction>,
    },
    /// Replies come in drops.
    Dribble {
        /// Bytes of a drop.
        bytes: u64,
        /// The time between two.
        every: Duration,
    },
    /// The client sees a RST.
    Reset {
        /// At what.
        when: When,
        /// After how many bytes of it.
        after_bytes: u64,
    },
    /// The client sees a FIN, too early.
    Close {
        /// At what.
        when: When,
        /// After how many bytes of it.
        after_bytes: u64,
    },
    /// Of a reply only the beginning leaves.
    Truncate {
        /// How much of it.
        bytes: u64,
    },
    /// Some bits of a reply are wrong.
    Corrupt {
        /// How many.
        bits: u32,
    },
    /// Nothing is answered.
    Stall,
    /// Nothing is read.
    StopReading {
        /// After how many bytes.
        after_bytes: u64,
    },
    /// The port is closed, and held.
    Refuse,
    /// The endpoint's machine seems to be gone.
    HalfOpen,
}

impl FaultKind {
    /// The word of the API.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Dribble { .. } => "dribble",
            Self::Reset { .. } => "reset",
            Self::Close { .. } => "close",
            Self::Truncate { .. } => "truncate",
            Self::Corrupt { .. } => "corrupt",
            Self::Stall => "stall",
            Self::StopReading { .. } => "stop_reading",
            Self::Refuse => "refuse",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How a jitter spreads around the delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// Each delay within the jitter is as likely.
    #[default]
    Uniform,
    /// The bell curve: the jitter is its standard deviation.
    Normal,
}

impl Distribution {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Uniform, Self::Normal];

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
        }
    }
}

/// At what a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// When it was accepted, before anything is read.
    Accept,
    /// When a message has come and is on record, instead of its reply.
    Message,
    /// In the middle of a reply.
    #[default]
    Reply,
}

impl When {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Message, Self::Reply];

    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Message => "message",
            Self::Reply => "reply",
        }
    }
}

/// How likely something is: more than 0, up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probability(f64);

/// It is a number, so it equals itself.
impl Eq for Probability {}

impl Probability {
    /// It is certain.
    pub const CERTAIN: Self = Self(1.0);

    /// This likely, if that is possible.
    pub fn new(probability: f64) -> Option<Self> {
        (probability > 0.0 && probability <= 1.0).then_some(Self(probability))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultTarget {
    /// A listener's: it strikes its connections, and each message.
    Listener,
    /// A rule's: it strikes the messages that the rule takes.
    Rule,
}

impl FaultDraft {
    /// Notes what is wrong with it.
    pub(super) fn check(&self, target: FaultTarget, pointer: &str, errors: &mut Vec<FieldError>) {
        let mut wrong = |bad: bool, name: &str, detail: &str| {
            if bad {
                errors.push(FieldError::new(format!("{pointer}{name}"), detail));
            }
        };
        wrong(self.ttl.is_some_and(|ttl| ttl.is_zero()), "/ttl", "must be longer than 0; null is for ever");
        let of_rule = target == FaultTarget::Rule;
        match self.kind {
            FaultKind::Latency { delay, jitter, .. } => {
                wrong(delay > LONGEST, "/delay", "must be at most 1h");
                wrong(jitter > LONGEST, "/jitter", "must be at most 1h");
                wrong((delay + jitter).is_zero(), "/delay", "must be longer than 0, or have a jitter");
            }
            FaultKind::Bandwidth { rate, direction } => {
                let rates = "must be from 1 to 1TiB, in bytes a second";
                wrong(!(1..=HIGHEST_RATE).contains(&rate), "/rate", rates);
                let sent = "must be `sent` here: a rule comes to know a message when it has been received";
                wrong(of_rule && direction != Some(Direction::Sent), "/direction", sent);
            }
            FaultKind::Dribble { bytes, every } => {
                wrong(bytes == 0, "/bytes", "must be at least 1");
                wrong(!(SHORTEST..=LONGEST).contains(&every), "/every", "must be from 1ms to 1h");
            }
            FaultKind::Reset { when, after_bytes } | FaultKind::Close { when, after_bytes } => {
                let accept = when == When::Accept;
                wrong(of_rule && accept, "/when", "must be message or reply here: a rule takes messages");
                wrong(
                    accept && after_bytes > 0,
                    "/after_bytes",
                    "must be 0: nothing has been read at `accept`",
                );
            }
            FaultKind::Corrupt { bits } => {
                wrong(!(1..=MOST_BITS).contains(&bits), "/bits", "must be from 1 to 1048576");
            }
            FaultKind::StopReading { after_bytes } => {
                let zero = "must be 0 here: the rule says after what";
                wrong(of_rule && after_bytes > 0, "/after_bytes", zero);
            }
            FaultKind::Refuse => {
                wrong(
                    of_rule,
                    "/type",
                    "a rule takes messages, and a closed port has none; a listener may refuse",
                );
                let all = "a closed port refuses all; for some clients, use reset with \"when\":\"accept\"";
                wrong(self.probability != Probability::CERTAIN, "/probability", all);
            }
            FaultKind::Truncate { .. } | FaultKind::Stall | FaultKind::HalfOpen => {}
        }
    }
}
