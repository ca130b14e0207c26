//! `half_open`: the endpoint's machine seems to be gone. No segment is acknowledged any more, and the client's kernel
//! retransmits until it gives up. Ended by the endpoint, the connection is reset.

use super::effect::Hindrance;

/// The endpoint hears nothing any more.
pub(super) fn hinder(hindrance: &mut Hindrance) {
    hindrance.is_deaf = true;
    hindrance.is_mute = true;
}
