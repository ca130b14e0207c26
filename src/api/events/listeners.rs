//! The listeners as a reader has been told of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::api::error::ApiResult;
use crate::api::types::{GoneView, ListenerView};
use crate::domain::{ListenerId, ListenerSpec};
use crate::engine::{Engine, ListenerSnapshot, ListenerState};
use crate::store::ListenerFilter;

use super::frame::event;

/// What was told of one.
struct Told {
    spec: Arc<ListenerSpec>,
    address: SocketAddr,
    state: ListenerState,
}

impl Told {
    fn is(&self, now: &ListenerSnapshot) -> bool {
        Arc::ptr_eq(&self.spec, &now.spec) && self.address == now.address && self.state == now.state
    }
}

/// What was told of all that fit.
pub(super) struct Listeners {
    filter: Option<ListenerFilter>,
    told: BTreeMap<ListenerId, Told>,
}

impl Listeners {
    pub(super) const fn new(filter: Option<ListenerFilter>) -> Self {
        Self { filter, told: BTreeMap::new() }
    }

    /// Appends an event for each that is another than was told, or gone.
    pub(super) fn tell(&mut self, engine: &Engine, out: &mut Vec<u8>) -> ApiResult<()> {
        let mut gone = std::mem::take(&mut self.told);
        for now in engine.list() {
            if !self.fits(&now) {
                continue;
            }
            let told = Told { spec: Arc::clone(&now.spec), address: now.address, state: now.state };
            let is_known = gone.remove(&now.id).is_some_and(|before| before.is(&now));
            self.told.insert(now.id, told);
            if !is_known {
                event(out, "listener", None, &ListenerView::from(now))?;
            }
        }
        for (id, told) in gone {
            event(out, "listener_deleted", None, &GoneView::new(id, told.spec.draft().name.as_ref()))?;
        }
        Ok(())
    }

    fn fits(&self, listener: &ListenerSnapshot) -> bool {
        match &self.filter {
            None => true,
            Some(ListenerFilter::Id(id)) => listener.id == *id,
            Some(ListenerFilter::Name(name)) => listener.spec.draft().name.as_ref() == Some(name),
        }
    }
}
