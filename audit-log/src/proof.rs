//! Consistency of two heads of one log (RFC 9162, 2.1.4): that the tree of `old` leaves is the beginning of that of `new`.
//! Says which nodes a proof is made of, puts them together, and checks a proof. Where nodes come from is the caller's.

use crate::tree::{Hash, TILE_HEIGHT, TILE_WIDTH, node_hash, perfect_root};

/// The most hashes in a proof, as C2SP tlog-witness bounds it.
pub(crate) const MAX_PROOF_HASHES: usize = 63;

/// A perfect subtree: the leaves from `index << height` on, `1 << height` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// Levels above the leaves.
    height: u32,
    /// Position among the nodes of its height, from 0.
    index: u64,
}

impl Node {
    /// Level of the tile whose hashes it is over.
    pub fn tile_level(&self) -> u32 {
        self.height / TILE_HEIGHT
    }

    /// Position of that tile among those of its level, from 0.
    pub fn tile_index(&self) -> u64 {
        self.first() / TILE_WIDTH as u64
    }

    /// Whether that tile is complete in a tree of so many leaves; else it is the right edge's.
    pub fn is_in_complete_tile(&self, size: u64) -> bool {
        (self.tile_index() + 1) * TILE_WIDTH as u64 <= size >> (TILE_HEIGHT * self.tile_level())
    }

    /// Its hash, out of the hashes of that tile. `None` when they do not reach so far.
    pub fn hash_in(&self, tile: &[Hash]) -> Option<Hash> {
        let at = (self.first() % TILE_WIDTH as u64) as usize;
        tile.get(at..at + (1 << (self.height % TILE_HEIGHT))).map(perfect_root)
    }

    /// The first hash that it is over, among those of its tile's level.
    fn first(&self) -> u64 {
        self.index << (self.height % TILE_HEIGHT)
    }
}

/// What each hash of the proof from `old` to `new` is made of, in the order of the proof; [`join_subtrees`] makes a hash of each. Empty where
/// there is nothing to prove: from nothing, or from the same size.
pub fn proof_nodes(old: u64, new: u64) -> Vec<Vec<Node>> {
    let mut ranges = Vec::new();
    if 0 < old && old < new {
        subproof(old, 0, new, true, &mut ranges);
    }
    ranges.into_iter().map(|(from, to)| perfect(from, to)).collect()
}

/// The hash over neighbouring perfect subtrees, largest first. `None` of nothing.
pub fn join_subtrees(hashes: &[Hash]) -> Option<Hash> {
    let mut from_the_right = hashes.iter().rev().copied();
    let last = from_the_right.next()?;
    Some(from_the_right.fold(last, |right, left| node_hash(&left, &right)))
}

/// Whether `proof` shows that the tree of `old` = (size, root) is the beginning of that of `new`.
pub fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    match old.0 {
        0 => proof.is_empty(),
        size if size == new.0 => proof.is_empty() && old.1 == new.1,
        size if size > new.0 => false,
        _ => climb(old, new, proof).unwrap_or(false),
    }
}

/// RFC 9162, 2.1.4.2. `None` when the proof has too few hashes or too many.
fn climb((old, old_root): (u64, &Hash), (new, new_root): (u64, &Hash), proof: &[Hash]) -> Option<bool> {
    // Where the old tree is perfect, its root is the node to begin with and the proof leaves it out.
    let (first, rest) = if old.is_power_of_two() { (old_root, proof) } else { proof.split_first()? };
    let skipped = (old - 1).trailing_ones();
    let (mut in_old, mut in_new) = ((old - 1) >> skipped, (new - 1) >> skipped);
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in rest {
        if in_new == 0 {
            return None;
        }
        if in_old & 1 == 1 || in_old == in_new {
            (of_old, of_new) = (node_hash(hash, &of_old), node_hash(hash, &of_new));
            while in_old & 1 == 0 && in_old != 0 {
                (in_old, in_new) = (in_old >> 1, in_new >> 1);
            }
        } else {
            of_new = node_hash(&of_new, hash);
        }
        (in_old, in_new) = (in_old >> 1, in_new >> 1);
    }
    (in_new == 0).then_some(of_old == *old_root && of_new == *new_root)
}

/// SUBPROOF of RFC 9162, 2.1.4.1, as the ranges of leaves whose hashes it is made of. `old` counts from `from`.
fn subproof(old: u64, from: u64, to: u64, is_whole: bool, ranges: &mut Vec<(u64, u64)>) {
    let size = to - from;
    if old == size {
        ranges.extend((!is_whole).then_some((from, to)));
        return;
    }
    let split = size.next_power_of_two() / 2;
    if old <= split {
        subproof(old, from, from + split, is_whole, ranges);
        ranges.push((from + split, to));
    } else {
        subproof(old - split, from + split, to, false, ranges);
        ranges.push((from, from + split));
    }
}

/// The perfect subtrees of a range that begins where a subtree of its size may begin.
fn perfect(from: u64, to: u64) -> Vec<Node> {
    let (mut at, mut nodes) = (from, Vec::new());
    while at < to {
        let height = (to - at).ilog2();
        nodes.push(Node { height, index: at >> height });
        at += 1 << height;
    }
    nodes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tree::{Tree, leaf_hash};
    use proptest::prelude::*;

    fn leaf(n: u64) -> Hash {
        leaf_hash(&n.to_be_bytes())
    }

    fn root(size: u64) -> Hash {
        let (mut tree, mut tiles) = (Tree::default(), Vec::new());
        (0..size).for_each(|n| tree.append(leaf(n), &mut tiles));
        tree.root()
    }

    fn hash(node: &Node) -> Hash {
        match node.height {
            0 => leaf(node.index),
            height => {
                let child = |side| hash(&Node { height: height - 1, index: node.index * 2 + side });
                node_hash(&child(0), &child(1))
            }
        }
    }

    fn joined(nodes: &[Node]) -> Hash {
        join_subtrees(&nodes.iter().map(hash).collect::<Vec<_>>()).unwrap()
    }

    fn proof(old: u64, new: u64) -> Vec<Hash> {
        proof_nodes(old, new).iter().map(|nodes| joined(nodes)).collect()
    }

    #[test]
    fn the_proofs_of_the_rfc() {
        // RFC 9162, 2.1.5: the tree of seven leaves.
        let node = |height, index| Node { height, index };
        for (old, expected) in [
            (3, vec![vec![node(0, 2)], vec![node(0, 3)], vec![node(1, 0)], vec![node(1, 2), node(0, 6)]]),
            (4, vec![vec![node(1, 2), node(0, 6)]]),
            (6, vec![vec![node(1, 2)], vec![node(0, 6)], vec![node(2, 0)]]),
            (0, vec![]),
            (7, vec![]),
        ] {
            assert_eq!(proof_nodes(old, 7), expected, "from {old}");
        }
    }

    #[test]
    fn a_node_is_found_in_its_tile() {
        let held: Vec<Hash> = (0..TILE_WIDTH as u64).map(leaf).collect();
        // Height and index of the node, leaves of the tree: level and index of the tile, whether it is complete, the hashes in it.
        for (height, index, size, level, tile, is_complete, hashes) in [
            (0, 0, 1, 0, 0, false, 0..1),
            (0, 255, 256, 0, 0, true, 255..256),
            (0, 256, 256, 0, 1, false, 0..1),
            (3, 33, 300, 0, 1, false, 8..16),
            (7, 1, 256, 0, 0, true, 128..256),
            (8, 0, 256, 1, 0, false, 0..1),
            (9, 2, 1_536, 1, 0, false, 4..6),
            (15, 1, 65_535, 1, 0, false, 128..256),
            (15, 1, 65_536, 1, 0, true, 128..256),
            (16, 3, 262_144, 2, 0, false, 3..4),
        ] {
            let node = Node { height, index };
            let found = (node.tile_level(), node.tile_index(), node.is_in_complete_tile(size));
            assert_eq!(found, (level, tile, is_complete), "{node:?} of {size}");
            let expected = perfect_root(&held[hashes.clone()]);
            assert_eq!(node.hash_in(&held[..hashes.end]), Some(expected), "{node:?}");
            assert_eq!(node.hash_in(&held[..hashes.end - 1]), None, "{node:?}");
        }
    }

    #[test]
    fn a_larger_or_another_tree_is_no_beginning() {
        assert!(!is_consistent((5, &root(5)), (4, &root(4)), &[]));
        assert!(!is_consistent((5, &root(5)), (5, &root(4)), &[]));
        assert!(is_consistent((0, &root(3)), (4, &root(4)), &[]), "everything begins with nothing");
        assert!(!is_consistent((0, &root(0)), (4, &root(4)), &[root(1)]));
    }

    proptest! {
        #[test]
        fn every_beginning_is_proven_and_nothing_else(old in 1u64..300, more in 0u64..300, wrong in any::<prop::sample::Index>()) {
            let new = old + more;
            prop_assert_eq!(joined(&perfect(0, old)), root(old));
            let (old_root, new_root, proof) = (root(old), root(new), proof(old, new));
            prop_assert!(proof.len() <= MAX_PROOF_HASHES);
            prop_assert!(is_consistent((old, &old_root), (new, &new_root), &proof));
            if more > 0 {
                prop_assert!(!is_consistent((old, &leaf(7)), (new, &new_root), &proof));
                prop_assert!(!is_consistent((old, &old_root), (new, &leaf(7)), &proof));
                prop_assert!(!is_consistent((old, &old_root), (new, &new_root), &proof[1..]));
                prop_assert!(!is_consistent((old, &old_root), (new, &new_root), &[&proof[..], &[leaf(1)]].concat()));
                let mut changed = proof.clone();
                changed[wrong.index(proof.len())][0] ^= 1;
                prop_assert!(!is_consistent((old, &old_root), (new, &new_root), &changed));
            }
        }
    }
}
