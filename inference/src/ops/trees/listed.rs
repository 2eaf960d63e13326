//! Attributes of opset 1 to 3: every node in a list, its tree and number beside it.

use super::forest::Forest;
use super::plant::Listed;
use crate::ops::{NodeProto, ParsingContext, attributes, rows};
use crate::trees::{Aggregate, Compare, Real, Test, Vote};
use std::collections::{HashMap, HashSet};
use tract_onnx::tract_hir::internal::*;

/// Reads the trees of a classifier (`side` is `class`) or regressor (`target`).
pub(super) fn forest(ctx: &ParsingContext, node: &NodeProto, side: &str, targets: usize) -> TractResult<Forest> {
    let places = Places::of(node)?;
    let (values, double_values) = numbers(ctx, node, "nodes_values")?;
    let (weights, double_weights) = numbers(ctx, node, &format!("{side}_weights"))?;
    let (base, double_base) = numbers(ctx, node, "base_values")?;
    let mut listed = branches(node, &places, &values)?;
    vote(node, side, &places, &weights, &mut listed)?;
    Ok(Forest {
        trees: Forest::planted(&listed, &places.roots),
        targets,
        aggregate: aggregate(node)?,
        base: base.into_iter().map(Real).collect(),
        double: double_values || double_weights || double_base,
    })
}

/// Where each node stands in the lists.
struct Places {
    /// Trees whose nodes are listed side by side, in the order of their numbers from 0: where they begin, and how many they are. So
    /// exporters write them, and a large forest needs no table of its nodes.
    spans: HashMap<i64, (usize, usize)>,
    /// Nodes of other trees.
    by_id: HashMap<(i64, i64), usize>,
    trees: Vec<i64>,
    /// The first listed node of each tree, in the order of the trees.
    roots: Vec<usize>,
}

impl Places {
    fn of(node: &NodeProto) -> TractResult<Self> {
        let trees: Vec<i64> = node.get_attr_vec("nodes_treeids")?;
        let ids: Vec<i64> = node.get_attr_vec("nodes_nodeids")?;
        node.expect(trees.len() == ids.len(), "nodes_treeids and nodes_nodeids of one length")?;
        let (mut spans, mut by_id) = (HashMap::new(), HashMap::new());
        let (mut roots, mut seen, mut start) = (vec![], HashSet::new(), 0);
        for run in trees.chunk_by(|a, b| a == b) {
            let (tree, own) = (run[0], &ids[start..start + run.len()]);
            let is_new = seen.insert(tree);
            if is_new {
                roots.push(start);
            }
            if is_new && own.iter().zip(0..).all(|(id, place)| *id == place) {
                spans.insert(tree, (start, run.len()));
            } else {
                for (place, id) in (start..).zip(own) {
                    let in_span = spans.get(&tree).is_some_and(|(_, count)| (0..*count as i64).contains(id));
                    if in_span || by_id.insert((tree, *id), place).is_some() {
                        return node.bail(&format!("lists node {id} of tree {tree} twice"));
                    }
                }
            }
            start += run.len();
        }
        Ok(Self { spans, by_id, trees, roots })
    }

    fn find(&self, tree: i64, id: i64) -> Option<usize> {
        let in_span = self.spans.get(&tree).and_then(|(start, count)| {
            let at = usize::try_from(id).ok()?;
            (at < *count).then_some(start + at)
        });
        in_span.or_else(|| self.by_id.get(&(tree, id)).copied())
    }

    fn child(&self, node: &NodeProto, place: usize, id: i64) -> TractResult<usize> {
        let tree = self.trees[place];
        node.expect_ok_or_else(self.find(tree, id), || format!("a node {id} in tree {tree}, which another leads to"))
    }
}

/// The nodes, without the weights of leaves.
fn branches(node: &NodeProto, places: &Places, values: &[f64]) -> TractResult<Vec<Listed>> {
    let count = places.trees.len();
    let features: Vec<i64> = of_length(node, "nodes_featureids", count)?;
    let yes: Vec<i64> = of_length(node, "nodes_truenodeids", count)?;
    let no: Vec<i64> = of_length(node, "nodes_falsenodeids", count)?;
    let modes: Vec<&str> = of_length(node, "nodes_modes", count)?;
    let missing: Vec<i64> = node.get_attr_opt_vec("nodes_missing_value_tracks_true")?.unwrap_or_default();
    node.expect(missing.is_empty() || missing.len() == count, "nodes_missing_value_tracks_true for each node or none")?;
    node.expect(values.len() == count, "nodes_values for each node")?;
    let listed = |place: usize| {
        let Some(compare) = compare(node, modes[place])? else { return Ok(Listed::Leaf { votes: vec![] }) };
        let feature = u32::try_from(features[place]).ok();
        Ok(Listed::Branch {
            feature: node.expect_ok_or_else(feature, "nodes_featureids of features")?,
            test: Test::Threshold(compare, Real(values[place])),
            missing_tracks_true: missing.get(place) == Some(&1),
            yes: places.child(node, place, yes[place])?,
            no: places.child(node, place, no[place])?,
        })
    };
    (0..count).map(listed).collect()
}

fn compare(node: &NodeProto, mode: &str) -> TractResult<Option<Compare>> {
    Ok(Some(match mode {
        "BRANCH_LEQ" => Compare::Leq,
        "BRANCH_LT" => Compare::Lt,
        "BRANCH_GTE" => Compare::Gte,
        "BRANCH_GT" => Compare::Gt,
        "BRANCH_EQ" => Compare::Eq,
        "BRANCH_NEQ" => Compare::Neq,
        "LEAF" => return Ok(None),
        other => return node.bail_attr("nodes_modes", &format!("there is no mode {other}")),
    }))
}

/// Hands the weights to their leaves. Some older exporters give weights to branches too: nobody reads those.
fn vote(node: &NodeProto, side: &str, places: &Places, weights: &[f64], listed: &mut [Listed]) -> TractResult<()> {
    let trees: Vec<i64> = of_length(node, &format!("{side}_treeids"), weights.len())?;
    let ids: Vec<i64> = of_length(node, &format!("{side}_nodeids"), weights.len())?;
    let targets: Vec<i64> = of_length(node, &format!("{side}_ids"), weights.len())?;
    for (at, weight) in weights.iter().enumerate() {
        let place = places.find(trees[at], ids[at]);
        let place =
            node.expect_ok_or_else(place, || format!("a node {} in tree {} for its weight", ids[at], trees[at]))?;
        let target = u32::try_from(targets[at]).ok();
        let target = node.expect_ok_or_else(target, || format!("{side}_ids of targets"))?;
        if let Listed::Leaf { votes } = &mut listed[place] {
            votes.push(Vote { target, weight: Real(*weight) });
        }
    }
    Ok(())
}

fn aggregate(node: &NodeProto) -> TractResult<Aggregate> {
    Ok(match node.get_attr_opt::<&str>("aggregate_function")?.unwrap_or("SUM") {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => return node.bail(&format!("there is no aggregate_function {other}")),
    })
}

/// An attribute of floats or its twin `_as_tensor`, and whether it is of f64.
fn numbers(ctx: &ParsingContext, node: &NodeProto, name: &str) -> TractResult<(Vec<f64>, bool)> {
    let floats: Vec<f32> = node.get_attr_opt_vec(name)?.unwrap_or_default();
    let Some(tensor) = attributes::tensor(ctx, node, &format!("{name}_as_tensor"))?.filter(|t| t.len() > 0) else {
        return Ok((floats.into_iter().map(f64::from).collect(), false));
    };
    node.expect(floats.is_empty(), || format!("either {name} or {name}_as_tensor"))?;
    Ok((rows::doubles(&tensor)?.into_owned(), tensor.datum_type() == f64::datum_type()))
}

fn of_length<'a, T>(node: &'a NodeProto, name: &str, length: usize) -> TractResult<Vec<T>>
where
    T: tract_onnx::pb_helpers::AttrTVecType<'a>,
{
    let found: Vec<T> = node.get_attr_opt_vec(name)?.unwrap_or_default();
    node.expect_attr(name, found.len() == length, || format!("{length} values, found {}", found.len()))?;
    Ok(found)
}
