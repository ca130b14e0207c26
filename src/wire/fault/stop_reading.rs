//! `stop_reading`: after so many bytes nothing is read. The client sends until all buffers are full; then its kernel is told
//! of a window of 0 bytes, and probes it.

use super::effect::Hindrance;

/// The endpoint reads so much of the connection.
pub(super) fn hinder(after_bytes: u64, hindrance: &mut Hindrance) {
    hindrance.reads_up_to = Some(hindrance.reads_up_to.map_or(after_bytes, |before| before.min(after_bytes)));
}
