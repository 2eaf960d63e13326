//! The graph of a scorecard or net, as a dense net where it is one ([`crate::dense`]), else in tract, compiled for fixed block
//! sizes. There a short block is padded, so a row meets the same kernels whatever it is scored with. Either way a batch of
//! one gives the bits of a batch of many. Knows no credit word.

use crate::dense::{self, Dense, Memory, Move};
use crate::error::{EngineError, GraphError};
use crate::{ops, walks};
use tract_onnx::pb;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::ensure;

/// Rows in a block of tract's. Wide enough to fill the kernels, small enough that padding a lone row costs microseconds.
pub const BLOCK: usize = 64;
/// Up to this many rows go one by one where that gives the same bits.
const SINGLY: usize = 4;

/// A compiled graph; shared by threads.
#[derive(Debug)]
pub struct Plan {
    engine: Engine,
    width: usize,
    with_partials: bool,
}

#[derive(Debug)]
enum Engine {
    Dense(Dense),
    Graph {
        block: Arc<TypedRunnableModel>,
        /// Only where sums are exact in any order.
        single: Option<Arc<TypedRunnableModel>>,
    },
}

/// One thread's working memory for a plan.
#[derive(Debug)]
pub struct PlanState(State);

#[derive(Debug)]
enum State {
    Dense(Memory),
    Graph { block: TypedSimpleState, single: Option<TypedSimpleState> },
}

/// Rows that ways start from; see [`Plan::along`].
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
    /// [`GraphError`].
    pub fn new(bytes: &[u8], shape: Shape<'_>) -> Result<Self, GraphError> {
        let proto = ops::read(bytes)?;
        let outputs = outputs_in_order(&proto, shape)?;
        let engine = match dense(&proto, shape) {
            Some(dense) => Engine::Dense(dense),
            None => Engine::Graph {
                block: compile(&proto, BLOCK, shape, &outputs)?,
                single: shape.partials.map(|_| compile(&proto, 1, shape, &outputs)).transpose()?,
            },
        };
        Ok(Self { engine, width: shape.width, with_partials: shape.partials.is_some() })
    }

    /// Of a dense net that gives margins alone.
    #[cfg(test)]
    pub(crate) fn of_dense(dense: Dense, width: usize) -> Self {
        Self { engine: Engine::Dense(dense), width, with_partials: false }
    }

    /// The dense net that it is, where it is one.
    pub fn dense(&self) -> Option<&Dense> {
        match &self.engine {
            Engine::Dense(dense) => Some(dense),
            Engine::Graph { .. } => None,
        }
    }

    /// Working memory for one thread.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn state(&self) -> Result<PlanState, EngineError> {
        let spawn = |plan: &Arc<TypedRunnableModel>| plan.spawn().map_err(failed);
        Ok(PlanState(match &self.engine {
            Engine::Dense(dense) => State::Dense(dense.memory()),
            Engine::Graph { block, single } => {
                State::Graph { block: spawn(block)?, single: single.as_ref().map(spawn).transpose()? }
            }
        }))
    }

    /// Runs rows laid one after the other, `width` numbers each.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn run(&self, state: &mut PlanState, rows: &[f32]) -> Result<Answers, EngineError> {
        match (&self.engine, &mut state.0) {
            (Engine::Dense(dense), State::Dense(memory)) => {
                let mut answers = [Vec::new(), Vec::new()];
                dense.run(memory, rows, &mut answers[..1 + usize::from(self.with_partials)]);
                let [margins, partials] = answers;
                Ok(Answers { margins, partials })
            }
            (Engine::Graph { .. }, State::Graph { block, single }) => {
                match ops::guarded(|| self.run_graph(block, single.as_mut(), rows)) {
                    Ok(answers) => Ok(answers),
                    Err(why) => {
                        *state = self.state()?; // what it held halfway is not for the next row
                        Err(EngineError(why))
                    }
                }
            }
            _ => Err(EngineError("the working memory is another plan's".to_owned())),
        }
    }

    /// Prepares rows that ways start from.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn starts(&self, rows: &[Vec<f32>]) -> Result<Starts, EngineError> {
        let apart = match (&self.engine, self.state()?.0) {
            (Engine::Dense(dense), State::Dense(mut memory)) => dense.starts(&mut memory, &rows.concat()),
            _ => None,
        };
        Ok(Starts { rows: rows.to_vec(), apart })
    }

    /// Margins at the places that are asked for, on ways from starts to a row that move one feature at a time. Within
    /// rounding they are those of [`Plan::run`].
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn along(
        &self,
        state: &mut PlanState,
        starts: &Starts,
        row: &[f32],
        moves: &[Move],
    ) -> Result<Vec<f32>, EngineError> {
        if let (Engine::Dense(dense), State::Dense(memory), Some(apart)) = (&self.engine, &mut state.0, &starts.apart)
            && let Some(margins) = dense.along(memory, apart, row, moves)
        {
            return Ok(margins);
        }
        let places = walks::places(&starts.rows, row, moves);
        Ok(self.run(state, &places)?.margins)
    }

    fn run_graph(
        &self,
        block: &mut TypedSimpleState,
        mut single: Option<&mut TypedSimpleState>,
        rows: &[f32],
    ) -> TractResult<Answers> {
        let count = rows.len() / self.width;
        let mut answers = Answers { margins: Vec::with_capacity(count), partials: Vec::new() };
        if self.with_partials {
            answers.partials.reserve(rows.len());
        }
        for part in rows.chunks(BLOCK * self.width) {
            match &mut single {
                Some(single) if part.len() <= SINGLY * self.width => {
                    part.chunks(self.width).try_for_each(|row| self.step(single, row, 1, &mut answers))
                }
                _ => self.step(block, part, BLOCK, &mut answers),
            }?;
        }
        Ok(answers)
    }

    fn step(&self, state: &mut TypedSimpleState, rows: &[f32], block: usize, answers: &mut Answers) -> TractResult<()> {
        let mut input = Tensor::zero::<f32>(&[block, self.width])?;
        input.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?[..rows.len()].copy_from_slice(rows);
        let outputs = state.run(tvec!(input.into()))?;
        let count = rows.len() / self.width;
        let take = |output: usize, width: usize, into: &mut Vec<f32>| -> TractResult<()> {
            let values = outputs[output].try_as_plain_ram()?.as_slice::<f32>()?;
            ensure!(values.len() == block * width, "answers {} numbers for {block} rows of {width}", values.len());
            into.extend_from_slice(&values[..count * width]);
            Ok(())
        };
        take(0, 1, &mut answers.margins)?;
        match self.with_partials {
            true => take(1, self.width, &mut answers.partials),
            false => Ok(()),
        }
    }
}

fn dense(proto: &pb::ModelProto, shape: Shape<'_>) -> Option<Dense> {
    let names: Vec<&str> = [shape.margin].into_iter().chain(shape.partials).collect();
    let dense = Dense::read(proto, shape.input, shape.width, &names)?;
    dense.widths().eq([1, shape.width].into_iter().take(names.len())).then_some(dense)
}

/// Positions of margin and partials among the graph's outputs, after its input and outputs were checked.
fn outputs_in_order(proto: &pb::ModelProto, shape: Shape<'_>) -> Result<Vec<usize>, GraphError> {
    let graph = proto.graph.as_ref().ok_or_else(|| GraphError("holds no graph".into()))?;
    let constant = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs: Vec<_> = graph.input.iter().filter(|input| !constant(&input.name)).collect();
    let [input] = inputs.as_slice() else {
        return Err(GraphError(format!("must have one input, it has {}", inputs.len())));
    };
    if input.name != shape.input {
        return Err(GraphError(format!("its input is {}, {} is asked for", input.name, shape.input)));
    }
    check_width(input, shape.width)?;
    let position = |name: &str, width: usize| {
        let at = graph.output.iter().position(|output| output.name == name);
        let at = at.ok_or_else(|| GraphError(format!("has no output {name}")))?;
        check_width(&graph.output[at], width).map(|()| at)
    };
    let mut outputs = vec![position(shape.margin, 1)?];
    if let Some(partials) = shape.partials {
        outputs.push(position(partials, shape.width)?);
    }
    Ok(outputs)
}

/// Demands f32 [N, width].
fn check_width(value: &pb::ValueInfoProto, width: usize) -> Result<(), GraphError> {
    use pb::tensor_shape_proto::dimension::Value::DimValue;
    let Some(pb::type_proto::Value::TensorType(tensor)) = value.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Err(GraphError(format!("{} is no tensor", value.name)));
    };
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let last = dims.last().and_then(|dim| dim.value.as_ref());
    let fits = dims.len() == 2 && matches!(last, Some(DimValue(found)) if usize::try_from(*found) == Ok(width));
    if tensor.elem_type != pb::tensor_proto::DataType::Float as i32 || !fits {
        return Err(GraphError(format!("{} must be f32 [N, {width}]", value.name)));
    }
    Ok(())
}

fn compile(
    proto: &pb::ModelProto,
    block: usize,
    shape: Shape<'_>,
    outputs: &[usize],
) -> Result<Arc<TypedRunnableModel>, GraphError> {
    let fact = f32::fact([block, shape.width]);
    let work = || {
        let mut model = ops::onnx().model_for_proto_model(proto)?;
        let wanted: Vec<_> = outputs.iter().map(|at| model.outputs[*at]).collect();
        model.select_output_outlets(&wanted)?;
        ops::optimized(model.with_input_fact(0, fact.into())?)?.into_runnable()
    };
    ops::guarded(work).map_err(GraphError)
}

fn failed(error: TractError) -> EngineError {
    EngineError(format!("{error:#}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dense::tests::{Numbers, squashed};

    /// A net that is taken apart, against itself row by row.
    #[test]
    fn places_on_a_way_are_answered_like_rows() {
        let plan = Plan::of_dense(Dense::read(&squashed(7, 1), "x", 4, &["y"]).unwrap(), 4);
        let mut numbers = Numbers(3);
        let rows: Vec<Vec<f32>> = (0..3).map(|_| numbers.many(4)).collect();
        let row = numbers.many(4);
        let apart = plan.starts(&rows).unwrap();
        assert!(apart.apart.is_some());
        let whole = Starts { rows, apart: None };
        let features = [0, 3, 1, 2, 3, 1, 0];
        let forth = [true, true, true, true, false, false, false];
        let moves: Vec<Move> = (0..40)
            .flat_map(|way| {
                let step = move |at: usize| Move {
                    start: way % 3,
                    first: at == 0,
                    feature: features[at],
                    forth: forth[at],
                    asked: at != 4,
                };
                (0..7).map(step)
            })
            .collect();
        let mut state = plan.state().unwrap();
        let found = plan.along(&mut state, &apart, &row, &moves).unwrap();
        let expected = plan.along(&mut state, &whole, &row, &moves).unwrap();
        assert_eq!((found.len(), expected.len()), (240, 240));
        for (at, (own, other)) in found.iter().zip(&expected).enumerate() {
            assert!((own - other).abs() <= 1e-5 * other.abs().max(1.0), "place {at}: {own}, not {other}");
        }
        assert!(expected.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.01), "the places differ");
    }
}
