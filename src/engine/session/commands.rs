//! What the API asks of a live connection.

use tokio::time::Instant;

use crate::domain::CloseReason;
use crate::wire::Conversation;

use super::super::plan::Plan;
use super::super::stream::Stream;
use super::super::talk::{Command, NotSent, Sent};
use super::pump::{Ending, LINGER, LINGER_IDLE, Mode, Session};

impl<S: Stream> Session<S> {
    /// Carries out what was asked for. An error is the conversation's end; whoever asked learns of it by not being
    /// answered.
    pub(super) async fn obey(&mut self, command: Command) -> Result<(), Ending> {
        match command {
            Command::Send { message, done } => {
                if !matches!(self.mode, Mode::Talking) {
                    let _ = done.send(Err(NotSent::AfterFin));
                    return Ok(());
                }
                let (listener, now) = (&self.place.listener, self.place.clock().now());
                let turn = listener.with_spec(|spec| self.conversation.on_send(spec, &message, now));
                let told = match turn {
                    Err(why) => Err(NotSent::Template(why)),
                    Ok(turn) => {
                        let sent = turn.first.as_ref().and_then(|step| step.sent.as_ref());
                        let sent = sent.map(|m| Sent { seq: m.seq, size: m.size, at: m.at });
                        self.carry_out(Plan::of(turn, &self.place)).await?;
                        Ok(sent)
                    }
                };
                // Whoever asked may be gone.
                let _ = done.send(told);
            }
            Command::Finish { done } => {
                self.finish().await?;
                let _ = done.send(());
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Ending> {
        match self.mode {
            Mode::Talking => {
                let plan = self.say(|talk: &mut Conversation, _, _| talk.on_hang_up(CloseReason::Requested));
                self.carry_out(plan).await
            }
            Mode::HalfClosed => {
                let reason = CloseReason::Requested;
                self.active = Instant::now();
                self.mode = Mode::Lingering { until: self.active + LINGER, idle: LINGER_IDLE, reason };
                Ok(())
            }
            Mode::Lingering { .. } => Ok(()),
        }
    }
}
