//! What faults make of a conversation.

use crate::domain::{Fault, ListenerSpec, Occasion, Timestamp};

use super::fault::{Answer, Hindrance, Stroke, Trouble};
use super::session::Conversation;

/// Messages that answer nothing are counted apart.
const UNASKED: u64 = 1 << 63;

impl Conversation {
    /// The faults of `spec` are in force. To be asked before [`Conversation::hindrance`]; the time is only asked for where
    /// there are any.
    pub fn adopt_faults(&mut self, spec: &ListenerSpec, now: impl FnOnce() -> Timestamp) {
        let (faults, occasion) = (spec.faults(), self.occasion(0));
        match &mut self.trouble {
            None if faults.is_empty() => {}
            None => self.trouble = Some(Box::new(Trouble::new(faults, occasion, now()))),
            Some(trouble) => trouble.adopt(faults, occasion, now()),
        }
    }

    /// Whether any fault has anything to do with it.
    pub const fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// What faults do to the connection.
    pub fn hindrance(&self) -> Hindrance {
        self.trouble.as_ref().map(|trouble| trouble.hindrance()).unwrap_or_default()
    }

    /// What faults do to the answer to a message of `size` bytes.
    pub(super) fn spoil_reply<'f>(
        &mut self,
        spec: &ListenerSpec,
        of_rule: impl Iterator<Item = &'f Fault>,
        size: u64,
        answer: &mut Answer,
        now: Timestamp,
    ) {
        let occasion = self.occasion(self.received.messages + 1);
        let received = self.received.bytes + size;
        self.spoil(spec, of_rule, Stroke { occasion, now, received, is_reply: true }, answer);
    }

    /// What faults do to a message that nobody asked for.
    pub(super) fn spoil_unasked(&mut self, spec: &ListenerSpec, answer: &mut Answer, now: Timestamp) {
        let occasion = self.occasion(UNASKED | self.sent.messages);
        let stroke = Stroke { occasion, now, received: self.received.bytes, is_reply: false };
        self.spoil(spec, std::iter::empty(), stroke, answer);
    }

    fn spoil<'f>(
        &mut self,
        spec: &ListenerSpec,
        of_rule: impl Iterator<Item = &'f Fault>,
        stroke: Stroke,
        answer: &mut Answer,
    ) {
        self.adopt_faults(spec, || stroke.now);
        let mut of_rule = of_rule.peekable();
        if self.trouble.is_none() && of_rule.peek().is_none() {
            return;
        }
        let (faults, occasion) = (spec.faults(), self.occasion(0));
        let trouble =
            self.trouble.get_or_insert_with(|| Box::new(Trouble::new(faults, occasion, stroke.now)));
        trouble.strike(of_rule, stroke, answer);
    }

    fn occasion(&self, occasion: u64) -> Occasion {
        let id = self.connection.as_u128();
        Occasion { number: self.client.number, chance: (id as u64) ^ ((id >> 64) as u64), occasion }
    }
}
