//! `stall`: the client is accepted, what it sends is read and recorded, and nothing is answered.

use super::effect::Hindrance;

/// The endpoint says nothing any more.
pub(super) fn hinder(hindrance: &mut Hindrance) {
    hindrance.is_mute = true;
}
