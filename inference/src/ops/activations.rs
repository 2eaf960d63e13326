//! Functions of each element that tract has in part, or that lose range or digits in it: reckoned in f64 by code that is the same
//! on every machine, and rounded once. What is not a number stays so.

use super::operator::{Built, Fact, Operator, built, each_alone};
use super::rows::{self, tensor};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

/// A function of each element.
#[derive(Debug, Clone, Copy)]
pub(super) enum Activation {
    Acosh,
    Asinh,
    Atanh,
    /// x, or alpha · (e^(x / alpha) − 1) below zero.
    Celu {
        alpha: f64,
    },
    /// x, or alpha · (e^x − 1) below zero.
    Elu {
        alpha: f64,
    },
    Erf,
    /// alpha · x + beta between 0 and 1.
    HardSigmoid {
        alpha: f64,
        beta: f64,
    },
    /// x · (x / 6 + 1/2), the second factor between 0 and 1.
    HardSwish,
    /// x · tanh(softplus(x)).
    Mish,
    /// To the nearest whole number, of two equally near the even one.
    Round,
    /// gamma · x, or gamma · alpha · (e^x − 1) below zero.
    Selu {
        alpha: f64,
        gamma: f64,
    },
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// ln(1 + e^x).
    Softplus,
    /// x · sigmoid(alpha · x).
    Swish {
        alpha: f64,
    },
}

fn number(node: &NodeProto, name: &str, otherwise: f32) -> TractResult<f64> {
    Ok(node.get_attr_opt::<f32>(name)?.unwrap_or(otherwise).into())
}

pub(super) fn celu(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(Activation::Celu { alpha: number(node, "alpha", 1.0)? })
}

pub(super) fn elu(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(Activation::Elu { alpha: number(node, "alpha", 1.0)? })
}

pub(super) fn hard_sigmoid(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(Activation::HardSigmoid { alpha: number(node, "alpha", 0.2)?, beta: number(node, "beta", 0.5)? })
}

pub(super) fn mish(_ctx: &ParsingContext, _node: &NodeProto) -> Built {
    built(Activation::Mish)
}

pub(super) fn softplus(_ctx: &ParsingContext, _node: &NodeProto) -> Built {
    built(Activation::Softplus)
}

pub(super) fn swish(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(Activation::Swish { alpha: number(node, "alpha", 1.0)? })
}

pub(super) fn selu(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(Activation::Selu { alpha: number(node, "alpha", 1.673_263_2)?, gamma: number(node, "gamma", 1.050_701)? })
}

pub(super) fn sigmoid(_ctx: &ParsingContext, _node: &NodeProto) -> Built {
    built(Activation::Sigmoid)
}

/// 1 / (1 + e^−x), without overflow.
pub(super) fn sigmoid_of(x: f64) -> f64 {
    let risen = libm::exp(-x.abs());
    if x < 0.0 { risen / (1.0 + risen) } else { 1.0 / (1.0 + risen) }
}

/// ln(1 + e^x), without overflow.
fn softplus_of(x: f64) -> f64 {
    libm::log1p(libm::exp(-x.abs())) + if x > 0.0 { x } else { 0.0 }
}

impl Activation {
    /// The one that replaces an operator of tract's of this name.
    pub(super) fn of_tract(name: &str) -> Option<Self> {
        Some(match name {
            "Acosh" => Self::Acosh,
            "Asinh" => Self::Asinh,
            "Atanh" => Self::Atanh,
            "Erf" => Self::Erf,
            "HardSwish" => Self::HardSwish,
            "RoundHalfToEven" => Self::Round,
            "Sigmoid" => Self::Sigmoid,
            _ => return None,
        })
    }

    fn of(self, x: f64) -> f64 {
        if x.is_nan() {
            return x;
        }
        match self {
            Self::Acosh => libm::acosh(x),
            Self::Asinh => libm::asinh(x),
            Self::Atanh => libm::atanh(x),
            Self::Celu { alpha } if x < 0.0 => alpha * libm::expm1(x / alpha),
            Self::Elu { alpha } if x < 0.0 => alpha * libm::expm1(x),
            Self::Celu { .. } | Self::Elu { .. } => x,
            Self::Erf => libm::erf(x),
            Self::HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Mish => x * libm::tanh(softplus_of(x)),
            Self::Round => libm::rint(x),
            Self::Selu { alpha, gamma } if x < 0.0 => gamma * alpha * libm::expm1(x),
            Self::Selu { gamma, .. } => gamma * x,
            Self::Sigmoid => sigmoid_of(x),
            Self::Softplus => softplus_of(x),
            Self::Swish { alpha } => x * sigmoid_of(alpha * x),
        }
    }
}

impl Operator for Activation {
    fn name(&self) -> &'static str {
        match self {
            Self::Acosh => "Acosh",
            Self::Asinh => "Asinh",
            Self::Atanh => "Atanh",
            Self::Celu { .. } => "Celu",
            Self::Elu { .. } => "Elu",
            Self::Erf => "Erf",
            Self::HardSigmoid { .. } => "HardSigmoid",
            Self::HardSwish => "HardSwish",
            Self::Mish => "Mish",
            Self::Round => "Round",
            Self::Selu { .. } => "Selu",
            Self::Sigmoid => "Sigmoid",
            Self::Softplus => "Softplus",
            Self::Swish { .. } => "Swish",
        }
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        if !input.datum_type.is_float() {
            bail!("takes floats; it is given {:?}", input.datum_type);
        }
        Ok(vec![input.clone()])
    }

    fn row_axis(&self, rows: &[Option<usize>], _inputs: &[Fact]) -> Option<usize> {
        each_alone(rows)
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let values: Vec<f64> = rows::doubles(&inputs[0])?.iter().map(|x| self.of(*x)).collect();
        Ok(vec![tensor(inputs[0].shape(), values)?.cast_to_dt(inputs[0].datum_type())?.into_owned()])
    }
}
