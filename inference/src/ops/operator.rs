//! What an operator of ours says of itself, and how tract is told: facts from facts, tensors from tensors. Everything
//! else that tract asks for stands here, once.

use super::{NodeProto, ParsingContext};
use crate::trees::Ensemble;
use tract_onnx::tract_hir::internal::*;

/// Type and shape of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    /// Element type.
    pub datum_type: DatumType,
    /// Dimensions; symbols where they are not known yet.
    pub shape: TVec<TDim>,
}

impl Fact {
    pub(crate) fn of(fact: &TypedFact) -> Self {
        Self { datum_type: fact.datum_type, shape: fact.shape.to_tvec() }
    }
}

/// An operator: a pure function of tensors.
pub(crate) trait Operator: std::fmt::Debug + Send + Sync + 'static {
    /// As the standard calls it.
    fn name(&self) -> &'static str;

    /// Facts of the outputs; refuses inputs that it cannot take, so that a graph fails at load.
    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>>;

    /// One tensor for each output.
    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>>;

    /// The axis along which rows lie in every output, given where they lie in each input, if anywhere; nothing where the operator takes
    /// rows together. What reads rows of features has them first; a single row [F] has none.
    fn row_axis(&self, rows: &[Option<usize>], inputs: &[Fact]) -> Option<usize> {
        let first =
            rows.iter().zip(inputs).all(|(axis, fact)| axis.is_none_or(|axis| axis == 0 && fact.shape.len() >= 2));
        first.then_some(0)
    }

    /// Number of outputs.
    fn outputs(&self) -> usize {
        1
    }

    /// The operator that runs, where it can be made ready once the facts of its inputs are known.
    fn settle(&self, _inputs: &[Fact]) -> TractResult<Option<Arc<dyn Operator>>> {
        Ok(None)
    }

    /// The trees whose one target is the raw sum that the positive class is decided by; of a tree operator only.
    fn raw_sum(&self) -> Option<TractResult<Ensemble>> {
        None
    }
}

/// The axis of what does the same to every element of its one input.
pub(crate) fn each_alone(rows: &[Option<usize>]) -> Option<usize> {
    rows.first().copied().flatten()
}

/// What a builder of the register returns.
pub(crate) type Built = TractResult<(Box<dyn InferenceOp>, Vec<String>)>;

/// A builder, as tract's register wants it.
pub(crate) type Builder = fn(&ParsingContext, &NodeProto) -> Built;

/// Hands an operator to tract.
pub(crate) fn built(operator: impl Operator) -> Built {
    Ok((expand(Exported(Node(Arc::new(operator)))), vec![]))
}

/// An operator for a graph whose types and shapes are known.
pub(crate) fn node(operator: impl Operator) -> Box<dyn TypedOp> {
    Box::new(Node(Arc::new(operator)))
}

/// An operator after inference: what runs.
#[derive(Debug, Clone)]
struct Node(Arc<dyn Operator>);

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Node {}

impl Op for Node {
    fn name(&self) -> StaticName {
        self.0.name().into()
    }

    op_as_typed_op!();
}

impl EvalOp for Node {
    op_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        Ok(self.0.run(&inputs)?.into_iter().map(Tensor::into_tvalue).collect())
    }
}

impl TypedOp for Node {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let inputs: Vec<Fact> = inputs.iter().map(|input| Fact::of(input)).collect();
        Ok(self.0.facts(&inputs)?.into_iter().map(|fact| fact.datum_type.fact(&*fact.shape)).collect())
    }

    as_op!();
}

/// The operator of ours behind a node of a graph that runs.
pub(crate) fn of_node(op: &dyn TypedOp) -> Option<&dyn Operator> {
    op.downcast_ref::<Node>().map(|node| &*node.0)
}

/// An operator before inference: what the parser builds.
#[derive(Debug, Clone)]
struct Exported(Node);

impl Expansion for Exported {
    fn name(&self) -> StaticName {
        self.0.0.name().into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.0.0.outputs())
    }

    /// Once type and shape of every input are known, those of the outputs are.
    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_output_arity(outputs, self.0.0.outputs())?;
        let types = inputs.iter().map(|input| (&input.datum_type).bex()).collect::<Vec<_>>();
        solver.given_all(types, move |solver, types| {
            let shapes = inputs.iter().map(|input| (&input.shape).bex()).collect::<Vec<_>>();
            solver.given_all(shapes, move |solver, shapes| {
                let known = types.iter().zip(shapes);
                let inputs: Vec<Fact> =
                    known.map(|(datum_type, shape)| Fact { datum_type: plain(*datum_type), shape }).collect();
                for (output, fact) in outputs.iter().zip(self.0.0.facts(&inputs)?) {
                    solver.equals(&output.datum_type, fact.datum_type)?;
                    solver.equals(&output.shape, ShapeFactoid::from(fact.shape))?;
                }
                Ok(())
            })
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let mut plain_inputs: TVec<OutletId> = tvec!();
        let mut facts = vec![];
        for (index, input) in inputs.iter().enumerate() {
            let datum_type = model.outlet_fact(*input)?.datum_type;
            let outlet = match plain(datum_type) == datum_type {
                true => *input,
                false => {
                    let cast = tract_core::ops::cast::cast(plain(datum_type));
                    model.wire_node(format!("{prefix}.input-{index}"), cast, &[*input])?[0]
                }
            };
            facts.push(Fact::of(model.outlet_fact(outlet)?));
            plain_inputs.push(outlet);
        }
        let settled = self.0.0.settle(&facts)?.map_or_else(|| self.0.clone(), Node);
        model.wire_node(prefix, settled, &plain_inputs)
    }
}

/// tract reckons some 64-bit integers symbolically; here they are plain.
fn plain(datum_type: DatumType) -> DatumType {
    if datum_type == TDim::datum_type() { i64::datum_type() } else { datum_type }
}
