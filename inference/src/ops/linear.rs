//! `LinearClassifier` and `LinearRegressor`. Every sum runs over the features in their order, in f64, and is rounded once:
//! a row's bits depend on nothing but the row.

use super::labels::Labels;
use super::operator::{Built, Fact, Operator, built};
use super::rows::{self, tensor};
use super::transform::{PostTransform, logistic};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

/// Weights of one target or more, target by target.
#[derive(Debug)]
struct Weights {
    coefficients: Vec<f32>,
    /// One for each target, or none.
    intercepts: Vec<f32>,
    targets: usize,
}

impl Weights {
    fn of(node: &NodeProto, targets: usize, intercepts: Vec<f32>) -> TractResult<Self> {
        let coefficients: Vec<f32> = node.get_attr_vec("coefficients")?;
        let fits = targets > 0 && !coefficients.is_empty() && coefficients.len().is_multiple_of(targets);
        node.expect(fits, || format!("coefficients for {targets} targets, found {}", coefficients.len()))?;
        let fits = intercepts.is_empty() || intercepts.len() == targets;
        node.expect(fits, || format!("{targets} intercepts or none, found {}", intercepts.len()))?;
        Ok(Self { coefficients, intercepts, targets })
    }

    fn width(&self) -> usize {
        self.coefficients.len() / self.targets
    }

    fn check(&self, input: &Fact) -> TractResult<()> {
        rows::check_numbers(input)?;
        rows::check_width(input, self.width())
    }

    /// Row by row, one score for each target.
    fn scores(&self, input: &Tensor) -> TractResult<Vec<f32>> {
        let (_, width) = rows::of_shape(input.shape())?;
        if width != self.width() {
            bail!("is made for {} features; it is given {width}", self.width());
        }
        let values = rows::floats(input)?;
        Ok(values.chunks(width).flat_map(|row| self.score(row)).collect())
    }

    fn score(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        self.coefficients.chunks(row.len()).enumerate().map(|(target, coefficients)| {
            let sum: f64 = row.iter().zip(coefficients).map(|(x, c)| f64::from(*x) * f64::from(*c)).sum();
            (sum + self.intercepts.get(target).copied().map_or(0.0, f64::from)) as f32
        })
    }
}

#[derive(Debug)]
struct LinearRegressor {
    weights: Weights,
    transform: PostTransform,
}

pub(super) fn linear_regressor(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let targets: usize = node.get_attr_opt("targets")?.unwrap_or(1);
    let intercepts: Vec<f32> = node.get_attr_opt_vec("intercepts")?.unwrap_or_default();
    let transform = PostTransform::of(node)?;
    if targets == 1 {
        transform.check_single(node)?;
    }
    built(LinearRegressor { weights: Weights::of(node, targets, intercepts)?, transform })
}

impl Operator for LinearRegressor {
    fn name(&self) -> &'static str {
        "LinearRegressor"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        self.weights.check(input)?;
        let shape = tvec!(rows::of_fact(input)?.0, self.weights.targets.into());
        Ok(vec![Fact { datum_type: f32::datum_type(), shape }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let mut scores = self.weights.scores(&inputs[0])?;
        let targets = self.weights.targets;
        match targets {
            1 => scores.iter_mut().for_each(|score| *score = self.transform.apply_single(*score)),
            _ => scores.chunks_mut(targets).for_each(|row| self.transform.apply(row)),
        }
        Ok(vec![tensor(&[scores.len() / targets, targets], scores)?])
    }
}

#[derive(Debug)]
struct LinearClassifier {
    weights: Weights,
    labels: Labels,
    transform: PostTransform,
}

pub(super) fn linear_classifier(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let labels = Labels::of(node, "classlabels_ints")?;
    let intercepts: Vec<f32> = node.get_attr_opt_vec("intercepts")?.unwrap_or_default();
    let targets = if intercepts.is_empty() { labels.len() } else { intercepts.len() };
    let weights = Weights::of(node, targets, intercepts)?;
    let transform = PostTransform::of(node)?;
    if targets == 1 {
        node.expect(labels.len() == 2, "two labels for one row of coefficients")?;
        if !matches!(transform, PostTransform::None | PostTransform::Logistic) {
            return node.bail(
                "post_transform of a single score is read differently by different engines; export the coefficients \
                 and intercepts of both classes",
            );
        }
    }
    node.expect(targets == 1 || targets == labels.len(), "as many labels as rows of coefficients")?;
    built(LinearClassifier { weights, labels, transform })
}

impl Operator for LinearClassifier {
    fn name(&self) -> &'static str {
        "LinearClassifier"
    }

    fn outputs(&self) -> usize {
        2
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        self.weights.check(input)?;
        let (count, _) = rows::of_fact(input)?;
        Ok(vec![
            Fact { datum_type: self.labels.datum_type(), shape: tvec!(count.clone()) },
            Fact { datum_type: f32::datum_type(), shape: tvec!(count, self.labels.len().into()) },
        ])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let mut scores = self.weights.scores(&inputs[0])?;
        let classes: Vec<usize> = match self.weights.targets {
            1 => scores.iter().map(|score| usize::from(*score > 0.0)).collect(),
            targets => scores.chunks(targets).map(greatest).collect(),
        };
        match self.weights.targets {
            1 => scores = scores.iter().flat_map(|score| self.pair(*score)).collect(),
            targets => scores.chunks_mut(targets).for_each(|row| self.transform.apply(row)),
        }
        Ok(vec![self.labels.pick(&classes)?, tensor(&[classes.len(), self.labels.len()], scores)?])
    }
}

impl LinearClassifier {
    /// Scores of both classes from the second's.
    fn pair(&self, score: f32) -> [f32; 2] {
        match self.transform {
            PostTransform::Logistic => [logistic(-score), logistic(score)],
            _ => [1.0 - score, score],
        }
    }
}

/// Position of the greatest score, the first of equal ones.
pub(super) fn greatest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (position, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = position;
        }
    }
    best
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::greatest;
    use crate::ops::NodeProto;
    use crate::ops::tests::{Attributes, all, answers, bits, cells, check, operator};

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;

    fn regressor(coefficients: &[f32]) -> NodeProto {
        operator("LinearRegressor").floats("coefficients", coefficients)
    }

    fn classifier(coefficients: &[f32]) -> NodeProto {
        operator("LinearClassifier").floats("coefficients", coefficients).ints("classlabels_ints", &[4, 9])
    }

    #[test]
    fn a_regressor_is_weighted_sums() {
        let two = || vec![cells(&[2, 2], &[1f32, 2.0, -1.0, 0.5])];
        let both = || regressor(&[1.0, 2.0, 3.0, 4.0]).int("targets", 2);
        check(vec![
            ("one target", regressor(&[1.0, 2.0]).floats("intercepts", &[0.5]), two(), Ok(&[5.5, 0.5])),
            ("no intercept", regressor(&[1.0, 2.0]), two(), Ok(&[5.0, 0.0])),
            ("two targets", both().floats("intercepts", &[0.0, 1.0]), two(), Ok(&[5.0, 12.0, 0.0, 0.0])),
            ("one row without a batch", regressor(&[1.0, 2.0]), vec![cells(&[2], &[3i64, 4])], Ok(&[11.0])),
            // In single precision the one is lost.
            ("summed in double", regressor(&[1.0; 3]), vec![cells(&[1, 3], &[1e8f32, 1.0, -1e8])], Ok(&[1.0])),
            ("missing", regressor(&[1.0, 0.0]), vec![cells(&[2, 2], &[NAN, 1.0, 1.0, NAN])], Ok(&[NAN, NAN])),
            ("infinite", regressor(&[1.0, -1.0]), vec![cells(&[2, 2], &[INF, 1.0, INF, INF])], Ok(&[INF, NAN])),
            (
                "the half of a normal distribution",
                regressor(&[1.0]).text("post_transform", "PROBIT"),
                vec![cells(&[1, 1], &[0.5f32])],
                Ok(&[0.0]),
            ),
            (
                "softmax of two targets",
                both().text("post_transform", "SOFTMAX"),
                vec![cells(&[1, 2], &[0f32, 0.0])],
                Ok(&[0.5, 0.5]),
            ),
            (
                "a squash of one target",
                regressor(&[1.0]).text("post_transform", "LOGISTIC"),
                two(),
                Err("a node after it, such as Sigmoid"),
            ),
            (
                "a squash that is none",
                regressor(&[1.0]).text("post_transform", "TANH"),
                two(),
                Err("there is no post_transform TANH"),
            ),
            ("three features", regressor(&[1.0; 3]), two(), Err("is made for 3 features; it is given 2")),
            (
                "three weights for two targets",
                regressor(&[1.0; 3]).int("targets", 2),
                two(),
                Err("coefficients for 2 targets, found 3"),
            ),
            ("no target", regressor(&[1.0; 2]).int("targets", 0), two(), Err("coefficients for 0 targets")),
            ("no weights", regressor(&[]), two(), Err("coefficients for 1 targets, found 0")),
            (
                "two intercepts",
                regressor(&[1.0; 2]).floats("intercepts", &[1.0; 2]),
                two(),
                Err("1 intercepts or none, found 2"),
            ),
        ]);
    }

    /// Labels and scores of rows of one feature.
    fn of(node: NodeProto, rows: &[f32]) -> (Vec<i64>, Vec<f32>) {
        let found = answers(node, &[cells(&[rows.len(), 1], rows)]).unwrap();
        (all(&found[0]), all(&found[1]))
    }

    #[test]
    fn one_row_of_coefficients_is_for_the_second_class() {
        let single = || classifier(&[2.0]).floats("intercepts", &[0.0]);
        let (labels, scores) = of(single(), &[0.0, 1e-45, -1.0, NAN]);
        assert_eq!(labels, [4, 9, 4, 4], "zero is not above zero");
        assert_eq!(bits(&scores), bits(&[1.0, 0.0, 1.0, 2.0 * 1e-45, 3.0, -2.0, NAN, NAN]));
        let (_, scores) = of(single().text("post_transform", "LOGISTIC"), &[0.0, -400.0, 400.0]);
        assert_eq!(scores, [0.5, 0.5, 1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn of_equal_scores_the_first_class_wins() {
        let three = operator("LinearClassifier")
            .floats("coefficients", &[1.0, -1.0, 1.0])
            .texts("classlabels_strings", &["a", "b", "c"]);
        let found = answers(three, &[cells(&[3, 1], &[2f32, -2.0, 0.0])]).unwrap();
        assert_eq!(all::<String>(&found[0]), ["a", "b", "a"]);
        assert_eq!(all::<f32>(&found[1]), [2.0, -2.0, 2.0, -2.0, 2.0, -2.0, 0.0, -0.0, 0.0]);
        for (scores, expected) in
            [(&[1.0, 2.0, 2.0][..], 1), (&[NAN, 1.0], 0), (&[1.0, NAN, 3.0], 2), (&[-0.0, 0.0], 0), (&[-INF, -INF], 0)]
        {
            assert_eq!(greatest(scores), expected, "{scores:?}");
        }
    }

    #[test]
    fn classifiers_that_engines_read_differently_are_refused() {
        let row = || vec![cells(&[1, 1], &[1f32])];
        let three = |intercepts: &[f32]| classifier(&[1.0; 3]).floats("intercepts", intercepts);
        check(vec![
            (
                "softmax of one score",
                classifier(&[1.0]).floats("intercepts", &[0.0]).text("post_transform", "SOFTMAX"),
                row(),
                Err("export the coefficients and intercepts of both classes"),
            ),
            ("three rows for two labels", three(&[0.0; 3]), row(), Err("as many labels as rows of coefficients")),
            (
                "one row for three labels",
                operator("LinearClassifier")
                    .floats("coefficients", &[1.0])
                    .floats("intercepts", &[0.0])
                    .ints("classlabels_ints", &[1, 2, 3]),
                row(),
                Err("two labels for one row of coefficients"),
            ),
            (
                "no labels",
                operator("LinearClassifier").floats("coefficients", &[1.0]),
                row(),
                Err("classlabels_strings or classlabels_ints"),
            ),
        ]);
    }
}
