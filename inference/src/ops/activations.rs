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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::tests::{Attributes, all, answers, bits, cells, check, operator};

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;

    /// Values that are exact, or that the standard's formula has in a limit.
    #[test]
    fn functions_have_their_limits_and_keep_what_is_no_number() {
        let alpha = |name: &str, alpha: f32| operator(name).float("alpha", alpha);
        let row = |numbers: &[f32]| vec![cells(&[1, numbers.len()], numbers)];
        let hard = || operator("HardSigmoid").float("alpha", 0.25).float("beta", 0.5);
        check(vec![
            ("itself above zero", alpha("Elu", 2.0), row(&[0.0, 3.0, INF, NAN]), Ok(&[0.0, 3.0, INF, NAN])),
            ("towards minus alpha", alpha("Elu", 2.0), row(&[-0.0, -100.0, -INF]), Ok(&[-0.0, -2.0, -2.0])),
            ("towards minus alpha", alpha("Celu", 2.0), row(&[3.0, -1000.0, -INF, NAN]), Ok(&[3.0, -2.0, -2.0, NAN])),
            ("by gamma above zero", operator("Selu").float("gamma", 2.0), row(&[3.0, INF, NAN]), Ok(&[6.0, INF, NAN])),
            ("alpha and gamma", alpha("Selu", 3.0).float("gamma", 2.0), row(&[-INF, -1000.0]), Ok(&[-6.0, -6.0])),
            ("half at zero", operator("Sigmoid"), row(&[0.0, -INF, INF, NAN]), Ok(&[0.5, 0.0, 1.0, NAN])),
            // 1 / (1 + e^100) is 0 to whoever adds first, and a subnormal number in truth.
            ("far below zero", operator("Sigmoid"), row(&[-100.0]), Ok(&[3.8e-44])),
            (
                "between zero and one",
                hard(),
                row(&[-2.0, -1.0, 0.0, 2.0, 9.0, NAN]),
                Ok(&[0.0, 0.25, 0.5, 1.0, 1.0, NAN]),
            ),
            (
                "without overflow",
                operator("Softplus"),
                row(&[1000.0, -1000.0, INF, -INF, NAN]),
                Ok(&[1000.0, 0.0, INF, 0.0, NAN]),
            ),
            ("a tiny rest", operator("Softplus"), row(&[-100.0]), Ok(&[3.8e-44])),
            ("zero and itself", operator("Mish"), row(&[0.0, 100.0, INF, NAN]), Ok(&[0.0, 100.0, INF, NAN])),
            ("zero and itself", alpha("Swish", 1.0), row(&[0.0, 200.0, INF, NAN]), Ok(&[0.0, 200.0, INF, NAN])),
            ("half of it without alpha", alpha("Swish", 0.0), row(&[3.0, -8.0]), Ok(&[1.5, -4.0])),
            (
                "cut at three",
                operator("HardSwish"),
                row(&[-4.0, -3.0, 3.0, 4.0, 0.0]),
                Ok(&[-0.0, -0.0, 3.0, 4.0, 0.0]),
            ),
            (
                "of two equally near the even",
                operator("Round"),
                row(&[0.5, 1.5, 2.5, -0.5, -1.5, NAN, INF]),
                Ok(&[0.0, 2.0, 2.0, -0.0, -2.0, NAN, INF]),
            ),
            (
                "odd, and one in the limit",
                operator("Erf"),
                row(&[0.0, -0.0, 9.0, -9.0, INF, NAN]),
                Ok(&[0.0, -0.0, 1.0, -1.0, 1.0, NAN]),
            ),
            ("below one there is none", operator("Acosh"), row(&[1.0, 0.5, -1.0, INF]), Ok(&[0.0, NAN, NAN, INF])),
            ("beyond one there is none", operator("Atanh"), row(&[0.0, 1.0, -1.0, 1.5]), Ok(&[0.0, INF, -INF, NAN])),
            ("odd", operator("Asinh"), row(&[0.0, -0.0, -INF, NAN]), Ok(&[0.0, -0.0, -INF, NAN])),
            ("whole numbers", operator("Elu"), vec![cells(&[1], &[1i64])], Err("takes floats")),
        ]);
    }

    /// By the formulas of the standard, in double precision and rounded once.
    #[test]
    fn functions_are_those_of_the_standard() {
        let softplus = |x: f64| (1.0 + x.exp()).ln();
        let functions: [(&str, &[(&str, f32)], &dyn Fn(f64) -> f64); 8] = [
            ("Elu", &[("alpha", 0.5)], &|x| if x < 0.0 { 0.5 * (x.exp() - 1.0) } else { x }),
            ("Celu", &[("alpha", 0.5)], &|x| x.max(0.0) + (0.5 * ((x / 0.5).exp() - 1.0)).min(0.0)),
            ("Selu", &[], &|x| 1.050_700_98 * if x < 0.0 { 1.673_263_24 * (x.exp() - 1.0) } else { x }),
            ("Sigmoid", &[], &|x| 1.0 / (1.0 + (-x).exp())),
            ("HardSigmoid", &[], &|x| (0.2 * x + 0.5).clamp(0.0, 1.0)),
            ("Softplus", &[], &|x| softplus(x)),
            ("Mish", &[], &|x| x * softplus(x).tanh()),
            ("Swish", &[("alpha", 1.5)], &|x| x / (1.0 + (-1.5 * x).exp())),
        ];
        let numbers: Vec<f32> = (-40..=40).map(|at| at as f32 / 8.0).collect();
        for (name, attributes, expected) in functions {
            let node = attributes.iter().fold(operator(name), |node, (name, value)| node.float(name, *value));
            let found = answers(node.clone(), &[cells(&[numbers.len()], &numbers)]).unwrap();
            for (x, found) in numbers.iter().zip(all::<f32>(&found[0])) {
                let expected = expected(f64::from(*x));
                assert!((f64::from(found) - expected).abs() <= 2e-7 * expected.abs().max(0.1), "{name}({x}) = {found}");
            }
            let alone = answers(node, &[cells(&[1], &numbers[3..4])]).unwrap();
            assert_eq!(bits(&all(&alone[0])), bits(&all::<f32>(&found[0])[3..4]), "{name} of one number");
        }
    }
}
