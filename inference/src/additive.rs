//! PURE. Exact Shapley values of an additive function, one that is a sum of a function of each feature: whatever the other
//! features are, a change of one feature changes the sum by the same. So one change from one background row says all.

use crate::error::EngineError;

/// A row's number is a sum of parts within this, relative to it where it is above one, or the function is not additive.
pub const TOLERANCE: f64 = 1e-5;

/// What a function gives for rows laid one after the other.
pub type Answers<'a> = &'a mut dyn FnMut(&[f32]) -> Result<Vec<f64>, EngineError>;

/// The background of an additive function.
#[derive(Debug, Clone, PartialEq)]
pub struct Additive {
    start: Vec<f32>,
    at_start: f64,
    /// By feature, the mean change that the background's values make at the start.
    means: Vec<f64>,
    base: f64,
}

impl Additive {
    /// Measures the background: one change for each of its values.
    ///
    /// # Errors
    /// [`EngineError`] of the function, or of a background without rows.
    pub fn new(background: &[Vec<f32>], answers: Answers<'_>) -> Result<Self, EngineError> {
        let start = background.first().ok_or_else(|| EngineError("the background holds no rows".to_owned()))?.clone();
        let whole = answers(&background.concat())?;
        let base = whole.iter().sum::<f64>() / whole.len() as f64;
        let mut means = vec![0.0; start.len()];
        for changes in changes(&start, whole[0], &background.concat(), answers)?.chunks(start.len().max(1)) {
            means.iter_mut().zip(changes).for_each(|(mean, change)| *mean += change / background.len() as f64);
        }
        Ok(Self { at_start: whole[0], means, base, start })
    }

    /// The mean of the background.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// Contributions of rows laid one after the other, in the same layout.
    ///
    /// # Errors
    /// [`EngineError`] of the function.
    pub fn explain(&self, rows: &[f32], parts: &mut [f64], answers: Answers<'_>) -> Result<(), EngineError> {
        let changes = changes(&self.start, self.at_start, rows, answers)?;
        let against = changes.iter().zip(self.means.iter().cycle());
        parts.iter_mut().zip(against).for_each(|(part, (change, mean))| *part = change - mean);
        Ok(())
    }
}

/// What each feature of each row changes alone, at a start whose number is known.
fn changes(start: &[f32], at_start: f64, rows: &[f32], answers: Answers<'_>) -> Result<Vec<f64>, EngineError> {
    let width = start.len();
    let differs = |place: &usize| rows[*place].to_bits() != start[place % width].to_bits();
    let places: Vec<usize> = (0..rows.len()).filter(differs).collect();
    let mut changed = Vec::with_capacity(places.len() * width);
    for place in &places {
        let first = changed.len();
        changed.extend_from_slice(start);
        changed[first + place % width] = rows[*place];
    }
    let found = if changed.is_empty() { vec![] } else { answers(&changed)? };
    let mut changes = vec![0.0; rows.len()];
    places.into_iter().zip(found).for_each(|(place, answer)| changes[place] = answer - at_start);
    Ok(changes)
}

/// The greatest amount by which a row's number is not the sum of its features' changes at a start, over all pairs of both;
/// relative to the number where that is above one.
///
/// # Errors
/// [`EngineError`] of the function.
pub fn greatest_rest(rows: &[Vec<f32>], starts: &[Vec<f32>], answers: Answers<'_>) -> Result<f64, EngineError> {
    let flat = rows.concat();
    let whole = answers(&flat)?;
    let at_starts = answers(&starts.concat())?;
    let mut greatest = 0f64;
    for (start, at_start) in starts.iter().zip(at_starts) {
        for (changes, answer) in changes(start, at_start, &flat, answers)?.chunks(start.len().max(1)).zip(&whole) {
            let rest = (changes.iter().sum::<f64>() + at_start - answer).abs() / answer.abs().max(1.0);
            // What is no number is no sum.
            greatest = if rest.is_nan() { f64::INFINITY } else { greatest.max(rest) };
        }
    }
    Ok(greatest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rows_of(f: impl Fn(f64, f64) -> f64) -> impl FnMut(&[f32]) -> Result<Vec<f64>, EngineError> {
        move |rows| Ok(rows.chunks(2).map(|row| f(row[0].into(), row[1].into())).collect())
    }

    #[test]
    fn parts_of_a_sum_are_its_own_less_the_means() {
        let mut sum = rows_of(|a, b| a * a + 3.0 * b + 1.0);
        let background = [vec![0.0, 0.0], vec![2.0, 1.0]];
        let additive = Additive::new(&background, &mut sum).unwrap();
        let mut parts = [0.0; 4];
        additive.explain(&[3.0, 0.0, 0.0, 1.0], &mut parts, &mut sum).unwrap();
        assert_eq!((parts, additive.base()), ([7.0, -1.5, -2.0, 1.5], 4.5));
        assert_eq!(additive.base() + parts[0] + parts[1], 10.0);
    }

    #[test]
    fn what_is_no_sum_leaves_a_rest() {
        let rows = [vec![1.0, 2.0], vec![3.0, -1.0]];
        let starts = [vec![0.0, 0.0], vec![2.0, 2.0]];
        for (f, expected) in [
            ((|a, b| a + b) as fn(f64, f64) -> f64, 0.0),
            // Relative to the product itself, of which no sum from zeros has anything.
            (|a, b| a * b, 1.0),
            (|a, _| if a > 2.5 { f64::NAN } else { a }, f64::INFINITY),
        ] {
            assert_eq!(greatest_rest(&rows, &starts, &mut rows_of(f)).unwrap(), expected);
        }
    }
}
