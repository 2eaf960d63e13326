//! `Cast` with text on either side, and with plain 64-bit integers where the data are no shape.

use super::operator::{Built, Fact, Operator, each_alone, node};
use super::rows::{self, slice, tensor};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

#[derive(Debug, Clone)]
struct Cast {
    to: DatumType,
}

pub(super) fn cast(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    Ok((expand(Cast { to: node.get_attr("to")? }), vec![]))
}

impl Cast {
    /// Whole numbers that may be a shape stay symbolic; others are plain.
    fn gives(&self, from: DatumType) -> DatumType {
        let shape = from == i64::datum_type() || from == TDim::datum_type();
        if shape && self.to == i64::datum_type() { TDim::datum_type() } else { self.to }
    }
}

impl Expansion for Cast {
    fn name(&self) -> StaticName {
        "Cast".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)?;
        solver.given(&inputs[0].datum_type, move |solver, from| solver.equals(&outputs[0].datum_type, self.gives(from)))
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let from = model.outlet_fact(inputs[0])?.datum_type;
        let text = String::datum_type();
        if from.is_float() && self.to.is_integer() {
            return model.wire_node(prefix, node(WholeCast { to: self.to }), inputs);
        }
        if (from == text) == (self.to == text) {
            return model.wire_node(prefix, tract_core::ops::cast::cast(self.gives(from)), inputs);
        }
        if self.to == text && !(from.is_integer() || from == bool::datum_type()) {
            bail!("writes no {from:?} as text, since engines differ in the digits: cast it to int64 before");
        }
        model.wire_node(prefix, TextCast { to: self.to }, inputs)
    }
}

/// From floats to whole numbers, towards zero. What has no such number becomes the least of 64 or 32 bits, as numpy and onnxruntime
/// have it, so that a missing code is no code. A smaller type has no number that is nobody's: there the row is refused.
#[derive(Debug)]
struct WholeCast {
    to: DatumType,
}

impl Operator for WholeCast {
    fn name(&self) -> &'static str {
        "Cast"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        Ok(vec![Fact { datum_type: self.to, shape: input.shape.clone() }])
    }

    fn row_axis(&self, rows: &[Option<usize>], _inputs: &[Fact]) -> Option<usize> {
        each_alone(rows)
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        // Bounds as floats that are exact: the greatest is one below a power of two, or all that floats near it reach.
        let (least, beyond) = match self.to {
            DatumType::I64 => (-9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0),
            DatumType::I32 => (-2_147_483_648.0, 2_147_483_648.0),
            DatumType::I16 => (-32_768.0, 32_768.0),
            DatumType::I8 => (-128.0, 128.0),
            DatumType::U64 => (0.0, 18_446_744_073_709_551_616.0),
            DatumType::U32 => (0.0, 4_294_967_296.0),
            DatumType::U16 => (0.0, 65_536.0),
            DatumType::U8 => (0.0, 256.0),
            other => bail!("has no cast of floats to {other:?}: cast to int64 or int32"),
        };
        let has_none = self.to == i64::datum_type() || self.to == i32::datum_type();
        let whole = |x: &f64| {
            let x = x.trunc();
            match x >= least && x < beyond {
                true => Ok(x),
                false if has_none => Ok(least),
                false => bail!("{x} is no {:?}: cast to int64 or int32, or replace it before", self.to),
            }
        };
        let cells = rows::doubles(&inputs[0])?.iter().map(whole).collect::<TractResult<Vec<f64>>>()?;
        Ok(vec![match self.to {
            DatumType::I64 => tensor(inputs[0].shape(), cells.into_iter().map(|x| x as i64).collect())?,
            DatumType::U64 => tensor(inputs[0].shape(), cells.into_iter().map(|x| x as u64).collect())?,
            _ => tensor(inputs[0].shape(), cells.into_iter().map(|x| x as i64).collect::<Vec<i64>>())?
                .cast_to_dt(self.to)?
                .into_owned(),
        }])
    }
}

/// From text or to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TextCast {
    to: DatumType,
}

impl Op for TextCast {
    fn name(&self) -> StaticName {
        "TextCast".into()
    }

    op_as_typed_op!();
}

impl EvalOp for TextCast {
    op_out_of_plan!();

    fn eval(&self, _ctx: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = &inputs[0];
        if self.to == String::datum_type() {
            let plain = input.cast_to_dt(i64::datum_type())?;
            let texts = slice::<i64>(&plain)?.iter().map(i64::to_string).collect();
            return Ok(tvec!(tensor::<String>(input.shape(), texts)?.into_tvalue()));
        }
        let texts = slice::<String>(input)?;
        let read = match self.to.is_integer() {
            true => tensor(input.shape(), texts.iter().map(|text| whole(text)).collect::<TractResult<_>>()?)?,
            false => tensor(input.shape(), texts.iter().map(|text| number(text)).collect::<TractResult<_>>()?)?,
        };
        let read = match self.to == f32::datum_type() {
            true => tensor(input.shape(), rows::floats(&read)?.into_owned())?,
            false => read.cast_to_dt(self.to)?.into_owned(),
        };
        Ok(tvec!(read.into_tvalue()))
    }
}

impl TypedOp for TextCast {
    fn axes_mapping(&self, inputs: &[&TypedFact], outputs: &[&TypedFact]) -> TractResult<AxesMapping> {
        AxesMapping::natural(inputs, outputs)
    }

    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(self.to.fact(inputs[0].shape.clone())))
    }

    as_op!();
}

fn whole(text: &str) -> TractResult<i64> {
    text.trim().parse().with_context(|| format!("{text:?} is no whole number"))
}

fn number(text: &str) -> TractResult<f64> {
    text.trim().parse().with_context(|| format!("{text:?} is no number"))
}
