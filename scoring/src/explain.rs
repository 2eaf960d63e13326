//! Contributions: each feature's part of the margin against the reference. Exact for scorecards; for nets Shapley values
//! by fixed permutations, the same for every application. No randomness at run time.

use crate::error::EngineError;
use crate::plan::{Plan, PlanState};

/// Method of a scorecard.
pub const SCORECARD: &str = "scorecard_exact";

/// Parts of one margin.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// One for each feature; positive is riskier.
    pub parts: Vec<f64>,
    /// Margin of the reference.
    pub base: f64,
}

impl Contributions {
    /// margin − base − Σ parts: what the method leaves unexplained.
    pub fn residual(&self, margin: f32) -> f64 {
        f64::from(margin) - self.base - self.parts.iter().sum::<f64>()
    }
}

/// A scorecard's: its own parts less the reference's mean parts.
pub fn scorecard(partials: &[f32], mean_partials: &[f64], intercept: f64) -> Contributions {
    let parts = partials.iter().zip(mean_partials).map(|(own, mean)| f64::from(*own) - mean).collect();
    Contributions { parts, base: intercept + mean_partials.iter().sum::<f64>() }
}

/// Walks from background rows to an applicant, one feature at a time, in fixed orders and their reverses; what the margin
/// changes at a feature's turn, averaged over the walks, is its contribution. Each walk's changes add up to its whole way,
/// so nothing is left over but rounding.
#[derive(Debug)]
pub struct Shapley {
    method: String,
    walks: Vec<Walk>,
    base: f64,
    width: usize,
}

#[derive(Debug)]
struct Walk {
    start: Vec<f32>,
    start_margin: f32,
    order: Vec<usize>,
}

impl Shapley {
    /// Lays the walks out: one from each background row, in pairs of an order and its reverse.
    ///
    /// # Errors
    /// [`EngineError`] when the engine fails on the background.
    pub fn new(plan: &Plan, background: &[Vec<f32>]) -> Result<Self, EngineError> {
        let width = background.first().map_or(0, Vec::len);
        let margins = plan.run(&mut plan.state()?, &background.concat())?.margins;
        let walk = |(index, (start, margin)): (usize, (&Vec<f32>, &f32))| {
            let mut order = permutation(width, index / 2);
            if index % 2 == 1 {
                order.reverse();
            }
            Walk { start: start.clone(), start_margin: *margin, order }
        };
        let walks: Vec<_> = background.iter().zip(&margins).enumerate().map(walk).collect();
        let base = margins.iter().map(|margin| f64::from(*margin)).sum::<f64>() / margins.len().max(1) as f64;
        let pairs = walks.len().div_ceil(2);
        Ok(Self { method: format!("shapley_permutation_antithetic_{pairs}"), walks, base, width })
    }

    /// The method's name, with its number of pairs.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Contributions of one row whose margin is known.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn explain(
        &self,
        plan: &Plan,
        state: &mut PlanState,
        row: &[f32],
        margin: f32,
    ) -> Result<Contributions, EngineError> {
        let moves: Vec<Vec<usize>> = self.walks.iter().map(|walk| walk.moves(row)).collect();
        let mut places = Vec::with_capacity(self.walks.len() * self.width * self.width);
        for (walk, moves) in self.walks.iter().zip(&moves) {
            let mut at = walk.start.clone();
            // The last step arrives at the applicant, whose margin is known.
            for feature in &moves[..moves.len().saturating_sub(1)] {
                at[*feature] = row[*feature];
                places.extend_from_slice(&at);
            }
        }
        let margins = plan.run(state, &places)?.margins;
        let mut parts = vec![0.0; self.width];
        let mut from = 0;
        for (walk, moves) in self.walks.iter().zip(&moves) {
            let until = from + moves.len().saturating_sub(1);
            let mut before = walk.start_margin;
            for (feature, after) in moves.iter().zip(margins[from..until].iter().chain([&margin])) {
                parts[*feature] += f64::from(*after) - f64::from(before);
                before = *after;
            }
            from = until;
        }
        let count = self.walks.len() as f64;
        parts.iter_mut().for_each(|part| *part /= count);
        Ok(Contributions { parts, base: self.base })
    }
}

impl Walk {
    /// The features at which the walk moves, in its order: where start and applicant agree there is nothing to see.
    fn moves(&self, row: &[f32]) -> Vec<usize> {
        self.order.iter().copied().filter(|feature| self.start[*feature] != row[*feature]).collect()
    }
}

/// The `index`-th fixed order of `width` features: Fisher-Yates over SplitMix64, whose constants are its published ones.
fn permutation(width: usize, index: usize) -> Vec<usize> {
    let mut state = 0x5EED_0000_0000_0000_u64 ^ (index as u64);
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let mut order: Vec<usize> = (0..width).collect();
    for place in (1..width).rev() {
        order.swap(place, (next() % (place as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_fixed_and_whole() {
        assert_eq!(permutation(6, 0), permutation(6, 0));
        assert_ne!(permutation(20, 0), permutation(20, 1));
        let mut sorted = permutation(20, 7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_scorecards_parts_are_against_the_reference() {
        let found = scorecard(&[0.5, -0.25], &[0.25, 0.0], -1.0);
        assert_eq!(found, Contributions { parts: vec![0.25, -0.25], base: -0.75 });
        assert_eq!(found.residual(-0.75), 0.0);
        assert_eq!(found.residual(-0.5), 0.25);
    }
}
