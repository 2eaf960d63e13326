//! From a margin to the probability that is published: by the manifest's numbers alone, never falling as the margin rises.

use crate::error::LoadError;
use crate::manifest::{self, CalibrationMethod};
use domain::pd::sigmoid;

/// The most points or bins.
pub(crate) const MAX_POINTS: usize = 4096;

/// A checked calibration.
#[derive(Debug, Clone, PartialEq)]
pub enum Calibration {
    /// The margin's own probability.
    Plain,
    /// sigmoid(a · margin + b).
    Platt {
        /// Above zero.
        a: f64,
        /// Any.
        b: f64,
    },
    /// Straight lines between points; flat beyond the first and the last.
    Isotonic {
        /// Rising.
        margins: Vec<f64>,
        /// Never falling.
        pds: Vec<f64>,
    },
    /// One probability for each bin; a margin on an edge belongs to the bin above.
    Binned {
        /// Edges between bins, rising.
        margins: Vec<f64>,
        /// One more than edges, never falling.
        pds: Vec<f64>,
    },
}

impl Calibration {
    /// Checks a manifest's calibration.
    ///
    /// # Errors
    /// [`LoadError::Contract`].
    pub fn new(said: &manifest::Calibration) -> Result<Self, LoadError> {
        let (margins, pds) = (said.margins.clone(), said.pds.clone());
        let listed = !margins.is_empty() || !pds.is_empty();
        match (said.method, said.a, said.b) {
            (CalibrationMethod::Platt, Some(a), Some(b)) if a.is_finite() && a > 0.0 && b.is_finite() && !listed => {
                Ok(Self::Platt { a, b })
            }
            (CalibrationMethod::None, None, None) if !listed => Ok(Self::Plain),
            (CalibrationMethod::Platt | CalibrationMethod::None, ..) => {
                fault("platt needs a above zero and b; none has neither; neither has margins and pds")
            }
            (CalibrationMethod::Isotonic, None, None) if margins.len() == pds.len() && fits(&margins, &pds) => {
                Ok(Self::Isotonic { margins, pds })
            }
            (CalibrationMethod::Binned, None, None) if margins.len() + 1 == pds.len() && fits(&margins, &pds) => {
                Ok(Self::Binned { margins, pds })
            }
            (CalibrationMethod::Isotonic | CalibrationMethod::Binned, ..) => fault(
                "isotonic and binned need rising margins and pds between 0 and 1 that never fall: as many of both, or one \
                 more pd than edges",
            ),
        }
    }

    /// The probability of a margin, whose own is `raw`.
    pub fn pd(&self, margin: f64, raw: f64) -> f64 {
        match self {
            Self::Plain => raw,
            Self::Platt { a, b } => sigmoid(a * margin + b),
            Self::Isotonic { margins, pds } => between(margins, pds, margin),
            Self::Binned { margins, pds } => pds[margins.partition_point(|edge| *edge <= margin)],
        }
    }
}

fn fault<A>(why: &str) -> Result<A, LoadError> {
    Err(LoadError::contract("calibration", why))
}

fn fits(margins: &[f64], pds: &[f64]) -> bool {
    (1..=MAX_POINTS).contains(&pds.len())
        && margins.iter().all(|margin| margin.is_finite())
        && margins.windows(2).all(|pair| pair[0] < pair[1])
        && pds.iter().all(|pd| (0.0..=1.0).contains(pd))
        && pds.windows(2).all(|pair| pair[0] <= pair[1])
}

fn between(margins: &[f64], pds: &[f64], margin: f64) -> f64 {
    let above = margins.partition_point(|known| *known <= margin);
    match above {
        0 => pds[0],
        _ if above == margins.len() => pds[above - 1],
        _ => {
            let share = (margin - margins[above - 1]) / (margins[above] - margins[above - 1]);
            // Rounding must not carry a value past the point that bounds it.
            (pds[above - 1] + share * (pds[above] - pds[above - 1])).clamp(pds[above - 1], pds[above])
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PLAIN: manifest::Calibration =
        manifest::Calibration { method: CalibrationMethod::None, a: None, b: None, margins: vec![], pds: vec![] };

    fn of(method: CalibrationMethod, margins: &[f64], pds: &[f64]) -> Result<Calibration, LoadError> {
        Calibration::new(&manifest::Calibration { method, margins: margins.into(), pds: pds.into(), ..PLAIN })
    }

    #[test]
    fn each_method_gives_its_probability() {
        let platt = manifest::Calibration { method: CalibrationMethod::Platt, a: Some(2.0), b: Some(-1.0), ..PLAIN };
        let isotonic = of(CalibrationMethod::Isotonic, &[-1.0, 0.0, 1.0, 3.0], &[0.1, 0.2, 0.2, 0.4]).unwrap();
        let binned = of(CalibrationMethod::Binned, &[-1.0, 1.0], &[0.1, 0.2, 0.7]).unwrap();
        let rows = [
            (Calibration::new(&PLAIN).unwrap(), 9.0, 0.3),
            (Calibration::new(&platt).unwrap(), 0.5, 0.5),
            (isotonic.clone(), -5.0, 0.1),
            (isotonic.clone(), -0.5, 0.15),
            (isotonic.clone(), 0.5, 0.2),
            (isotonic.clone(), 3.0, 0.4),
            (isotonic, 9.0, 0.4),
            (binned.clone(), -1.5, 0.1),
            (binned.clone(), -1.0, 0.2),
            (binned, 1.0, 0.7),
        ];
        for (calibration, margin, expected) in rows {
            let found = calibration.pd(margin, 0.3);
            assert!((found - expected).abs() < 1e-12, "{calibration:?} at {margin}: {found}");
        }
    }

    #[test]
    fn what_falls_or_does_not_fit_is_refused() {
        let rows: &[(CalibrationMethod, &[f64], &[f64])] = &[
            (CalibrationMethod::Isotonic, &[0.0, 1.0], &[0.2, 0.1]),
            (CalibrationMethod::Isotonic, &[1.0, 1.0], &[0.1, 0.2]),
            (CalibrationMethod::Isotonic, &[], &[]),
            (CalibrationMethod::Isotonic, &[0.0], &[0.1, 0.2]),
            (CalibrationMethod::Binned, &[0.0], &[0.1]),
            (CalibrationMethod::Binned, &[0.0], &[0.1, 1.5]),
            (CalibrationMethod::Binned, &[f64::NAN], &[0.1, 0.2]),
            (CalibrationMethod::Platt, &[], &[]),
            (CalibrationMethod::None, &[0.0], &[]),
        ];
        for (method, margins, pds) in rows {
            let why = of(*method, margins, pds).unwrap_err().to_string();
            assert!(why.starts_with("manifest.toml, calibration: "), "{why}");
        }
    }
}
