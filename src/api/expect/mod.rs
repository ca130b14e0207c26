//! `/expect`: wait until something has happened, or say why it has not.

mod judge;
mod tail;
mod watch;

pub(super) use tail::Tail;
pub(super) use watch::expect;
