//! `truncate`: of the reply only the first bytes leave; what follows it follows as ever.

use super::effect::Answer;

/// The reply ends early.
pub(super) fn strike(bytes: u64, answer: &mut Answer) {
    answer.bytes.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
}
