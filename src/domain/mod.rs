//! What the words mean: listeners, connections, messages, replies, limits.
//!
//! The lowest floor. No I/O, no async, no clock: time and randomness come in
//! as arguments. A [`ListenerSpec`] that exists is valid; whoever builds one
//! from foreign input learns every fault of it at once, as [`FieldError`]s.

mod charset;
mod clock;
mod connection;
mod dice;
mod durability;
mod fault;
mod field;
mod framing;
mod id;
mod limits;
mod listener;
mod listener_check;
mod literal;
mod matcher;
#[cfg(test)]
mod matcher_tests;
mod message;
mod miss;
mod patterns;
mod periodic;
mod ports;
mod prepared;
mod reply;
mod rule;
mod template;
mod units;
mod wrap;

pub use charset::{Charset, Unencodable, label_of};
pub use clock::{Clock, SystemClock, Timestamp};
pub use connection::{CloseReason, ClosedBy, Closing, Connection, ListenerRef, Tally};
pub use dice::Dice;
pub use durability::Durability;
pub use fault::{Distribution, Fault, FaultDraft, FaultKind, FaultTarget, Occasion, Probability, When};
pub use field::FieldError;
pub use framing::{Boundary, Cut, Endian, Framing, FramingDraft, LengthPrefix, OnOverflow};
pub use id::{ConnectionId, IdSource, ListenerId};
pub use limits::Limits;
pub use listener::{ListenerDraft, ListenerSpec, Name, SelfClose, Then};
pub use literal::Literal;
pub use matcher::{Matcher, MatcherDraft, Subject};
pub use message::{Content, Direction, Message, Note, Verdict};
pub use miss::Miss;
pub use patterns::Patterns;
pub use periodic::{Periodic, PeriodicDraft};
pub use ports::PortSet;
pub use prepared::Prepared;
pub use reply::{Reply, ReplyEncoding, STANDARD_REPLY};
pub use rule::{Rule, RuleDraft, RuleReply, START, Sequence, near_miss};
pub use template::{Context, Counters, Template, TemplateForm};
pub use units::{format_duration, parse_duration, parse_size};
pub use wrap::Ready;
