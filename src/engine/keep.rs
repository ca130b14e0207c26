//! What the journal keeps of a listener: what was asked for, and where it stands.
//!
//! A change is kept before it is answered, and before clients notice anything of it; what cannot be kept is not done.

use std::sync::Arc;

use crate::domain::{FieldError, ListenerSpec, SelfClose, Timestamp};
use crate::store::{ListenerFigures, ListenerRecord};

use super::Shared;
use super::error::EngineError;
use super::listener::{Listener, Spot};

/// A spec as the journal keeps it. The grammar is the API's; the engine only carries the text.
#[derive(Debug, Clone, Copy)]
pub struct SpecText {
    /// Writes all that was asked for.
    pub write: fn(&ListenerSpec) -> String,
    /// Reads it back, whatever the settings are now.
    pub read: fn(&str) -> Result<ListenerSpec, Vec<FieldError>>,
}

/// Keeps the listener with this spec at this spot.
pub(super) async fn keep(
    shared: &Shared,
    listener: &Listener,
    spec: &ListenerSpec,
    spot: Spot,
) -> Result<(), EngineError> {
    write(shared, listener, spec, spot, None).await
}

/// Keeps that it closed by itself. If that fails nothing is lost: whoever opens it again finds its time over or its
/// clients served, and the port that was lost taken.
pub(super) async fn keep_end(shared: &Shared, listener: &Listener, at: Timestamp, why: SelfClose) {
    let kept = write(shared, listener, &listener.spec(), listener.spot(), Some((at, why))).await;
    if let Err(error) = kept {
        tracing::warn!(listener = %listener.called(), %error, "the end of a listener could not be kept");
    }
}

/// Drops closed listeners from the journal that another took the place of.
pub(super) async fn drop_displaced(shared: &Shared, displaced: Vec<Arc<Listener>>) {
    for listener in displaced {
        if let Err(error) = shared.recorder.journal().drop_listener(listener.id).await {
            // It comes back as what it is, closed; or goes then, because its name is taken.
            tracing::warn!(listener = %listener.called(), %error, "a closed listener could not be dropped");
        }
    }
}

async fn write(
    shared: &Shared,
    listener: &Listener,
    spec: &ListenerSpec,
    spot: Spot,
    closed: Option<(Timestamp, SelfClose)>,
) -> Result<(), EngineError> {
    let record = ListenerRecord {
        id: listener.id,
        spec: (shared.config.spec_text.write)(spec),
        address: spot.address,
        opened_at: spot.opened_at,
        closed,
        total_at_opening: spot.total_before,
        figures: ListenerFigures::default(),
    };
    Ok(shared.recorder.journal().keep_listener(record).await?)
}
