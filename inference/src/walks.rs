//! Shapley values of a graph's first output against background rows, by fixed permutations: the same for every row, no randomness
//! at run time. What they are held against is in [`crate::exact_shapley`].

use crate::dense::Move;
use crate::error::EngineError;
use crate::plan::{Plan, PlanState, Starts};

/// Parts of one margin.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// One for each feature; positive is riskier.
    pub parts: Vec<f64>,
    /// Margin of the reference.
    pub base: f64,
    /// Sampled ones only: no part is farther from the Shapley value than this, with 95 % confidence each.
    pub error: Option<f64>,
}

impl Contributions {
    /// margin − base − Σ parts: what the method leaves unexplained.
    pub fn residual(&self, margin: f32) -> f64 {
        f64::from(margin) - self.base - self.parts.iter().sum::<f64>()
    }
}

/// Walks from background rows to an applicant, one feature at a time, in fixed orders and their reverses; what the margin
/// changes at a feature's turn, averaged over the walks, is its contribution. Each walk's changes add up to its whole path,
/// so nothing is left over but rounding.
///
/// How far they are from the Shapley values is estimated from how far the pairs of walks differ: 95 of 100 parts are nearer
/// than that, and none is promised to be. A promise would need a bound on every change that a feature can make in any
/// company. The one that is cheap, the weights of all paths from it added up without their signs, was worked out for the
/// shipped nets: it is some thirty times the change that is seen, wider than the parts themselves. Where few features
/// differ, [`crate::exact_shapley`] has no error to bound.
#[derive(Debug)]
pub struct Shapley {
    starts: Starts,
    walks: Walks,
}

/// The orders of the walks, and what their starts give: of any function of rows.
#[derive(Debug)]
pub struct Walks {
    method: String,
    /// One from each start.
    walks: Vec<Walk>,
    base: f64,
    width: usize,
}

#[derive(Debug)]
struct Walk {
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
        Ok(Self { starts: plan.starts(background)?, walks: Walks::new(&margins, width) })
    }

    /// The background rows.
    pub fn starts(&self) -> &Starts {
        &self.starts
    }

    /// The method's name, with its number of pairs.
    pub fn method(&self) -> &str {
        self.walks.method()
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
        self.walks.explain(self.starts.rows(), row, margin, |path| plan.along(state, &self.starts, row, path))
    }
}

impl Walks {
    /// Lays walks out from starts whose margins are known.
    pub fn new(margins: &[f32], width: usize) -> Self {
        let walk = |(index, margin): (usize, &f32)| {
            let mut order = permutation(width, index / 2);
            if index % 2 == 1 {
                order.reverse();
            }
            Walk { start_margin: *margin, order }
        };
        let walks: Vec<_> = margins.iter().enumerate().map(walk).collect();
        let base = margins.iter().map(|margin| f64::from(*margin)).sum::<f64>() / margins.len().max(1) as f64;
        let pairs = walks.len().div_ceil(2);
        let method = format!("shapley_permutation_antithetic_{pairs}");
        Self { method, walks, base, width }
    }

    /// The method's name, with its number of pairs.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Contributions of one row whose margin is known; `along` gives the margins at the places of the walks that are asked for.
    ///
    /// # Errors
    /// [`EngineError`] of `along`.
    pub fn explain(
        &self,
        starts: &[Vec<f32>],
        row: &[f32],
        margin: f32,
        along: impl FnOnce(&[Move]) -> Result<Vec<f32>, EngineError>,
    ) -> Result<Contributions, EngineError> {
        let starts = self.walks.iter().zip(starts);
        let moves: Vec<Vec<usize>> = starts.map(|(walk, start)| walk.moves(start, row)).collect();
        let mut path = Vec::with_capacity(self.walks.len() * self.width);
        for (start, moves) in moves.iter().enumerate() {
            // The last step arrives at the applicant, whose margin is known.
            let steps = moves[..moves.len().saturating_sub(1)].iter().enumerate();
            path.extend(steps.map(|(at, feature)| Move {
                start,
                first: at == 0,
                feature: *feature,
                forth: true,
                asked: true,
            }));
        }
        let margins = if path.is_empty() { vec![] } else { along(&path)? };
        let mut spread = Spread::new(self.width);
        let mut from = 0;
        for (pair, moves) in self.walks.chunks(2).zip(moves.chunks(2)) {
            for (walk, moves) in pair.iter().zip(moves) {
                let until = from + moves.len().saturating_sub(1);
                let mut before = walk.start_margin;
                for (feature, after) in moves.iter().zip(margins[from..until].iter().chain([&margin])) {
                    spread.pair[*feature] += f64::from(*after) - f64::from(before);
                    before = *after;
                }
                from = until;
            }
            spread.close();
        }
        let (parts, error) = spread.finish(self.walks.len());
        Ok(Contributions { parts, base: self.base, error })
    }
}

/// Sums of what pairs of walks say of each feature, and of their squares. A walk and its reverse lean to opposite sides,
/// so pairs, not walks, are the independent answers.
struct Spread {
    /// Of the pair at hand.
    pair: Vec<f64>,
    sums: Vec<f64>,
    squares: Vec<f64>,
    pairs: usize,
}

/// Standard errors on both sides that hold 95 % of answers.
const TWO_SIDED_95: f64 = 1.96;

impl Spread {
    fn new(width: usize) -> Self {
        Self { pair: vec![0.0; width], sums: vec![0.0; width], squares: vec![0.0; width], pairs: 0 }
    }

    fn close(&mut self) {
        for (pair, (sum, square)) in self.pair.iter_mut().zip(self.sums.iter_mut().zip(&mut self.squares)) {
            *sum += *pair;
            *square += *pair * *pair / 4.0;
            *pair = 0.0;
        }
        self.pairs += 1;
    }

    /// Mean parts over all walks, and the widest of their intervals; none from one pair.
    fn finish(mut self, walks: usize) -> (Vec<f64>, Option<f64>) {
        self.sums.iter_mut().for_each(|sum| *sum /= walks.max(1) as f64);
        let pairs = self.pairs as f64;
        let variance = |(mean, square): (&f64, &f64)| (square / pairs - mean * mean).max(0.0) * pairs / (pairs - 1.0);
        let widest = self.sums.iter().zip(&self.squares).map(variance).fold(0.0, f64::max);
        let error = (self.pairs > 1).then(|| TWO_SIDED_95 * (widest / pairs).sqrt());
        (self.sums, error)
    }
}

impl Walk {
    /// The features at which the walk moves, in its order: where start and applicant agree there is nothing to see.
    fn moves(&self, start: &[f32], row: &[f32]) -> Vec<usize> {
        self.order.iter().copied().filter(|feature| start[*feature] != row[*feature]).collect()
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
#[allow(clippy::unwrap_used)]
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
    fn pairs_that_agree_have_no_error_and_others_say_how_far() {
        let of = |pairs: &[f64]| {
            let mut spread = Spread::new(1);
            for pair in pairs {
                spread.pair[0] = 2.0 * pair;
                spread.close();
            }
            spread.finish(2 * pairs.len())
        };
        assert_eq!(of(&[0.5, 0.5, 0.5]), (vec![0.5], Some(0.0)));
        let (parts, error) = of(&[0.0, 1.0]);
        assert_eq!(parts, [0.5]);
        assert!((error.unwrap() - 1.96 * 0.5).abs() < 1e-12, "{error:?}");
        assert_eq!(of(&[0.3]), (vec![0.3], None));
    }

    /// By the definition: over all orders of the features, what each changes at its turn.
    fn shapley(worth: &dyn Fn(&[f32]) -> f64, start: &[f32], row: &[f32]) -> Vec<f64> {
        let mut orders = vec![vec![]];
        for feature in 0..row.len() {
            let longer = |order: &Vec<usize>| {
                let at = |place: usize| [&order[..place], &[feature], &order[place..]].concat();
                (0..=order.len()).map(at).collect::<Vec<_>>()
            };
            orders = orders.iter().flat_map(longer).collect();
        }
        let mut parts = vec![0.0; row.len()];
        for order in &orders {
            let mut at = start.to_vec();
            for feature in order {
                let before = worth(&at);
                at[*feature] = row[*feature];
                parts[*feature] += (worth(&at) - before) / orders.len() as f64;
            }
        }
        parts
    }

    /// Against one background row given as many times as there are pairs of walks.
    fn explained(worth: &dyn Fn(&[f32]) -> f64, starts: &[Vec<f32>], row: &[f32]) -> Contributions {
        let margins: Vec<f32> = starts.iter().map(|start| worth(start) as f32).collect();
        let along = |path: &[Move]| {
            let places = crate::dense::places(starts, row, path);
            Ok(places.chunks(row.len()).map(|place| worth(place) as f32).collect())
        };
        Walks::new(&margins, row.len()).explain(starts, row, worth(row) as f32, along).unwrap()
    }

    #[test]
    fn two_features_in_both_orders_are_the_definition() {
        let worth = |row: &[f32]| f64::from(row[0] * row[1] + 2.0 * row[0]);
        for (start, row) in [([0.0, 0.0], [3.0, 4.0]), ([1.0, -2.0], [3.0, 4.0]), ([1.0, 1.0], [1.0, 1.0])] {
            let found = explained(&worth, &[start.to_vec(), start.to_vec()], &row);
            assert_eq!(found.parts, shapley(&worth, &start, &row), "{start:?} {row:?}");
            assert_eq!((found.base, found.error), (worth(&start), None), "one pair has no spread");
            assert_eq!(found.residual(worth(&row) as f32), 0.0);
        }
    }

    #[test]
    fn walks_near_the_definition_as_they_say_and_add_up_to_the_margin() {
        let worth = |row: &[f32]| f64::from(row[0].max(row[1]) + row[2] * row[3] * row[0] - row[4]);
        let (start, row) = ([0.0, 0.5, 0.0, 1.0, 0.0], [2.0, 1.0, -1.0, 3.0, 0.0]);
        let expected = shapley(&worth, &start, &row);
        let found = explained(&worth, &vec![start.to_vec(); 400], &row);
        let error = found.error.unwrap();
        for (feature, (found, expected)) in found.parts.iter().zip(&expected).enumerate() {
            assert!(
                (found - expected).abs() <= 2.0 * error,
                "feature {feature}: {found}, not {expected} within {error}"
            );
        }
        assert_eq!(found.parts[4], 0.0, "who does not move has no part");
        assert!(error < 0.3 && found.residual(worth(&row) as f32).abs() < 1e-6, "{error} {found:?}");
        let (a, b) = (vec![0.0; 5], vec![1.0; 5]);
        let found = explained(&worth, &[a.clone(), a.clone(), b.clone(), b.clone()], &row);
        assert_eq!(found.base, (worth(&a) + worth(&b)) / 2.0);
        assert!(found.residual(worth(&row) as f32).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_row_like_its_starts_asks_for_nothing() {
        let start = vec![vec![1.0, f32::INFINITY]; 3];
        let walks = Walks::new(&[5.0; 3], 2);
        let found = walks.explain(&start, &start[0], 5.0, |_| Err(EngineError("asked".into()))).unwrap();
        assert_eq!((found.parts, found.base, found.error), (vec![0.0, 0.0], 5.0, Some(0.0)));
        assert_eq!(walks.method(), "shapley_permutation_antithetic_2");
        assert!(walks.explain(&start, &[2.0, 3.0], 5.0, |_| Err(EngineError("asked".into()))).is_err());
        let none = Walks::new(&[], 2).explain(&[], &[1.0, 2.0], 5.0, |_| Ok(vec![])).unwrap();
        assert_eq!((none.parts, none.base, none.error), (vec![0.0, 0.0], 0.0, None));
    }

    /// The walks of a plan are those of the same function by hand.
    #[test]
    fn a_plan_is_explained_by_the_same_walks() {
        let plan = Plan::of_dense(crate::dense::tests::shallow(3, &[1.0, -1.0, 2.0], &[0.5], &[3.0]), 3);
        let worth = |row: &[f32]| 3.0 * f64::from((row[0] - row[1] + 2.0 * row[2] + 0.5).max(0.0));
        let background = [vec![0.0, 0.0, 0.0], vec![1.0, 2.0, -1.0], vec![0.0, 1.0, 0.0]];
        let row = [2.0, 0.0, -1.0];
        let shapley = Shapley::new(&plan, &background).unwrap();
        let found = shapley.explain(&plan, &mut plan.state().unwrap(), &row, worth(&row) as f32).unwrap();
        let expected = explained(&worth, &background, &row);
        assert_eq!((shapley.method(), shapley.starts().rows()), ("shapley_permutation_antithetic_2", &background[..]));
        for (found, expected) in found.parts.iter().zip(&expected.parts) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        assert!(Shapley::new(&plan, &[]).is_ok_and(|none| none.starts().rows().is_empty()));
    }
}
