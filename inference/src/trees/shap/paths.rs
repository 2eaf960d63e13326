//! A tree's leaves with what their paths ask, and the units into which a tree is cut for its tables.

use crate::trees::ensemble::{Node, Tree};

/// Bits of a table's index: beyond it a table has more entries than the background rows and covers that made it.
pub(in crate::trees) const MAX_BITS: usize = 14;
/// Bits of a table that leaves share: beyond it look-ups leave the fast caches.
const SHARED_BITS: usize = 8;

/// A leaf and its path.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub weight: f64,
    /// Branches from the root on, with the answer that leads here.
    pub path: Vec<(usize, bool)>,
    /// Distinct features of the path, in order of first use.
    pub features: Vec<u32>,
}

/// A subtree whose leaves share a table. What the path to its root asks is one bit for each distinct feature; each branch below
/// is one more.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// The path to the root.
    pub path: Vec<(usize, bool)>,
    /// Branches below, in depth-first order, yes first.
    pub branches: Vec<usize>,
    /// Leaves below in that order.
    pub leaves: Vec<Leaf>,
}

/// Feature of a branch.
pub(super) fn feature(tree: &Tree, node: usize) -> u32 {
    match &tree.nodes[node] {
        Node::Branch { feature, .. } => *feature,
        Node::Leaf { .. } => 0,
    }
}

/// Distinct features of a path, in order of first use.
pub(super) fn features(tree: &Tree, path: &[(usize, bool)]) -> Vec<u32> {
    let mut found = Vec::new();
    for (node, _) in path {
        let feature = feature(tree, *node);
        if !found.contains(&feature) {
            found.push(feature);
        }
    }
    found
}

/// Leaves with a vote for the target, in depth-first order, yes first, given the path to the node where they start.
pub(super) fn leaves(tree: &Tree, node: usize, path: &[(usize, bool)], target: u32) -> Vec<Leaf> {
    let mut found = Vec::new();
    let mut path = path.to_vec();
    // A node with the length of the path to it and its last step.
    let mut open = vec![(node, path.len(), None)];
    while let Some((node, length, step)) = open.pop() {
        path.truncate(length);
        path.extend(step);
        if let Some((yes, no)) = tree.children(node) {
            open.extend([(no, path.len(), Some((node, false))), (yes, path.len(), Some((node, true)))]);
        } else if let Some(weight) = weight(&tree.nodes[node], target) {
            found.push(Leaf { weight, path: path.clone(), features: features(tree, &path) });
        }
    }
    found
}

fn weight(node: &Node, target: u32) -> Option<f64> {
    let Node::Leaf { votes } = node else { return None };
    let mut votes = votes.iter().filter(|vote| vote.target == target).map(|vote| vote.weight.0).peekable();
    votes.peek().is_some().then(|| votes.sum())
}

/// Cuts a tree into units at the least cost of looking tables up. A leaf whose path asks too many features is a unit without
/// a table.
pub(super) fn units(tree: &Tree, target: u32) -> Vec<Unit> {
    let plan = plan(tree, tree.root as usize, &mut Vec::new());
    let unit = |(root, path): (usize, Vec<(usize, bool)>)| {
        let branches = below(tree, root);
        Unit { leaves: leaves(tree, root, &path, target), branches, path }
    };
    plan.roots.into_iter().map(unit).filter(|unit| !unit.leaves.is_empty()).collect()
}

/// The cheapest cut of a subtree.
struct Cut {
    cost: usize,
    roots: Vec<(usize, Vec<(usize, bool)>)>,
    /// Branches of the subtree and their distinct features; none once there are more than bits.
    branches: Option<Vec<usize>>,
}

/// Goes as deep as the tree, which is bounded.
fn plan(tree: &Tree, node: usize, path: &mut Vec<(usize, bool)>) -> Cut {
    let Some((yes, no)) = tree.children(node) else {
        let cost = cost(tree, path, &[]);
        return Cut { cost, roots: vec![(node, path.clone())], branches: Some(vec![]) };
    };
    let mut child = |child: usize, answer: bool| {
        path.push((node, answer));
        let cut = plan(tree, child, path);
        path.pop();
        cut
    };
    let (yes, no) = (child(yes, true), child(no, false));
    let branches = match (yes.branches, no.branches) {
        (Some(yes), Some(no)) if yes.len() + no.len() < SHARED_BITS => Some([vec![node], yes, no].concat()),
        _ => None,
    };
    let whole = branches.as_ref().map_or(usize::MAX, |branches| cost(tree, path, branches));
    if whole <= yes.cost + no.cost && whole < NO_TABLE {
        Cut { cost: whole, roots: vec![(node, path.clone())], branches }
    } else {
        Cut { cost: yes.cost + no.cost, roots: [yes.roots, no.roots].concat(), branches }
    }
}

/// Cost of a leaf that has no table, in vector instructions for sixteen rows.
const NO_TABLE: usize = 1 << 12;

/// Cost of one unit: for each feature a look-up in a table of so many bits; and the bits must be gathered.
fn cost(tree: &Tree, path: &[(usize, bool)], branches: &[usize]) -> usize {
    let mut found = features(tree, path);
    let bits = found.len() + branches.len();
    for branch in branches {
        let feature = feature(tree, *branch);
        if !found.contains(&feature) {
            found.push(feature);
        }
    }
    let each = match bits {
        0..=5 => 5,
        6 => 7,
        7 => 13,
        8 => 25,
        9..=MAX_BITS if branches.is_empty() => 40,
        _ => return NO_TABLE,
    };
    found.len() * each + bits / 2 + 2
}

/// Branches of a subtree in depth-first order, yes first.
fn below(tree: &Tree, root: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        if let Some((yes, no)) = tree.children(node) {
            found.push(node);
            open.extend([no, yes]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::forests::{BOOSTED, Kind, forest, rows};
    use crate::trees::{Compare, Real, Test, Vote};

    fn leaf(votes: &[(u32, f64)]) -> Node {
        Node::Leaf {
            votes: votes.iter().map(|(target, weight)| Vote { target: *target, weight: Real(*weight) }).collect(),
        }
    }

    fn branch(feature: u32, yes: u32, no: u32) -> Node {
        let test = Test::Threshold(Compare::Lt, Real(0.5));
        Node::Branch { feature, test, missing_tracks_true: false, yes, no }
    }

    #[test]
    fn leaves_come_with_their_path_and_its_features() {
        // 0 asks 3; its yes asks 1, whose no asks 3 again.
        let nodes = vec![
            branch(3, 1, 2),
            branch(1, 3, 4),
            leaf(&[(0, 1.0), (1, 5.0), (0, 0.5)]),
            leaf(&[(1, 2.0)]),
            branch(3, 5, 6),
            leaf(&[(0, -0.0)]),
            leaf(&[]),
        ];
        let tree = Tree { root: 0, nodes };
        let found = |target| -> Vec<(f64, Vec<(usize, bool)>, Vec<u32>)> {
            let of = |leaf: Leaf| (leaf.weight, leaf.path, leaf.features);
            leaves(&tree, 0, &[], target).into_iter().map(of).collect()
        };
        let again = vec![(0, true), (1, false), (4, true)];
        assert_eq!(found(0), [(0.0, again.clone(), vec![3, 1]), (1.5, vec![(0, false)], vec![3])]);
        assert_eq!(found(1), [(2.0, vec![(0, true), (1, true)], vec![3, 1]), (5.0, vec![(0, false)], vec![3])]);
        assert_eq!(found(2), [], "a target that nobody votes for");
        let below = leaves(&tree, 4, &again[..2], 0);
        assert_eq!((below.len(), &below[0].path), (1, &again), "from a node on, with the path to it");
        assert_eq!(super::below(&tree, 0), [0, 1, 4]);
        assert!(units(&tree, 2).is_empty());
    }

    /// However a tree is cut: each leaf with a vote is in one unit, whose bits say all that its path asks.
    #[test]
    fn units_are_a_cut_of_the_tree() {
        for seed in 0..30 {
            for kind in [
                BOOSTED,
                Kind { branches: 120, width: 9, ..BOOSTED },
                Kind { branches: 60, chains: true, width: 40, ..BOOSTED },
                Kind { targets: 3, votes: 2, ..BOOSTED },
            ] {
                let ensemble = forest(seed, kind);
                for tree in ensemble.get().trees.iter() {
                    let units = units(tree, 0);
                    let whole: Vec<_> =
                        leaves(tree, tree.root as usize, &[], 0).into_iter().map(|leaf| leaf.path).collect();
                    let cut = units.iter().flat_map(|unit| &unit.leaves).map(|leaf| leaf.path.clone());
                    assert_eq!(cut.collect::<Vec<_>>(), whole, "seed {seed}: in depth-first order");
                    for unit in &units {
                        let bits = features(tree, &unit.path).len() + unit.branches.len();
                        assert!(unit.branches.is_empty() || bits <= SHARED_BITS, "seed {seed}: {bits} bits are shared");
                        for leaf in &unit.leaves {
                            let (above, below) = leaf.path.split_at(unit.path.len());
                            assert_eq!(above, unit.path);
                            assert!(below.iter().all(|(node, _)| unit.branches.contains(node)), "seed {seed}");
                        }
                    }
                }
            }
        }
    }

    /// What a unit's tables would be asked for: a row comes to one of the leaves, by the path that is noted.
    #[test]
    fn a_row_meets_all_that_the_path_to_its_leaf_asks() {
        let kind = Kind { compare: None, branches: 60, ..BOOSTED };
        for seed in 0..20 {
            let ensemble = forest(seed, kind);
            for (tree, row) in ensemble.get().trees.iter().zip(rows(seed, kind.width, kind.trees).chunks(kind.width)) {
                let met: Vec<Leaf> = leaves(tree, tree.root as usize, &[], 0)
                    .into_iter()
                    .filter(|leaf| {
                        leaf.path.iter().all(|(node, yes)| match &tree.nodes[*node] {
                            Node::Branch { feature, test, missing_tracks_true, .. } => {
                                test.holds(*missing_tracks_true, row[*feature as usize]) == *yes
                            }
                            Node::Leaf { .. } => false,
                        })
                    })
                    .collect();
                let Node::Leaf { votes } = &tree.nodes[tree.leaf(row)] else { continue };
                let weights: Vec<u64> = met.iter().map(|leaf| leaf.weight.to_bits()).collect();
                assert_eq!(weights, [votes[0].weight.0.to_bits()], "seed {seed}");
            }
        }
    }
}
