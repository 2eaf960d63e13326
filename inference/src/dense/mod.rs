//! PURE. Dense nets: layers of weighted sums with functions of single numbers, norms, embeddings, attention and written-out
//! loops before, between and after them, answered without a graph engine. A row's answers have the same bits on every machine
//! and in every batch. What is not such a net is not this module's: [`Dense::read`] gives nothing.
//!
//! Reading order: [`read`] makes [`steps`] of a graph, [`program`] packs them, [`lanes`] runs them over a block and [`lone`] over
//! one row, [`functions`] and [`math`] are what they reckon, [`kernel`] chooses the instructions. [`path_evaluation`] takes a net apart for answers at many places that differ in
//! one feature, which [`along`] gives; [`direction`] is what can be proven from the weights.

mod along;
mod direction;
mod functions;
mod kernel;
mod lanes;
mod lone;
mod math;
mod path_evaluation;
mod program;
mod read;
mod steps;

pub use direction::Direction;
pub(crate) use path_evaluation::Starts;
pub use path_evaluation::{Move, places};
pub(crate) use read::Entry;

use crate::error::EngineError;
use crate::trees::Vectors;
use lanes::{BLOCK, Column, Rows};
use lone::WORTH_A_BLOCK;
use path_evaluation::Split;
use program::Program;
use steps::Steps;
use tract_onnx::pb::ModelProto;

/// A compiled net. Share it between threads; each brings its own [`Memory`].
#[derive(Debug, Clone)]
pub struct Dense {
    steps: Steps,
    program: Program,
    split: Option<Split>,
    vectors: Vectors,
}

/// One thread's working memory for a net, kept from call to call; no answer depends on what is in it.
#[derive(Debug)]
pub struct Memory {
    columns: Vec<Column>,
    /// Of one row for itself.
    cells: Vec<f32>,
}

impl Dense {
    /// Reads a net from a graph: inputs [N, any], whose columns stand in a row one input after the other, and the named outputs,
    /// f32 [N, any]. Nothing where the graph is more than that.
    pub(crate) fn read(proto: &ModelProto, inputs: &[Entry<'_>], outputs: &[&str]) -> Option<Self> {
        Self::using(proto, inputs, outputs, kernel::best())
    }

    /// The same by these instructions, or by none where the machine has them not; for tests.
    fn using(proto: &ModelProto, inputs: &[Entry<'_>], outputs: &[&str], vectors: Vectors) -> Option<Self> {
        let steps = read::read(proto, inputs, outputs)?;
        let (program, split) = (Program::new(&steps, kernel::GROUP), Split::new(&steps, kernel::GROUP));
        Some(Self { steps, program, split, vectors })
    }

    /// Working memory for one thread.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory { columns: vec![], cells: vec![] };
        memory.at_least(self.program.columns);
        memory
    }

    /// Number of columns of each output.
    pub fn widths(&self) -> impl Iterator<Item = usize> {
        self.program.outputs.iter().map(Vec::len)
    }

    /// What the weights prove of each column of each output as one input rises.
    pub fn directions(&self, input: usize) -> Vec<Vec<Direction>> {
        direction::of(&self.steps, input)
    }

    /// Answers rows laid one after the other, width numbers each; each output's rows are added at the end of its own `into`.
    /// Memory of another net is made this one's.
    ///
    /// # Errors
    /// [`EngineError`] says what one of the rows has no answer for: a category that an embedding has no row of.
    pub fn run(&self, memory: &mut Memory, rows: &[f32], into: &mut [Vec<f32>]) -> Result<(), EngineError> {
        answer(self.vectors, &self.program, memory, rows, into)
    }
}

/// Runs rows through a program, block by block.
fn answer(
    vectors: Vectors,
    program: &Program,
    memory: &mut Memory,
    rows: &[f32],
    into: &mut [Vec<f32>],
) -> Result<(), EngineError> {
    let (width, outputs) = (program.width, &program.outputs);
    memory.at_least(program.columns);
    let count = rows.len() / width;
    outputs.iter().zip(&mut *into).for_each(|(output, into)| into.reserve(count * output.len()));
    let (blocks, rest) = match count % BLOCK {
        rest if rest < WORTH_A_BLOCK => (count - rest, rest),
        _ => (count, 0),
    };
    for rows in rows[..blocks * width].chunks(BLOCK * width) {
        let columns = &mut memory.columns;
        // What was wrong with the rows before is forgotten.
        columns[program.columns - 1] = Column([0.0; BLOCK]);
        kernel::run(vectors, program, Rows(rows, width), columns);
        let count = rows.len() / width;
        if let Some(why) = program.fault(columns, count) {
            return Err(EngineError(why.to_owned()));
        }
        for (output, into) in outputs.iter().zip(&mut *into) {
            match output.as_slice() {
                [column] => into.extend(columns[*column as usize].0[..count].iter().copied().map(one_nan)),
                some => {
                    (0..count).for_each(|row| into.extend(some.iter().map(|at| one_nan(columns[*at as usize].0[row]))));
                }
            }
        }
    }
    for row in rows[blocks * width..][..rest * width].chunks(width) {
        let cells = &mut memory.cells;
        cells[program.columns - 1] = 0.0;
        kernel::run_one(vectors, program, row, cells);
        if let Some(why) = program.check(cells[program.columns - 1]).filter(|_| !program.checks.is_empty()) {
            return Err(EngineError(why.to_owned()));
        }
        for (output, into) in outputs.iter().zip(&mut *into) {
            into.extend(output.iter().map(|at| one_nan(cells[*at as usize])));
        }
    }
    Ok(())
}

/// What is no number has many bits, and which of them come out of a sum is a matter of how code was compiled.
fn one_nan(answer: f32) -> f32 {
    if answer.is_nan() { f32::NAN } else { answer }
}

impl Memory {
    /// Makes it another net's where it is too small for it.
    fn at_least(&mut self, columns: usize) {
        self.columns.resize(columns.max(self.columns.len()), Column([0.0; BLOCK]));
        self.cells.resize(columns.max(self.cells.len()), 0.0);
    }
}

#[cfg(test)]
pub(crate) mod tests;
