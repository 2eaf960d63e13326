//! Contributions: each feature's part of the margin against the reference. Exact for scorecards, and for trees (see
//! [`crate::forest`]); for nets Shapley values by fixed permutations, the same for every application. No randomness at run time.

pub use inference::walks::{Contributions, Shapley};

/// Method of a scorecard.
pub(crate) const SCORECARD: &str = "scorecard_exact";

/// Contributions and base add up to the margin within this, or the event says why they do not.
pub const EFFICIENCY: f64 = 1e-5;
/// The one way that they may not: the graph rounds while it adds, contributions do not.
pub(crate) const MARGIN_ROUNDED: &str = "margin_rounded_in_single_precision";

/// Why contributions do not add up, where they do not.
pub fn inexact(residual: f64) -> Option<&'static str> {
    (residual.abs() > EFFICIENCY).then_some(MARGIN_ROUNDED)
}

/// A scorecard's: its own parts less the reference's mean parts.
pub fn scorecard(partials: &[f32], mean_partials: &[f64], intercept: f64) -> Contributions {
    let parts = partials.iter().zip(mean_partials).map(|(own, mean)| f64::from(*own) - mean).collect();
    Contributions { parts, base: intercept + mean_partials.iter().sum::<f64>(), error: None }
}

/// Rounds to 1e-6; never a negative zero.
pub(crate) fn millionths(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scorecards_parts_are_against_the_reference() {
        let found = scorecard(&[0.5, -0.25], &[0.25, 0.0], -1.0);
        assert_eq!(found, Contributions { parts: vec![0.25, -0.25], base: -0.75, error: None });
        assert_eq!(found.residual(-0.75), 0.0);
        assert_eq!(found.residual(-0.5), 0.25);
    }
    #[test]
    fn numbers_are_rounded_and_what_does_not_add_up_is_said() {
        for (value, expected) in [(0.123_456_7, 0.123_457), (-0.000_000_4, 0.0), (2.0, 2.0)] {
            assert_eq!(millionths(value).to_bits(), f64::to_bits(expected), "{value}");
        }
        for (residual, expected) in [
            (0.0, None),
            (EFFICIENCY, None),
            (-EFFICIENCY, None),
            (-1.1e-5, Some(MARGIN_ROUNDED)),
            (2e-5, Some(MARGIN_ROUNDED)),
        ] {
            assert_eq!(inexact(residual), expected, "{residual}");
        }
    }
}
