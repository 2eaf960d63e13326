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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::tests::{Attributes, all, answers, cells, check, operator, words};

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;

    #[test]
    fn a_scaler_takes_the_offset_away_and_then_multiplies() {
        let of = |offset: &[f32], scale: &[f32]| operator("Scaler").floats("offset", offset).floats("scale", scale);
        let two = || cells(&[2, 2], &[3f32, 0.0, -1.0, 4.0]);
        check(vec![
            ("each feature its own", of(&[1.0, -2.0], &[2.0, 0.5]), vec![two()], Ok(&[4.0, 1.0, -4.0, 3.0])),
            ("one for all features", of(&[1.0], &[2.0]), vec![two()], Ok(&[4.0, -2.0, -4.0, 6.0])),
            (
                "one row without a batch",
                of(&[1.0, 2.0], &[1.0, 1.0]),
                vec![cells(&[2], &[1f32, 1.0])],
                Ok(&[0.0, -1.0]),
            ),
            ("neither is given", operator("Scaler"), vec![cells(&[1, 3], &[-0f32, INF, NAN])], Ok(&[-0.0, INF, NAN])),
            ("a scale of zero", of(&[0.0], &[0.0]), vec![cells(&[1, 3], &[INF, -5f32, NAN])], Ok(&[NAN, -0.0, NAN])),
            // In single precision both are 1e9, and nothing is left.
            ("digits of doubles", of(&[1e9], &[2.0]), vec![cells(&[1, 1], &[1e9 + 0.5])], Ok(&[1.0])),
            ("whole numbers", of(&[1.0], &[0.5]), vec![cells(&[1, 2], &[2i64, -3])], Ok(&[0.5, -2.0])),
            ("too many offsets", of(&[1.0; 3], &[1.0]), vec![two()], Err("`offset` has 3 values for 2 features")),
            ("too few scales", of(&[1.0], &[]), vec![two()], Err("`scale` has 0 values for 2 features")),
            ("text", of(&[1.0], &[1.0]), vec![words(&[1, 1], &["a"])], Err("encode text before it")),
            ("a cube", of(&[1.0], &[1.0]), vec![cells(&[1, 1, 1], &[1f32])], Err("[N, F]; it is given 3 dimensions")),
        ]);
    }

    #[test]
    fn an_imputer_fills_the_one_value_that_it_replaces() {
        let floats = |of: f32, with: &[f32]| {
            operator("Imputer").float("replaced_value_float", of).floats("imputed_value_floats", with)
        };
        let row = || cells(&[2, 2], &[NAN, 1.0, 0.0, NAN]);
        check(vec![
            ("missing, by feature", floats(NAN, &[7.0, 8.0]), vec![row()], Ok(&[7.0, 1.0, 0.0, 8.0])),
            ("missing, by one value", floats(NAN, &[7.0]), vec![row()], Ok(&[7.0, 1.0, 0.0, 7.0])),
            ("a number, not what is missing", floats(1.0, &[7.0]), vec![row()], Ok(&[NAN, 7.0, 0.0, NAN])),
            ("both zeros are one", floats(-0.0, &[7.0]), vec![cells(&[1, 2], &[0f32, -0.0])], Ok(&[7.0, 7.0])),
            ("infinity by infinity alone", floats(INF, &[7.0]), vec![cells(&[1, 2], &[INF, -INF])], Ok(&[7.0, -INF])),
            ("whole numbers", floats(NAN, &[7.0]), vec![cells(&[1, 1], &[1i64])], Err("cast it before")),
            ("three for two", floats(NAN, &[7.0; 3]), vec![row()], Err("`imputed_value` has 3 values for 2 features")),
            (
                "nothing",
                operator("Imputer"),
                vec![row()],
                Err("needs either imputed_value_floats or imputed_value_int64s"),
            ),
            (
                "both kinds",
                floats(NAN, &[7.0]).ints("imputed_value_int64s", &[7]),
                vec![row()],
                Err("needs either imputed_value_floats or imputed_value_int64s"),
            ),
        ]);
        let ints =
            |with: i64| operator("Imputer").int("replaced_value_int64", -1).ints("imputed_value_int64s", &[with]);
        let found = answers(ints(5), &[cells(&[1, 3], &[-1i64, 0, i64::MIN])]).unwrap();
        assert_eq!(all::<i64>(&found[0]), [5, 0, i64::MIN]);
        let found = answers(ints(5), &[cells(&[1, 2], &[-1i32, 1])]).unwrap();
        assert_eq!(all::<i32>(&found[0]), [5, 1]);
        assert!(answers(ints(1 << 40), &[cells(&[1, 1], &[-1i32])]).is_err(), "no such number has 32 bits");
        let found = answers(floats(NAN, &[0.1]), &[cells(&[1, 2], &[f64::NAN, 0.1])]).unwrap();
        assert_eq!(all::<f64>(&found[0]), [f64::from(0.1f32), 0.1]);
    }

    #[test]
    fn a_normalizer_divides_by_the_norm_of_the_row() {
        let of = |norm: &str| operator("Normalizer").text("norm", norm);
        let rows = || cells(&[2, 2], &[3f32, -4.0, 0.0, 0.0]);
        check(vec![
            ("sum of sizes", of("L1"), vec![rows()], Ok(&[3.0 / 7.0, -4.0 / 7.0, 0.0, 0.0])),
            ("root of the squares", of("L2"), vec![rows()], Ok(&[0.6, -0.8, 0.0, 0.0])),
            ("the greatest", of("MAX"), vec![rows()], Ok(&[1.0, -4.0 / 3.0, 0.0, 0.0])),
            (
                "the greatest is the default",
                operator("Normalizer"),
                vec![cells(&[1, 2], &[2f32, 8.0])],
                Ok(&[0.25, 1.0]),
            ),
            // As onnxruntime has it: the greatest itself, not its size.
            ("the greatest below zero", of("MAX"), vec![cells(&[1, 2], &[-2f32, -8.0])], Ok(&[1.0, 4.0])),
            ("missing has no sum", of("L1"), vec![cells(&[1, 2], &[NAN, 1.0])], Ok(&[NAN, NAN])),
            ("missing is not the greatest", of("MAX"), vec![cells(&[1, 2], &[NAN, 2.0])], Ok(&[NAN, 1.0])),
            ("whole numbers", of("L1"), vec![cells(&[1, 2], &[1i64, 3])], Ok(&[0.25, 0.75])),
            ("another norm", of("L3"), vec![rows()], Err("there is no norm L3: MAX, L1 or L2")),
            ("a cube", of("L1"), vec![cells(&[1, 1, 2], &[1f32, 2.0])], Err("it is given 3 dimensions")),
        ]);
    }

    #[test]
    fn a_binarizer_gives_one_above_its_threshold() {
        let of = |threshold: f32| operator("Binarizer").float("threshold", threshold);
        let row = || cells(&[1, 4], &[0.5f32.next_down(), 0.5, 0.5f32.next_up(), INF]);
        check(vec![
            ("the threshold itself is below", of(0.5), vec![row()], Ok(&[0.0, 0.0, 1.0, 1.0])),
            (
                "zero is the default",
                operator("Binarizer"),
                vec![cells(&[1, 3], &[-0f32, 0.0, 1e-45])],
                Ok(&[0.0, 0.0, 1.0]),
            ),
            ("missing", of(0.5), vec![cells(&[1, 2], &[1.0, NAN])], Err("impute missing values before Binarizer")),
            ("text", of(0.5), vec![words(&[1, 1], &["a"])], Err("takes numbers")),
        ]);
        // 0.1 in double precision is less than the f32 next to it, which is the threshold.
        let found = answers(of(0.1), &[cells(&[1, 2], &[0.1, f64::from(0.1f32.next_up())])]).unwrap();
        assert_eq!(all::<f64>(&found[0]), [0.0, 1.0]);
        let found = answers(of(1.5), &[cells(&[1, 2], &[1i64, 2])]).unwrap();
        assert_eq!(all::<i64>(&found[0]), [0, 1]);
    }
}
