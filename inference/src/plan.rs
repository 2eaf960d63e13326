//! A graph that gives one number for each row of one input, and perhaps its parts: what is explained and what a package holds.

use crate::dense::{Dense, Move};
use crate::error::{EngineError, GraphError};
use crate::graph::{Graph, Options};

pub use crate::graph::{Starts, State as PlanState};

/// Such a graph; shared by threads.
#[derive(Debug)]
pub struct Plan {
    graph: Graph,
    with_partials: bool,
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
    /// Name of the output f32 [N, width].
    pub partials: Option<&'a str>,
}

impl Plan {
    /// Parses, checks and compiles a graph.
    ///
    /// # Errors
    /// [`GraphError`].
    pub fn new(bytes: &[u8], shape: Shape<'_>) -> Result<Self, GraphError> {
        let outputs: Vec<&str> = [shape.margin].into_iter().chain(shape.partials).collect();
        let options = Options { columns: Some(shape.width), outputs: Some(&outputs), files: None };
        let graph = Graph::with(bytes, &options)?;
        let [input] = graph.inputs() else {
            return Err(GraphError(format!("must have one input, it has {}", graph.inputs().len())));
        };
        if input.name != shape.input {
            return Err(GraphError(format!("its input is {}, {} is asked for", input.name, shape.input)));
        }
        if !input.is_f32_rows(shape.width) {
            return Err(GraphError(format!("{} must be f32 [N, {}]", input.name, shape.width)));
        }
        for (name, width) in outputs.iter().zip([1, shape.width]) {
            if !graph.outputs().any(|(found, columns)| found == *name && columns == width) {
                return Err(GraphError(format!("{name} must be f32 [N, {width}]")));
            }
        }
        Ok(Self { graph, with_partials: shape.partials.is_some() })
    }

    /// Of a dense net that gives margins alone.
    #[cfg(test)]
    pub(crate) fn of_dense(dense: Dense, width: usize) -> Self {
        Self { graph: Graph::of_dense(dense, width), with_partials: false }
    }

    /// The dense net that it is, where it is one.
    pub fn dense(&self) -> Option<&Dense> {
        self.graph.dense()
    }

    /// Working memory for one thread.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn state(&self) -> Result<PlanState, EngineError> {
        self.graph.state()
    }

    /// Runs rows laid one after the other, `width` numbers each.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn run(&self, state: &mut PlanState, rows: &[f32]) -> Result<Answers, EngineError> {
        let mut answers = [Vec::new(), Vec::new()];
        self.graph.run_f32(state, rows, &mut answers[..1 + usize::from(self.with_partials)])?;
        let [margins, partials] = answers;
        Ok(Answers { margins, partials })
    }

    /// Prepares rows that paths start from.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn starts(&self, rows: &[Vec<f32>]) -> Result<Starts, EngineError> {
        self.graph.starts(rows)
    }

    /// Margins at the places that are asked for, on paths from starts to a row that move one feature at a time. Within
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
        self.graph.along(state, starts, row, moves)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dense::tests::{Numbers, read, squashed};
    use prost::Message;

    /// A net that is taken apart, against itself row by row.
    #[test]
    fn places_on_a_path_are_answered_like_rows() {
        let plan = Plan::of_dense(read(&squashed(7, 1), 4).unwrap(), 4);
        let mut numbers = Numbers(3);
        let rows: Vec<Vec<f32>> = (0..3).map(|_| numbers.many(4)).collect();
        let row = numbers.many(4);
        let apart = plan.starts(&rows).unwrap();
        assert!(apart.is_apart());
        let whole = Starts::whole(rows);
        let features = [0, 3, 1, 2, 3, 1, 0];
        let forth = [true, true, true, true, false, false, false];
        let moves: Vec<Move> = (0..40)
            .flat_map(|path| {
                let step = move |at: usize| Move {
                    start: path % 3,
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

    #[test]
    fn a_graph_that_does_not_answer_row_by_row_is_refused() {
        use crate::examples::{model, node};
        let bytes = model(4, 1, vec![node("ReduceSum", &["x"], "y")], vec![]).encode_to_vec();
        let why = Plan::new(&bytes, Shape { input: "x", width: 4, margin: "y", partials: None }).map(drop).unwrap_err();
        assert!(why.to_string().contains("one of its outputs has not one row for each row"), "{why}");
    }

    #[test]
    fn a_graph_has_the_input_and_the_outputs_that_are_asked_for() {
        use crate::examples::{model, node, tensor};
        let nodes =
            || vec![node("MatMul", &["x", "w"], "m"), node("Mul", &["x", "v"], "parts"), node("Neg", &["m"], "y")];
        let constants = || vec![tensor("w", &[2, 1], vec![1.0, 2.0]), tensor("v", &[2], vec![1.0, 2.0])];
        let mut proto = model(2, 1, nodes(), constants());
        let named = |name: &str| crate::onnx::ValueInfoProto { name: name.into(), ..Default::default() };
        proto.graph.as_mut().unwrap().output = vec![named("y"), named("m"), named("parts")];
        let bytes = proto.encode_to_vec();
        let shape = Shape { input: "x", width: 2, margin: "m", partials: Some("parts") };
        let plan = Plan::new(&bytes, shape).unwrap();
        let mut state = plan.state().unwrap();
        let found = plan.run(&mut state, &[1.0, 2.0, -1.0, f32::INFINITY]).unwrap();
        assert_eq!(found, Answers { margins: vec![5.0, f32::INFINITY], partials: vec![1.0, 4.0, -1.0, f32::INFINITY] });
        assert_eq!(plan.run(&mut state, &[]).unwrap(), Answers::default());
        let alone = Plan::new(&bytes, Shape { partials: None, ..shape }).unwrap();
        assert!(alone.run(&mut alone.state().unwrap(), &[1.0, 2.0]).unwrap().partials.is_empty());
        for (name, shape, expected) in [
            ("another input", Shape { input: "z", ..shape }, "its input is x, z is asked for"),
            ("another width", Shape { width: 3, ..shape }, "x must be f32 [N, 3]"),
            ("no such margin", Shape { margin: "none", ..shape }, "has no output none; it has y, m, parts"),
            ("a margin of two columns", Shape { margin: "parts", partials: None, ..shape }, "parts must be f32 [N, 1]"),
            ("parts of one column", Shape { partials: Some("y"), ..shape }, "y must be f32 [N, 2]"),
        ] {
            let why = Plan::new(&bytes, shape).map(drop).unwrap_err().to_string();
            assert!(why.contains(expected), "{name}: {why}");
        }
        let second = vec![named("x"), named("z")];
        let input = proto.graph.as_ref().unwrap().input[0].clone();
        proto.graph.as_mut().unwrap().input =
            second.into_iter().map(|of| crate::onnx::ValueInfoProto { name: of.name, ..input.clone() }).collect();
        let why = Plan::new(&proto.encode_to_vec(), shape).map(drop).unwrap_err().to_string();
        assert!(why.contains("must have one input, it has 2"), "{why}");
    }
}
