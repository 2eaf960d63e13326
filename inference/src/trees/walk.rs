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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::trees::{Draft, Precision, Real, Vote};

    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;

    /// As ONNX has `BRANCH_*`: the row's value on the left; what is missing fails all but "not equal", unless it counts as yes.
    #[test]
    fn tests_hold_as_the_standard_says() {
        use Compare::{Eq, Gt, Gte, Leq, Lt, Neq};
        let above = 1f64.next_up();
        for (compare, [below, same, more, zeros, missing, least, most]) in [
            (Lt, [true, false, false, false, false, true, false]),
            (Leq, [true, true, false, true, false, true, false]),
            (Gt, [false, false, true, false, false, false, true]),
            (Gte, [false, true, true, true, false, false, true]),
            (Eq, [false, true, false, true, false, false, false]),
            (Neq, [true, false, true, false, true, true, true]),
        ] {
            let rows = [(1f64.next_down(), 1.0, below), (1.0, 1.0, same), (above, 1.0, more), (-0.0, 0.0, zeros)];
            let ends = [(NAN, 1.0, missing), (-INF, 1.0, least), (INF, 1.0, most)];
            for (value, threshold, expected) in rows.into_iter().chain(ends) {
                let test = Test::Threshold(compare, Real(threshold));
                assert_eq!(test.holds(false, value), expected, "{value} {compare:?} {threshold}");
                assert_eq!(
                    test.holds(true, value),
                    expected || value.is_nan(),
                    "{value} {compare:?} {threshold} or missing"
                );
            }
        }
        let member = Test::Member(vec![Real(-0.0), Real(INF), Real(2.0)]);
        let rows = [(0.0, true), (2.0, true), (INF, true), (-INF, false), (2f64.next_up(), false), (NAN, false)];
        for (value, expected) in rows {
            assert_eq!(member.holds(false, value), expected, "{value}");
        }
        assert!(
            member.holds(true, NAN) && !Test::Member(vec![]).holds(false, 0.0) && Test::Member(vec![]).holds(true, NAN)
        );
    }

    /// Trees of one leaf, whose votes are these; the answers of two targets.
    fn answer(aggregate: Aggregate, votes: &[&[(u32, f32)]], base: &[f32]) -> [f32; 2] {
        let vote = |(target, weight): &(u32, f32)| Vote { target: *target, weight: Real::from(*weight) };
        let leaf = |votes: &&[(u32, f32)]| Node::Leaf { votes: votes.iter().map(vote).collect() };
        let trees: Vec<Tree> = votes.iter().map(|votes| Tree { root: 0, nodes: vec![leaf(votes)] }).collect();
        let base = base.iter().map(|base| Real::from(*base)).collect();
        let draft = Draft { width: 1, targets: 2, precision: Precision::Single, aggregate, base, trees: trees.into() };
        let mut answer = [9.0; 2];
        draft.check().unwrap().answer(&[0f32], &mut answer);
        answer
    }

    #[test]
    fn votes_are_put_together_as_the_aggregate_says() {
        use Aggregate::{Average, Max, Min, Sum};
        let votes: [&[(u32, f32)]; 3] = [&[(0, 3.0)], &[(1, -1.0), (0, -2.0)], &[]];
        for (aggregate, base, expected) in [
            (Sum, &[][..], [1.0, -1.0]),
            (Sum, &[0.5, 1.0], [1.5, 0.0]),
            // By all trees, whether they vote or not.
            (Average, &[], [1.0 / 3.0, -1.0 / 3.0]),
            (Average, &[1.0, 2.0], [1.0 / 3.0 + 1.0, -1.0 / 3.0 + 2.0]),
            (Min, &[], [-2.0, -1.0]),
            (Max, &[], [3.0, -1.0]),
            (Max, &[0.5, 0.5], [3.5, -0.5]),
        ] {
            assert_eq!(answer(aggregate, &votes, base), expected, "{aggregate:?} {base:?}");
        }
        for aggregate in [Sum, Average, Min, Max] {
            assert_eq!(answer(aggregate, &[&[], &[]], &[]), [0.0, 0.0], "{aggregate:?} of no votes");
            assert_eq!(answer(aggregate, &[], &[0.5, 1.0]), [0.5, 1.0], "{aggregate:?} of no trees");
            assert_eq!(
                answer(aggregate, &[&[(0, f32::INFINITY)], &[(1, 1.0)]], &[])[0],
                f32::INFINITY,
                "{aggregate:?}"
            );
        }
        assert!(answer(Sum, &[&[(0, f32::INFINITY), (0, f32::NEG_INFINITY)]], &[])[0].is_nan());
    }

    #[test]
    fn a_row_walks_from_the_root_wherever_that_stands() {
        let branch = |feature, threshold: f64, yes, no| Node::Branch {
            feature,
            test: Test::Threshold(Compare::Leq, Real(threshold)),
            missing_tracks_true: false,
            yes,
            no,
        };
        let leaf = || Node::Leaf { votes: vec![] };
        let tree = Tree { root: 3, nodes: vec![leaf(), branch(1, 0.0, 2, 0), leaf(), branch(0, 0.5, 4, 1), leaf()] };
        for (row, expected) in [([0.5, 9.0], 4), ([0.6, 0.0], 2), ([0.6, 0.1], 0), ([NAN, NAN], 0), ([NAN, -INF], 2)] {
            assert_eq!(tree.leaf(&row), expected, "{row:?}");
            assert_eq!(tree.leaf(&row.map(|value| value as f32)), expected, "{row:?} in single precision");
        }
    }
}
