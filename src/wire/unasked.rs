//! What is sent unasked: greetings, periodic sends, and what the API is asked to send.

use std::time::Duration;

use bytes::Bytes;

use crate::domain::{Content, Direction, ListenerSpec, Message, Note, Prepared, Then, Timestamp};

use super::fault::Answer;
use super::reply::{self, Outgoing};
use super::session::{Conversation, answer, record};
use super::turn::{Step, Turn};

/// How a periodic send fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fares {
    /// The last one left, or there was none.
    #[default]
    Well,
    /// The template of the last one failed. That is on record, and not again before one has left.
    Badly,
}

impl Conversation {
    /// The client is connected: greet it. A template that fails greets with nothing, and that is on record.
    pub fn on_open(&mut self, spec: &ListenerSpec, now: Timestamp) -> Turn {
        self.on_due(spec, [(spec.greeting(), &mut Fares::Well)], now)
    }

    /// This is to be sent unasked, as the spec says. Faults may strike it. What a template fails to give goes on record as a
    /// message without a byte. Nothing is sent once the endpoint has said its last word.
    pub fn on_due<'s>(
        &mut self,
        spec: &ListenerSpec,
        due: impl IntoIterator<Item = (&'s Prepared, &'s mut Fares)>,
        now: Timestamp,
    ) -> Turn {
        let (mut turn, mut leaves) = (Turn::default(), Vec::new());
        if self.over {
            return turn;
        }
        // Failures first: a message that does not leave whole is corrected while it is the newest of its connection.
        for (send, fares) in due {
            match self.unasked(spec, send, now) {
                Ok(out) => {
                    *fares = Fares::Well;
                    leaves.push(out);
                }
                Err(why) => {
                    if std::mem::replace(fares, Fares::Badly) == Fares::Well {
                        turn.push(self.failed(spec, why, now));
                    }
                }
            }
        }
        for out in leaves {
            turn.push(self.leaving(spec, out, now, |talk, answer| talk.spoil_unasked(spec, answer, now)));
        }
        turn
    }

    /// Something is to be sent unasked, as somebody says. Nothing is, once the endpoint has said its last word.
    ///
    /// # Errors
    /// Why its template gave nothing.
    pub fn on_send(&mut self, spec: &ListenerSpec, send: &Prepared, now: Timestamp) -> Result<Turn, String> {
        if self.over {
            return Ok(Turn::default());
        }
        let out = self.unasked(spec, send, now)?;
        Ok(self.leaving(spec, out, now, |_, _| ()).into())
    }

    fn unasked(&self, spec: &ListenerSpec, send: &Prepared, now: Timestamp) -> Result<Outgoing, String> {
        reply::unasked(send, spec, self.peer, self.circumstances(0, now))
    }

    fn leaving(
        &mut self,
        spec: &ListenerSpec,
        out: Outgoing,
        now: Timestamp,
        spoil: impl FnOnce(&mut Self, &mut Answer),
    ) -> Step {
        let charset = out.charset;
        let mut answer = answer(Some(out), Then::Keep, Duration::ZERO);
        spoil(self, &mut answer);
        self.answering(spec, None, answer, charset, now)
    }

    /// There was nothing to send, and why.
    fn failed(&mut self, spec: &ListenerSpec, why: String, now: Timestamp) -> Step {
        let content = Content::whole(0);
        let note = Note { failure: Some(why.into()), ..Note::of_frame(content, None) };
        let text = (spec.draft().charset, Some(Box::new(note)));
        let sent: Message =
            record(self.connection, Direction::Sent, &mut self.sent, spec, Bytes::new(), text, now);
        Step { sent: Some(sent), ..Step::silent(Then::Keep) }
    }
}
