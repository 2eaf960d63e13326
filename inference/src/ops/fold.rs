//! Operators over an axis that tract reckons as they are written: `ReduceLogSumExp` and `LogSoftmax`, which so lose everything beyond
//! e^88, and `LayerNormalization`, which so loses digits. In f64, rounded once.

use super::operator::{Built, Fact, Operator, built, each_alone};
use super::ranks;
use super::rows::{self, tensor};
use super::steady::{Fold, Reduce, Softmax};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

/// As exporters write it: axes as an attribute, since [`crate::prepare`] makes constants of inputs into one.
#[derive(Debug)]
struct LogSumExp {
    /// All without it.
    axes: Option<Vec<i64>>,
    keeps: bool,
    /// No axes mean none, not all.
    does_nothing: bool,
}

pub(super) fn reduce_log_sum_exp(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    node.expect(node.input.len() == 1, "axes that are constants")?;
    built(LogSumExp {
        axes: node.get_attr_opt_vec("axes")?.filter(|axes: &Vec<i64>| !axes.is_empty()),
        keeps: node.get_attr_opt::<i64>("keepdims")?.unwrap_or(1) != 0,
        does_nothing: node.get_attr_opt::<i64>("noop_with_empty_axes")?.unwrap_or(0) != 0,
    })
}

impl LogSumExp {
    fn axes(&self, rank: usize) -> TractResult<TVec<usize>> {
        let Some(axes) = &self.axes else {
            return Ok(if self.does_nothing { tvec!() } else { (0..rank).collect() });
        };
        let mut axes: TVec<usize> = axes.iter().map(|axis| place(*axis, rank)).collect::<TractResult<_>>()?;
        axes.sort_unstable();
        axes.dedup();
        Ok(axes)
    }
}

impl Operator for LogSumExp {
    fn name(&self) -> &'static str {
        "ReduceLogSumExp"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        if !input.datum_type.is_float() {
            bail!("takes floats; it is given {:?}", input.datum_type);
        }
        let axes = self.axes(input.shape.len())?;
        let mut shape: TVec<TDim> = tvec!();
        for (axis, size) in input.shape.iter().enumerate() {
            match axes.contains(&axis) {
                true if self.keeps => shape.push(1.into()),
                true => {}
                false => shape.push(size.clone()),
            }
        }
        Ok(vec![Fact { datum_type: input.datum_type, shape }])
    }

    fn row_axis(&self, rows: &[Option<usize>], inputs: &[Fact]) -> Option<usize> {
        let axes = self.axes(inputs.first()?.shape.len()).ok()?;
        let axis = rows.first().copied().flatten().filter(|axis| !axes.contains(axis))?;
        let gone = if self.keeps { 0 } else { axes.iter().filter(|other| **other < axis).count() };
        Some(axis - gone)
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let axes = self.axes(inputs[0].rank())?;
        if axes.is_empty() {
            return Ok(vec![inputs[0].clone().into_tensor()]);
        }
        let mut folded = Reduce { fold: Fold::LogSumExp, axes: axes.clone() }.run(inputs)?;
        if !self.keeps {
            for tensor in &mut folded {
                axes.iter().rev().try_for_each(|axis| tensor.remove_axis(*axis))?;
            }
        }
        Ok(folded)
    }
}

/// The logarithm of a softmax. Before opset 13 over all dimensions from its axis on, since then over its axis.
#[derive(Debug)]
struct LogSoftmax {
    axis: i64,
    to_the_end: bool,
}

pub(super) fn log_softmax(ctx: &ParsingContext, node: &NodeProto) -> Built {
    let to_the_end = ctx.onnx_operator_set_version < 13;
    let axis = node.get_attr_opt::<i64>("axis")?.unwrap_or(if to_the_end { 1 } else { -1 });
    built(LogSoftmax { axis, to_the_end })
}

impl LogSoftmax {
    fn axes(&self, rank: usize) -> TractResult<TVec<usize>> {
        let axis = place(self.axis, rank)?;
        Ok(if self.to_the_end { (axis..rank).collect() } else { tvec!(axis) })
    }
}

impl Operator for LogSoftmax {
    fn name(&self) -> &'static str {
        "LogSoftmax"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        if !input.datum_type.is_float() {
            bail!("takes floats; it is given {:?}", input.datum_type);
        }
        self.axes(input.shape.len())?;
        Ok(vec![input.clone()])
    }

    fn row_axis(&self, rows: &[Option<usize>], inputs: &[Fact]) -> Option<usize> {
        let axes = self.axes(inputs.first()?.shape.len()).ok()?;
        each_alone(rows).filter(|axis| !axes.contains(axis))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        Softmax { axes: self.axes(inputs[0].rank())?, log: true }.run(inputs)
    }
}

/// Every group of elements from an axis on, less its mean, by its spread, times a scale and with a bias.
#[derive(Debug)]
struct LayerNorm {
    axis: i64,
    epsilon: f64,
}

pub(super) fn layer_normalization(ctx: &ParsingContext, node: &NodeProto) -> Built {
    if node.output.iter().skip(1).any(|name| !name.is_empty()) {
        return ranks::watched(ctx, node); // mean and spread are for training
    }
    let axis = node.get_attr_opt::<i64>("axis")?.unwrap_or(-1);
    built(LayerNorm { axis, epsilon: node.get_attr_opt::<f32>("epsilon")?.unwrap_or(1e-5).into() })
}

impl LayerNorm {
    /// Of each group; scale and bias are as long, or of one element.
    fn normed(&self, group: &[f64], scale: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let length = group.len() as f64;
        let mean = group.iter().sum::<f64>() / length;
        let variance = group.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / length;
        let spread = (variance + self.epsilon).sqrt();
        let at = |of: &[f64], place: usize| of[place % of.len()];
        let norm = |(place, x): (usize, &f64)| {
            (x - mean) / spread * at(scale, place) + bias.map_or(0.0, |bias| at(bias, place))
        };
        group.iter().enumerate().map(norm).collect()
    }
}

impl Operator for LayerNorm {
    fn name(&self) -> &'static str {
        "LayerNormalization"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let ([input, scale] | [input, scale, _]) = inputs else { bail!("takes values, a scale and a bias") };
        let axis = place(self.axis, input.shape.len())?;
        let length: TDim = input.shape[axis..].iter().product();
        for other in &inputs[1..] {
            let own: TDim = other.shape.iter().product();
            if own != length && !own.is_one() {
                bail!("has a scale or bias of {own} elements for {length}");
            }
        }
        if scale.datum_type != input.datum_type || !input.datum_type.is_float() {
            bail!("takes floats of one type; it is given {:?} and {:?}", input.datum_type, scale.datum_type);
        }
        Ok(vec![input.clone()])
    }

    fn row_axis(&self, rows: &[Option<usize>], inputs: &[Fact]) -> Option<usize> {
        let axis = place(self.axis, inputs.first()?.shape.len()).ok()?;
        let others = rows.iter().skip(1).all(Option::is_none);
        each_alone(rows).filter(|row| *row < axis && others)
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let axis = place(self.axis, inputs[0].rank())?;
        let length: usize = inputs[0].shape()[axis..].iter().product();
        let (cells, scale) = (rows::doubles(&inputs[0])?, rows::doubles(&inputs[1])?);
        let bias = inputs.get(2).map(|bias| rows::doubles(bias)).transpose()?;
        let normed: Vec<f64> =
            cells.chunks(length.max(1)).flat_map(|group| self.normed(group, &scale, bias.as_deref())).collect();
        Ok(vec![tensor(inputs[0].shape(), normed)?.cast_to_dt(inputs[0].datum_type())?.into_owned()])
    }
}

/// An axis counted from the front.
fn place(axis: i64, rank: usize) -> TractResult<usize> {
    let from_front = if axis < 0 { axis + rank as i64 } else { axis };
    let found = usize::try_from(from_front).ok().filter(|axis| *axis < rank);
    found.with_context(|| format!("has no axis {axis} of {rank}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::tests::{Attributes, all, answers, cells, check, of_opset, operator, words};
    use tract_onnx::prelude::Tensor;

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;
    const LN_2: f32 = std::f32::consts::LN_2;

    #[test]
    fn logarithms_of_sums_of_powers_do_not_overflow() {
        let of = |axes: &[i64], keeps: i64| operator("ReduceLogSumExp").ints("axes", axes).int("keepdims", keeps);
        let square = || vec![cells(&[2, 2], &[1000f32, 1000.0, -INF, 3.0])];
        check(vec![
            ("of a row", of(&[1], 0), square(), Ok(&[1000.0 + LN_2, 3.0])),
            ("an axis from the end", of(&[-1], 1), square(), Ok(&[1000.0 + LN_2, 3.0])),
            ("of a column", of(&[0], 0), square(), Ok(&[1000.0, 1000.0])),
            ("of all", of(&[0, 1], 0), square(), Ok(&[1000.0 + LN_2])),
            ("the same axis twice", of(&[1, -1], 0), square(), Ok(&[1000.0 + LN_2, 3.0])),
            (
                "of no axes that are named",
                operator("ReduceLogSumExp").int("keepdims", 0),
                square(),
                Ok(&[1000.0 + LN_2]),
            ),
            ("of nothing but zeros", of(&[1], 0), vec![cells(&[1, 2], &[-INF, -INF])], Ok(&[-INF])),
            ("infinite", of(&[1], 0), vec![cells(&[1, 2], &[INF, 0.0])], Ok(&[INF])),
            ("what is no number", of(&[1], 0), vec![cells(&[1, 2], &[INF, NAN])], Ok(&[NAN])),
            ("an axis that is not there", of(&[2], 0), square(), Err("has no axis 2 of 2")),
            ("whole numbers", of(&[1], 0), vec![cells(&[1, 1], &[1i64])], Err("takes floats")),
        ]);
        let shape = |node, shape: &[usize]| {
            let found = answers(node, &[cells(shape, &vec![0f32; shape.iter().product()])]).unwrap();
            found[0].shape().to_vec()
        };
        assert_eq!(shape(of(&[1], 0), &[2, 3, 4]), [2, 4]);
        assert_eq!(shape(of(&[1], 1), &[2, 3, 4]), [2, 1, 4]);
        let nothing = operator("ReduceLogSumExp").int("noop_with_empty_axes", 1);
        let found = of_opset(18, nothing, &square()).unwrap();
        assert_eq!(all::<f32>(&found[0]), [1000.0, 1000.0, -INF, 3.0], "no axes mean none");
    }

    /// Before opset 13 all dimensions from the axis on are one; since then it is one axis.
    #[test]
    fn a_softmax_goes_over_what_its_opset_says() {
        let cube = [0f32, 1.0, 2.0, 3.0, 300.0, -300.0, 0.5, -0.5];
        let of = |opset: i64, axis: Option<i64>| {
            let node = operator("LogSoftmax");
            let node = axis.map_or(node.clone(), |axis| node.int("axis", axis));
            all::<f32>(&of_opset(opset, node, &[cells(&[2, 2, 2], &cube)]).unwrap()[0])
        };
        // By the definition: x − ln Σ eˣ over the group that each cell is of.
        let expected = |group: fn(usize) -> usize| -> Vec<f32> {
            let sum = |at: usize| {
                let own = (0..8).filter(|other| group(*other) == group(at)).map(|other| f64::from(cube[other]));
                let most = own.clone().fold(f64::NEG_INFINITY, f64::max);
                most + own.map(|x| (x - most).exp()).sum::<f64>().ln()
            };
            (0..8).map(|at| (f64::from(cube[at]) - sum(at)) as f32).collect()
        };
        let rows: [(&str, i64, Option<i64>, fn(usize) -> usize); 7] = [
            ("each pair", 13, None, |at| at / 2),
            ("the last axis", 17, Some(-1), |at| at / 2),
            ("the middle axis", 13, Some(1), |at| at / 4 * 2 + at % 2),
            ("the first axis", 13, Some(0), |at| at % 4),
            ("from the second axis on", 12, None, |at| at / 4),
            ("from the first axis on", 12, Some(0), |_| 0),
            ("the last axis alone", 12, Some(2), |at| at / 2),
        ];
        for (name, opset, axis, group) in rows {
            for (found, expected) in of(opset, axis).iter().zip(expected(group)) {
                assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{name}: {found}, not {expected}");
            }
        }
        check(vec![
            (
                "beyond all axes",
                operator("LogSoftmax").int("axis", 3),
                vec![cells(&[2, 2], &[0f32; 4])],
                Err("has no axis 3 of 2"),
            ),
            ("what is no number", operator("LogSoftmax"), vec![cells(&[1, 2], &[NAN, 0.0])], Ok(&[NAN, NAN])),
            ("one alone", operator("LogSoftmax"), vec![cells(&[2, 1], &[7f32, -7.0])], Ok(&[0.0, 0.0])),
        ]);
    }

    #[test]
    fn a_layer_is_normed_by_its_own_mean_and_spread() {
        let of = || operator("LayerNormalization").float("epsilon", 0.0);
        let given = |rows: &[f32], scale: &[f32], bias: Option<&[f32]>| -> Vec<Tensor> {
            let bias = bias.map(|bias| cells(&[bias.len()], bias));
            [cells(&[rows.len() / 2, 2], rows), cells(&[scale.len()], scale)].into_iter().chain(bias).collect()
        };
        check(vec![
            (
                "less the mean, by the spread",
                of(),
                given(&[1.0, 3.0, 5.0, -5.0], &[1.0, 2.0], None),
                Ok(&[-1.0, 2.0, 1.0, -2.0]),
            ),
            ("with a bias", of(), given(&[1.0, 3.0], &[1.0, 2.0], Some(&[10.0, 20.0])), Ok(&[9.0, 22.0])),
            ("one scale for all", of(), given(&[1.0, 3.0], &[2.0], None), Ok(&[-2.0, 2.0])),
            (
                "no spread, and epsilon",
                operator("LayerNormalization"),
                given(&[7.0, 7.0], &[1.0, 1.0], Some(&[3.0, 4.0])),
                Ok(&[3.0, 4.0]),
            ),
            ("no spread and no epsilon", of(), given(&[7.0, 7.0], &[1.0, 1.0], None), Ok(&[NAN, NAN])),
            ("what is no number", of(), given(&[NAN, 7.0, 1.0, 3.0], &[1.0, 1.0], None), Ok(&[NAN, NAN, -1.0, 1.0])),
            // In single precision the mean of these is off by more than they are apart.
            ("neighbours", of(), given(&[16_777_216.0, 16_777_218.0], &[1.0, 1.0], None), Ok(&[-1.0, 1.0])),
            ("all axes", of().int("axis", 0), given(&[1.0, 3.0, 1.0, 3.0], &[1.0], None), Ok(&[-1.0, 1.0, -1.0, 1.0])),
            (
                "three scales for two",
                of(),
                given(&[1.0, 3.0], &[1.0; 3], None),
                Err("has a scale or bias of 3 elements for 2"),
            ),
            (
                "an axis that is not there",
                of().int("axis", 2),
                given(&[1.0, 3.0], &[1.0], None),
                Err("has no axis 2 of 2"),
            ),
            ("text", of(), vec![words(&[1, 2], &["a", "b"]), cells(&[2], &[1f32; 2])], Err("takes floats of one type")),
        ]);
    }
}
