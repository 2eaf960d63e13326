//! `Cast` with text on either side, and with plain 64-bit integers where the data are no shape.

use super::operator::Built;
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
        if (from == text) == (self.to == text) {
            return model.wire_node(prefix, tract_core::ops::cast::cast(self.gives(from)), inputs);
        }
        if self.to == text && !(from.is_integer() || from == bool::datum_type()) {
            bail!("writes no {from:?} as text, since engines differ in the digits: cast it to int64 before");
        }
        model.wire_node(prefix, TextCast { to: self.to }, inputs)
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
