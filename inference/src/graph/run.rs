//! Running a graph: rows in blocks of one size, and which of them it refuses.

use super::input::{self, Places};
use super::output::Head;
use super::table;
use super::{BLOCK, Column, Engine, Graph, Input, Kind, Output, Running, State, Table, Values, failed};
use crate::error::EngineError;
use crate::ops;
use std::ops::Range;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::format_err;

impl Graph {
    /// Runs every row of a table; one output for each of the graph's.
    ///
    /// # Errors
    /// [`EngineError`] when the table does not fit, or names the rows on which an operator failed.
    pub fn run(&self, table: &Table) -> Result<Vec<Output>, EngineError> {
        self.run_in(&mut self.state()?, table)
    }

    /// The same in a thread's own memory.
    ///
    /// # Errors
    /// [`EngineError`] when the table does not fit, or names the rows on which an operator failed.
    pub fn run_in(&self, state: &mut State, table: &Table) -> Result<Vec<Output>, EngineError> {
        let header: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let places = input::places(&self.inputs, &header)?;
        let rows = table.rows()?;
        let mut collected: Vec<Option<Values>> = vec![None; self.heads.len()];
        for start in (0..rows).step_by(self.block()) {
            let end = rows.min(start + self.block());
            let block = self.tensors(table, &places, start, end)?;
            let answers = self.answer(state, block, end - start);
            collect(&mut collected, answers.map_err(|why| self.blamed(state, table, &places, start..end, why))?);
        }
        let output = |(head, values): (&Head, Option<Values>)| Output {
            name: head.name.clone(),
            columns: head.columns.clone(),
            values: values.unwrap_or(Values::F32(vec![])),
        };
        Ok(self.heads.iter().zip(collected).map(output).collect())
    }

    /// Runs rows of the one input, f32, laid one after the other; each output's rows, f32, are added at the end of its own `into`.
    ///
    /// # Errors
    /// [`EngineError`], also when the graph takes or gives anything but f32.
    pub fn run_f32(&self, state: &mut State, rows: &[f32], into: &mut [Vec<f32>]) -> Result<(), EngineError> {
        self.width_of_rows()?;
        if let (Engine::Dense(dense), Running::Dense(memory)) = (&self.engine, &mut state.0) {
            return dense.run(memory, rows, into);
        }
        self.in_blocks(state, rows, |answers| {
            for ((into, values), head) in into.iter_mut().zip(answers).zip(&self.heads) {
                match values {
                    Values::F32(cells) => into.extend(cells),
                    _ => return Err(EngineError(format!("{} is not of single precision", head.name))),
                }
            }
            Ok(())
        })
    }

    /// The same for outputs of any kind: the cells of each.
    ///
    /// # Errors
    /// [`EngineError`], also when the graph takes anything but f32.
    pub fn run_rows(&self, state: &mut State, rows: &[f32]) -> Result<Vec<Values>, EngineError> {
        if self.dense().is_some() {
            let mut cells = vec![Vec::new(); self.heads.len()];
            self.run_f32(state, rows, &mut cells)?;
            return Ok(cells.into_iter().map(Values::F32).collect());
        }
        let mut collected: Vec<Option<Values>> = vec![None; self.heads.len()];
        self.in_blocks(state, rows, |answers| {
            collect(&mut collected, answers);
            Ok(())
        })?;
        Ok(collected.into_iter().map(|values| values.unwrap_or(Values::F32(vec![]))).collect())
    }

    /// The width of the one input of single precision.
    fn width_of_rows(&self) -> Result<usize, EngineError> {
        match self.inputs.as_slice() {
            [Input { kind: Kind::F32, width, .. }] => Ok(*width),
            _ => Err(EngineError("the graph takes more than rows of single precision".to_owned())),
        }
    }

    /// Runs rows of the one input block by block.
    fn in_blocks(
        &self,
        state: &mut State,
        rows: &[f32],
        mut take: impl FnMut(Vec<Values>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let width = self.width_of_rows()?;
        for part in rows.chunks(self.block() * width) {
            let count = part.len() / width;
            let mut padded = Vec::with_capacity(self.block() * width);
            padded.extend_from_slice(part);
            (count..self.block()).for_each(|_| padded.extend_from_slice(&part[part.len() - width..]));
            let block = ops::tensor(&self.inputs[0].shape(self.block()), padded).map_err(failed)?;
            take(self.answer(state, tvec!(block.into_tvalue()), count).map_err(EngineError)?)?;
        }
        Ok(())
    }

    /// The first row of a block that fails on its own, with why, found by halving; the whole block if none does.
    fn blamed(
        &self,
        state: &mut State,
        table: &Table,
        places: &Places,
        rows: Range<usize>,
        together: String,
    ) -> EngineError {
        let mut why_not = |rows: Range<usize>| match self.tensors(table, places, rows.start, rows.end) {
            Ok(part) => self.answer(state, part, rows.len()).err(),
            Err(EngineError(why)) => Some(why),
        };
        let mut left = rows.clone();
        while left.len() > 1 {
            let middle = left.start + left.len() / 2;
            left = if why_not(left.start..middle).is_some() { left.start..middle } else { middle..left.end };
        }
        match why_not(left.clone()) {
            Some(why) => EngineError(format!("row {}: {why}", left.end)),
            None => EngineError(format!("rows {} to {}: {together}", rows.start + 1, rows.end)),
        }
    }

    fn block(&self) -> usize {
        match &self.engine {
            Engine::Dense(_) => BLOCK,
            Engine::Compiled { block, .. } => *block,
        }
    }

    /// The inputs' tensors for some rows; the last row again where the block is not full. A dense net takes one, of all columns and
    /// just these rows.
    fn tensors(&self, table: &Table, places: &Places, start: usize, end: usize) -> Result<TVec<TValue>, EngineError> {
        if matches!(self.engine, Engine::Dense(_)) {
            let columns = |(input, places): (&Input, &Vec<usize>)| {
                places.iter().map(|place| (&table.columns[*place], input.kind)).collect::<Vec<_>>()
            };
            let columns: Vec<(&Column, Kind)> = self.inputs.iter().zip(&places.columns).flat_map(columns).collect();
            return Ok(tvec!(table::singles(&columns, start..end)?.into_tvalue()));
        }
        let rows: Vec<usize> = (start..start + self.block()).map(|row| row.min(end - 1)).collect();
        let tensor = |(input, places): (&Input, &Vec<usize>)| {
            let columns: Vec<&Column> = places.iter().map(|place| &table.columns[*place]).collect();
            table::tensor(&columns, input.kind, &rows, &input.shape(self.block())).map(Tensor::into_tvalue)
        };
        self.inputs.iter().zip(&places.columns).map(tensor).collect()
    }

    /// The cells of each output for the first rows of a block.
    fn answer(&self, state: &mut State, block: TVec<TValue>, rows: usize) -> Result<Vec<Values>, String> {
        let answers = ops::guarded(|| match (&self.engine, &mut state.0) {
            (Engine::Dense(dense), Running::Dense(memory)) => {
                let mut answers = vec![Vec::new(); self.heads.len()];
                dense.run(memory, ops::slice::<f32>(&block[0])?, &mut answers).map_err(|why| format_err!("{why}"))?;
                Ok(answers.into_iter().map(Values::F32).collect())
            }
            (Engine::Compiled { .. }, Running::Compiled(running)) => {
                let answers = running.run(block)?;
                let cells = |head: &Head| head.cells(&answers[head.slot], rows);
                self.heads.iter().map(cells).collect()
            }
            _ => Err(format_err!("the working memory is another graph's")),
        });
        if answers.is_err()
            && let Ok(fresh) = self.state()
        {
            *state = fresh; // what it held halfway is not for the next row
        }
        answers
    }
}

/// Adds a block's cells at the end of those of the blocks before it.
fn collect(collected: &mut [Option<Values>], answers: Vec<Values>) {
    for (into, values) in collected.iter_mut().zip(answers) {
        match into {
            Some(into) => into.extend(values),
            None => *into = Some(values),
        }
    }
}
