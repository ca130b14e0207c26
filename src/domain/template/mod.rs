//! Replies that are computed from the message, when it comes.

mod checksum;
mod compiled;
mod functions;

pub use compiled::{Context, Counters, Template, TemplateForm};
