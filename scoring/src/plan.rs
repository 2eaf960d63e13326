//! The graph in tract, compiled for fixed block sizes. A short block is padded, so a row meets the same kernels whatever it
//! is scored with: a batch of one gives the bits of a batch of many. Knows no credit word.

use crate::error::{EngineError, LoadError};
use crate::ops;
use tract_onnx::pb;
use tract_onnx::prelude::*;

/// Rows in a block. Wide enough to fill the kernels, small enough that padding a lone row costs microseconds.
pub const BLOCK: usize = 64;
/// Up to this many rows go one by one where that gives the same bits.
const SINGLY: usize = 4;

/// A compiled graph; shared by threads.
#[derive(Debug)]
pub struct Plan {
    block: Arc<TypedRunnableModel>,
    /// Only where sums are exact in any order.
    single: Option<Arc<TypedRunnableModel>>,
    width: usize,
    with_partials: bool,
}

/// One thread's working memory for a plan.
#[derive(Debug)]
pub struct PlanState {
    block: TypedSimpleState,
    single: Option<TypedSimpleState>,
}

/// What the graph says of each row.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Answers {
    /// One for each row.
    pub margins: Vec<f32>,
    /// Row by row, one for each feature; empty where the graph has none.
    pub partials: Vec<f32>,
}

/// What a graph must look like.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// Name of the input, f32 [N, width].
    pub input: &'a str,
    /// Number of features.
    pub width: usize,
    /// Name of the output f32 [N, 1].
    pub margin: &'a str,
    /// Name of the output f32 [N, width]; its presence promises that sums are exact in any order.
    pub partials: Option<&'a str>,
}

impl Plan {
    /// Parses, checks and compiles a graph.
    ///
    /// # Errors
    /// [`LoadError::Graph`].
    pub fn new(bytes: &[u8], shape: Shape<'_>) -> Result<Self, LoadError> {
        let proto = ops::read(bytes)?;
        let outputs = outputs_in_order(&proto, shape)?;
        let block = compile(&proto, BLOCK, shape, &outputs)?;
        let single = shape.partials.map(|_| compile(&proto, 1, shape, &outputs)).transpose()?;
        Ok(Self { block, single, width: shape.width, with_partials: shape.partials.is_some() })
    }

    /// Working memory for one thread.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn state(&self) -> Result<PlanState, EngineError> {
        let spawn = |plan: &Arc<TypedRunnableModel>| plan.spawn().map_err(failed);
        Ok(PlanState { block: spawn(&self.block)?, single: self.single.as_ref().map(spawn).transpose()? })
    }

    /// Runs rows laid one after the other, `width` numbers each.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn run(&self, state: &mut PlanState, rows: &[f32]) -> Result<Answers, EngineError> {
        let count = rows.len() / self.width;
        let mut answers = Answers { margins: Vec::with_capacity(count), partials: Vec::new() };
        if self.with_partials {
            answers.partials.reserve(rows.len());
        }
        for part in rows.chunks(BLOCK * self.width) {
            let outcome = ops::guarded(|| match &mut state.single {
                Some(single) if part.len() <= SINGLY * self.width => {
                    part.chunks(self.width).try_for_each(|row| self.step(single, row, 1, &mut answers))
                }
                _ => self.step(&mut state.block, part, BLOCK, &mut answers),
            });
            if let Err(why) = outcome {
                *state = self.state()?; // what it held halfway is not for the next row
                return Err(EngineError(why));
            }
        }
        Ok(answers)
    }

    fn step(&self, state: &mut TypedSimpleState, rows: &[f32], block: usize, answers: &mut Answers) -> TractResult<()> {
        let mut input = Tensor::zero::<f32>(&[block, self.width])?;
        input.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?[..rows.len()].copy_from_slice(rows);
        let outputs = state.run(tvec!(input.into()))?;
        let count = rows.len() / self.width;
        let take = |output: usize, length: usize, into: &mut Vec<f32>| -> TractResult<()> {
            into.extend_from_slice(&outputs[output].try_as_plain_ram()?.as_slice::<f32>()?[..length]);
            Ok(())
        };
        take(0, count, &mut answers.margins)?;
        match self.with_partials {
            true => take(1, rows.len(), &mut answers.partials),
            false => Ok(()),
        }
    }
}

/// Positions of margin and partials among the graph's outputs, after its input and outputs were checked.
fn outputs_in_order(proto: &pb::ModelProto, shape: Shape<'_>) -> Result<Vec<usize>, LoadError> {
    let graph = proto.graph.as_ref().ok_or_else(|| LoadError::Graph("holds no graph".into()))?;
    let constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<_> = graph.input.iter().filter(|input| !constant(&input.name)).collect();
    let [input] = inputs.as_slice() else {
        return Err(LoadError::Graph(format!("must have one input, it has {}", inputs.len())));
    };
    if input.name != shape.input {
        return Err(LoadError::Graph(format!("its input is {}, the manifest says {}", input.name, shape.input)));
    }
    check_width(input, shape.width)?;
    let position = |name: &str, width: usize| {
        let at = graph.output.iter().position(|output| output.name == name);
        let at = at.ok_or_else(|| LoadError::Graph(format!("has no output {name}")))?;
        check_width(&graph.output[at], width).map(|()| at)
    };
    let mut outputs = vec![position(shape.margin, 1)?];
    if let Some(partials) = shape.partials {
        outputs.push(position(partials, shape.width)?);
    }
    Ok(outputs)
}

/// Demands f32 [N, width].
fn check_width(value: &pb::ValueInfoProto, width: usize) -> Result<(), LoadError> {
    use pb::tensor_shape_proto::dimension::Value::DimValue;
    let Some(pb::type_proto::Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Err(LoadError::Graph(format!("{} is no tensor", value.name)));
    };
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let last = dims.last().and_then(|dim| dim.value.as_ref());
    let fits = dims.len() == 2 && matches!(last, Some(DimValue(found)) if usize::try_from(*found) == Ok(width));
    if tensor.elem_type != pb::tensor_proto::DataType::Float as i32 || !fits {
        return Err(LoadError::Graph(format!("{} must be f32 [N, {width}]", value.name)));
    }
    Ok(())
}

fn compile(
    proto: &pb::ModelProto,
    block: usize,
    shape: Shape<'_>,
    outputs: &[usize],
) -> Result<Arc<TypedRunnableModel>, LoadError> {
    let fact = f32::fact([block, shape.width]);
    let work = || {
        let mut model = ops::onnx().model_for_proto_model(proto)?;
        let wanted: Vec<_> = outputs.iter().map(|at| model.outputs[*at]).collect();
        model.select_output_outlets(&wanted)?;
        ops::optimized(model.with_input_fact(0, fact.into())?)?.into_runnable()
    };
    ops::guarded(work).map_err(LoadError::Graph)
}

fn failed(error: TractError) -> EngineError {
    EngineError(format!("{error:#}"))
}
