//! `Scaler`, `Imputer`, `Normalizer`, `Binarizer`: rows of features to rows of the same width.

use super::operator::{Built, Fact, Operator, built};
use super::rows::{self, slice, tensor};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

/// (x − offset) · scale.
#[derive(Debug)]
struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

pub(super) fn scaler(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let values = |name: &str, otherwise: f32| -> TractResult<Vec<f32>> {
        Ok(node.get_attr_opt_vec(name)?.unwrap_or_else(|| vec![otherwise]))
    };
    built(Scaler { offset: values("offset", 0.0)?, scale: values("scale", 1.0)? })
}

impl Operator for Scaler {
    fn name(&self) -> &'static str {
        "Scaler"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        rows::check_numbers(input)?;
        rows::check_spread(input, "offset", self.offset.len())?;
        rows::check_spread(input, "scale", self.scale.len())?;
        Ok(vec![Fact { datum_type: f32::datum_type(), shape: input.shape.clone() }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let input = &inputs[0];
        let (_, width) = rows::of_shape(input.shape())?;
        let spread = |values: &[f32], index: usize| values[if values.len() == 1 { 0 } else { index % width }];
        // In the wider of the two types, as f64 features would lose their digits in a difference of f32.
        let scaled = if input.datum_type() == f64::datum_type() {
            let one = |(i, x): (usize, &f64)| {
                ((x - f64::from(spread(&self.offset, i))) * f64::from(spread(&self.scale, i))) as f32
            };
            slice::<f64>(input)?.iter().enumerate().map(one).collect()
        } else {
            let one = |(i, x): (usize, &f32)| (x - spread(&self.offset, i)) * spread(&self.scale, i);
            rows::floats(input)?.iter().enumerate().map(one).collect()
        };
        Ok(vec![tensor(input.shape(), scaled)?])
    }
}

/// Puts a feature's value in the place of one value, often NaN.
#[derive(Debug)]
enum Imputer {
    Floats { replaced: f32, imputed: Vec<f32> },
    Ints { replaced: i64, imputed: Vec<i64> },
}

pub(super) fn imputer(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let floats: Vec<f32> = node.get_attr_opt_vec("imputed_value_floats")?.unwrap_or_default();
    let ints: Vec<i64> = node.get_attr_opt_vec("imputed_value_int64s")?.unwrap_or_default();
    match (floats.is_empty(), ints.is_empty()) {
        (false, true) => built(Imputer::Floats {
            replaced: node.get_attr_opt("replaced_value_float")?.unwrap_or(0.0),
            imputed: floats,
        }),
        (true, false) => {
            built(Imputer::Ints { replaced: node.get_attr_opt("replaced_value_int64")?.unwrap_or(0), imputed: ints })
        }
        _ => node.bail("needs either imputed_value_floats or imputed_value_int64s"),
    }
}

impl Operator for Imputer {
    fn name(&self) -> &'static str {
        "Imputer"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        let (length, takes) = match self {
            Self::Floats { imputed, .. } => (imputed.len(), [f32::datum_type(), f64::datum_type()]),
            Self::Ints { imputed, .. } => (imputed.len(), [i64::datum_type(), i32::datum_type()]),
        };
        if !takes.contains(&input.datum_type) {
            bail!("imputes {takes:?}; it is given {:?}: cast it before", input.datum_type);
        }
        rows::check_spread(input, "imputed_value", length)?;
        Ok(vec![input.clone()])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let input = &inputs[0];
        let shape = input.shape();
        let (_, width) = rows::of_shape(shape)?;
        Ok(vec![match self {
            Self::Floats { replaced, imputed } if input.datum_type() == f32::datum_type() => {
                let is = |x: &f32| x == replaced || x.is_nan() && replaced.is_nan();
                tensor(shape, replace(slice(input)?, width, imputed, is))?
            }
            Self::Floats { replaced, imputed } => {
                let imputed: Vec<f64> = imputed.iter().copied().map(f64::from).collect();
                let is = |x: &f64| *x == f64::from(*replaced) || x.is_nan() && replaced.is_nan();
                tensor(shape, replace(slice(input)?, width, &imputed, is))?
            }
            Self::Ints { replaced, imputed } if input.datum_type() == i64::datum_type() => {
                tensor(shape, replace(slice::<i64>(input)?, width, imputed, |x| x == replaced))?
            }
            Self::Ints { replaced, imputed } => {
                let imputed = imputed.iter().map(|x| i32::try_from(*x)).collect::<Result<Vec<i32>, _>>()?;
                tensor(shape, replace(slice::<i32>(input)?, width, &imputed, |x| i64::from(*x) == *replaced))?
            }
        }])
    }
}

fn replace<T: Copy>(values: &[T], width: usize, imputed: &[T], is: impl Fn(&T) -> bool) -> Vec<T> {
    let other = |index: usize| imputed[if imputed.len() == 1 { 0 } else { index % width }];
    values.iter().enumerate().map(|(index, x)| if is(x) { other(index) } else { *x }).collect()
}

/// Divides a row by its norm; a row without one stays as it is.
#[derive(Debug, Clone, Copy)]
enum Normalizer {
    /// By its greatest value.
    Max,
    /// By the sum of absolute values.
    L1,
    /// By the root of the sum of squares.
    L2,
}

pub(super) fn normalizer(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(match node.get_attr_opt::<&str>("norm")?.unwrap_or("MAX") {
        "MAX" => Normalizer::Max,
        "L1" => Normalizer::L1,
        "L2" => Normalizer::L2,
        other => return node.bail(&format!("there is no norm {other}: MAX, L1 or L2")),
    })
}

impl Operator for Normalizer {
    fn name(&self) -> &'static str {
        "Normalizer"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        rows::check_numbers(input)?;
        rows::of_fact(input)?;
        Ok(vec![Fact { datum_type: f32::datum_type(), shape: input.shape.clone() }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let (_, width) = rows::of_shape(inputs[0].shape())?;
        let mut values = rows::floats(&inputs[0])?.into_owned();
        values.chunks_mut(width.max(1)).for_each(|row| self.normalize(row));
        Ok(vec![tensor(inputs[0].shape(), values)?])
    }
}

impl Normalizer {
    fn normalize(self, row: &mut [f32]) {
        let norm = match self {
            Self::Max => row.iter().fold(f32::MIN, |most, x| if *x > most { *x } else { most }),
            Self::L1 => row.iter().fold(0.0, |sum, x| sum + x.abs()),
            Self::L2 => row.iter().fold(0.0, |sum, x| sum + x * x),
        };
        if norm == 0.0 {
            return;
        }
        match self {
            Self::Max | Self::L1 => row.iter_mut().for_each(|x| *x /= norm),
            Self::L2 => row.iter_mut().for_each(|x| *x = (*x * *x / norm).sqrt() * if *x < 0.0 { -1.0 } else { 1.0 }),
        }
    }
}

/// 1 above the threshold, else 0.
#[derive(Debug)]
struct Binarizer {
    threshold: f32,
}

pub(super) fn binarizer(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    built(Binarizer { threshold: node.get_attr_opt("threshold")?.unwrap_or(0.0) })
}

impl Operator for Binarizer {
    fn name(&self) -> &'static str {
        "Binarizer"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        rows::check_numbers(input)?;
        Ok(vec![input.clone()])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let values = rows::doubles(&inputs[0])?;
        if values.iter().any(|x| x.is_nan()) {
            bail!("NaN is on no side of the threshold: impute missing values before Binarizer");
        }
        let ones: Vec<f32> = values.iter().map(|x| f32::from(*x > f64::from(self.threshold))).collect();
        Ok(vec![tensor(inputs[0].shape(), ones)?.cast_to_dt(inputs[0].datum_type())?.into_owned()])
    }
}
