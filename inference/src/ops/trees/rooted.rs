//! Attributes of opset 5: nodes and leaves apart, trees by their roots, sets for membership.

use super::forest::Forest;
use super::plant::{Listed, Planter};
use crate::ops::transform::PostTransform;
use crate::ops::{NodeProto, ParsingContext, attributes, rows};
use crate::trees::{Aggregate, Compare, Real, Test, Vote};
use tract_onnx::tract_hir::internal::*;

/// The mode that asks for membership.
const MEMBER: u8 = 6;

/// Reads the trees.
pub(super) fn forest(ctx: &ParsingContext, node: &NodeProto) -> TractResult<Forest> {
    let splits = required(ctx, node, "nodes_splits")?;
    let weights = required(ctx, node, "leaf_weights")?;
    let branches = Branches::of(ctx, node, rows::doubles(&splits)?.into_owned())?;
    let votes = votes(node, &rows::doubles(&weights)?)?;
    let mut listed = branches.listed(node, votes.len())?;
    let roots: Vec<usize> = node.get_attr_vec("tree_roots")?;
    let roots = roots.iter().map(|root| branches.root(node, *root, votes.len()));
    let roots = roots.collect::<TractResult<Vec<usize>>>()?;
    listed.extend((0..votes.len()).map(|at| Listed::Leaf { votes: at..at + 1 }));
    let mut planter = Planter::default();
    Ok(Forest {
        trees: roots.iter().map(|root| planter.tree(&listed, &votes, *root)).collect(),
        targets: node.get_attr("n_targets")?,
        aggregate: aggregate(node)?,
        base: vec![],
        double: splits.datum_type() == f64::datum_type(),
    })
}

/// The standard and onnxruntime number SOFTMAX and LOGISTIC the other way round.
pub(super) fn transform(node: &NodeProto) -> TractResult<PostTransform> {
    Ok(match node.get_attr_opt::<i64>("post_transform")?.unwrap_or(0) {
        0 => PostTransform::None,
        3 => PostTransform::SoftmaxZero,
        4 => PostTransform::Probit,
        1 | 2 => {
            return node.bail(
                "post_transform 1 and 2 are SOFTMAX and LOGISTIC to the standard, and the reverse to onnxruntime; \
                 export it with 0 and a node Softmax or Sigmoid after it",
            );
        }
        other => return node.bail(&format!("there is no post_transform {other}")),
    })
}

fn aggregate(node: &NodeProto) -> TractResult<Aggregate> {
    Ok(match node.get_attr_opt::<i64>("aggregate_function")?.unwrap_or(1) {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => return node.bail(&format!("there is no aggregate_function {other}")),
    })
}

/// The inner nodes, list by list.
struct Branches {
    features: Vec<u32>,
    tests: Vec<Test>,
    missing: Vec<i64>,
    yes: Vec<usize>,
    yes_is_leaf: Vec<i64>,
    no: Vec<usize>,
    no_is_leaf: Vec<i64>,
}

impl Branches {
    fn of(ctx: &ParsingContext, node: &NodeProto, splits: Vec<f64>) -> TractResult<Self> {
        let modes = required(ctx, node, "nodes_modes")?;
        let members = attributes::tensor(ctx, node, "membership_values")?;
        let members = members.map(|members| rows::doubles(&members).map(|values| values.into_owned())).transpose()?;
        let features: Vec<usize> = node.get_attr_vec("nodes_featureids")?;
        let features = features.into_iter().map(u32::try_from).collect::<Result<Vec<u32>, _>>()?;
        let branches = Self {
            tests: tests(node, rows::slice::<u8>(&modes)?, &splits, members.as_deref().unwrap_or(&[]))?,
            missing: node.get_attr_opt_vec("nodes_missing_value_tracks_true")?.unwrap_or_default(),
            yes: node.get_attr_vec("nodes_truenodeids")?,
            yes_is_leaf: node.get_attr_vec("nodes_trueleafs")?,
            no: node.get_attr_vec("nodes_falsenodeids")?,
            no_is_leaf: node.get_attr_vec("nodes_falseleafs")?,
            features,
        };
        let count = branches.features.len();
        let lengths = [
            branches.tests.len(),
            branches.yes.len(),
            branches.yes_is_leaf.len(),
            branches.no.len(),
            branches.no_is_leaf.len(),
            if branches.missing.is_empty() { count } else { branches.missing.len() },
        ];
        node.expect(lengths.iter().all(|length| *length == count), "lists of nodes of one length")?;
        Ok(branches)
    }

    /// Inner nodes, their children numbered with the leaves behind them.
    fn listed(&self, node: &NodeProto, leaves: usize) -> TractResult<Vec<Listed>> {
        let branch = |at: usize| {
            Ok(Listed::Branch {
                feature: self.features[at],
                test: self.tests[at].clone(),
                missing_tracks_true: self.missing.get(at) == Some(&1),
                yes: self.child(node, self.yes[at], self.yes_is_leaf[at], leaves)?,
                no: self.child(node, self.no[at], self.no_is_leaf[at], leaves)?,
            })
        };
        (0..self.features.len()).map(branch).collect()
    }

    fn child(&self, node: &NodeProto, at: usize, is_leaf: i64, leaves: usize) -> TractResult<usize> {
        let count = self.features.len();
        let (limit, start) = if is_leaf == 0 { (count, 0) } else { (leaves, count) };
        node.expect(at < limit, || format!("children among its nodes and leaves, not {at}"))?;
        Ok(start + at)
    }

    /// Where a tree begins. A tree that is one leaf is spelled as a node both of whose branches lead to it.
    fn root(&self, node: &NodeProto, root: usize, leaves: usize) -> TractResult<usize> {
        node.expect(root < self.features.len(), "tree_roots among its nodes")?;
        let single = self.yes[root] == self.no[root] && self.yes_is_leaf[root] != 0 && self.no_is_leaf[root] != 0;
        if single { self.child(node, self.yes[root], 1, leaves) } else { Ok(root) }
    }
}

/// The question of each node. Sets stand in one list, in the order of their nodes, with NaN between them.
fn tests(node: &NodeProto, modes: &[u8], splits: &[f64], members: &[f64]) -> TractResult<Vec<Test>> {
    node.expect(modes.len() == splits.len(), "nodes_splits for each of nodes_modes")?;
    let mut sets = members.split(|member| member.is_nan());
    let test = |(mode, split): (&u8, &f64)| {
        let compare = match *mode {
            0 => Compare::Leq,
            1 => Compare::Lt,
            2 => Compare::Gte,
            3 => Compare::Gt,
            4 => Compare::Eq,
            5 => Compare::Neq,
            MEMBER => {
                let set =
                    node.expect_ok_or_else(sets.next().filter(|set| !set.is_empty()), "a set for each membership")?;
                return Ok(Test::Member(set.iter().copied().map(Real).collect()));
            }
            other => return node.bail_attr("nodes_modes", &format!("there is no mode {other}")),
        };
        Ok(Test::Threshold(compare, Real(*split)))
    };
    modes.iter().zip(splits).map(test).collect()
}

/// The one vote of each leaf.
fn votes(node: &NodeProto, weights: &[f64]) -> TractResult<Vec<Vote>> {
    let targets: Vec<usize> = node.get_attr_vec("leaf_targetids")?;
    node.expect(targets.len() == weights.len(), "leaf_weights for each of leaf_targetids")?;
    let vote = |(target, weight): (usize, &f64)| Ok(Vote { target: u32::try_from(target)?, weight: Real(*weight) });
    targets.into_iter().zip(weights).map(vote).collect()
}

fn required(ctx: &ParsingContext, node: &NodeProto, name: &str) -> TractResult<Tensor> {
    node.expect_ok_or_else(attributes::tensor(ctx, node, name)?, || format!("attribute '{name}'"))
}
