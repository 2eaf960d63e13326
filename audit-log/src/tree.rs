//! The Merkle tree of RFC 9162 (section 2.1), grown at its right edge. Only the incomplete tiles of the edge are held:
//! at most 255 hashes for each power of 256. Complete tiles are handed out as they close.

use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// A node of the tree.
pub type Hash = [u8; 32];

/// Hashes in a complete tile: one tile spans eight levels of the tree.
pub const TILE_WIDTH: usize = 256;
/// Levels of the tree in a tile.
pub(crate) const TILE_HEIGHT: u32 = TILE_WIDTH.ilog2();

/// Hash of a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Root of the tree without entries: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest(b"").into()
}

/// 256 neighbouring hashes of tree level `8 * level`, and the hash above them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// 0 holds leaf hashes.
    pub level: u8,
    /// Position among the tiles of its level, from 0.
    pub index: u64,
    /// Hash of the subtree over the tile.
    pub root: Hash,
    /// The hashes one after another.
    pub hashes: Vec<u8>,
}

/// The right edge of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    edge: Vec<Vec<Hash>>,
}

impl Tree {
    /// A tree of `size` leaves from the hashes of its incomplete tiles, lowest level first. `None` when their number does not
    /// fit the size.
    pub fn from_edge(size: u64, edge: Vec<Vec<Hash>>) -> Option<Self> {
        let wanted = Self::edge_ranges(size);
        let is_whole = |(held, want): (&Vec<Hash>, &Range<u64>)| held.len() as u64 == want.end - want.start;
        let fits = edge.len() == wanted.len() && edge.iter().zip(&wanted).all(is_whole);
        fits.then_some(Self { size, edge })
    }

    /// What the incomplete tile of each level holds, at a size, lowest level first: places among the hashes of that level. Those of
    /// level 0 are leaves, those of a level above are roots of the complete tiles one level below.
    pub fn edge_ranges(size: u64) -> Vec<Range<u64>> {
        let levels = size.checked_ilog2().map_or(0, |top| top / TILE_HEIGHT + 1);
        let complete = (0..levels).map(|level| size >> (level * TILE_HEIGHT));
        complete.map(|end| end - end % TILE_WIDTH as u64..end).collect()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the incomplete tile of a level.
    pub fn edge(&self, level: usize) -> &[Hash] {
        self.edge.get(level).map_or(&[], Vec::as_slice)
    }

    /// Appends a leaf; tiles that it completes are pushed to `complete`, lowest level first.
    pub fn append(&mut self, leaf: Hash, complete: &mut Vec<Tile>) {
        self.size += 1;
        let mut carry = leaf;
        for level in 0u8.. {
            if self.edge.len() == usize::from(level) {
                self.edge.push(Vec::with_capacity(TILE_WIDTH));
            }
            let held = &mut self.edge[usize::from(level)];
            held.push(carry);
            if held.len() < TILE_WIDTH {
                return;
            }
            let root = perfect_root(held);
            let index = (self.size >> (TILE_HEIGHT * (u32::from(level) + 1))) - 1;
            complete.push(Tile { level, index, root, hashes: held.concat() });
            held.clear();
            carry = root;
        }
    }

    /// Root of the tree as it stands.
    pub fn root(&self) -> Hash {
        let folded = self.edge.iter().fold(None, |right, held| fold_left(held, right));
        folded.unwrap_or_else(empty_root)
    }
}

/// Joins the perfect subtrees of a tile's hashes, smallest first, with what stands to their right.
fn fold_left(held: &[Hash], mut right: Option<Hash>) -> Option<Hash> {
    let mut rest = held;
    while !rest.is_empty() {
        let width = 1 << rest.len().trailing_zeros();
        let (left, subtree) = rest.split_at(rest.len() - width);
        let top = perfect_root(subtree);
        right = Some(right.map_or(top, |right| node_hash(&top, &right)));
        rest = left;
    }
    right
}

/// Root over a power of two of hashes.
pub(crate) fn perfect_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let mut level: Vec<Hash> = pairs(hashes);
            while level.len() > 1 {
                level = pairs(&level);
            }
            level[0]
        }
    }
}

fn pairs(hashes: &[Hash]) -> Vec<Hash> {
    hashes.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MTH as RFC 9162 defines it, by recursion.
    fn oracle(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&oracle(&leaves[..split]), &oracle(&leaves[split..]))
            }
        }
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_the_reference_implementations() {
        // The test data of certificate-transparency: eight inputs and the root after each.
        let inputs =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let (mut tree, mut tiles) = (Tree::default(), Vec::new());
        assert_eq!(hex::encode(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (input, root) in inputs.iter().zip(roots) {
            tree.append(leaf_hash(&hex::decode(input).unwrap()), &mut tiles);
            assert_eq!(hex::encode(tree.root()), root);
        }
    }

    #[test]
    fn tiles_close_at_powers_of_256() {
        let (mut tree, mut tiles) = (Tree::default(), Vec::new());
        let all = leaves(65_536 + 300);
        for leaf in &all {
            tree.append(*leaf, &mut tiles);
        }
        let top = tiles.iter().find(|tile| tile.level == 1).unwrap();
        assert_eq!((top.index, top.root), (0, oracle(&all[..65_536])));
        let newest = tiles.last().unwrap();
        assert_eq!((newest.level, newest.index, newest.root), (0, 256, oracle(&all[65_536..65_792])));
        assert_eq!(tiles.len(), 258);
        assert_eq!(tree.root(), oracle(&all));
        for (level, range) in Tree::edge_ranges(tree.size()).into_iter().enumerate() {
            assert_eq!(tree.edge(level).len() as u64, range.end - range.start, "level {level}");
        }
    }

    #[test]
    fn the_edge_is_what_no_complete_tile_holds() {
        let rows: [(u64, &[(u64, u64)]); 6] = [
            (0, &[]),
            (1, &[(0, 1)]),
            (255, &[(0, 255)]),
            (256, &[(256, 256), (0, 1)]),
            (65_535, &[(65_280, 65_535), (0, 255)]),
            (65_836, &[(65_792, 65_836), (256, 257), (0, 1)]),
        ];
        for (size, expected) in rows {
            let found: Vec<_> = Tree::edge_ranges(size).iter().map(|range| (range.start, range.end)).collect();
            assert_eq!(found, expected, "{size}");
        }
    }

    #[test]
    fn an_edge_that_does_not_fit_is_refused() {
        assert_eq!(Tree::from_edge(0, vec![]), Some(Tree::default()));
        assert_eq!(Tree::from_edge(2, vec![leaves(1)]), None);
        assert_eq!(Tree::from_edge(256, vec![vec![]]), None);
        assert!(Tree::from_edge(256, vec![vec![], leaves(1)]).is_some());
    }

    proptest! {
        #[test]
        fn any_size_has_the_root_of_the_definition(count in 0usize..1200) {
            let (mut tree, mut tiles) = (Tree::default(), Vec::new());
            let all = leaves(count);
            all.iter().for_each(|leaf| tree.append(*leaf, &mut tiles));
            prop_assert_eq!(tree.root(), oracle(&all));
            let edge = vec![all[count - count % 256..].to_vec(), tiles.iter().map(|tile| tile.root).collect()];
            let edge = edge.into_iter().take(Tree::edge_ranges(count as u64).len()).collect();
            prop_assert_eq!(Tree::from_edge(count as u64, edge).unwrap().root(), tree.root());
        }
    }
}
