//! Whether a message fits a filter.

use encoding_rs::Encoding;
use memchr::memmem::Finder;

use crate::domain::Timestamp;

use super::query::{Filter, Needle};

/// Whether a moment lies in the filter's time.
pub(in crate::store) fn is_within(filter: &Filter, at: Timestamp) -> bool {
    filter.since.is_none_or(|since| at >= since) && filter.until.is_none_or(|until| at < until)
}

/// What `contains` looks for, made ready once for each encoding that is met.
pub(in crate::store) struct Search<'a> {
    needles: &'a [Needle],
    ready: Vec<(Option<&'static Encoding>, Vec<Alternatives>)>,
}

/// The forms that one needle may have; one of them suffices.
type Alternatives = Vec<Finder<'static>>;

impl<'a> Search<'a> {
    pub(in crate::store) const fn new(needles: &'a [Needle]) -> Self {
        Self { needles, ready: Vec::new() }
    }

    /// Whether all that is looked for is in a payload of this encoding.
    pub(in crate::store) fn finds_all(
        &mut self,
        payload: &[u8],
        encoding: Option<&'static Encoding>,
    ) -> bool {
        let known = self.ready.iter().position(|(ready, _)| *ready == encoding);
        let at = known.unwrap_or_else(|| {
            let finders = |needle: &Needle| {
                needle.bytes_in(encoding).iter().map(|bytes| Finder::new(bytes).into_owned()).collect()
            };
            self.ready.push((encoding, self.needles.iter().map(finders).collect()));
            self.ready.len() - 1
        });
        self.ready.get(at).is_some_and(|(_, needles)| {
            needles.iter().all(|forms| forms.iter().any(|form| form.find(payload).is_some()))
        })
    }
}
