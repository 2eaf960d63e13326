//! What an ensemble means, in the plainest code: one row down one tree at a time. The fast paths must give these very bits.
//!
//! **Order of the sum, the same on every path:** a target starts at +0; trees in their order, votes of a leaf in their order,
//! each added in the ensemble's precision (f32 or f64); `Average` divides once; `base` is added last, +0 where there is
//! none.

use super::ensemble::{Aggregate, Compare, Ensemble, Node, Test, Tree};
use super::number::Number;

impl Test {
    /// Asks the question; the value widened to f64, which changes no comparison among f32.
    pub fn holds(&self, missing_tracks_true: bool, value: f64) -> bool {
        let holds = match self {
            Self::Threshold(compare, threshold) => compare.holds(value, threshold.0),
            Self::Member(set) => set.iter().any(|member| member.0 == value),
        };
        holds || (missing_tracks_true && value.is_nan())
    }
}

impl Compare {
    /// `value` on the left.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Leq => value <= threshold,
            Self::Lt => value < threshold,
            Self::Gte => value >= threshold,
            Self::Gt => value > threshold,
            Self::Eq => value == threshold,
            Self::Neq => value != threshold,
        }
    }
}

impl Tree {
    /// Position of the leaf that the row comes to.
    pub fn leaf<T: Number>(&self, row: &[T]) -> usize {
        let mut at = self.root as usize;
        while let Node::Branch { feature, test, missing_tracks_true, yes, no } = &self.nodes[at] {
            let holds = test.holds(*missing_tracks_true, row[*feature as usize].wide());
            at = if holds { *yes } else { *no } as usize;
        }
        at
    }
}

impl Ensemble {
    /// One row's answer, one number for each target. `row` must have the ensemble's width, `answer` its targets.
    pub fn answer<T: Number>(&self, row: &[T], answer: &mut [T]) {
        let draft = self.get();
        answer.fill(draft.aggregate.start());
        for tree in draft.trees.iter() {
            if let Node::Leaf { votes } = &tree.nodes[tree.leaf(row)] {
                for vote in votes {
                    let sum = &mut answer[vote.target as usize];
                    *sum = draft.aggregate.join(*sum, T::of(vote.weight.0));
                }
            }
        }
        for (target, answer) in answer.iter_mut().enumerate() {
            *answer = draft.aggregate.finish(*answer, draft.trees.len(), self.base(target));
        }
    }
}

impl Aggregate {
    /// Before any vote. No vote is NaN, so NaN can stand for none where 0 is a vote like another.
    pub(super) fn start<T: Number>(self) -> T {
        match self {
            Self::Sum | Self::Average => T::default(),
            Self::Min | Self::Max => T::of(f64::NAN),
        }
    }

    /// With one vote more.
    #[inline]
    pub(super) fn join<T: Number>(self, sum: T, weight: T) -> T {
        match self {
            Self::Sum | Self::Average => sum + weight,
            Self::Min if sum <= weight => sum,
            Self::Max if sum >= weight => sum,
            Self::Min | Self::Max => weight,
        }
    }

    /// After all votes of `trees` trees.
    pub(super) fn finish<T: Number>(self, sum: T, trees: usize, base: f64) -> T {
        let found = match self {
            Self::Sum => sum,
            Self::Average => sum / T::of(trees.max(1) as f64),
            Self::Min | Self::Max if sum.wide().is_nan() => T::default(),
            Self::Min | Self::Max => sum,
        };
        found + T::of(base)
    }
}
