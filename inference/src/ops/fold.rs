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
