//! A typed client of the control plane: for tests, for tools, and for this program's own command line.
//!
//! [`Client`] has a method for each thing that the API can be asked. What it answers are plain structs with the names of
//! the API: [`Listener`], [`Connection`], [`Message`]. What is asked is built up: a [`Spec`], a [`Query`], an
//! [`Expectation`]; where a builder has no word for something, JSON does. What goes wrong is an [`Error`], and where the
//! service said so, the problem that it named.
//!
//! It speaks HTTP without TLS, as the service does, over a connection for each request: nothing is left behind by a
//! request that was dropped.

mod address;
mod door;
mod error;
mod events;
mod expectation;
mod kinds;
mod known;
mod query;
mod session;
mod spec;

pub(crate) use address::{authority, escaped};
pub use error::{Error, Unmet};
pub use events::{Event, Events, Happened};
pub use expectation::Expectation;
pub use kinds::{Direction, ExportFormat, HangUp};
pub use known::{
    Applied, Connection, ConnectionCounts, Failure, Forgotten, Listener, ListenerRef, Message, NearMiss,
    NearestMessage, Outcome, Page, Sent, Tally,
};
pub use query::Query;
pub use session::{Client, Download};
pub use spec::Spec;
