//! What a connection remembers of its conversation where there are rules.

use std::sync::Arc;

use crate::domain::{Rule, START, Subject, Verdict, near_miss};

/// The state of a conversation, and how often each rule has answered in it. No two connections share it.
#[derive(Debug)]
pub(super) struct Memory {
    /// The rules that the numbers are of.
    rules: Arc<[Rule]>,
    state: Box<str>,
    answered: Vec<u32>,
}

/// What the rules made of a message.
pub(super) struct Choice<'r> {
    /// The one that answers, and how often it has answered before.
    pub(super) rule: Option<(&'r Rule, u32)>,
    /// What goes on record about it.
    pub(super) verdict: Option<Verdict>,
}

impl Memory {
    /// Nothing was said.
    pub(super) fn new(rules: &Arc<[Rule]>) -> Self {
        Self { rules: Arc::clone(rules), state: START.into(), answered: vec![0; rules.len()] }
    }

    /// The first rule that takes the message. Where the rules are others than before, the state stays.
    pub(super) fn choose<'r>(&mut self, rules: &'r Arc<[Rule]>, subject: &Subject<'_>) -> Choice<'r> {
        if !Arc::ptr_eq(rules, &self.rules) {
            *self = Self { state: std::mem::take(&mut self.state), ..Self::new(rules) };
        }
        for (rule, answered) in rules.iter().zip(&mut self.answered) {
            if rule.takes(subject, &self.state, *answered) {
                let before = *answered;
                *answered = answered.saturating_add(1);
                if let Some(state) = &rule.set_state {
                    self.state.clone_from(state);
                }
                let verdict = Some(Verdict::Rule(Arc::clone(rule.name())));
                return Choice { rule: Some((rule, before)), verdict };
            }
        }
        let answered = |n: usize| self.answered.get(n).copied().unwrap_or(0);
        let closest = near_miss(rules, subject, &self.state, answered);
        let verdict = closest.map(|(rule, miss)| Verdict::NearMiss {
            rule: Arc::clone(rule.name()),
            detail: miss.detail.into(),
        });
        Choice { rule: None, verdict }
    }
}
