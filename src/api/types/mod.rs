//! What crosses the control plane's wire as JSON or in a query; nothing else serialises.
//!
//! Views are written from the records and snapshots of the floors below; specs and queries are read strictly, and all
//! of their faults are named at once.

mod connection;
mod document;
mod event;
mod expect;
mod export;
mod fault;
mod fields;
mod framing;
mod list;
mod listener;
mod literal;
mod matcher;
mod message;
mod periodic;
mod problem;
mod query;
mod recut;
mod reply;
mod rule;
mod spec;
mod talk;

pub use connection::{ConnectionView, ForgottenView};
pub use document::{AppliedView, document_to_json, parse_document};
pub use event::{EvictedView, GoneView};
pub use list::List;
pub use listener::{ListenerView, TallyView};
pub use message::{MessageView, WrittenMessage};
pub use problem::{Problem, ProblemField};
pub use spec::{parse_spec, patch_spec, read_spec, spec_to_json, write_spec};
pub use talk::{HungUpView, SentView};

pub(super) use event::{EventRequest, parse_events};
pub(super) use expect::{Expectation, NearView, OutcomeView, UNSAID, What, parse_expectation};
pub(super) use export::{ExportFormat, ExportRequest, parse_export};
pub(super) use message::{PayloadForm, Reading, Style};
pub(super) use query::{
    ListOf, ListRequest, PAGE_BYTES, parse_direction, parse_filter, parse_flag, parse_list, parse_style,
};
pub(super) use recut::{RecutRequest, parse_recut};
pub(super) use talk::{parse_hang_up, parse_message};
