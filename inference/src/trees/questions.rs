//! The distinct questions that trees ask, each asked once of a whole block of rows: a bit a row.

use super::ensemble::Node;
use super::keys::{Interval, intervals};
use super::number::Number;
use std::collections::HashMap;

/// Rows of a block: the bits of a mask.
pub(super) const BLOCK: usize = 512;
/// Questions of a group of trees: as many masks as stay in a core's second cache, with the keys.
const MAX_ASKS: usize = 6144;

/// A mask: bit `row % 64` of word `row / 64`.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(super) struct Mask(pub [u64; BLOCK / 64]);

/// One feature of a block's rows, as keys.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Column<K>(pub [K; BLOCK]);

/// Is this column's key in that interval?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Asked<K> {
    pub column: u32,
    pub ask: Interval<K>,
}

/// Distinct questions; the position of each is that of its mask.
#[derive(Debug, Clone)]
pub(super) struct Questions<T: Number> {
    /// One for each mask.
    pub asks: Vec<Asked<T::Key>>,
    /// Further intervals of a mask: a yes to any is a yes.
    pub more: Vec<(u32, Asked<T::Key>)>,
}

/// The features that are asked for, in order of first use.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    /// Feature of each column.
    pub features: Vec<u32>,
    of: HashMap<u32, u32>,
}

/// Collects questions.
#[derive(Debug)]
pub(super) struct Asking<T: Number> {
    questions: Questions<T>,
    masks: HashMap<(u32, Vec<Interval<T::Key>>), u32>,
}

impl Columns {
    /// The column of a feature, a new one if it has none.
    pub fn of(&mut self, feature: u32) -> u32 {
        *self.of.entry(feature).or_insert_with(|| {
            self.features.push(feature);
            self.features.len() as u32 - 1
        })
    }
}

impl<T: Number> Questions<T> {
    /// Whether every column and mask is there.
    pub fn is_sound(&self, columns: usize) -> bool {
        let mut asks = self.asks.iter().chain(self.more.iter().map(|(_, asked)| asked));
        asks.all(|asked| (asked.column as usize) < columns)
            && self.more.iter().all(|(mask, _)| (*mask as usize) < self.asks.len())
    }

    /// The answers of one row, whose keys stand by column.
    pub fn answer(&self, keys: &[T::Key], answers: &mut Vec<bool>) {
        let holds = |asked: &Asked<T::Key>| asked.ask.holds(keys[asked.column as usize]);
        answers.clear();
        answers.extend(self.asks.iter().map(holds));
        self.more.iter().for_each(|(mask, asked)| answers[*mask as usize] |= holds(asked));
    }
}

impl<T: Number> Asking<T> {
    pub fn new() -> Self {
        Self { questions: Questions { asks: vec![], more: vec![] }, masks: HashMap::new() }
    }

    /// Whether so many questions more may be too many for one group.
    pub fn is_full(&self, more: usize) -> bool {
        self.questions.asks.len() + self.questions.more.len() + more > MAX_ASKS
    }

    /// The questions so far; none are left.
    pub fn take(&mut self) -> Questions<T> {
        std::mem::replace(self, Self::new()).questions
    }

    /// The mask of a branch's question, a new one if it was not asked before; 0 of a leaf.
    pub fn mask(&mut self, node: &Node, columns: &mut Columns) -> u32 {
        let Node::Branch { feature, test, missing_tracks_true, .. } = node else { return 0 };
        let intervals = intervals::<T>(test, *missing_tracks_true);
        let Questions { asks, more } = &mut self.questions;
        *self.masks.entry((columns.of(*feature), intervals)).or_insert_with_key(|(column, intervals)| {
            let mask = asks.len() as u32;
            let asked = |ask: &Interval<T::Key>| Asked { column: *column, ask: *ask };
            asks.extend(intervals.first().map(asked));
            more.extend(intervals[1..].iter().map(|ask| (mask, asked(ask))));
            mask
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::forests::{BOOSTED, Kind, forest, rows};
    use crate::trees::{Compare, Real, Test};

    fn branch(feature: u32, test: Test, missing_tracks_true: bool) -> Node {
        Node::Branch { feature, test, missing_tracks_true, yes: 1, no: 2 }
    }

    fn less(threshold: f64) -> Test {
        Test::Threshold(Compare::Lt, Real(threshold))
    }

    #[test]
    fn a_question_is_asked_once_however_it_is_put() {
        let (mut asking, mut columns) = (Asking::<f32>::new(), Columns::default());
        let below = f64::from(0.5f32.next_down());
        let set = |members: &[f64]| Test::Member(members.iter().map(|member| Real(*member)).collect());
        for (name, node, expected) in [
            ("the first", branch(7, less(0.5), false), 0),
            ("again", branch(7, less(0.5), false), 0),
            ("at most the number before", branch(7, Test::Threshold(Compare::Leq, Real(below)), false), 0),
            ("or missing", branch(7, less(0.5), true), 1),
            ("of another feature", branch(3, less(0.5), false), 2),
            ("a set", branch(3, set(&[1.0, 2.0]), false), 3),
            ("the set in another order, and a member twice", branch(3, set(&[2.0, 1.0, 2.0]), false), 3),
            ("below zero", branch(3, less(0.0), false), 4),
            ("below the other zero", branch(3, less(-0.0), false), 4),
            ("equal", branch(3, Test::Threshold(Compare::Eq, Real(1.0)), false), 5),
            ("a set of one", branch(3, set(&[1.0]), false), 5),
            ("a leaf asks nothing", Node::Leaf { votes: vec![] }, 0),
        ] {
            assert_eq!(asking.mask(&node, &mut columns), expected, "{name}");
        }
        assert_eq!(columns.features, [7, 3]);
        let questions = asking.take();
        assert_eq!((questions.asks.len(), questions.more.len()), (6, 1));
        assert!(questions.is_sound(2) && !questions.is_sound(1), "a column that is not there");
        let beyond = Questions { more: vec![(6, questions.more[0].1)], ..questions };
        assert!(!beyond.is_sound(2), "a mask that is not there");
        assert!(asking.take().asks.is_empty(), "none are left");
    }

    #[test]
    fn a_group_is_full_at_its_bound() {
        let (mut asking, mut columns) = (Asking::<f32>::new(), Columns::default());
        for at in 0..MAX_ASKS - 1 {
            asking.mask(&branch(0, less(at as f64), false), &mut columns);
        }
        assert!(!asking.is_full(1) && asking.is_full(2));
    }

    #[test]
    fn one_rows_answers_are_those_of_the_tests() {
        let kind = Kind { compare: None, branches: 40, ..BOOSTED };
        for seed in 0..20 {
            let ensemble = forest(seed, kind);
            let (mut asking, mut columns) = (Asking::<f32>::new(), Columns::default());
            let nodes = ensemble.get().trees.iter().flat_map(|tree| &tree.nodes);
            let asked: Vec<(u32, &Node)> = nodes.map(|node| (asking.mask(node, &mut columns), node)).collect();
            let questions = asking.take();
            for row in rows(seed, kind.width, 9).chunks(kind.width) {
                let row: Vec<f32> = row.iter().map(|value| *value as f32).collect();
                let keys: Vec<u32> = columns.features.iter().map(|feature| row[*feature as usize].key()).collect();
                let mut answers = vec![true; 3];
                questions.answer(&keys, &mut answers);
                for (mask, node) in &asked {
                    let Node::Branch { feature, test, missing_tracks_true, .. } = node else { continue };
                    let expected = test.holds(*missing_tracks_true, row[*feature as usize].wide());
                    assert_eq!(answers[*mask as usize], expected, "{test:?} of {row:?}");
                }
            }
        }
    }
}
