//! An ONNX graph, as its exporter wrote it, over rows: the one executor. A row's bits do not depend on the others: rows run in
//! blocks of one size, short ones filled up, where nothing in the graph lets rows meet ([`rows`]), and one by one where something
//! does. A graph that is a dense net is answered as one ([`crate::dense`]).

use crate::dense::{Dense, Entry, Memory};
use crate::error::{EngineError, GraphError, refused};
use crate::ops;
use crate::trees::Ensemble;
use input::BLOCK;
use output::Head;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

mod input;
mod output;
mod path_evaluation;
mod rows;
mod run;
mod table;

pub use crate::prepare::Files;
pub use input::{Input, Matched};
pub use path_evaluation::Starts;
pub use table::{Column, Kind, Table, Values};

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

fn failed(error: TractError) -> EngineError {
    EngineError(format!("{error:#}"))
}

#[cfg(test)]
mod tests;
