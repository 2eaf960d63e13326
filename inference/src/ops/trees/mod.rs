//! `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble`: attributes to trees of [`crate::trees`], and what is
//! made of their answers.
//!
//! Reading order: [`listed`] and [`rooted`] read the two forms of attributes, [`plant`] makes trees of them, [`forest`] runs
//! them, [`classifier`] decides.

mod classifier;
mod forest;
mod listed;
mod plant;
mod rooted;

pub(super) use classifier::tree_ensemble_classifier;

use super::operator::{Built, Fact, Operator, built};
use super::rows::{self, tensor};
use super::transform::PostTransform;
use super::{NodeProto, ParsingContext};
use crate::trees::{Ensemble, Node, Tree};
use forest::{Forest, Proven, Settled};
use tract_onnx::tract_hir::internal::*;

/// What is made of the answers of trees.
trait Finish: std::fmt::Debug + Send + Sync + 'static {
    fn name(&self) -> &'static str;

    fn outputs(&self) -> usize {
        1
    }

    /// Facts of the outputs for an input of a type and number of rows.
    fn facts(&self, datum_type: DatumType, count: TDim) -> Vec<Fact>;

    /// The target whose raw sum the positive class is decided by, where there is one.
    fn positive(&self) -> Option<usize>;

    /// The outputs from answers laid row by row.
    fn finish(&self, datum_type: DatumType, answers: Vec<f64>) -> TractResult<Vec<Tensor>>;
}

/// A tree operator: trees and what is made of them.
#[derive(Debug)]
struct TreeOperator<F> {
    forest: Arc<Proven>,
    finish: Arc<F>,
    /// Once the width of rows is known.
    settled: Option<Settled>,
}

fn tree_operator(forest: Forest, finish: impl Finish) -> Built {
    built(TreeOperator { forest: Arc::new(forest.prove()?), finish: Arc::new(finish), settled: None })
}

impl<F: Finish> Operator for TreeOperator<F> {
    fn name(&self) -> &'static str {
        self.finish.name()
    }

    fn outputs(&self) -> usize {
        self.finish.outputs()
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        self.forest.check(input)?;
        Ok(self.finish.facts(input.datum_type, rows::of_fact(input)?.0))
    }

    fn settle(&self, inputs: &[Fact]) -> TractResult<Option<Arc<dyn Operator>>> {
        let [input] = inputs else { bail!("takes one input") };
        let settled = Some(self.forest.settle(input)?);
        Ok(Some(Arc::new(Self { forest: self.forest.clone(), finish: self.finish.clone(), settled })))
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let settled = self.settled.as_ref().context("has no rows of a known width")?;
        self.finish.finish(inputs[0].datum_type(), settled.answers(&inputs[0])?)
    }

    fn raw_sum(&self) -> Option<TractResult<Ensemble>> {
        let target = self.finish.positive().context("it has several classes: a package has one score");
        let settled = self.settled.as_ref().context("has no rows of a known width");
        Some(target.and_then(|target| settled?.of_target(target)))
    }
}

/// Scores of targets.
#[derive(Debug)]
struct Scores {
    name: &'static str,
    targets: usize,
    transform: PostTransform,
    /// Opset 5 answers in the type of its input, older ones in f32.
    as_input: bool,
}

impl Finish for Scores {
    fn name(&self) -> &'static str {
        self.name
    }

    fn facts(&self, datum_type: DatumType, count: TDim) -> Vec<Fact> {
        let datum_type = if self.as_input { datum_type } else { f32::datum_type() };
        vec![Fact { datum_type, shape: tvec!(count, self.targets.into()) }]
    }

    fn positive(&self) -> Option<usize> {
        (self.targets == 1).then_some(0)
    }

    fn finish(&self, datum_type: DatumType, answers: Vec<f64>) -> TractResult<Vec<Tensor>> {
        let shape = [answers.len() / self.targets, self.targets];
        if self.transform == PostTransform::None && self.as_input {
            return Ok(vec![tensor(&shape, answers)?.cast_to_dt(datum_type)?.into_owned()]);
        }
        let mut scores: Vec<f32> = answers.into_iter().map(|answer| answer as f32).collect();
        match self.targets {
            1 => scores.iter_mut().for_each(|score| *score = self.transform.apply_single(*score)),
            targets => scores.chunks_mut(targets).for_each(|row| self.transform.apply(row)),
        }
        let given = if self.as_input { datum_type } else { f32::datum_type() };
        Ok(vec![tensor(&shape, scores)?.cast_to_dt(given)?.into_owned()])
    }
}

pub(super) fn tree_ensemble_regressor(ctx: &ParsingContext, node: &NodeProto) -> Built {
    let targets: usize = node.get_attr("n_targets")?;
    let forest = listed::forest(ctx, node, "target", targets)?;
    scores(node, "TreeEnsembleRegressor", forest, PostTransform::of(node)?, false)
}

pub(super) fn tree_ensemble(ctx: &ParsingContext, node: &NodeProto) -> Built {
    scores(node, "TreeEnsemble", rooted::forest(ctx, node)?, rooted::transform(node)?, true)
}

fn scores(node: &NodeProto, name: &'static str, forest: Forest, transform: PostTransform, as_input: bool) -> Built {
    let targets = forest.targets;
    if targets == 1 {
        transform.check_single(node)?;
        let several = |tree: &Tree| tree.nodes.iter().any(|n| matches!(n, Node::Leaf { votes } if votes.len() > 1));
        if forest.trees.iter().any(several) {
            return node.bail("gives one leaf several weights for its one target: add them up");
        }
    }
    let votes_for = |target: usize| {
        let votes =
            |n: &Node| matches!(n, Node::Leaf { votes } if votes.iter().any(|vote| vote.target as usize == target));
        forest.trees.iter().flat_map(|tree| &tree.nodes).any(votes)
    };
    if let Some(target) = (0..targets).find(|target| !votes_for(*target)) {
        return node
            .bail(&format!("gives target {target} no leaf, so its answer is lost: export a model for each target"));
    }
    tree_operator(forest, Scores { name, targets, transform, as_input })
}
