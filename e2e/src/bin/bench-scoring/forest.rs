//! XGBoost's own trees, with its own covers, as the tree engine takes them.

use anyhow::{Result, ensure};
use inference::trees::{Aggregate, Compare, Draft, Ensemble, Node, Precision, Real, Test, Tree, Vote};
use serde::Deserialize;

/// A tree as XGBoost writes it: lists by node, a leaf's value among the conditions.
#[derive(Deserialize)]
pub struct Listed {
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    split_indices: Vec<u32>,
    split_conditions: Vec<f32>,
    default_left: Vec<u8>,
    sum_hessian: Vec<f64>,
}

/// The ensemble and, tree by tree, the covers of its nodes.
pub fn forest(listed: &[Listed], width: usize) -> Result<(Ensemble, Vec<Vec<f64>>)> {
    let trees = listed.iter().map(tree).collect::<Result<Vec<_>>>()?;
    let draft = Draft {
        width,
        targets: 1,
        precision: Precision::Single,
        aggregate: Aggregate::Sum,
        // The base score is a probability of one half, a margin of 0.
        base: vec![],
        trees: trees.into(),
    };
    Ok((draft.check()?, listed.iter().map(|tree| tree.sum_hessian.clone()).collect()))
}

fn tree(listed: &Listed) -> Result<Tree> {
    let count = listed.left_children.len();
    let lengths = [listed.right_children.len(), listed.split_indices.len(), listed.split_conditions.len()];
    ensure!(lengths == [count; 3] && listed.default_left.len() == count, "a tree's lists differ in length");
    let node = |at: usize| match (u32::try_from(listed.left_children[at]), u32::try_from(listed.right_children[at])) {
        (Ok(yes), Ok(no)) => Node::Branch {
            feature: listed.split_indices[at],
            test: Test::Threshold(Compare::Lt, Real::from(listed.split_conditions[at])),
            missing_tracks_true: listed.default_left[at] != 0,
            yes,
            no,
        },
        _ => Node::Leaf { votes: vec![Vote { target: 0, weight: Real::from(listed.split_conditions[at]) }] },
    };
    Ok(Tree { root: 0, nodes: (0..count).map(node).collect() })
}
