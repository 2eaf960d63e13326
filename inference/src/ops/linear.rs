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
