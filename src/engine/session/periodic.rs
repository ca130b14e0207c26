//! What is sent again and again, and when the next is due.

use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::{ListenerSpec, Periodic};
use crate::wire::Turn;

use super::super::plan::Plan;
use super::super::stream::Stream;
use super::pump::{Mode, Session};

/// The periodic sends of a connection.
#[derive(Debug)]
pub(super) struct Sends {
    of: Arc<[Periodic]>,
    due: Vec<Instant>,
    /// Whether the log says already that one of them failed: once a connection is enough.
    is_told: bool,
}

impl Sends {
    /// Those of a spec, from `now` on; `None` where there are none.
    pub(super) fn new(spec: &ListenerSpec, now: Instant) -> Option<Box<Self>> {
        let of = Arc::clone(spec.sends());
        let due = of.iter().map(|send| now + send.every).collect();
        (!of.is_empty()).then(|| Box::new(Self { of, due, is_told: false }))
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
        sends.due.iter().min().copied()
    }

    /// What is due leaves. Of what could not leave in time only the last does.
    pub(super) fn send_due(&mut self) -> Plan {
        let (now, at) = (Instant::now(), self.place.clock().now());
        let (listener, talk) = (&self.place.listener, &mut self.conversation);
        let mut turn = Turn::default();
        let Some(sends) = &mut self.sends else { return Plan::of(turn, &self.place) };
        for (send, due) in sends.of.iter().zip(&mut sends.due) {
            if *due > now {
                continue;
            }
            let next = *due + send.every;
            *due = if next > now { next } else { now + send.every };
            match listener.with_spec(|spec| talk.on_due(spec, &send.send, at)) {
                Ok(said) => turn.append(said),
                Err(why) if !sends.is_told => {
                    sends.is_told = true;
                    tracing::warn!(listener = %listener.called(), %why, "a periodic send's template failed");
                }
                Err(_) => {}
            }
        }
        Plan::of(turn, &self.place)
    }
}
