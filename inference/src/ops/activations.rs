//! Activations that tract has in part: `Swish` without its alpha, `Selu` to five digits, `Sigmoid` not in double precision.
//! Reckoned in f64 and rounded once.

use super::operator::{Built, Fact, Operator, built, node};
use super::rows::{self, tensor};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::nn::sigmoid as single_sigmoid;

/// A function of each element.
#[derive(Debug, Clone, Copy)]
enum Activation {
    /// x · sigmoid(alpha · x).
    Swish { alpha: f64 },
    /// gamma · x, or gamma · alpha · (e^x − 1) below zero.
    Selu { alpha: f64, gamma: f64 },
    /// 1 / (1 + e^−x).
    Sigmoid,
}

pub(super) fn swish(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(Activation::Swish { alpha: node.get_attr_opt::<f32>("alpha")?.unwrap_or(1.0).into() })
}

pub(super) fn selu(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let alpha: f32 = node.get_attr_opt("alpha")?.unwrap_or(1.673_263_2);
    let gamma: f32 = node.get_attr_opt("gamma")?.unwrap_or(1.050_701);
    built(Activation::Selu { alpha: alpha.into(), gamma: gamma.into() })
}

pub(super) fn sigmoid(_ctx: &ParsingContext, _node: &NodeProto) -> Built {
    Ok((expand(Sigmoid), vec![]))
}

/// 1 / (1 + e^−x), without overflow.
fn sigmoid_of(x: f64) -> f64 {
    let risen = libm::exp(-x.abs());
    if x < 0.0 { risen / (1.0 + risen) } else { 1.0 / (1.0 + risen) }
}

impl Activation {
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Swish { alpha } => x * sigmoid_of(alpha * x),
            Self::Selu { alpha, gamma } if x < 0.0 => gamma * alpha * libm::expm1(x),
            Self::Selu { gamma, .. } => gamma * x,
            Self::Sigmoid => sigmoid_of(x),
        }
    }
}

impl Operator for Activation {
    fn name(&self) -> &'static str {
        match self {
            Self::Swish { .. } => "Swish",
            Self::Selu { .. } => "Selu",
            Self::Sigmoid => "Sigmoid",
        }
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        if !input.datum_type.is_float() {
            bail!("takes floats; it is given {:?}", input.datum_type);
        }
        Ok(vec![input.clone()])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let values: Vec<f64> = rows::doubles(&inputs[0])?.iter().map(|x| self.of(*x)).collect();
        Ok(vec![tensor(inputs[0].shape(), values)?.cast_to_dt(inputs[0].datum_type())?.into_owned()])
    }
}

/// tract's own in single precision, ours in double.
#[derive(Debug, Clone)]
struct Sigmoid;

impl Expansion for Sigmoid {
    fn name(&self) -> StaticName {
        "Sigmoid".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        match model.outlet_fact(inputs[0])?.datum_type == f64::datum_type() {
            true => model.wire_node(prefix, node(Activation::Sigmoid), inputs),
            false => model.wire_node(prefix, single_sigmoid(), inputs),
        }
    }
}
