//! Attributes of opset 1 to 3: every node in a list, its tree and number beside it. The lists are read where they stand, tree by
//! tree: a large forest is never held a second time.

use super::forest::Forest;
use super::plant::{Listed, Planter};
use crate::ops::{NodeProto, ParsingContext, attributes, rows};
use crate::trees::{Aggregate, Compare, Real, Test, Tree, Vote};
use std::collections::HashMap;
use std::ops::Range;
use tract_onnx::pb_helpers::AttrSliceType;
use tract_onnx::tract_hir::internal::*;

/// Reads the trees of a classifier (`side` is `class`) or regressor (`target`).
pub(super) fn forest(ctx: &ParsingContext, node: &NodeProto, side: &str, targets: usize) -> TractResult<Forest> {
    let places = Places::of(node)?;
    let values = Numbers::of(ctx, node, "nodes_values")?;
    let weights = Numbers::of(ctx, node, &format!("{side}_weights"))?;
    let base = Numbers::of(ctx, node, "base_values")?;
    let lists = Lists::of(node, places.count, &values)?;
    let votes = Votes::of(node, side, &places, &weights)?;
    Ok(Forest {
        trees: trees(node, &places, &lists, votes)?,
        targets,
        aggregate: aggregate(node)?,
        base: (0..base.len()).map(|at| Real(base.at(at))).collect(),
        double: values.double() || weights.double() || base.double(),
    })
}

/// Plants each tree from its own nodes.
fn trees(node: &NodeProto, places: &Places, lists: &Lists<'_>, votes: Votes) -> TractResult<Vec<Tree>> {
    let mut planter = Planter::default();
    let mut listed = Vec::new();
    let mut own_votes = Vec::new();
    let mut votes = votes.0.into_iter().peekable();
    let mut trees = Vec::with_capacity(places.trees.len());
    for (tree, own) in places.trees.iter().enumerate() {
        listed.clear();
        own_votes.clear();
        for (at, place) in own.runs.iter().cloned().flatten().enumerate() {
            let first = own_votes.len();
            while let Some(vote) = votes.next_if(|vote| (vote.tree as usize, vote.node as usize) == (tree, at)) {
                own_votes.push(vote.vote);
            }
            listed.push(match lists.branch(node, own, place)? {
                Some(branch) => branch,
                None => Listed::Leaf { votes: first..own_votes.len() },
            });
        }
        trees.push(planter.tree(&listed, &own_votes, 0));
    }
    Ok(trees)
}

/// Where each node stands in the lists.
struct Places {
    /// In the order in which the file begins them.
    trees: Vec<Own>,
    /// Their positions by what the file calls them.
    by_id: HashMap<i64, usize>,
    /// Of all nodes.
    count: usize,
}

/// The nodes of one tree, numbered from 0, its root, in the order of the file.
#[derive(Default)]
struct Own {
    id: i64,
    /// Where they stand in the lists, mostly side by side.
    runs: Vec<Range<usize>>,
    count: usize,
    /// Their numbers by what the file calls them; empty where it calls them so, as exporters mostly do.
    by_id: HashMap<i64, usize>,
}

impl Places {
    fn of(node: &NodeProto) -> TractResult<Self> {
        let (trees, ids): (&[i64], &[i64]) =
            (node.get_attr_slice("nodes_treeids")?, node.get_attr_slice("nodes_nodeids")?);
        node.expect(trees.len() == ids.len(), "nodes_treeids and nodes_nodeids of one length")?;
        let mut places = Self { trees: vec![], by_id: HashMap::new(), count: ids.len() };
        let mut start = 0;
        for run in trees.chunk_by(|a, b| a == b) {
            let at = *places.by_id.entry(run[0]).or_insert(places.trees.len());
            if at == places.trees.len() {
                places.trees.push(Own { id: run[0], ..Own::default() });
            }
            places.trees[at].runs.push(start..start + run.len());
            places.trees[at].count += run.len();
            start += run.len();
        }
        places.trees.iter_mut().try_for_each(|tree| tree.name(node, ids))?;
        Ok(places)
    }
}

impl Own {
    /// Notes what the file calls the nodes.
    fn name(&mut self, node: &NodeProto, ids: &[i64]) -> TractResult<()> {
        let own = self.runs.iter().flat_map(|run| &ids[run.clone()]);
        if own.clone().zip(0..).all(|(id, number)| *id == number) {
            return Ok(());
        }
        for (number, id) in own.enumerate() {
            if self.by_id.insert(*id, number).is_some() {
                return node.bail(&format!("lists node {id} of tree {} twice", self.id));
            }
        }
        Ok(())
    }

    fn find(&self, id: i64) -> Option<usize> {
        match self.by_id.is_empty() {
            true => usize::try_from(id).ok().filter(|number| *number < self.count),
            false => self.by_id.get(&id).copied(),
        }
    }

    fn child(&self, node: &NodeProto, id: i64) -> TractResult<usize> {
        node.expect_ok_or_else(self.find(id), || format!("a node {id} in tree {}, which another leads to", self.id))
    }
}

/// What is said of the nodes, but for the weights of leaves.
struct Lists<'a> {
    features: &'a [i64],
    yes: &'a [i64],
    no: &'a [i64],
    modes: &'a [Vec<u8>],
    missing: &'a [i64],
    values: &'a Numbers<'a>,
}

impl<'a> Lists<'a> {
    fn of(node: &'a NodeProto, count: usize, values: &'a Numbers<'a>) -> TractResult<Self> {
        let lists = Self {
            features: of_length(node, "nodes_featureids", count)?,
            yes: of_length(node, "nodes_truenodeids", count)?,
            no: of_length(node, "nodes_falsenodeids", count)?,
            modes: of_length(node, "nodes_modes", count)?,
            missing: node.get_attr_opt_slice("nodes_missing_value_tracks_true")?.unwrap_or_default(),
            values,
        };
        let missing = lists.missing.len();
        node.expect(missing == 0 || missing == count, "nodes_missing_value_tracks_true for each node or none")?;
        node.expect(values.len() == count, "nodes_values for each node")?;
        Ok(lists)
    }

    /// The branch at a place; nothing of a leaf.
    fn branch(&self, node: &NodeProto, own: &Own, place: usize) -> TractResult<Option<Listed>> {
        let Some(compare) = compare(node, &self.modes[place])? else { return Ok(None) };
        let feature = u32::try_from(self.features[place]).ok();
        Ok(Some(Listed::Branch {
            feature: node.expect_ok_or_else(feature, "nodes_featureids of features")?,
            test: Test::Threshold(compare, Real(self.values.at(place))),
            missing_tracks_true: self.missing.get(place) == Some(&1),
            yes: own.child(node, self.yes[place])?,
            no: own.child(node, self.no[place])?,
        }))
    }
}

fn compare(node: &NodeProto, mode: &[u8]) -> TractResult<Option<Compare>> {
    Ok(Some(match mode {
        b"BRANCH_LEQ" => Compare::Leq,
        b"BRANCH_LT" => Compare::Lt,
        b"BRANCH_GTE" => Compare::Gte,
        b"BRANCH_GT" => Compare::Gt,
        b"BRANCH_EQ" => Compare::Eq,
        b"BRANCH_NEQ" => Compare::Neq,
        b"LEAF" => return Ok(None),
        other => {
            return node.bail_attr("nodes_modes", &format!("there is no mode {}", String::from_utf8_lossy(other)));
        }
    }))
}

/// The weights, by the tree, the node and the order of the file. Some older exporters give weights to branches too: nobody reads
/// those.
struct Votes(Vec<Placed>);

/// A vote of a node of a tree.
struct Placed {
    tree: u32,
    node: u32,
    vote: Vote,
}

impl Votes {
    fn of(node: &NodeProto, side: &str, places: &Places, weights: &Numbers<'_>) -> TractResult<Self> {
        let trees: &[i64] = of_length(node, &format!("{side}_treeids"), weights.len())?;
        let ids: &[i64] = of_length(node, &format!("{side}_nodeids"), weights.len())?;
        let targets: &[i64] = of_length(node, &format!("{side}_ids"), weights.len())?;
        let mut placed = Vec::with_capacity(weights.len());
        let mut start = 0;
        for run in trees.chunk_by(|a, b| a == b) {
            let tree = places.by_id.get(&run[0]).copied();
            for at in start..start + run.len() {
                let found = tree.and_then(|tree| places.trees[tree].find(ids[at]).map(|found| (tree, found)));
                let missing = || format!("a node {} in tree {} for its weight", ids[at], trees[at]);
                let (tree, found) = node.expect_ok_or_else(found, missing)?;
                let target = u32::try_from(targets[at]).ok();
                let target = node.expect_ok_or_else(target, || format!("{side}_ids of targets"))?;
                let vote = Vote { target, weight: Real(weights.at(at)) };
                placed.push(Placed { tree: tree as u32, node: found as u32, vote });
            }
            start += run.len();
        }
        placed.sort_by_key(|placed| (placed.tree, placed.node));
        Ok(Self(placed))
    }
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

/// An attribute of floats or its twin `_as_tensor`.
enum Numbers<'a> {
    Floats(&'a [f32]),
    Tensor { numbers: Vec<f64>, double: bool },
}

impl<'a> Numbers<'a> {
    fn of(ctx: &ParsingContext, node: &'a NodeProto, name: &str) -> TractResult<Self> {
        let floats: &[f32] = node.get_attr_opt_slice(name)?.unwrap_or_default();
        let Some(tensor) = attributes::tensor(ctx, node, &format!("{name}_as_tensor"))?.filter(|t| t.len() > 0) else {
            return Ok(Self::Floats(floats));
        };
        node.expect(floats.is_empty(), || format!("either {name} or {name}_as_tensor"))?;
        let double = tensor.datum_type() == f64::datum_type();
        Ok(Self::Tensor { numbers: rows::doubles(&tensor)?.into_owned(), double })
    }

    fn len(&self) -> usize {
        match self {
            Self::Floats(floats) => floats.len(),
            Self::Tensor { numbers, .. } => numbers.len(),
        }
    }

    fn at(&self, at: usize) -> f64 {
        match self {
            Self::Floats(floats) => f64::from(floats[at]),
            Self::Tensor { numbers, .. } => numbers[at],
        }
    }

    /// Whether they are f64.
    fn double(&self) -> bool {
        matches!(self, Self::Tensor { double: true, .. })
    }
}

fn of_length<'a, T: AttrSliceType<'a>>(node: &'a NodeProto, name: &str, length: usize) -> TractResult<&'a [T]> {
    let found: &[T] = node.get_attr_opt_slice(name)?.unwrap_or_default();
    node.expect_attr(name, found.len() == length, || format!("{length} values, found {}", found.len()))?;
    Ok(found)
}

#[cfg(test)]
mod tests;
