//! Ids that stand in a file twice: the stream takes the first row, and answers the other `duplicate` or `conflict`. Bounded.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// Rows that are remembered, of 24 bytes each; what comes behind them is not compared with one another.
pub(super) const MOST: usize = 1 << 20;

/// An earlier row of the same application and revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Twin {
    /// Its line.
    pub(super) line: u64,
    /// Whether it says the same.
    pub(super) is_same: bool,
}

/// The rows so far that were taken.
#[derive(Default)]
pub(super) struct Twins {
    /// Application and revision → line and content.
    seen: HashMap<u64, (u64, u64)>,
    state: RandomState,
    pub(super) is_full: bool,
}

impl Twins {
    /// The earlier row that a row is a twin of.
    pub(super) fn of(&mut self, key: (&str, u32), content: &str, line: u64) -> Option<Twin> {
        let (key, content) = (self.short(key), self.short(content));
        if let Some((line, known)) = self.seen.get(&key) {
            return Some(Twin { line: *line, is_same: *known == content });
        }
        if self.seen.len() < MOST {
            self.seen.insert(key, (line, content));
        } else {
            self.is_full = true;
        }
        None
    }

    fn short(&self, of: impl Hash) -> u64 {
        self.state.hash_one(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_of_an_application_is_the_one_that_others_are_held_against() {
        let mut twins = Twins::default();
        let rows = [
            (("a", 1), "x", None),
            (("b", 1), "x", None),
            (("a", 2), "y", None),
            (("a", 1), "x", Some(Twin { line: 2, is_same: true })),
            (("a", 1), "y", Some(Twin { line: 2, is_same: false })),
        ];
        for (line, (key, content, expected)) in (2..).zip(rows) {
            assert_eq!(twins.of(key, content, line), expected, "line {line}");
        }
        assert!(!twins.is_full);
    }
}
