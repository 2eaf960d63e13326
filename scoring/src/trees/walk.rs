//! What an ensemble means, in the plainest code: one row down one tree at a time. The fast paths must give these very bits.
//!
//! **Order of the sum, the same on every path:** a target starts at +0; trees in their order, votes of a leaf in their order,
//! each added in the ensemble's precision (f32 or f64); `Average` divides once; `base` is added last.

use super::ensemble::{Aggregate, Compare, Draft, Ensemble, Node, Test, Tree};
use std::ops::{Add, Div};

/// f32 or f64: the arithmetic of an ensemble.
pub trait Number: Copy + PartialOrd + Default + Add<Output = Self> + Div<Output = Self> + 'static {
    /// Nearest.
    fn of(value: f64) -> Self;
    /// Exact.
    fn wide(self) -> f64;
}

impl Number for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Number for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

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
        let mut sums = Sums::new(self.get());
        for tree in &self.get().trees {
            if let Node::Leaf { votes } = &tree.nodes[tree.leaf(row)] {
                votes.iter().for_each(|vote| sums.add(vote.target as usize, T::of(vote.weight.0)));
            }
        }
        sums.finish(self, answer);
    }
}

/// Votes so far, of one row.
struct Sums<T> {
    aggregate: Aggregate,
    sums: Vec<Option<T>>,
}

impl<T: Number> Sums<T> {
    fn new(draft: &Draft) -> Self {
        Self { aggregate: draft.aggregate, sums: vec![None; draft.targets] }
    }

    fn add(&mut self, target: usize, weight: T) {
        let sum = &mut self.sums[target];
        *sum = Some(match (self.aggregate, *sum) {
            (Aggregate::Sum | Aggregate::Average, sum) => sum.unwrap_or_default() + weight,
            (Aggregate::Min, Some(least)) if least <= weight => least,
            (Aggregate::Max, Some(most)) if most >= weight => most,
            (Aggregate::Min | Aggregate::Max, _) => weight,
        });
    }

    fn finish(self, ensemble: &Ensemble, answer: &mut [T]) {
        let trees = T::of(ensemble.get().trees.len() as f64);
        for (target, (sum, answer)) in self.sums.into_iter().zip(answer).enumerate() {
            let sum = sum.unwrap_or_default();
            let divided = if self.aggregate == Aggregate::Average && !ensemble.get().trees.is_empty() {
                sum / trees
            } else {
                sum
            };
            *answer = divided + T::of(ensemble.base(target));
        }
    }
}
