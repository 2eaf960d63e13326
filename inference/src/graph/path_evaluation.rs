//! Answers on paths from one row to another, a feature at a time.

use super::{Engine, Graph, Running, State};
use crate::dense;
use crate::error::EngineError;

/// Rows that paths start from; see [`Graph::along`].
#[derive(Debug)]
pub struct Starts {
    rows: Vec<Vec<f32>>,
    /// Where the net can be taken apart, so that a move costs a part of an answer.
    apart: Option<dense::Starts>,
}

impl Starts {
    /// The rows.
    pub fn rows(&self) -> &[Vec<f32>] {
        &self.rows
    }

    #[cfg(test)]
    pub(crate) fn is_apart(&self) -> bool {
        self.apart.is_some()
    }

    #[cfg(test)]
    pub(crate) fn whole(rows: Vec<Vec<f32>>) -> Self {
        Self { rows, apart: None }
    }
}

impl Graph {
    /// Prepares rows that paths start from.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn starts(&self, rows: &[Vec<f32>]) -> Result<Starts, EngineError> {
        let apart = match (&self.engine, self.state()?.0) {
            (Engine::Dense(dense), Running::Dense(mut memory)) => dense.starts(&mut memory, &rows.concat())?,
            _ => None,
        };
        Ok(Starts { rows: rows.to_vec(), apart })
    }

    /// The first output's answers at the places that are asked for, on paths from starts to a row that move one feature at a time.
    /// Within rounding they are those of [`Graph::run_f32`].
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn along(
        &self,
        state: &mut State,
        starts: &Starts,
        row: &[f32],
        moves: &[dense::Move],
    ) -> Result<Vec<f32>, EngineError> {
        if let (Engine::Dense(dense), Running::Dense(memory), Some(apart)) = (&self.engine, &mut state.0, &starts.apart)
            && let Some(answers) = dense.along(memory, apart, row, moves)?
        {
            return Ok(answers);
        }
        let places = dense::places(&starts.rows, row, moves);
        let mut answers = vec![Vec::new(); self.heads.len()];
        self.run_f32(state, &places, &mut answers)?;
        Ok(answers.swap_remove(0))
    }
}
