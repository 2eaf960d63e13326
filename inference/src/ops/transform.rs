//! What the classifiers and regressors of `ai.onnx.ml` do to their scores at the end. Exponentials are reckoned in f64 by
//! code that is the same on every machine, then rounded once.

use super::NodeProto;
use super::activations::sigmoid_of;
use tract_onnx::tract_hir::internal::*;

/// The attribute `post_transform`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostTransform {
    /// Scores as they are.
    None,
    /// 1 / (1 + e^−x), each.
    Logistic,
    /// Over a row.
    Softmax,
    /// Over a row, where a zero stays near zero.
    SoftmaxZero,
    /// Inverse of the normal distribution, each.
    Probit,
}

impl PostTransform {
    /// Reads the attribute; `NONE` where there is none.
    pub(crate) fn of(node: &NodeProto) -> TractResult<Self> {
        let name = node.get_attr_opt::<&str>("post_transform")?.unwrap_or("NONE");
        Self::named(name).with_context(|| format!("Node {}: there is no post_transform {name}", node.name))
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "NONE" => Self::None,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX" => Self::Softmax,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            _ => return None,
        })
    }

    /// Transforms a row of two scores or more, in place.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Softmax => softmax(scores),
            Self::SoftmaxZero => softmax_zero(scores),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
        }
    }

    /// Transforms the one score of a regressor with one target. Only `NONE` and `PROBIT` mean the same everywhere.
    pub(crate) fn apply_single(self, score: f32) -> f32 {
        if self == Self::Probit { probit(score) } else { score }
    }

    /// Refuses what a regressor with one target cannot mean.
    pub(crate) fn check_single(self, node: &NodeProto) -> TractResult<()> {
        if matches!(self, Self::None | Self::Probit) {
            return Ok(());
        }
        bail!(
            "Node {} ({}): post_transform of a single target is read differently by different engines; export it with \
             post_transform NONE and a node after it, such as Sigmoid",
            node.name,
            node.op_type
        )
    }
}

/// 1 / (1 + e^−x) without overflow, and without a loss of range where x is far below zero.
pub(crate) fn logistic(x: f32) -> f32 {
    sigmoid_of(f64::from(x)) as f32
}

fn softmax(scores: &mut [f32]) {
    let most = f64::from(scores.iter().copied().fold(f32::MIN, |most, score| if score > most { score } else { most }));
    let risen: Vec<f64> = scores.iter().map(|score| libm::exp(f64::from(*score) - most)).collect();
    let sum: f64 = risen.iter().sum();
    scores.iter_mut().zip(risen).for_each(|(score, risen)| *score = (risen / sum) as f32);
}

/// Scores this near to zero count as none.
const ZERO: f32 = 0.000_000_1;

fn softmax_zero(scores: &mut [f32]) {
    let most = f64::from(scores.iter().copied().fold(f32::MIN, |most, score| if score > most { score } else { most }));
    let mut sum = 0.0;
    let mut rise = |score: f32| {
        if score.is_nan() || (-ZERO..=ZERO).contains(&score) {
            return f64::from(score) * libm::exp(-most);
        }
        let risen = libm::exp(f64::from(score) - most);
        sum += risen;
        risen
    };
    let risen: Vec<f64> = scores.iter().map(|score| rise(*score)).collect();
    scores.iter_mut().zip(risen).for_each(|(score, risen)| *score = (risen / sum) as f32);
}

/// √2 · erf⁻¹(2x − 1) by Winitzki's approximation, in f32 and with the constants that other engines use: a better one
/// would give other answers.
#[allow(clippy::approx_constant)] // π to six digits, as theirs
fn probit(x: f32) -> f32 {
    const A: f32 = 0.147;
    const PI: f32 = 3.141_59;
    let y = 2.0 * x - 1.0;
    let sign = if y < 0.0 { -1.0 } else { 1.0 };
    let log = libm::log(f64::from((1.0 - y) * (1.0 + y))) as f32;
    let half = 2.0 / (PI * A) + 0.5 * log;
    let root = -half + (half * half - 1.0 / A * log).sqrt();
    std::f32::consts::SQRT_2 * (sign * root.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tests::{Attributes, bits, operator};

    #[test]
    fn transforms_are_what_their_names_say() {
        let rows: &[(PostTransform, &[f32], &[f32])] = &[
            (PostTransform::None, &[0.25, -3.0], &[0.25, -3.0]),
            (PostTransform::Logistic, &[0.0, -800.0, 800.0], &[0.5, 0.0, 1.0]),
            (PostTransform::Softmax, &[1.0, 1.0], &[0.5, 0.5]),
            (PostTransform::Softmax, &[1e30, 0.0], &[1.0, 0.0]),
            (PostTransform::SoftmaxZero, &[2.0, 0.0, 2.0], &[0.5, 0.0, 0.5]),
            (PostTransform::SoftmaxZero, &[0.0, -0.0], &[f32::NAN, f32::NAN]),
            (PostTransform::SoftmaxZero, &[2e-7, 0.0], &[1.0, 0.0]),
            (PostTransform::Softmax, &[-1e30, -1e30], &[0.5, 0.5]),
            (PostTransform::Softmax, &[f32::NAN, 0.0], &[f32::NAN, f32::NAN]),
            (PostTransform::Softmax, &[f32::INFINITY, 0.0], &[f32::NAN, f32::NAN]),
            (PostTransform::Logistic, &[f32::NAN, f32::INFINITY], &[f32::NAN, 1.0]),
            (PostTransform::Probit, &[0.5], &[0.0]),
            (PostTransform::Probit, &[0.0, 1.0, 2.0], &[f32::NEG_INFINITY, f32::INFINITY, f32::NAN]),
        ];
        for (transform, scores, expected) in rows {
            let mut found = scores.to_vec();
            transform.apply(&mut found);
            assert_eq!(bits(&found), bits(expected), "{transform:?} {scores:?}: {found:?}");
        }
    }

    /// Against tables of the normal distribution: Winitzki's approximation is within 4e-3.
    #[test]
    fn a_probit_is_the_inverse_of_the_normal_distribution() {
        for (x, expected) in [(0.841_344_7, 1.0), (0.977_249_9, 2.0), (0.158_655_25, -1.0), (0.975, 1.959_964)] {
            let found = PostTransform::Probit.apply_single(x);
            assert!((found - expected).abs() < 4e-3, "{x}: {found}, not {expected}");
        }
        for transform in [PostTransform::None, PostTransform::Logistic, PostTransform::Softmax] {
            assert_eq!(transform.apply_single(0.25), 0.25, "{transform:?} of one score is nobody's");
        }
    }

    #[test]
    fn a_squash_of_one_target_is_refused_and_so_is_a_name_that_is_none() {
        for (name, fits, single) in [
            ("NONE", true, true),
            ("PROBIT", true, true),
            ("LOGISTIC", true, false),
            ("SOFTMAX", true, false),
            ("SOFTMAX_ZERO", true, false),
            ("softmax", false, false),
            ("", false, false),
        ] {
            let node = operator("LinearRegressor").text("post_transform", name);
            let found = PostTransform::of(&node);
            assert_eq!(found.is_ok(), fits, "{name}");
            assert_eq!(found.is_ok_and(|found| found.check_single(&node).is_ok()), single, "{name}");
        }
        assert!(PostTransform::of(&operator("LinearRegressor")).is_ok_and(|none| none == PostTransform::None));
    }
}
