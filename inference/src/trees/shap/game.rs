//! The game that one leaf plays, and its Shapley values in closed form.
//!
//! A leaf of weight w whose path asks k distinct features is worth w · Π oⱼ to a row, where oⱼ ∈ {0, 1} says whether the row
//! meets all that the path asks of feature j. Without feature j in the coalition, oⱼ is replaced by zⱼ. Path-dependent
//! (Lundberg et al., Nature Machine Intelligence 2020): zⱼ is the share of covers that go the leaf's path. Interventional: zⱼ
//! is what a background row has in place of oⱼ, and the values are averaged over the background. The ensemble's values are
//! the sums over all leaves, as Shapley values are linear in the game.

use std::collections::BTreeMap;

/// Distinct features on the path to a leaf.
pub(super) const MAX_FEATURES: usize = 128;

/// What stands in for absent features, for one leaf.
#[derive(Debug, Clone)]
pub(super) enum Game {
    /// zⱼ for each feature of the path.
    Covers(Vec<f64>),
    /// Distinct patterns of zⱼ, bit j for feature j, each with its share of the background.
    Background(Vec<(u128, f64)>),
}

/// Shapley weights: [`Shares::of`] for coalitions up to a size.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    size: usize,
    of: Vec<f64>,
}

impl Shares {
    /// For at most `features` features.
    pub fn new(features: usize) -> Self {
        let size = features + 1;
        let mut binomials = vec![1.0; size + 1];
        let mut of = vec![0.0; size * size];
        // Row n of Pascal's triangle: with a of n = a + b players, 1 / (a · C(n, a)).
        for n in 1..size {
            binomials[n] = 1.0;
            (1..n).rev().for_each(|a| binomials[a] += binomials[a - 1]);
            (1..=n).for_each(|a| of[a * size + n - a] = 1.0 / (a as f64 * binomials[a]));
        }
        Self { size, of }
    }

    /// (a − 1)! b! / (a + b)!: what each of `a` players has of a game that is won with all of them and none of `b` others.
    pub fn of(&self, a: usize, b: usize) -> f64 {
        self.of[a * self.size + b]
    }
}

impl Game {
    /// The game of a background whose rows have these patterns.
    pub fn background(patterns: impl Iterator<Item = u128>) -> Self {
        let mut counts: BTreeMap<u128, usize> = BTreeMap::new();
        patterns.for_each(|pattern| *counts.entry(pattern).or_default() += 1);
        let rows = counts.values().sum::<usize>() as f64;
        Self::Background(counts.into_iter().map(|(pattern, count)| (pattern, count as f64 / rows)).collect())
    }

    /// Numbers that the game is made of.
    pub fn size(&self) -> usize {
        match self {
            Self::Covers(zeros) => zeros.len(),
            Self::Background(groups) => groups.len(),
        }
    }

    /// What the leaf is worth before any feature is known.
    pub fn expected(&self, weight: f64, features: usize) -> f64 {
        match self {
            Self::Covers(zeros) => weight * zeros.iter().product::<f64>(),
            Self::Background(groups) => {
                let whole = all(features);
                weight * groups.iter().filter(|(pattern, _)| *pattern == whole).map(|(_, share)| share).sum::<f64>()
            }
        }
    }

    /// Adds the value of each feature to `parts`, for a row whose pattern is `own`.
    pub fn add(&self, shares: &Shares, weight: f64, own: u128, parts: &mut [f64]) {
        match self {
            Self::Covers(zeros) => add_covers(zeros, shares, weight, own, parts),
            Self::Background(groups) => {
                for (pattern, share) in groups {
                    add_pair(*pattern, shares, weight * share, own, parts);
                }
            }
        }
    }

    /// The values for every pattern: `features` numbers for pattern 0, then for pattern 1, and so on.
    pub fn table(&self, shares: &Shares, weight: f64, features: usize) -> Vec<f64> {
        let mut table = vec![0.0; features << features];
        match self {
            Self::Covers(_) => {
                for (own, parts) in table.chunks_mut(features.max(1)).enumerate() {
                    self.add(shares, weight, own as u128, parts);
                }
            }
            Self::Background(groups) => {
                for (pattern, share) in groups {
                    // The row must meet what the background row does not; what it meets beyond that is any subset.
                    let needed = all(features) & !pattern;
                    let mut beyond = *pattern;
                    loop {
                        let own = needed | beyond;
                        let parts = &mut table[own as usize * features..][..features];
                        add_pair(*pattern, shares, weight * share, own, parts);
                        if beyond == 0 {
                            break;
                        }
                        beyond = (beyond - 1) & pattern;
                    }
                }
            }
        }
        table
    }
}

/// All of so many features.
pub(super) fn all(features: usize) -> u128 {
    if features == 128 { u128::MAX } else { (1 << features) - 1 }
}

/// One row against one background row: the leaf is won by a coalition that holds all features that only the row meets and
/// none that only the background row meets.
fn add_pair(pattern: u128, shares: &Shares, weight: f64, own: u128, parts: &mut [f64]) {
    if own | pattern != all(parts.len()) {
        return;
    }
    let (ours, theirs) = (own & !pattern, pattern & !own);
    let (a, b) = (ours.count_ones() as usize, theirs.count_ones() as usize);
    each(ours, |feature| parts[feature] += weight * shares.of(a, b));
    each(theirs, |feature| parts[feature] -= weight * shares.of(b, a));
}

fn each(mut bits: u128, mut visit: impl FnMut(usize)) {
    while bits != 0 {
        visit(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

/// w (oⱼ − zⱼ) ∫ Π (t oᵢ + (1 − t) zᵢ) dt over the other features i: the integral of the multilinear extension (Owen 1972). As
/// o is 0 or 1, the product is a polynomial with positive coefficients in t and 1 − t, so nothing cancels.
fn add_covers(zeros: &[f64], shares: &Shares, weight: f64, own: u128, parts: &mut [f64]) {
    let features = zeros.len();
    let mut unmet = weight;
    (0..features).filter(|feature| own >> feature & 1 == 0).for_each(|feature| unmet *= zeros[feature]);
    if unmet == 0.0 {
        return;
    }
    let others = features.saturating_sub(1);
    let mut coefficients = [0.0; MAX_FEATURES + 1];
    let mut integral = |without: Option<usize>| {
        coefficients[0] = 1.0;
        let mut degree = 0;
        each(own, |feature| {
            if Some(feature) != without {
                // Times t + (1 − t) z.
                degree += 1;
                coefficients[degree] = 0.0;
                for power in (1..=degree).rev() {
                    coefficients[power] = coefficients[power] * zeros[feature] + coefficients[power - 1];
                }
                coefficients[0] *= zeros[feature];
            }
        });
        let terms = coefficients[..=degree].iter().enumerate();
        terms.map(|(power, coefficient)| coefficient * shares.of(power + 1, others - power)).sum::<f64>()
    };
    let met = own & all(features);
    if met != all(features) {
        let value = unmet * integral(None);
        each(all(features) & !met, |feature| parts[feature] -= value);
    }
    each(met, |feature| parts[feature] += unmet * (1.0 - zeros[feature]) * integral(Some(feature)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By definition: over all coalitions.
    fn shapley(features: usize, worth: impl Fn(u128) -> f64) -> Vec<f64> {
        let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
        let mut parts = vec![0.0; features];
        for (feature, part) in parts.iter_mut().enumerate() {
            for coalition in (0..1u128 << features).filter(|coalition| coalition >> feature & 1 == 0) {
                let size = coalition.count_ones() as usize;
                let share = factorial(size) * factorial(features - size - 1) / factorial(features);
                *part += share * (worth(coalition | 1 << feature) - worth(coalition));
            }
        }
        parts
    }

    fn check(game: &Game, features: usize, worth: impl Fn(u128, u128) -> f64) {
        let shares = Shares::new(features);
        let table = game.table(&shares, 2.0, features);
        for own in 0..1u128 << features {
            let expected = shapley(features, |coalition| 2.0 * worth(own, coalition));
            let mut parts = vec![0.0; features];
            game.add(&shares, 2.0, own, &mut parts);
            for (feature, expected) in expected.iter().enumerate() {
                let tabled = table[own as usize * features + feature];
                assert!((parts[feature] - expected).abs() < 1e-12, "{own:b}: {parts:?} {expected}");
                assert!((tabled - expected).abs() < 1e-12, "{own:b}: {tabled} {expected}");
            }
            let sum = 2.0 * worth(own, all(features)) - game.expected(2.0, features);
            assert!((parts.iter().sum::<f64>() - sum).abs() < 1e-12);
        }
    }

    #[test]
    fn closed_forms_are_the_definition() {
        for zeros in [vec![], vec![0.25], vec![0.5, 0.0, 1.0], vec![0.3, 0.9, 0.01, 0.7, 0.5]] {
            let worth = |own: u128, coalition: u128| {
                let each = zeros.iter().enumerate();
                each.map(|(j, z)| if coalition >> j & 1 == 1 { (own >> j & 1) as f64 } else { *z }).product()
            };
            check(&Game::Covers(zeros.clone()), zeros.len(), worth);
        }
        for (features, rows) in [(1, &[0, 1][..]), (3, &[7, 7, 2, 0]), (5, &[31, 1, 9, 9, 14])] {
            let worth = |own: u128, coalition: u128| {
                let meets = |row: &&u128| ((own & coalition) | (**row & !coalition)) & all(features) == all(features);
                rows.iter().filter(meets).count() as f64 / rows.len() as f64
            };
            check(&Game::background(rows.iter().copied()), features, worth);
        }
    }

    #[test]
    fn shares_are_those_of_the_definition() {
        let shares = Shares::new(MAX_FEATURES);
        for (a, b, expected) in [(1, 0, 1.0), (1, 1, 0.5), (2, 1, 1.0 / 6.0), (1, 3, 0.25), (3, 3, 1.0 / 60.0)] {
            assert!((shares.of(a, b) - expected).abs() < 1e-15, "{a} {b}");
        }
        assert!(shares.of(64, 64) > 0.0 && shares.of(128, 0) == 1.0 / 128.0);
    }
}
