//! The fast form of an ensemble: compiled once, then shared by threads.

use super::ensemble::{Ensemble, Precision};
use super::error::TreeError;
use super::walk::Number;

/// A compiled ensemble. Its answers are, to the bit, those of [`Ensemble::answer`], for any number of rows.
#[derive(Debug, Clone)]
pub struct Compiled {
    ensemble: Ensemble,
}

impl Compiled {
    /// Compiles. What [`super::Draft::check`] let through always compiles.
    pub fn new(ensemble: Ensemble) -> Self {
        Self { ensemble }
    }

    /// What was compiled.
    pub fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// Answers rows laid one after the other: `rows` holds N × width numbers, `answers` N × targets. An ensemble of double
    /// precision compares and adds in f64 and rounds its answers to nearest.
    ///
    /// # Errors
    /// [`TreeError::Shape`].
    pub fn run_f32(&self, rows: &[f32], answers: &mut [f32]) -> Result<(), TreeError> {
        self.check(rows.len(), answers.len())?;
        match self.ensemble.get().precision {
            Precision::Single => self.walk(rows, answers),
            Precision::Double => {
                let wide: Vec<f64> = rows.iter().map(|value| f64::from(*value)).collect();
                let mut found = vec![0.0; answers.len()];
                self.walk(&wide, &mut found);
                answers.iter_mut().zip(found).for_each(|(answer, found)| *answer = found as f32);
            }
        }
        Ok(())
    }

    /// As [`Compiled::run_f32`], for double rows. An ensemble of single precision refuses them: which rounding of a row is
    /// meant is the caller's to say.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn run_f64(&self, rows: &[f64], answers: &mut [f64]) -> Result<(), TreeError> {
        self.check(rows.len(), answers.len())?;
        if self.ensemble.get().precision == Precision::Single {
            return Err(TreeError::Ensemble("is of single precision and was given double rows".to_owned()));
        }
        self.walk(rows, answers);
        Ok(())
    }

    fn check(&self, rows: usize, answers: usize) -> Result<(), TreeError> {
        let (width, targets) = (self.ensemble.get().width, self.ensemble.get().targets);
        if !rows.is_multiple_of(width) {
            return Err(TreeError::Shape { what: "rows", found: rows, needed: format!("a multiple of {width}") });
        }
        let needed = rows / width * targets;
        if answers != needed {
            return Err(TreeError::Shape { what: "answers", found: answers, needed: needed.to_string() });
        }
        Ok(())
    }

    fn walk<T: Number>(&self, rows: &[T], answers: &mut [T]) {
        let (width, targets) = (self.ensemble.get().width, self.ensemble.get().targets);
        for (row, answer) in rows.chunks_exact(width).zip(answers.chunks_exact_mut(targets)) {
            self.ensemble.answer(row, answer);
        }
    }
}
