//! `IsNaN` and `IsInf`, which tract answers in single precision only.

use super::operator::{Built, Fact, Operator, built, each_alone};
use super::rows::{self, tensor};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

/// A question about each element.
#[derive(Debug, Clone, Copy)]
enum Question {
    IsNan,
    IsInf { negative: bool, positive: bool },
}

pub(super) fn is_nan(_ctx: &ParsingContext, _node: &NodeProto) -> Built {
    built(Question::IsNan)
}

pub(super) fn is_inf(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let detects = |name: &str| -> TractResult<bool> { Ok(node.get_attr_opt::<i64>(name)?.unwrap_or(1) != 0) };
    built(Question::IsInf { negative: detects("detect_negative")?, positive: detects("detect_positive")? })
}

impl Operator for Question {
    fn name(&self) -> &'static str {
        match self {
            Self::IsNan => "IsNaN",
            Self::IsInf { .. } => "IsInf",
        }
    }

    fn row_axis(&self, rows: &[Option<usize>], _inputs: &[Fact]) -> Option<usize> {
        each_alone(rows)
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        rows::check_numbers(input)?;
        Ok(vec![Fact { datum_type: bool::datum_type(), shape: input.shape.clone() }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let answer = |x: &f64| match self {
            Self::IsNan => x.is_nan(),
            Self::IsInf { negative, positive } => x.is_infinite() && if *x < 0.0 { *negative } else { *positive },
        };
        let answers = rows::doubles(&inputs[0])?.iter().map(answer).collect();
        Ok(vec![tensor::<bool>(inputs[0].shape(), answers)?])
    }
}
