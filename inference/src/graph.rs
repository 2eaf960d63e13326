//! A bare ONNX graph, as its exporter wrote it, over a table: no manifest, no contract, no explanation. For whoever wants a
//! model's answers before it is a package. A row's bits do not depend on the others: short blocks are filled up. A graph that
//! is a dense net is answered as one ([`crate::dense`]), like those of packages.

use crate::dense::{Dense, Memory};
use crate::error::{EngineError, GraphError};
use crate::ops::{self, Labels, NodeProto};
use crate::trees::Ensemble;
use std::collections::HashMap;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto, tensor_proto::DataType, type_proto};
use tract_onnx::prelude::*;

mod table;

pub use table::{Column, Kind, Table, Values};

/// Rows that run at once, where the graph does not fix their number itself.
const BLOCK: usize = 256;
/// No table has more columns.
const MOST_COLUMNS: usize = 1 << 16;

/// A graph that is ready to run. Share it between threads.
#[derive(Debug)]
pub struct Graph {
    plan: Arc<TypedRunnableModel>,
    dense: Option<Dense>,
    block: usize,
    inputs: Vec<Input>,
    heads: Vec<Head>,
}

/// An input of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As the exporter named it.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
    /// Number of columns that it takes.
    pub width: usize,
    /// [N] instead of [N, 1].
    flat: bool,
}

/// What is known of an output before it is reckoned.
#[derive(Debug, Clone)]
struct Head {
    name: String,
    columns: Vec<String>,
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
        let proto = ops::read(bytes)?;
        let graph = proto.graph.as_ref().ok_or_else(|| refused("holds no graph"))?;
        let (inputs, block) = inputs_of(graph, columns)?;
        let plan = compile(&proto, &inputs, block)?;
        let outputs = graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)));
        let makers: Makers<'_> = outputs.collect();
        let heads = graph.output.iter().enumerate();
        let heads = heads
            .map(|(index, output)| head(&makers, &plan, index, &output.name, block))
            .collect::<Result<Vec<_>, _>>()?;
        let dense = dense(&proto, &inputs, &heads);
        Ok(Self { plan, dense, block, inputs, heads })
    }

    /// What it takes, in its order.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
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
        let model = self.plan.model();
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
        for (input, columns) in self.inputs.iter().zip(self.places(header)?) {
            columns.into_iter().for_each(|column| kinds[column] = input.kind);
        }
        Ok(kinds)
    }

    /// Runs every row of a table; one output for each of the graph's.
    ///
    /// # Errors
    /// [`EngineError`] when the table does not fit, or names the rows on which an operator failed.
    pub fn run(&self, table: &Table) -> Result<Vec<Output>, EngineError> {
        let header: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let places = self.places(&header)?;
        let rows = table.rows()?;
        let mut runner = match &self.dense {
            Some(dense) => Runner::Dense(dense, dense.memory()),
            None => Runner::Graph(self.plan.spawn().map_err(failed)?),
        };
        let mut collected: Vec<Option<Values>> = vec![None; self.heads.len()];
        for start in (0..rows).step_by(self.block) {
            let end = rows.min(start + self.block);
            let block = self.block(table, &places, start, end)?;
            let answers = ops::guarded(|| runner.run(block, end - start, &self.heads))
                .map_err(|why| EngineError(format!("rows {} to {end}: {why}", start + 1)))?;
            for (into, values) in collected.iter_mut().zip(answers) {
                match into {
                    Some(into) => into.extend(values),
                    None => *into = Some(values),
                }
            }
        }
        let output = |(head, values): (&Head, Option<Values>)| Output {
            name: head.name.clone(),
            columns: head.columns.clone(),
            values: values.unwrap_or(Values::F32(vec![])),
        };
        Ok(self.heads.iter().zip(collected).map(output).collect())
    }

    /// Which columns of a table each input takes: by name where every input is named like a column, else in their order.
    fn places(&self, header: &[String]) -> Result<Vec<Vec<usize>>, EngineError> {
        let named = |input: &Input| header.iter().position(|name| *name == input.name).filter(|_| input.width == 1);
        if let Some(places) = self.inputs.iter().map(named).collect::<Option<Vec<usize>>>() {
            return Ok(places.into_iter().map(|place| vec![place]).collect());
        }
        let total: usize = self.inputs.iter().map(|input| input.width).sum();
        if total != header.len() {
            return Err(EngineError(format!("the graph takes {total} columns, the table has {}", header.len())));
        }
        let mut next = 0..total;
        Ok(self.inputs.iter().map(|input| next.by_ref().take(input.width).collect()).collect())
    }

    /// The inputs' tensors for some rows; the last row again where the block is not full.
    fn block(
        &self,
        table: &Table,
        places: &[Vec<usize>],
        start: usize,
        end: usize,
    ) -> Result<TVec<TValue>, EngineError> {
        let rows: Vec<usize> = (start..start + self.block).map(|row| row.min(end - 1)).collect();
        let tensor = |(input, places): (&Input, &Vec<usize>)| {
            let columns: Vec<&Column> = places.iter().map(|place| &table.columns[*place]).collect();
            table::tensor(&columns, input.kind, &rows, &input.shape(self.block)).map(Tensor::into_tvalue)
        };
        self.inputs.iter().zip(places).map(tensor).collect()
    }
}

/// What answers a block.
enum Runner<'a> {
    Dense(&'a Dense, Memory),
    Graph(TypedSimpleState),
}

impl Runner<'_> {
    /// The cells of each output for the first rows of a block.
    fn run(&mut self, block: TVec<TValue>, rows: usize, heads: &[Head]) -> TractResult<Vec<Values>> {
        match self {
            Self::Dense(dense, memory) => {
                let cells = ops::slice::<f32>(&block[0])?;
                let width = block[0].shape()[1];
                let mut answers = vec![Vec::new(); heads.len()];
                dense.run(memory, &cells[..rows * width], &mut answers);
                Ok(answers.into_iter().map(Values::F32).collect())
            }
            Self::Graph(state) => {
                let answers = state.run(block)?;
                let cells = |(answer, head): (&TValue, &Head)| Values::of_tensor(answer, rows * head.columns.len());
                answers.iter().zip(heads).map(cells).collect()
            }
        }
    }
}

/// The dense net that a graph is, where it is one: rows of f32 in, and such rows out.
fn dense(proto: &ModelProto, inputs: &[Input], heads: &[Head]) -> Option<Dense> {
    let [input] = inputs else { return None };
    if input.kind != Kind::F32 || input.flat {
        return None;
    }
    let names: Vec<&str> = heads.iter().map(|head| head.name.as_str()).collect();
    let dense = Dense::read(proto, &input.name, input.width, &names)?;
    dense.widths().eq(heads.iter().map(|head| head.columns.len())).then_some(dense)
}

impl Input {
    fn shape(&self, block: usize) -> TVec<usize> {
        if self.flat { tvec!(block) } else { tvec!(block, self.width) }
    }
}

/// The inputs and the number of rows that run at once.
fn inputs_of(graph: &GraphProto, columns: Option<usize>) -> Result<(Vec<Input>, usize), GraphError> {
    let constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let infos: Vec<&ValueInfoProto> = graph.input.iter().filter(|input| !constant(&input.name)).collect();
    let declared = infos.iter().map(|info| Declared::of(info)).collect::<Result<Vec<_>, _>>()?;
    let known: usize = declared.iter().filter_map(|input| input.width).sum();
    let open = declared.iter().filter(|input| input.width.is_none()).count();
    let rest = match (open, columns) {
        (0, _) => 0,
        (1, Some(columns)) if columns > known => columns - known,
        (1, _) => return Err(refused("its input has no fixed width: say how many columns the table has")),
        _ => return Err(refused("several of its inputs have no fixed width: export them with one")),
    };
    let mut blocks: Vec<usize> = declared.iter().filter_map(|input| input.rows).collect();
    blocks.dedup();
    let block = match blocks.as_slice() {
        [] => BLOCK,
        [rows] if (1..=BLOCK).contains(rows) => *rows,
        _ => return Err(refused("its inputs are fixed to other numbers of rows than 1 to 256: export them with any")),
    };
    let input = |info: &&ValueInfoProto, declared: &Declared| Input {
        name: info.name.clone(),
        kind: declared.kind,
        width: declared.width.unwrap_or(rest),
        flat: declared.flat,
    };
    let inputs: Vec<Input> = infos.iter().zip(&declared).map(|(info, declared)| input(info, declared)).collect();
    match inputs.iter().try_fold(0usize, |total, input| total.checked_add(input.width)) {
        Some(1..=MOST_COLUMNS) => Ok((inputs, block)),
        _ => Err(refused("it takes no columns, or more than a table has")),
    }
}

/// What a graph says of one of its inputs.
struct Declared {
    kind: Kind,
    rows: Option<usize>,
    width: Option<usize>,
    flat: bool,
}

impl Declared {
    fn of(info: &ValueInfoProto) -> Result<Self, GraphError> {
        use tract_onnx::pb::tensor_shape_proto::dimension::Value::DimValue;
        let tensor = info.r#type.as_ref().and_then(|found| found.value.as_ref());
        let Some(type_proto::Value::TensorType(tensor)) = tensor else {
            return Err(refused(&format!("its input {} is no tensor: export it with one", info.name)));
        };
        let kind = DataType::try_from(tensor.elem_type).ok().and_then(Kind::of);
        let kind = kind.ok_or_else(|| refused(&format!("its input {} is of a type that no table has", info.name)))?;
        let size = |at: usize| match tensor.shape.as_ref()?.dim.get(at)?.value {
            Some(DimValue(size)) => usize::try_from(size).ok().filter(|size| *size > 0),
            _ => None,
        };
        match tensor.shape.as_ref().map_or(2, |shape| shape.dim.len()) {
            1 => Ok(Self { kind, rows: size(0), width: Some(1), flat: true }),
            2 => Ok(Self { kind, rows: size(0), width: size(1), flat: false }),
            rank => Err(refused(&format!("its input {} has {rank} dimensions; rows of columns have two", info.name))),
        }
    }
}

fn compile(proto: &ModelProto, inputs: &[Input], block: usize) -> Result<Arc<TypedRunnableModel>, GraphError> {
    let work = || {
        let mut model = ops::onnx().model_for_proto_model(proto)?;
        for (index, input) in inputs.iter().enumerate() {
            model.set_input_fact(index, input.kind.datum_type().fact(&*input.shape(block)).into())?;
        }
        ops::optimized(model)?.into_runnable()
    };
    ops::guarded(work).map_err(GraphError)
}

/// Checks that an output has one row for each row, and names its columns.
fn head(
    makers: &Makers<'_>,
    plan: &TypedRunnableModel,
    index: usize,
    name: &str,
    block: usize,
) -> Result<Head, GraphError> {
    let fact = plan.model().output_fact(index).map_err(|error| refused(&format!("{error:#}")))?;
    let shape = fact.shape.as_concrete().unwrap_or(&[]);
    if shape.first() != Some(&block) {
        return Err(refused(&format!("its output {name} does not have one row for each row")));
    }
    if Values::empty(fact.datum_type).is_none() {
        return Err(refused(&format!("its output {name} is of a type that no table has: cast it")));
    }
    let width: usize = shape[1..].iter().product();
    let labels = labels_of(makers, name).filter(|labels| labels.len() == width);
    let columns = match labels {
        Some(labels) => labels.texts().iter().map(|label| format!("{name}_{label}")).collect(),
        None if width == 1 => vec![name.to_owned()],
        None => (0..width).map(|column| format!("{name}_{column}")).collect(),
    };
    Ok(Head { name: name.to_owned(), columns })
}

/// The node that gives each value.
type Makers<'g> = HashMap<&'g str, &'g NodeProto>;

/// The labels of the classifier whose scores an output is, followed through what keeps its columns.
fn labels_of(makers: &Makers<'_>, output: &str) -> Option<Labels> {
    let mut name = output;
    for _ in 0..=makers.len() {
        let node = *makers.get(name)?;
        match node.op_type.as_str() {
            "ZipMap" | "TreeEnsembleClassifier" => return Labels::of(node, "classlabels_int64s").ok(),
            "LinearClassifier" | "SVMClassifier" => return Labels::of(node, "classlabels_ints").ok(),
            "Identity" | "Cast" | "Normalizer" | "Softmax" | "Sigmoid" => name = node.input.first()?,
            _ => return None,
        }
    }
    None
}

fn refused(why: &str) -> GraphError {
    GraphError(why.to_owned())
}

fn failed(error: TractError) -> EngineError {
    EngineError(format!("{error:#}"))
}
