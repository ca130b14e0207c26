//! `/expect`: wait until something has happened, or say why it has not.

mod judge;
mod watch;

pub(super) use watch::expect;
