//! What an endpoint does wrong on purpose.

mod draft;
mod strike;

pub use draft::{Distribution, FaultDraft, FaultKind, FaultTarget, Probability, When};
pub use strike::{Fault, Occasion};
