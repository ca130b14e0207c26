//! What is sent unasked, again and again.

use std::sync::Arc;
use std::time::Duration;

use super::charset::Charset;
use super::field::FieldError;
use super::framing::Framing;
use super::prepared::Prepared;
use super::reply::Reply;

/// Periodic sends of a listener at most.
const MOST: usize = 16;
/// The shortest and the longest time between two of them. Shorter ones would be a load generator's.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A periodic send as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodicDraft {
    /// The time from connect to the first, and from one to the next.
    pub every: Duration,
    /// What is sent.
    pub send: Reply,
}

/// A periodic send that can be made.
#[derive(Debug)]
pub struct Periodic {
    /// The time from connect to the first, and from one to the next.
    pub every: Duration,
    /// What is sent.
    pub send: Prepared,
}

impl Periodic {
    /// Makes those of a listener. What is wrong with them is noted.
    pub(super) fn all(
        drafts: &[PeriodicDraft],
        charset: Charset,
        framing: Option<&Framing>,
        errors: &mut Vec<FieldError>,
    ) -> Arc<[Self]> {
        if drafts.len() > MOST {
            errors.push(FieldError::new("/sends", format!("must be at most {MOST}")));
        }
        let one = |(n, draft): (usize, &PeriodicDraft)| {
            if !(SHORTEST..=LONGEST).contains(&draft.every) {
                errors.push(FieldError::new(format!("/sends/{n}/every"), "must be from 10ms to 24h"));
            }
            let place = format!("/sends/{n}/send");
            if let Some(detail) = draft.send.is_no_message() {
                errors.push(FieldError::new(place.as_str(), detail));
            }
            Self { every: draft.every, send: Prepared::new(&draft.send, &place, charset, framing, errors) }
        };
        drafts.iter().enumerate().take(MOST).map(one).collect()
    }
}
