//! Probability of default as it is published: millionths, so that a policy sees the same number on every machine.

/// A probability of default in millionths, 0..=1_000_000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pd(u32);

/// The smallest and largest probabilities that log-odds are taken of.
pub(crate) const CLAMP: (f64, f64) = (1e-6, 1.0 - 1e-6);

impl Pd {
    /// Rounds a probability to the nearest millionth; `None` for NaN or anything outside 0..=1.
    pub fn quantise(probability: f64) -> Option<Self> {
        (0.0..=1.0).contains(&probability).then(|| Self((probability * 1e6).round() as u32))
    }

    /// The probability, 0..=1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// Millionths.
    pub fn micros(self) -> u32 {
        self.0
    }

    /// Natural log of the good:bad odds, with the probability clamped to [`CLAMP`]. Higher is safer.
    pub(crate) fn log_odds_good(self) -> f64 {
        let p = self.get().clamp(CLAMP.0, CLAMP.1);
        libm::log((1.0 - p) / p)
    }
}

/// The logistic function in software floating point: the same bits on every machine.
pub fn sigmoid(margin: f64) -> f64 {
    if margin >= 0.0 {
        1.0 / (1.0 + libm::exp(-margin))
    } else {
        let e = libm::exp(margin);
        e / (1.0 + e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantising_rounds_and_refuses_nonsense() {
        assert_eq!(Pd::quantise(0.123_456_49).map(Pd::micros), Some(123_456));
        assert_eq!(Pd::quantise(1.0).map(Pd::micros), Some(1_000_000));
        for bad in [f64::NAN, -1e-9, 1.000_000_1, f64::INFINITY] {
            assert_eq!(Pd::quantise(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_logistic_is_symmetric_and_bounded() {
        for margin in [0.0, 0.3, 5.0, 40.0, 800.0] {
            assert!((sigmoid(margin) + sigmoid(-margin) - 1.0).abs() < 1e-15);
        }
        assert_eq!(sigmoid(f64::NEG_INFINITY), 0.0);
    }

    #[test]
    fn certain_default_still_has_finite_odds() {
        assert!(Pd(1_000_000).log_odds_good() > -14.0);
        assert!(Pd(0).log_odds_good() < 14.0);
    }
}
