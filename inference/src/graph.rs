//! An ONNX graph, as its exporter wrote it, over rows: the one executor. A row's bits do not depend on the others: rows run in
//! blocks of one size, short ones filled up, where nothing in the graph lets rows meet ([`rows`]), and one by one where something
//! does. A graph that is a dense net is answered as one ([`crate::dense`]).

use crate::dense::{self, Dense, Entry, Memory};
use crate::error::{EngineError, GraphError};
use crate::ops;
use crate::trees::Ensemble;
use crate::walks;
use input::Places;
use output::Head;
use std::ops::Range;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::format_err;

mod input;
mod output;
mod rows;
mod table;

pub use crate::prepare::Files;
pub use input::{Input, Matched};
pub use table::{Column, Kind, Table, Values};

/// Rows that run at once, where the graph does not fix their number itself.
const BLOCK: usize = 256;

/// A graph that is ready to run. Share it between threads; each brings its own [`State`].
#[derive(Debug)]
pub struct Graph {
    engine: Engine,
    inputs: Vec<Input>,
    heads: Vec<Head>,
    /// Outputs that are the same for all rows.
    left_out: Vec<String>,
}

#[derive(Debug)]
enum Engine {
    Dense(Dense),
    Compiled {
        plan: Arc<TypedRunnableModel>,
        block: usize,
        /// Where rows of a block would meet; nothing where they do not.
        meet: Option<String>,
    },
}

/// One thread's working memory for a graph; no answer depends on what is in it.
#[derive(Debug)]
pub struct State(Running);

#[derive(Debug)]
enum Running {
    Dense(Memory),
    Compiled(TypedSimpleState),
}

/// What is asked of a graph when it is loaded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// How many columns the table has, for a graph that leaves that open.
    pub columns: Option<usize>,
    /// Only these outputs, in this order; all without it.
    pub outputs: Option<&'a [&'a str]>,
    /// Files beside the graph that hold tensors of it, by name.
    pub files: Option<&'a Files>,
}

/// What a graph gives for a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// As the exporter named it.
    pub name: String,
    /// A heading for each column: its class where the graph says it, else its number, else the output's name.
    pub columns: Vec<String>,
    /// Row by row.
    pub values: Values,
}

impl Graph {
    /// Parses, checks and compiles a graph. `columns` says how many the table has, for a graph that leaves that open.
    ///
    /// # Errors
    /// [`GraphError`] with the node's name and what would make the graph loadable.
    pub fn load(bytes: &[u8], columns: Option<usize>) -> Result<Self, GraphError> {
        Self::with(bytes, &Options { columns, ..Options::default() })
    }

    /// The same, with options.
    ///
    /// # Errors
    /// [`GraphError`] with the node's name and what would make the graph loadable.
    pub fn with(bytes: &[u8], options: &Options<'_>) -> Result<Self, GraphError> {
        let proto = ops::read(bytes, options.files)?;
        let graph = proto.graph.as_ref().ok_or_else(|| refused("holds no graph"))?;
        let (inputs, fixed) = input::inputs_of(graph, options.columns)?;
        let wanted = output::wanted(graph, options.outputs)?;
        if let Some((dense, heads)) = dense(&proto, &inputs, &wanted) {
            return Ok(Self { engine: Engine::Dense(dense), inputs, heads, left_out: vec![] });
        }
        let shaped = |block: usize| shaped(&proto, &inputs, &wanted, block);
        let block = fixed.unwrap_or(BLOCK);
        let model = shaped(block)?;
        let apart = rows::of_outputs(&model).map_err(|why| format!("{why:#}"));
        let (block, model, axes, meet) = match apart {
            Ok(axes) => (block, model, axes, None),
            Err(why) if block == 1 => {
                let axes = output::axes_by_shape(&model, None, 1)?;
                (1, model, axes, Some(why))
            }
            Err(why) if fixed.is_some() => {
                return Err(GraphError(format!("is fixed to {block} rows, which it does not keep apart: {why}")));
            }
            Err(why) => {
                let one = shaped(1)?;
                let axes = output::axes_by_shape(&one, shaped(2).ok().as_ref(), 1)?;
                (1, one, axes, Some(why))
            }
        };
        let heads = output::heads(graph, &model, &wanted, &axes, block)?;
        let plan = ops::built(|| model.into_optimized()?.into_runnable())?;
        let is_left_out = |name: &&String| heads.iter().all(|head| head.name != **name);
        let left_out = wanted.iter().filter(is_left_out).cloned().collect();
        Ok(Self { engine: Engine::Compiled { plan, block, meet }, inputs, heads, left_out })
    }

    /// Of a dense net of one output.
    #[cfg(test)]
    pub(crate) fn of_dense(dense: Dense, width: usize) -> Self {
        let inputs = vec![Input { name: "x".into(), kind: Kind::F32, width, dims: tvec!(width) }];
        Self { engine: Engine::Dense(dense), inputs, heads: vec![Head::plain("y", 0, 1)], left_out: vec![] }
    }

    /// What it takes, in its order.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Names of its outputs, and how many columns each has.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, usize)> {
        self.heads.iter().map(|head| (head.name.as_str(), head.columns.len()))
    }

    /// The outputs that are the same for all rows, which no table of rows has.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Why every row is run for itself: the node that would let rows of a block meet, or is not known to keep them apart.
    pub fn meet(&self) -> Option<&str> {
        match &self.engine {
            Engine::Compiled { meet, .. } => meet.as_deref(),
            Engine::Dense(_) => None,
        }
    }

    /// The dense net that it is, where it is one.
    pub fn dense(&self) -> Option<&Dense> {
        match &self.engine {
            Engine::Dense(dense) => Some(dense),
            Engine::Compiled { .. } => None,
        }
    }

    /// The place of an output with one or two columns.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.heads.iter().position(|head| head.name == name && (1..=2).contains(&head.columns.len()))
    }

    /// The trees of a graph that is nothing else: one tree operator over the columns of its one input, with only what
    /// keeps columns before it. One target: the raw sum of the positive class, before any post-transform.
    ///
    /// # Errors
    /// [`GraphError`] says what is in the way.
    pub fn trees(&self) -> Result<Ensemble, GraphError> {
        let Engine::Compiled { plan, .. } = &self.engine else {
            return Err(refused("must have one tree ensemble, it is a dense net"));
        };
        let model = plan.model();
        let found = model.nodes.iter().filter_map(|node| Some((node, ops::of_node(&*node.op)?.raw_sum()?)));
        let found: Vec<_> = found.collect();
        let [(node, sum)] = found.as_slice() else {
            return Err(refused(&format!("must have one tree ensemble, it has {}", found.len())));
        };
        let mut source = node.inputs[0].node;
        while !model.nodes[source].inputs.is_empty() {
            let before = &model.nodes[source];
            let number = matches!(before.outputs[0].fact.datum_type, DatumType::F32 | DatumType::F64);
            if !number || !["Cast", "Identity"].contains(&before.op.name().as_ref()) {
                let (name, op) = (&before.name, before.op.name());
                return Err(refused(&format!(
                    "its trees must read the features as they are; {name} ({op}) is before them: leave it out and let \
                     the feature contract do it"
                )));
            }
            source = before.inputs[0].node;
        }
        match sum {
            Ok(ensemble) => Ok(ensemble.clone()),
            Err(why) => Err(refused(&format!("{}: {why:#}", node.name))),
        }
    }

    /// What the cells of each column of a table with this header are, so that they can be read as that.
    ///
    /// # Errors
    /// [`EngineError`] when the header does not fit the inputs.
    pub fn kinds(&self, header: &[String]) -> Result<Vec<Kind>, EngineError> {
        let mut kinds = vec![Kind::F32; header.len()];
        for (input, columns) in self.inputs.iter().zip(input::places(&self.inputs, header)?.columns) {
            columns.into_iter().for_each(|column| kinds[column] = input.kind);
        }
        Ok(kinds)
    }

    /// Whether the columns of a table with this header go to the inputs by their names or in their order. Where any column has
    /// the name of an input, all must: a name that differs by a letter or its case is an error that lists what differs.
    ///
    /// # Errors
    /// [`EngineError`] when the header does not fit the inputs.
    pub fn matched(&self, header: &[String]) -> Result<Matched, EngineError> {
        Ok(input::places(&self.inputs, header)?.matched)
    }

    /// Working memory for one thread.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn state(&self) -> Result<State, EngineError> {
        Ok(State(match &self.engine {
            Engine::Dense(dense) => Running::Dense(dense.memory()),
            Engine::Compiled { plan, .. } => Running::Compiled(plan.spawn().map_err(failed)?),
        }))
    }

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

/// The dense net that a graph is, where it is one: rows of f32 and of whole numbers in, and rows of f32 out.
fn dense(proto: &ModelProto, inputs: &[Input], wanted: &[String]) -> Option<(Dense, Vec<Head>)> {
    let entry = |input: &'_ Input| match input.kind {
        Kind::F32 => Some(false),
        Kind::I64 | Kind::I32 => Some(true),
        Kind::F64 | Kind::Bool | Kind::Text => None,
    };
    let kinds = inputs.iter().map(entry).collect::<Option<Vec<_>>>()?;
    let entries = inputs.iter().zip(kinds).map(|(input, whole)| Entry { name: &input.name, dims: &input.dims, whole });
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let dense = Dense::read(proto, &entries.collect::<Vec<_>>(), &names)?;
    let heads = dense.widths().zip(wanted).enumerate();
    let heads = heads.map(|(slot, (width, name))| Head::plain(name, slot, width)).collect();
    Some((dense, heads))
}

/// A graph whose types and shapes are known, for so many rows.
fn shaped(proto: &ModelProto, inputs: &[Input], wanted: &[String], block: usize) -> Result<TypedModel, GraphError> {
    let work = || {
        let mut model = ops::onnx().model_for_proto_model(proto)?;
        for (index, input) in inputs.iter().enumerate() {
            model.set_input_fact(index, input.kind.datum_type().fact(&*input.shape(block)).into())?;
        }
        let names = proto.graph.iter().flat_map(|graph| &graph.output).map(|output| &output.name);
        let names: Vec<&String> = names.collect();
        let outlet = |name: &String| names.iter().position(|known| *known == name).map(|at| model.outputs[at]);
        let outlets: Vec<_> = wanted.iter().filter_map(outlet).collect();
        model.select_output_outlets(&outlets)?;
        ops::typed(model)?.into_decluttered()
    };
    ops::built(work)
}

/// Rows that ways start from; see [`Graph::along`].
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
    /// Prepares rows that ways start from.
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

    /// The first output's answers at the places that are asked for, on ways from starts to a row that move one feature at a time.
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
        let places = walks::places(&starts.rows, row, moves);
        let mut answers = vec![Vec::new(); self.heads.len()];
        self.run_f32(state, &places, &mut answers)?;
        Ok(answers.swap_remove(0))
    }
}

fn refused(why: &str) -> GraphError {
    GraphError(why.to_owned())
}

fn failed(error: TractError) -> EngineError {
    EngineError(format!("{error:#}"))
}
