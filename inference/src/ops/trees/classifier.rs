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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::NodeProto;
    use crate::ops::tests::{Attributes, all, answers, cells, check, operator};

    /// One tree of one branch at 0.5; each vote is a leaf (1 on yes, 2 on no), a class and a weight.
    fn classifier(classes: usize, votes: &[(i64, i64, f32)]) -> NodeProto {
        let of = |get: fn(&(i64, i64, f32)) -> i64| votes.iter().map(get).collect::<Vec<_>>();
        operator("TreeEnsembleClassifier")
            .ints("classlabels_int64s", &(10..10 + classes as i64).collect::<Vec<_>>())
            .texts("nodes_modes", &["BRANCH_LT", "LEAF", "LEAF"])
            .ints("nodes_treeids", &[0; 3])
            .ints("nodes_nodeids", &[0, 1, 2])
            .ints("nodes_featureids", &[0; 3])
            .ints("nodes_truenodeids", &[1, 0, 0])
            .ints("nodes_falsenodeids", &[2, 0, 0])
            .floats("nodes_values", &[0.5, 0.0, 0.0])
            .ints("class_treeids", &vec![0; votes.len()])
            .ints("class_nodeids", &of(|vote| vote.0))
            .ints("class_ids", &of(|vote| vote.1))
            .floats("class_weights", &votes.iter().map(|vote| vote.2).collect::<Vec<_>>())
    }

    /// Labels and scores of a row that says yes and one that says no.
    fn of(node: NodeProto) -> (Vec<i64>, Vec<f32>) {
        let found = answers(node, &[cells(&[2, 1], &[0f32, 1.0])]).unwrap();
        (all(&found[0]), all(&found[1]))
    }

    /// As onnxruntime reads what exporters write: one weight a leaf means two scores.
    #[test]
    fn two_classes_are_read_by_whose_weights_there_are() {
        let logistic = |node: NodeProto| node.text("post_transform", "LOGISTIC");
        let single = |yes: f32, no: f32| classifier(2, &[(1, 0, yes), (2, 0, no)]);
        let second = |yes: f32, no: f32| classifier(2, &[(1, 1, yes), (2, 1, no)]);
        let [least, most] = [1f64, -1.0].map(|x| (1.0 / (1.0 + x.exp())) as f32);
        for (name, node, labels, scores) in [
            ("a probability of the second", single(0.25, 0.75), [10, 11], [0.75, 0.25, 0.25, 0.75]),
            (
                "half is not enough",
                single(0.5, 0.5f32.next_up()),
                [10, 11],
                [0.5, 0.5, 1.0 - 0.5f32.next_up(), 0.5f32.next_up()],
            ),
            ("a score of the second", single(-1.0, 0.25), [10, 11], [1.0, -1.0, -0.25, 0.25]),
            ("a score of zero is none", single(-1.0, 0.0), [10, 10], [1.0, -1.0, -0.0, 0.0]),
            ("a squash of the score", logistic(single(-1.0, 0.0)), [10, 10], [most, least, 0.5, 0.5]),
            ("with a base value", single(-1.0, 0.25).floats("base_values", &[1.0]), [10, 11], [0.0, 0.0, -1.25, 1.25]),
            ("weights of the second alone", second(0.25, 0.75), [10, 11], [0.0, 0.25, 0.0, 0.75]),
            ("scores of the second alone", second(-1.0, 0.25), [10, 11], [0.0, -1.0, 0.0, 0.25]),
            (
                "both",
                classifier(2, &[(1, 0, 0.75), (1, 1, 0.25), (2, 0, 9.0), (2, 1, -1.0)]),
                [11, 10],
                [0.75, 0.25, 9.0, -1.0],
            ),
        ] {
            let found = of(node);
            assert_eq!((found.0, found.1.as_slice()), (labels.to_vec(), &scores[..]), "{name}");
        }
    }

    #[test]
    fn of_several_classes_the_greatest_with_a_vote_wins() {
        let all_vote = |weights: [f32; 3]| {
            let votes: Vec<_> =
                (1..=2).flat_map(|leaf| (0..3).map(move |class| (leaf, class, weights[class as usize]))).collect();
            classifier(3, &votes)
        };
        for (name, node, labels) in [
            ("the first of equal ones", all_vote([0.5, 2.0, 2.0]), [11, 11]),
            ("the greatest below zero", all_vote([-3.0, -2.0, -4.0]), [11, 11]),
            // Class 2 stands at zero, and no leaf of this row votes for it.
            ("zero without a vote does not win", classifier(3, &[(1, 0, -1.0), (1, 1, -2.0), (2, 2, -5.0)]), [10, 12]),
            ("a row without votes", classifier(3, &[(1, 1, 1.0), (1, 2, 0.5)]), [11, 10]),
            (
                "with base values zero is a score",
                classifier(3, &[(1, 0, -1.0), (1, 1, -2.0), (2, 2, -5.0)]).floats("base_values", &[0.0; 3]),
                [12, 10],
            ),
        ] {
            assert_eq!(of(node).0, labels, "{name}");
        }
        let (_, scores) = of(all_vote([0.0, 0.0, 0.0]).text("post_transform", "SOFTMAX"));
        assert_eq!(scores, [1.0 / 3.0; 6]);
    }

    #[test]
    fn what_engines_read_differently_is_refused() {
        let row = || vec![cells(&[1, 1], &[1f32])];
        let single = || classifier(2, &[(1, 0, 1.0), (2, 0, 2.0)]);
        let second = || classifier(2, &[(1, 1, 1.0), (2, 1, 2.0)]);
        check(vec![
            (
                "weights of class 1 for some rows",
                classifier(2, &[(1, 0, 1.0), (2, 1, 1.0)]),
                row(),
                Err("give every leaf weights of both classes"),
            ),
            (
                "softmax of one score",
                single().text("post_transform", "SOFTMAX"),
                row(),
                Err("export it with NONE or LOGISTIC"),
            ),
            (
                "two base values of one score",
                single().floats("base_values", &[1.0, 2.0]),
                row(),
                Err("one base value at most"),
            ),
            (
                "a base value beside weights of class 1",
                second().floats("base_values", &[1.0]),
                row(),
                Err("no base values beside weights of class 1"),
            ),
            (
                "two base values for three classes",
                classifier(3, &[(1, 0, 1.0)]).floats("base_values", &[1.0; 2]),
                row(),
                Err("3 base values or none"),
            ),
            ("one class", classifier(1, &[(1, 0, 1.0)]), row(), Err("two classes or more")),
            ("a class that is not there", classifier(3, &[(1, 3, 1.0)]), row(), Err("votes for target")),
            ("a negative class", classifier(3, &[(1, -1, 1.0)]), row(), Err("class_ids of targets")),
        ]);
    }
}
