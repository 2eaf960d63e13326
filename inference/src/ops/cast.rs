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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::tests::{Attributes, all, answers, cells, check, operator, words};
    use tract_onnx::pb::tensor_proto::DataType;
    use tract_onnx::prelude::*;

    fn to(data_type: DataType) -> tract_onnx::pb::NodeProto {
        operator("Cast").int("to", data_type as i64)
    }

    fn cast<D: Datum>(data_type: DataType, input: Tensor) -> Result<Vec<D>, String> {
        answers(to(data_type), &[input]).map(|found| all::<D>(&found[0]))
    }

    #[test]
    fn floats_become_whole_towards_zero_and_what_has_no_number_the_least() {
        let row = || cells(&[8], &[1.9f32, -1.9, -0.5, 0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e9]);
        let least = i64::MIN;
        assert_eq!(cast(DataType::Int64, row()), Ok(vec![1i64, -1, 0, 0, least, least, least, 3_000_000_000]));
        let least = i32::MIN;
        assert_eq!(cast(DataType::Int32, row()), Ok(vec![1i32, -1, 0, 0, least, least, least, least]));
        let edges = [2_147_483_647.9, 2_147_483_648.0, -2_147_483_648.9, -2_147_483_649.0];
        assert_eq!(cast(DataType::Int32, cells(&[4], &edges)), Ok(vec![i32::MAX, least, least, least]));
        let edges = [9_223_372_036_854_774_784.0, 9_223_372_036_854_775_808.0, -9.3e18];
        assert_eq!(cast(DataType::Int64, cells(&[3], &edges)), Ok(vec![9_223_372_036_854_774_784, i64::MIN, i64::MIN]));
    }

    /// A small type has no number that is nobody's.
    #[test]
    fn what_a_small_type_cannot_hold_is_refused() {
        for (data_type, fits, beyond) in [
            (DataType::Int8, [-128.9f32, 127.9], [-129.0, 128.0]),
            (DataType::Uint8, [-0.9, 255.9], [-1.0, 256.0]),
            (DataType::Int16, [-32_768.9, 32_767.9], [-32_769.0, 32_768.0]),
            (DataType::Uint16, [-0.9, 65_535.9], [-1.0, 65_536.0]),
            (DataType::Uint32, [-0.9, 4_294_967_040.0], [-1.0, 4_294_967_296.0]),
        ] {
            let found = answers(to(data_type), &[cells(&[2], &fits)]).unwrap();
            let wide = found[0].cast_to::<f64>().unwrap();
            assert_eq!(all::<f64>(&wide), fits.map(|x| f64::from(x).trunc() + 0.0), "{data_type:?}");
            for wrong in [beyond[0], beyond[1], f32::NAN, f32::INFINITY] {
                let why = answers(to(data_type), &[cells(&[1], &[wrong])]).unwrap_err();
                assert!(why.contains("cast to int64 or int32"), "{data_type:?} {wrong}: {why}");
            }
        }
    }

    #[test]
    fn texts_are_read_as_numbers_and_whole_numbers_written_as_texts() {
        let float = |text: &str| vec![words(&[1], &[text])];
        check(vec![
            ("a fraction between blanks", to(DataType::Float), float(" 1.5 "), Ok(&[1.5])),
            ("a power", to(DataType::Float), float("-1e3"), Ok(&[-1000.0])),
            ("no number", to(DataType::Float), float("NaN"), Ok(&[f32::NAN])),
            ("infinite", to(DataType::Float), float("-inf"), Ok(&[f32::NEG_INFINITY])),
            ("beyond all numbers", to(DataType::Float), float("1e400"), Ok(&[f32::INFINITY])),
            ("empty", to(DataType::Float), float(""), Err("\"\" is no number")),
            ("a word", to(DataType::Float), float("own"), Err("\"own\" is no number")),
            ("a comma", to(DataType::Float), float("1,5"), Err("is no number")),
        ]);
        assert_eq!(cast(DataType::Int64, words(&[2], &["-7", " 9223372036854775807"])), Ok(vec![-7, i64::MAX]));
        assert_eq!(cast(DataType::Double, words(&[1], &["0.1"])), Ok(vec![0.1f64]));
        for wrong in ["1.0", "9223372036854775808", ""] {
            let why = cast::<i64>(DataType::Int64, words(&[1], &[wrong])).unwrap_err();
            assert!(why.contains("is no whole number"), "{wrong}: {why}");
        }
        let texts: Vec<String> = cast(DataType::String, cells(&[2], &[i64::MIN, 7])).unwrap();
        assert_eq!(texts, ["-9223372036854775808", "7"]);
        let why = cast::<String>(DataType::String, cells(&[1], &[0.1f32])).unwrap_err();
        assert!(why.contains("engines differ in the digits"), "{why}");
    }

    #[test]
    fn truths_and_precisions_are_cast_as_they_are() {
        assert_eq!(cast(DataType::Float, cells(&[2], &[true, false])), Ok(vec![1f32, 0.0]));
        assert_eq!(cast(DataType::Float, cells(&[2], &[0.1f64, 1e300])), Ok(vec![0.1f32, f32::INFINITY]));
        assert_eq!(cast(DataType::Double, cells(&[1], &[0.1f32])), Ok(vec![f64::from(0.1f32)]));
        assert_eq!(cast(DataType::Float, cells(&[1], &[(1i64 << 53) + 1])), Ok(vec![9_007_199_254_740_992f32]));
        let truths = cast::<bool>(DataType::Bool, cells(&[3], &[0f32, -0.0, 0.5])).unwrap();
        assert_eq!(truths, [false, false, true]);
    }
}
