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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::tests::{Attributes, all, answers, cells, operator, words};

    const INF: f32 = f32::INFINITY;

    #[test]
    fn each_number_is_asked_for_itself_in_its_own_precision() {
        let inf = |negative: i64, positive: i64| {
            operator("IsInf").int("detect_negative", negative).int("detect_positive", positive)
        };
        let row = || cells(&[2, 3], &[f32::NAN, INF, -INF, 0.0, f32::MAX, -f32::NAN]);
        for (name, node, input, expected) in [
            ("no number, of either sign", operator("IsNaN"), row(), [true, false, false, false, false, true]),
            ("infinite", operator("IsInf"), row(), [false, true, true, false, false, false]),
            ("infinite above", inf(0, 1), row(), [false, true, false, false, false, false]),
            ("infinite below", inf(1, 0), row(), [false, false, true, false, false, false]),
            ("neither is asked for", inf(0, 0), row(), [false; 6]),
            (
                "whole numbers never are",
                operator("IsNaN"),
                cells(&[2, 3], &[i64::MIN, 0, 1, 2, 3, i64::MAX]),
                [false; 6],
            ),
            // In single precision these are infinite.
            (
                "large doubles are not",
                operator("IsInf"),
                cells(&[2, 3], &[1e300, -1e300, 1e39, 0.0, 1.0, -1e39]),
                [false; 6],
            ),
        ] {
            let found = answers(node, &[input]).unwrap();
            assert_eq!((all::<bool>(&found[0]).as_slice(), found[0].shape()), (&expected[..], &[2, 3][..]), "{name}");
        }
        let why = answers(operator("IsNaN"), &[words(&[1], &["nan"])]).unwrap_err();
        assert!(why.contains("takes numbers"), "{why}");
    }
}
