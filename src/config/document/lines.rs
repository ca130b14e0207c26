//! On which line each value of a document stands.

use std::collections::HashMap;

/// Lines, from 1, by JSON pointers (RFC 6901).
#[derive(Debug, Default)]
pub(in super::super) struct Lines(HashMap<String, usize>);

impl Lines {
    /// The value at `pointer` stands on this line.
    pub(super) fn note(&mut self, pointer: &str, line: usize) {
        self.0.insert(pointer.to_owned(), line);
    }

    /// Where the value at `pointer` stands; of one that is missing, that in which it is.
    pub(in super::super) fn of(&self, pointer: &str) -> Option<usize> {
        let mut at = pointer;
        loop {
            if let Some(line) = self.0.get(at) {
                return Some(*line);
            }
            at = at.rsplit_once('/')?.0;
        }
    }
}

/// The pointer to a member.
pub(super) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// How deep a document may nest. A spec needs six.
pub(super) const MAX_DEPTH: usize = 32;

/// The sentence about one that nests deeper.
pub(super) fn too_deep(line: usize) -> String {
    format!("line {line}: nested deeper than {MAX_DEPTH}")
}
