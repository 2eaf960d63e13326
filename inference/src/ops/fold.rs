//! `ReduceLogSumExp`, which tract reckons as it is written, so that it loses everything beyond e^88.

use super::operator::{Built, Fact, Operator, built};
use super::steady::{Fold, Reduce};
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
        let place = |axis: &i64| {
            let from_end = if *axis < 0 { axis + rank as i64 } else { *axis };
            usize::try_from(from_end).ok().filter(|axis| *axis < rank)
        };
        let mut axes: TVec<usize> =
            axes.iter().map(place).collect::<Option<_>>().with_context(|| format!("has no axis of {axes:?}"))?;
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
