//! PURE. Platt scaling: the line that turns margins into log-odds of default, by the labels of a sample.

use crate::error::{Result, ensure};
use domain::pd::{Pd, sigmoid};
use scoring::manifest::{Calibration, CalibrationMethod};

/// Steps of Newton's way, of which a handful is enough.
const STEPS: usize = 100;
/// Digits of the line: far finer than a sample can tell.
const DIGITS: f64 = 1e6;

/// pd = sigmoid(a · margin + b).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Platt {
    /// Above zero.
    pub a: f64,
    /// Any.
    pub b: f64,
}

impl Platt {
    /// Fits the line. Labels count a little less than 0 and 1, as many rows as there are of each, so that rows which the
    /// margin parts without fault still have a line.
    ///
    /// # Errors
    /// When the margins say nothing of the labels, or the contrary.
    pub fn fit(margins: &[f32], labels: &[bool]) -> Result<Self> {
        let count = margins.len() as f64;
        let mean = margins.iter().map(|margin| f64::from(*margin)).sum::<f64>() / count;
        let spread = margins.iter().map(|margin| (f64::from(*margin) - mean).powi(2)).sum::<f64>() / count;
        let spread = spread.sqrt();
        ensure!(spread.is_finite(), "the graph gives no number for some rows of the sample");
        ensure!(spread > 0.0, "the graph gives every row of the sample the same answer");
        let bad = labels.iter().filter(|label| **label).count() as f64;
        let target = |label: bool| if label { (bad + 1.0) / (bad + 2.0) } else { 1.0 / (count - bad + 2.0) };
        let points: Vec<(f64, f64)> =
            margins.iter().zip(labels).map(|(m, y)| ((f64::from(*m) - mean) / spread, target(*y))).collect();
        let (a, b) = newton(&points);
        let round = |number: f64| (number * DIGITS).round() / DIGITS;
        let line = Self { a: round(a / spread), b: round(b - a * mean / spread) };
        ensure!(
            line.a > 0.0,
            "defaults have the lower margins in the sample: the label must be 1 for a default, and the graph's last class \
             or output must be the risky one"
        );
        Ok(line)
    }

    /// As a manifest has it.
    pub fn said(self) -> Calibration {
        let (a, b) = (Some(self.a), Some(self.b));
        Calibration { method: CalibrationMethod::Platt, a, b, margins: vec![], pds: vec![] }
    }

    /// The published probability of a margin; nothing of one that is no number.
    pub fn pd(self, margin: f32) -> Option<Pd> {
        Pd::quantise(sigmoid(self.a * f64::from(margin) + self.b))
    }
}

/// Slope and intercept of least log-loss. A step that makes it worse is halved.
fn newton(points: &[(f64, f64)]) -> (f64, f64) {
    let loss = |a: f64, b: f64| -> f64 {
        // ln(1 + e^z) - t·z, without overflow.
        points.iter().map(|(x, t)| (a * x + b, t)).map(|(z, t)| z.max(0.0) + (-z.abs()).exp().ln_1p() - t * z).sum()
    };
    let (mut a, mut b) = (0.0, 0.0);
    for _ in 0..STEPS {
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for (x, t) in points {
            let p = sigmoid(a * x + b);
            let (off, weight) = (p - t, p * (1.0 - p));
            ga += off * x;
            gb += off;
            haa += weight * x * x;
            hab += weight * x;
            hbb += weight;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
        let (before, mut step) = (loss(a, b), 1.0);
        while step > 1e-9 && loss(a - step * da, b - step * db) > before {
            step /= 2.0;
        }
        (a, b) = (a - step * da, b - step * db);
        if (step * da).abs().max((step * db).abs()) < 1e-12 {
            break;
        }
    }
    (a, b)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_that_of_the_labels() {
        // A third of the rows at margin 0 default, two thirds of those at margin 2.
        let margins: Vec<f32> = (0..6000).map(|at| if at % 2 == 0 { 0.0 } else { 2.0 }).collect();
        let labels: Vec<bool> = (0..6000).map(|at| if at % 2 == 0 { at % 3 == 0 } else { at % 3 != 0 }).collect();
        let line = Platt::fit(&margins, &labels).unwrap();
        for (margin, expected) in [(0.0, 1.0 / 3.0), (2.0, 2.0 / 3.0)] {
            assert!((line.pd(margin).unwrap().get() - expected).abs() < 1e-3, "{line:?}");
        }
    }

    #[test]
    fn what_no_line_fits_is_refused() {
        let labels = [false, true, false, true];
        let rows: [(&[f32], &str); 3] = [
            (&[1.0; 4], "the same answer"),
            (&[1.0, 0.0, 1.0, 0.0], "lower margins"),
            (&[f32::NAN, 0.0, 1.0, 2.0], "no number"),
        ];
        for (margins, expected) in rows {
            let why = Platt::fit(margins, &labels).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn rows_that_are_parted_without_fault_have_a_line() {
        let line = Platt::fit(&[-1.0, -2.0, 1.0, 2.0], &[false, false, true, true]).unwrap();
        assert!(line.a > 0.0 && line.a.is_finite() && line.pd(-2.0).unwrap() < line.pd(2.0).unwrap(), "{line:?}");
    }
}
