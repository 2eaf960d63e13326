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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::ops::NodeProto;
    use crate::ops::tests::{Attributes, all, answers, cells, check, operator};
    use tract_onnx::pb::TensorProto;
    use tract_onnx::pb::tensor_proto::DataType;

    fn tensor(data_type: DataType, bytes: Vec<u8>, count: usize) -> TensorProto {
        TensorProto { data_type: data_type as i32, dims: vec![count as i64], raw_data: bytes, ..TensorProto::default() }
    }

    fn floats(numbers: &[f32]) -> TensorProto {
        tensor(DataType::Float, numbers.iter().flat_map(|number| number.to_le_bytes()).collect(), numbers.len())
    }

    fn doubles(numbers: &[f64]) -> TensorProto {
        tensor(DataType::Double, numbers.iter().flat_map(|number| number.to_le_bytes()).collect(), numbers.len())
    }

    fn modes(modes: &[u8]) -> TensorProto {
        tensor(DataType::Uint8, modes.to_vec(), modes.len())
    }

    /// The lists of one node that asks for the first feature, with leaves of 1 on yes and 2 on no; without what is named.
    fn without(left_out: &[&str]) -> NodeProto {
        let node = operator("TreeEnsemble")
            .int("n_targets", 1)
            .ints("tree_roots", &[0])
            .tensor("nodes_modes", modes(&[0]))
            .tensor("nodes_splits", floats(&[0.5]))
            .ints("nodes_featureids", &[0])
            .ints("nodes_truenodeids", &[0])
            .ints("nodes_trueleafs", &[1])
            .ints("nodes_falsenodeids", &[1])
            .ints("nodes_falseleafs", &[1])
            .ints("leaf_targetids", &[0, 0])
            .tensor("leaf_weights", floats(&[1.0, 2.0]));
        let attribute = node.attribute.iter().filter(|attribute| !left_out.contains(&attribute.name.as_str()));
        NodeProto { attribute: attribute.cloned().collect(), ..node }
    }

    fn stump() -> NodeProto {
        without(&[])
    }

    #[test]
    fn a_node_asks_as_its_mode_says() {
        let of = |mode: u8| without(&["nodes_modes"]).tensor("nodes_modes", modes(&[mode]));
        let row = || vec![cells(&[5, 1], &[0.5f32.next_down(), 0.5, 0.5f32.next_up(), f32::NAN, f32::NEG_INFINITY])];
        check(vec![
            ("at most", of(0), row(), Ok(&[1.0, 1.0, 2.0, 2.0, 1.0])),
            ("less", of(1), row(), Ok(&[1.0, 2.0, 2.0, 2.0, 1.0])),
            ("at least", of(2), row(), Ok(&[2.0, 1.0, 1.0, 2.0, 2.0])),
            ("more", of(3), row(), Ok(&[2.0, 2.0, 1.0, 2.0, 2.0])),
            ("equal", of(4), row(), Ok(&[2.0, 1.0, 2.0, 2.0, 2.0])),
            ("not equal", of(5), row(), Ok(&[1.0, 2.0, 1.0, 1.0, 1.0])),
            (
                "missing counts as yes",
                of(1).ints("nodes_missing_value_tracks_true", &[1]),
                row(),
                Ok(&[1.0, 2.0, 2.0, 1.0, 1.0]),
            ),
            ("a mode that is none", of(7), row(), Err("there is no mode 7")),
            ("a set, and there is none", of(6), row(), Err("a set for each membership")),
            (
                "an empty set",
                of(6).tensor("membership_values", floats(&[f32::NAN, 1.0])),
                row(),
                Err("a set for each membership"),
            ),
            (
                "a set",
                of(6).tensor("membership_values", floats(&[0.5, f32::NEG_INFINITY, f32::NAN])),
                row(),
                Ok(&[2.0, 1.0, 2.0, 2.0, 1.0]),
            ),
        ]);
    }

    /// Two trees of two nodes: sets in the order of their nodes, NaN between them.
    #[test]
    fn sets_and_trees_stand_in_their_order() {
        let node = operator("TreeEnsemble")
            .int("n_targets", 2)
            .ints("tree_roots", &[0, 2])
            .tensor("nodes_modes", modes(&[6, 1, 6]))
            .tensor("nodes_splits", floats(&[f32::NAN, 0.0, f32::NAN]))
            .tensor("membership_values", floats(&[1.0, 2.0, f32::NAN, 5.0]))
            .ints("nodes_featureids", &[0, 1, 1])
            .ints("nodes_truenodeids", &[0, 1, 2])
            .ints("nodes_trueleafs", &[1, 1, 1])
            .ints("nodes_falsenodeids", &[1, 2, 3])
            .ints("nodes_falseleafs", &[0, 1, 1])
            .ints("leaf_targetids", &[0, 1, 0, 1])
            .tensor("leaf_weights", floats(&[1.0, 2.0, 4.0, 8.0]));
        let rows = || vec![cells(&[4, 2], &[2f32, 5.0, 3.0, -1.0, 3.0, 5.0, 1.0, 0.0])];
        check(vec![("summed", node.clone(), rows(), Ok(&[5.0, 0.0, 0.0, 10.0, 8.0, 0.0, 1.0, 8.0]))]);
    }

    #[test]
    fn a_tree_that_is_one_leaf_is_a_node_whose_branches_lead_to_it() {
        let of = |to: i64, leafs: i64| {
            without(&["nodes_falsenodeids", "nodes_falseleafs"])
                .ints("nodes_falsenodeids", &[to])
                .ints("nodes_falseleafs", &[leafs])
        };
        let row = || vec![cells(&[2, 1], &[0f32, f32::NAN])];
        check(vec![
            ("one leaf", of(0, 1), row(), Ok(&[1.0, 1.0])),
            ("a ring", of(0, 0), row(), Err("is reached by two ways")),
            ("a leaf that is not there", of(2, 1), row(), Err("children among its nodes and leaves, not 2")),
            ("a node that is not there", of(1, 0), row(), Err("children among its nodes and leaves, not 1")),
        ]);
    }

    #[test]
    fn answers_are_put_together_and_transformed_as_the_numbers_say() {
        let row = || vec![cells(&[1, 1], &[0f32])];
        let twice =
            |aggregate: i64| without(&["tree_roots"]).ints("tree_roots", &[0, 0]).int("aggregate_function", aggregate);
        check(vec![
            ("average", twice(0), row(), Ok(&[1.0])),
            ("sum", twice(1), row(), Ok(&[2.0])),
            ("least", twice(2), row(), Ok(&[1.0])),
            ("greatest", twice(3), row(), Ok(&[1.0])),
            ("an aggregate that is none", twice(4), row(), Err("there is no aggregate_function 4")),
            ("as they are", stump().int("post_transform", 0), row(), Ok(&[1.0])),
            ("another's softmax", stump().int("post_transform", 1), row(), Err("the reverse to onnxruntime")),
            ("another's sigmoid", stump().int("post_transform", 2), row(), Err("the reverse to onnxruntime")),
            ("a transform that is none", stump().int("post_transform", 5), row(), Err("there is no post_transform 5")),
            ("a softmax of one", stump().int("post_transform", 3), row(), Err("a node after it, such as Sigmoid")),
        ]);
        let fine = without(&["nodes_splits", "leaf_weights"])
            .tensor("nodes_splits", doubles(&[0.1]))
            .tensor("leaf_weights", doubles(&[0.1, 0.2]));
        let found = answers(fine, &[cells(&[3, 1], &[0.1, 0.1f64.next_up(), f64::from(0.1f32)])]).unwrap();
        assert_eq!(all::<f64>(&found[0]), [0.1, 0.2, 0.2], "doubles are compared and given as doubles");
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let row = || vec![cells(&[1, 1], &[0f32])];
        check(vec![
            ("no modes", without(&["nodes_modes"]), row(), Err("attribute 'nodes_modes'")),
            ("no splits", without(&["nodes_splits"]), row(), Err("attribute 'nodes_splits'")),
            ("no weights", without(&["leaf_weights"]), row(), Err("attribute 'leaf_weights'")),
            (
                "two modes for one node",
                without(&["nodes_modes"]).tensor("nodes_modes", modes(&[0, 0])),
                row(),
                Err("nodes_splits for each of nodes_modes"),
            ),
            (
                "two features for one node",
                without(&["nodes_featureids"]).ints("nodes_featureids", &[0, 0]),
                row(),
                Err("lists of nodes of one length"),
            ),
            (
                "missing for two nodes",
                stump().ints("nodes_missing_value_tracks_true", &[0, 0]),
                row(),
                Err("lists of nodes of one length"),
            ),
            (
                "a target for one of two leaves",
                without(&["leaf_targetids"]).ints("leaf_targetids", &[0]),
                row(),
                Err("leaf_weights for each of leaf_targetids"),
            ),
            (
                "a root that is not there",
                without(&["tree_roots"]).ints("tree_roots", &[1]),
                row(),
                Err("tree_roots among its nodes"),
            ),
            (
                "a target without a leaf",
                without(&["n_targets"]).int("n_targets", 2),
                row(),
                Err("gives target 1 no leaf, so its answer is lost"),
            ),
            (
                "a target that is not there",
                without(&["leaf_targetids"]).ints("leaf_targetids", &[0, 1]),
                row(),
                Err("votes for target 1 of 1"),
            ),
            (
                "a feature that the row has not",
                without(&["nodes_featureids"]).ints("nodes_featureids", &[3]),
                row(),
                Err("asks for feature 3 of an input that has 1"),
            ),
        ]);
    }
}
