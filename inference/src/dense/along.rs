//! Answers on the path from one row to another, a feature at a time: a move takes one part out of the first layer's sums and puts
//! another in, and only what comes after the layer is reckoned anew. Parts are added in f64, so that thousands of moves do not
//! drift.

use super::lanes::{BLOCK, Column, Fill};
use super::path_evaluation::{Move, Split, Starts};
use super::{Dense, Memory, answer, kernel};
use crate::error::EngineError;

impl Dense {
    /// Takes the rows that paths start from, laid one after the other, apart; nothing where the net cannot be.
    ///
    /// # Errors
    /// [`EngineError`] says what a row has no answer for.
    pub(crate) fn starts(&self, memory: &mut Memory, rows: &[f32]) -> Result<Option<Starts>, EngineError> {
        let Some(split) = &self.split else { return Ok(None) };
        let parts = self.parts(split, memory, rows)?;
        let (width, outputs) = (self.program.width, split.outputs());
        let mut sums = vec![0.0; rows.len() / width * outputs];
        for (sums, parts) in sums.chunks_mut(outputs).zip(parts.chunks(width * outputs)) {
            for part in parts.chunks(outputs) {
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
        }
        Ok(Some(Starts { parts, sums }))
    }

    /// The answers at the places that are asked for, of paths from these starts to a row; nothing where the net has none.
    ///
    /// # Errors
    /// [`EngineError`] says what the row has no answer for.
    pub(crate) fn along(
        &self,
        memory: &mut Memory,
        starts: &Starts,
        row: &[f32],
        moves: &[Move],
    ) -> Result<Option<Vec<f32>>, EngineError> {
        let Some(split) = &self.split else { return Ok(None) };
        let to = self.parts(split, memory, row)?;
        let mut sums = vec![0.0; split.outputs()];
        let mut answers = Vec::with_capacity(moves.len());
        memory.at_least(split.after.columns);
        let Some(output) = split.after.outputs.first().and_then(|output| output.first()) else { return Ok(None) };
        let mut rest = moves;
        while !rest.is_empty() {
            let mut asked = 0;
            let end = rest.iter().position(|place| {
                asked += usize::from(place.asked);
                asked == BLOCK
            });
            let (now, later) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = later;
            let path = Path { split, starts, to: &to, sums: &mut sums, moves: now, width: self.program.width };
            kernel::run(self.vectors, &split.after, path, &mut memory.columns);
            answers.extend_from_slice(&memory.columns[*output as usize].0[..asked]);
        }
        Ok(Some(answers))
    }

    /// Each feature's part of the first layer's sums, row by row.
    fn parts(&self, split: &Split, memory: &mut Memory, rows: &[f32]) -> Result<Vec<f64>, EngineError> {
        let (width, outputs) = (self.program.width, split.outputs());
        let mut inputs = [Vec::new()];
        answer(self.vectors, &split.before, memory, rows, &mut inputs)?;
        let mut parts = vec![0.0; rows.len() * outputs];
        for (parts, inputs) in parts.chunks_mut(width * outputs).zip(inputs[0].chunks(split.features.len())) {
            let weights = split.layer.weights.chunks(outputs);
            for ((input, feature), weights) in inputs.iter().zip(&split.features).zip(weights) {
                let part = &mut parts[feature * outputs..][..outputs];
                part.iter_mut().zip(weights).for_each(|(part, w)| *part += f64::from(*input) * f64::from(*w));
            }
        }
        Ok(parts)
    }
}

/// Moves of at most a block of places that are asked for.
struct Path<'a> {
    split: &'a Split,
    starts: &'a Starts,
    to: &'a [f64],
    /// The layer's sums at the place before.
    sums: &'a mut [f64],
    moves: &'a [Move],
    width: usize,
}

impl Fill for Path<'_> {
    #[inline(always)]
    fn fill(self, columns: &mut [Column]) -> usize {
        let outputs = self.sums.len();
        let layer = &self.split.layer;
        let mut place = 0;
        for step in self.moves {
            if step.first {
                self.sums.copy_from_slice(&self.starts.sums[step.start * outputs..][..outputs]);
            }
            let away = &self.starts.parts[(step.start * self.width + step.feature) * outputs..][..outputs];
            let there = &self.to[step.feature * outputs..][..outputs];
            let (come, go) = if step.forth { (there, away) } else { (away, there) };
            for ((sum, come), go) in self.sums.iter_mut().zip(come).zip(go) {
                *sum += come - go;
            }
            if step.asked && place < BLOCK {
                for ((column, sum), bias) in columns.iter_mut().zip(&*self.sums).zip(&layer.bias) {
                    let sum = *sum as f32 + bias;
                    column.0[place] = if layer.relu && 0.0 > sum { 0.0 } else { sum };
                }
                place += 1;
            }
        }
        place
    }
}
