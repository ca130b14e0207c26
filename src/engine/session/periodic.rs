//! What is sent again and again, and when the next is due.

use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::{ListenerSpec, Periodic};
use crate::wire::{Fares, Turn};

use super::super::plan::Plan;
use super::super::stream::Stream;
use super::pump::{Mode, Session};

/// The periodic sends of a connection.
#[derive(Debug)]
pub(super) struct Sends {
    of: Arc<[Periodic]>,
    /// When each is due next, and how it fares.
    next: Vec<(Instant, Fares)>,
}

impl Sends {
    /// Those of a spec, from `now` on; `None` where there are none.
    pub(super) fn new(spec: &ListenerSpec, now: Instant) -> Option<Box<Self>> {
        let of = Arc::clone(spec.sends());
        let next = of.iter().map(|send| (now + send.every, Fares::Well)).collect();
        (!of.is_empty()).then(|| Box::new(Self { of, next }))
    }

    /// Those of a spec from now on, where they are others than before.
    pub(super) fn adopt(sends: &mut Option<Box<Self>>, spec: &ListenerSpec) {
        let same = match sends {
            None => spec.sends().is_empty(),
            Some(sends) => Arc::ptr_eq(&sends.of, spec.sends()),
        };
        if !same {
            *sends = Self::new(spec, Instant::now());
        }
    }
}

impl<S: Stream> Session<S> {
    /// When the next one is due, while the endpoint may still send.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let sends =
            self.sends.as_ref().filter(|_| matches!(self.mode, Mode::Talking) && !self.hindered.is_deaf)?;
        sends.next.iter().map(|(at, _)| *at).min()
    }

    /// What is due leaves. Of what could not leave in time only the last does.
    pub(super) fn send_due(&mut self) -> Plan {
        let (now, at) = (Instant::now(), self.place.clock().now());
        let (listener, talk) = (&self.place.listener, &mut self.conversation);
        let Some(Sends { of, next }) = self.sends.as_deref_mut() else {
            return Plan::of(Turn::default(), &self.place);
        };
        let due = of.iter().zip(next).filter(|(_, (due, _))| *due <= now).map(|(send, (due, fares))| {
            let next = *due + send.every;
            *due = if next > now { next } else { now + send.every };
            (&send.send, fares)
        });
        Plan::of(listener.with_spec(|spec| talk.on_due(spec, due, at)), &self.place)
    }
}
