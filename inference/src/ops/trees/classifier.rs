//! `TreeEnsembleClassifier`: from the votes for classes to a label and its scores. Two classes are the hard case, as exporters
//! mostly give one weight for each leaf and mean two scores; here the rules are onnxruntime's.

use super::forest::Forest;
use super::{Finish, listed, tree_operator};
use crate::ops::labels::Labels;
use crate::ops::operator::{Built, Fact};
use crate::ops::rows::tensor;
use crate::ops::transform::{PostTransform, logistic};
use crate::ops::{NodeProto, ParsingContext};
use crate::trees::{Node, Real, Tree, Vote};
use tract_onnx::tract_hir::internal::*;

#[derive(Debug)]
struct Classifier {
    labels: Labels,
    transform: PostTransform,
    scheme: Scheme,
}

/// How votes become scores.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scheme {
    /// Two classes, one number: the second's, although the file says class 0. All-positive weights are a probability.
    Single { all_positive: bool },
    /// Two classes, weights of class 1 alone; class 0 stays at zero.
    Second { all_positive: bool },
    /// Two classes, both with weights.
    Both,
    /// Three classes or more.
    Many {
        /// For each class a second target that counts its votes, as a class without any cannot win.
        counted: bool,
    },
}

pub(in crate::ops) fn tree_ensemble_classifier(ctx: &ParsingContext, node: &NodeProto) -> Built {
    let labels = Labels::of(node, "classlabels_int64s")?;
    let transform = PostTransform::of(node)?;
    let mut forest = listed::forest(ctx, node, "class", labels.len())?;
    node.expect(labels.len() >= 2, "two classes or more")?;
    let scheme = if labels.len() == 2 { binary(node, &mut forest, transform)? } else { many(node, &mut forest)? };
    tree_operator(forest, Classifier { labels, transform, scheme })
}

fn binary(node: &NodeProto, forest: &mut Forest, transform: PostTransform) -> TractResult<Scheme> {
    let all_positive = votes(&forest.trees).all(|vote| vote.weight.0 >= 0.0);
    let (first, second) = (Voted::of(&forest.trees, 0), Voted::of(&forest.trees, 1));
    let scheme = match (first, second) {
        (_, Voted::Never) => Scheme::Single { all_positive },
        (Voted::Never, _) => Scheme::Second { all_positive },
        (_, Voted::Always) => Scheme::Both,
        (_, Voted::Sometimes) => {
            return node
                .bail("some rows have weights of class 1 and others none; give every leaf weights of both classes");
        }
    };
    match scheme {
        Scheme::Single { .. } if !matches!(transform, PostTransform::None | PostTransform::Logistic) => node.bail(
            "post_transform of a single score is read differently by different engines; export it with NONE or LOGISTIC",
        ),
        Scheme::Single { .. } => {
            node.expect(
                forest.base.len() <= 1,
                "one base value at most, since two are read differently by different engines: add it to the leaves of \
                 the first tree",
            )?;
            forest.targets = 1;
            Ok(scheme)
        }
        _ => {
            node.expect(
                forest.base.is_empty(),
                "no base values beside weights of class 1, since engines drop them or the weights: add them to the \
                 leaves of the first tree",
            )?;
            Ok(scheme)
        }
    }
}

fn many(node: &NodeProto, forest: &mut Forest) -> TractResult<Scheme> {
    let classes = forest.targets;
    node.expect(forest.base.is_empty() || forest.base.len() == classes, || format!("{classes} base values or none"))?;
    let counted =
        forest.base.is_empty() && (0..classes as u32).any(|class| Voted::of(&forest.trees, class) != Voted::Always);
    if counted {
        forest.targets = 2 * classes;
        forest.trees.iter_mut().flat_map(|tree| &mut tree.nodes).for_each(|node| count(node, classes as u32));
    }
    Ok(Scheme::Many { counted })
}

/// Adds a vote of one to the second target of each class that a leaf votes for.
fn count(node: &mut Node, classes: u32) {
    if let Node::Leaf { votes } = node {
        let counts = votes.iter().map(|vote| Vote { target: vote.target.saturating_add(classes), weight: Real(1.0) });
        let counts: Vec<Vote> = counts.collect();
        votes.extend(counts);
    }
}

fn votes(trees: &[Tree]) -> impl Iterator<Item = &Vote> {
    trees.iter().flat_map(|tree| &tree.nodes).flat_map(|node| match node {
        Node::Leaf { votes } => votes.as_slice(),
        Node::Branch { .. } => &[],
    })
}

/// In which rows a class has a vote.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Voted {
    Always,
    Sometimes,
    Never,
}

impl Voted {
    fn of(trees: &[Tree], class: u32) -> Self {
        let has = |node: &Node| match node {
            Node::Leaf { votes } => votes.iter().any(|vote| vote.target == class),
            Node::Branch { .. } => true,
        };
        if votes(trees).all(|vote| vote.target != class) {
            return Self::Never;
        }
        if trees.iter().any(|tree| tree.nodes.iter().all(has)) { Self::Always } else { Self::Sometimes }
    }
}

impl Finish for Classifier {
    fn name(&self) -> &'static str {
        "TreeEnsembleClassifier"
    }

    fn outputs(&self) -> usize {
        2
    }

    fn facts(&self, _datum_type: DatumType, count: TDim) -> Vec<Fact> {
        vec![
            Fact { datum_type: self.labels.datum_type(), shape: tvec!(count.clone()) },
            Fact { datum_type: f32::datum_type(), shape: tvec!(count, self.labels.len().into()) },
        ]
    }

    fn positive(&self) -> Option<usize> {
        match self.scheme {
            Scheme::Single { .. } => Some(0),
            Scheme::Second { .. } | Scheme::Both => Some(1),
            Scheme::Many { .. } => None,
        }
    }

    fn finish(&self, _datum_type: DatumType, answers: Vec<f64>) -> TractResult<Vec<Tensor>> {
        let classes = self.labels.len();
        let targets = match self.scheme {
            Scheme::Single { .. } => 1,
            Scheme::Second { .. } | Scheme::Both => 2,
            Scheme::Many { counted } => classes * if counted { 2 } else { 1 },
        };
        let count = answers.len() / targets;
        let mut winners = Vec::with_capacity(count);
        let mut scores = Vec::with_capacity(count * classes);
        for row in answers.chunks(targets) {
            winners.push(self.winner(row));
            self.score(row, &mut scores);
        }
        Ok(vec![self.labels.pick(&winners)?, tensor(&[count, classes], scores)?])
    }
}

impl Classifier {
    fn winner(&self, row: &[f64]) -> usize {
        let positive = |score: f64, all_positive: bool| usize::from(score > if all_positive { 0.5 } else { 0.0 });
        match self.scheme {
            Scheme::Single { all_positive } => positive(row[0], all_positive),
            Scheme::Second { all_positive } => positive(row[1], all_positive),
            Scheme::Both => positive(row[1], false),
            Scheme::Many { counted } => self.greatest(row, counted),
        }
    }

    /// The greatest of the classes that have a vote, the first of equal ones.
    fn greatest(&self, row: &[f64], counted: bool) -> usize {
        let (scores, counts) = row.split_at(self.labels.len());
        let mut best: Option<usize> = None;
        for (class, score) in scores.iter().enumerate() {
            let voted = !counted || counts[class] > 0.0;
            if voted && best.is_none_or(|best| *score > scores[best]) {
                best = Some(class);
            }
        }
        best.unwrap_or(0)
    }

    fn score(&self, row: &[f64], scores: &mut Vec<f32>) {
        let Scheme::Single { all_positive } = self.scheme else {
            let start = scores.len();
            scores.extend(row[..self.labels.len()].iter().map(|score| *score as f32));
            return self.transform.apply(&mut scores[start..]);
        };
        let score = row[0] as f32;
        scores.extend(match (self.transform, all_positive) {
            (PostTransform::Logistic, _) => [logistic(-score), logistic(score)],
            (_, true) => [1.0 - score, score],
            (_, false) => [-score, score],
        });
    }
}
