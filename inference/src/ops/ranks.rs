//! The number of dimensions that an operator of tract's takes for granted. tract reads past the end of a shape that has fewer,
//! and counts up to an axis that lies before the first as if it were the largest number there is; so such a node is refused
//! as soon as the number is known, wherever in the graph it stands.

use super::NodeProto;
use super::ParsingContext;
use super::operator::Built;
use std::sync::LazyLock;
use tract_onnx::Onnx;
use tract_onnx::tract_hir::internal::*;

/// Operators over batch, channel and at least so many dimensions of space.
const SPATIAL: &[(&str, usize)] = &[
    ("AveragePool", 1),
    ("BatchNormalization", 0),
    ("Conv", 1),
    ("ConvInteger", 1),
    ("ConvTranspose", 1),
    ("DepthToSpace", 2),
    ("GlobalAveragePool", 1),
    ("GlobalLpPool", 1),
    ("GlobalMaxPool", 1),
    ("InstanceNormalization", 0),
    ("LRN", 0),
    ("LpPool", 1),
    ("MaxPool", 1),
    ("QLinearConv", 1),
    ("SpaceToDepth", 2),
];

/// Operators whose axes also count the dimensions that they add.
const ADDING: [&str; 2] = ["OneHot", "Unsqueeze"];

static STOCK: LazyLock<Onnx> = LazyLock::new(tract_onnx::onnx);

/// Puts a watch over every operator of tract's own.
pub(super) fn watch(onnx: &mut Onnx) {
    onnx.op_register.0.values_mut().for_each(|builder| *builder = watched);
}

/// Builds as tract does, and sees to the dimensions where the operator relies on them.
pub(super) fn watched(context: &ParsingContext, node: &NodeProto) -> Built {
    let build = STOCK.op_register.0.get(&node.op_type);
    let build = build.ok_or_else(|| format_err!("no operator {}", node.op_type))?;
    let (inner, closures) = build(context, node)?;
    let least = SPATIAL.iter().find(|(name, _)| *name == node.op_type).map_or(0, |(_, space)| 2 + space);
    let axes: Vec<i64> = node.attribute.iter().flat_map(axes).collect();
    let lowest = axes.iter().copied().min().unwrap_or(0);
    if least == 0 && lowest >= 0 {
        return Ok((inner, closures));
    }
    let added = if ADDING.contains(&node.op_type.as_str()) { axes.len() as u64 } else { 0 };
    let reach = lowest.min(0).unsigned_abs().saturating_sub(added);
    Ok((Box::new(Watched { inner, least, reach }), closures))
}

/// The axes that an attribute names.
pub(super) fn axes(attribute: &tract_onnx::pb::AttributeProto) -> impl Iterator<Item = i64> {
    let one = (attribute.name == "axis").then_some(attribute.i);
    let many = (attribute.name == "axes").then_some(&attribute.ints);
    one.into_iter().chain(many.into_iter().flatten().copied())
}

#[derive(Debug, Clone)]
struct Watched {
    inner: Box<dyn InferenceOp>,
    /// Dimensions of the first input, at least.
    least: usize,
    /// Dimensions that the lowest axis counts back over.
    reach: u64,
}

type Facts = (TVec<InferenceFact>, TVec<InferenceFact>, TVec<InferenceFact>);

impl Watched {
    /// Whether the dimensions of the first input are known, and such that the operator may be asked.
    fn may_be_asked(&self, inputs: &[&InferenceFact]) -> TractResult<bool> {
        let Some(rank) = inputs.first().and_then(|input| input.shape.rank().concretize()) else { return Ok(false) };
        let rank = usize::try_from(rank)?;
        let name = self.inner.name();
        ensure!(rank >= self.least, "{name} wants {} dimensions, and gets {rank}", self.least);
        ensure!(self.reach <= rank as u64, "{name}: its axis is beyond all dimensions");
        Ok(true)
    }
}

/// Nothing learned.
fn unchanged(inputs: &[&InferenceFact], outputs: &[&InferenceFact], observed: &[&InferenceFact]) -> Facts {
    let cloned = |facts: &[&InferenceFact]| facts.iter().map(|fact| (*fact).clone()).collect();
    (cloned(inputs), cloned(outputs), cloned(observed))
}

/// As tract has it for every operator that is not typed yet.
impl PartialEq for Watched {
    fn eq(&self, _other: &Self) -> bool {
        false
    }
}

impl Eq for Watched {}

impl Op for Watched {
    fn name(&self) -> StaticName {
        self.inner.name()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        self.inner.info()
    }

    not_a_typed_op!();
}

impl EvalOp for Watched {
    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        self.inner.eval_out_of_plan(inputs)
    }
}

impl InferenceOp for Watched {
    fn infer(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<Facts> {
        match self.may_be_asked(&inputs)? {
            true => self.inner.infer(inputs, outputs, observed),
            false => Ok(unchanged(&inputs, &outputs, &observed)),
        }
    }

    fn infer_facts(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<Facts> {
        match self.may_be_asked(&inputs)? {
            true => self.inner.infer_facts(inputs, outputs, observed),
            false => Ok(unchanged(&inputs, &outputs, &observed)),
        }
    }

    fn observe_outlets(&self, model: &InferenceModel, node: &InferenceNode) -> TractResult<Vec<OutletId>> {
        self.inner.observe_outlets(model, node)
    }

    fn incorporate(&self, model: &InferenceModel, node: &InferenceNode) -> TractResult<Option<InferenceModelPatch>> {
        self.inner.incorporate(model, node)
    }

    fn nboutputs(&self) -> TractResult<usize> {
        self.inner.nboutputs()
    }

    fn to_typed(
        &self,
        source: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        self.inner.to_typed(source, node, target, mapping)
    }

    as_op!();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::examples::{model, node, whole, with};
    use crate::graph::Graph;
    use crate::ops::NodeProto;
    use crate::ops::tests::{Attributes, cells, check, operator};
    use prost::Message;

    /// Defects of tract's that its fuzzing found: endless loops, and a read past the end of a shape.
    #[test]
    fn an_operator_that_relies_on_other_dimensions_is_refused() {
        let axis = |operator: &str, inputs: &[&str], axis| with(node(operator, inputs, "y"), "axis", axis);
        let flat = node("Reshape", &["x", "all"], "v");
        let far = "axis is beyond all dimensions";
        let rows: [(&str, Vec<NodeProto>, &str); 6] = [
            ("an axis far ahead", vec![axis("LayerNormalization", &["x", "x"], 100)], far),
            ("an axis far behind", vec![axis("Softmax", &["x"], i64::MIN)], far),
            ("an axis before the first", vec![axis("Softmax", &["x"], -3)], far),
            ("an axis behind a new dimension", vec![axis("OneHot", &["x", "depth", "pair"], -4)], far),
            (
                "channels of a list",
                vec![flat.clone(), node("BatchNormalization", &["v", "pair", "pair", "pair", "pair"], "y")],
                "wants 2 dimensions, and gets 1",
            ),
            ("places of a row", vec![node("GlobalAveragePool", &["x"], "y")], "wants 3 dimensions, and gets 2"),
        ];
        for (what, nodes, why) in rows {
            let constants = vec![whole("all", &[-1]), whole("pair", &[0, 1]), whole("depth", &[2])];
            let refused = Graph::load(&model(4, 1, nodes, constants).encode_to_vec(), None).map(drop).unwrap_err();
            assert!(refused.to_string().contains(why), "{what}: {refused}");
        }
    }

    #[test]
    fn axes_that_are_there_are_counted_from_either_end() {
        let row = || vec![cells(&[1, 3], &[-5f32, 0.0, 3.0])];
        let softmax = |axis| operator("Hardmax").int("axis", axis);
        check(vec![
            ("the last", softmax(-1), row(), Ok(&[0.0, 0.0, 1.0])),
            ("the first from the end", softmax(-2), row(), Ok(&[1.0, 1.0, 1.0])),
            ("one before it", softmax(-3), row(), Err("axis is beyond all dimensions")),
            ("all that any graph has", softmax(-65), row(), Err("axis is beyond all dimensions")),
        ]);
    }
}
