//! The walking form: every tree in one flat table, leaves that lead to themselves, so that several walks go in lockstep
//! without asking who has arrived. One row goes through several trees at once, so that the memory's latency overlaps; trees
//! too large for [`super::columns`] are met by several rows at once.

use super::ensemble::{Ensemble, Node, Tree, Vote};
use super::keys::{Interval, interval, intervals};
use super::number::Number;

/// Walks side by side.
pub(super) const LOCKSTEP: usize = 5;
/// Walks of at most so many steps go them all without looking whether they have arrived.
const BLIND: u32 = 8;

/// All trees, flat.
#[derive(Debug, Clone)]
pub(super) struct Nodes<T: Number> {
    nodes: Vec<Flat<T::Key>>,
    paths: Vec<Path>,
    /// By position of the leaf; empty unless every leaf has one vote for the one target.
    weights: Vec<T>,
    /// By position of the leaf, where there are no `weights`: first and last of `votes`.
    ranges: Vec<(u32, u32)>,
    votes: Vec<(u32, T)>,
}

/// A branch, whose no is the next node; or a leaf, which always says yes to itself.
#[derive(Debug, Clone, Copy)]
struct Flat<K> {
    ask: Interval<K>,
    feature: u32,
    yes: u32,
}

/// Where a tree starts, and how many steps are enough.
#[derive(Debug, Clone, Copy)]
struct Path {
    root: u32,
    steps: u32,
}

impl<T: Number> Nodes<T> {
    pub fn new(ensemble: &Ensemble) -> Self {
        let draft = ensemble.get();
        let leaves = draft.trees.iter().flat_map(|tree| &tree.nodes);
        let lone =
            draft.targets == 1 && leaves.clone().all(|node| !matches!(node, Node::Leaf { votes } if votes.len() != 1));
        let count = draft.trees.iter().map(|tree| tree.nodes.len()).sum();
        let mut flat = Self {
            nodes: Vec::with_capacity(count),
            paths: Vec::with_capacity(draft.trees.len()),
            weights: Vec::with_capacity(if lone { count } else { 0 }),
            ranges: Vec::with_capacity(if lone { 0 } else { count }),
            votes: vec![],
        };
        for tree in draft.trees.iter() {
            flat.lay(tree, lone);
        }
        flat
    }

    /// Lays a tree out, no before yes.
    fn lay(&mut self, tree: &Tree, lone: bool) {
        let root = self.nodes.len() as u32;
        let mut steps = 0;
        // A node to come, the laid nodes whose yes it is, and the steps to it.
        let mut open = vec![(tree.root as usize, 0..0, 0)];
        while let Some((node, parents, depth)) = open.pop() {
            let at = self.nodes.len();
            self.nodes[parents].iter_mut().for_each(|parent| parent.yes = at as u32);
            match &tree.nodes[node] {
                Node::Branch { feature, test, missing_tracks_true, yes, no } => {
                    let flat = |ask| Flat { ask, feature: *feature, yes: 0 };
                    match interval::<T>(test, *missing_tracks_true) {
                        Some(ask) => self.nodes.push(flat(ask)),
                        None => self.nodes.extend(intervals::<T>(test, *missing_tracks_true).into_iter().map(flat)),
                    }
                    let depth = depth + (self.nodes.len() - at) as u32;
                    open.push((*yes as usize, at..self.nodes.len(), depth));
                    open.push((*no as usize, 0..0, depth));
                }
                Node::Leaf { votes } => {
                    self.nodes.push(Flat { ask: Interval::all(), feature: 0, yes: at as u32 });
                    self.vote(at, votes, lone);
                    steps = steps.max(depth);
                }
            }
        }
        self.paths.push(Path { root, steps });
    }

    fn vote(&mut self, at: usize, votes: &[Vote], lone: bool) {
        if lone {
            self.weights.resize(at + 1, T::default());
            self.weights[at] = T::of(votes.first().map_or(0.0, |vote| vote.weight.0));
            return;
        }
        let first = self.votes.len() as u32;
        self.votes.extend(votes.iter().map(|vote| (vote.target, T::of(vote.weight.0))));
        self.ranges.resize(at + 1, (0, 0));
        self.ranges[at] = (first, self.votes.len() as u32);
    }

    /// Adds the votes of all trees, in order, for one row of keys.
    pub fn add_row(&self, keys: &[T::Key], mut add: impl FnMut(usize, T)) {
        for paths in self.paths.chunks(LOCKSTEP) {
            let mut at = [0; LOCKSTEP];
            at.iter_mut().zip(paths).for_each(|(at, path)| *at = path.root);
            let steps = paths.iter().map(|path| path.steps).max().unwrap_or_default();
            // Lanes without a tree walk the first, unheard.
            self.descend(&mut at, [0; LOCKSTEP], keys, steps);
            at[..paths.len()].iter().for_each(|leaf| self.add_leaf(*leaf as usize, &mut add));
        }
    }

    /// Adds one tree's votes for several rows of `width` keys each; `add` is told the row, the target and the weight.
    pub fn add_tree(&self, tree: usize, keys: &[T::Key], width: usize, mut add: impl FnMut(usize, usize, T)) {
        let Path { root, steps } = self.paths[tree];
        for (part, rows) in keys.chunks(LOCKSTEP * width).enumerate() {
            let count = rows.len() / width;
            let mut at = [root; LOCKSTEP];
            let start = std::array::from_fn(|lane| if lane < count { lane * width } else { 0 });
            self.descend(&mut at, start, rows, steps);
            for (lane, leaf) in at[..count].iter().enumerate() {
                self.add_leaf(*leaf as usize, &mut |target, weight| add(part * LOCKSTEP + lane, target, weight));
            }
        }
    }

    /// Walks all lanes to their leaves. A lane's row starts at `start` in `keys`.
    fn descend(&self, at: &mut [u32; LOCKSTEP], start: [usize; LOCKSTEP], keys: &[T::Key], steps: u32) {
        let step = |at: &mut [u32; LOCKSTEP]| {
            let mut moved = 0;
            for (at, start) in at.iter_mut().zip(start) {
                let node = &self.nodes[*at as usize];
                let yes = node.ask.holds(keys[start + node.feature as usize]);
                // Which way is unpredictable, so no jump.
                let next = std::hint::select_unpredictable(yes, node.yes, *at + 1);
                moved |= next ^ *at;
                *at = next;
            }
            moved
        };
        if steps <= BLIND {
            (0..steps).for_each(|_| _ = step(at));
        } else {
            while step(at) != 0 {}
        }
    }

    #[inline]
    fn add_leaf(&self, leaf: usize, add: &mut impl FnMut(usize, T)) {
        if let Some(weight) = self.weights.get(leaf) {
            return add(0, *weight);
        }
        let (first, last) = self.ranges[leaf];
        self.votes[first as usize..last as usize].iter().for_each(|(target, weight)| add(*target as usize, *weight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::Precision;
    use crate::trees::tests::forests::{BOOSTED, Kind, forest, rows};

    /// Row, target and weight of each vote, tree by tree and row by row, by the plain walk.
    fn walked<T: Number>(ensemble: &Ensemble, tree: usize, rows: &[T]) -> Vec<(usize, usize, u64)> {
        let draft = ensemble.get();
        let own = &draft.trees[tree];
        let votes = |(at, row): (usize, &[T])| match &own.nodes[own.leaf(row)] {
            Node::Leaf { votes } => {
                votes.iter().map(|vote| (at, vote.target as usize, T::of(vote.weight.0).wide().to_bits())).collect()
            }
            Node::Branch { .. } => vec![],
        };
        rows.chunks(draft.width).enumerate().flat_map(votes).collect()
    }

    fn check<T: Number>(name: &str, kind: Kind, seed: u64) {
        let ensemble = forest(seed, kind);
        let flat = Nodes::<T>::new(&ensemble);
        // More rows than lanes, and a last part that is not full.
        let rows: Vec<T> = rows(seed, kind.width, 2 * LOCKSTEP + 3).into_iter().map(T::of).collect();
        let keys: Vec<T::Key> = rows.iter().map(|value| value.key()).collect();
        let trees = ensemble.get().trees.len();
        for tree in 0..trees {
            let mut found = Vec::new();
            flat.add_tree(tree, &keys, kind.width, |row, target, weight| {
                found.push((row, target, weight.wide().to_bits()))
            });
            assert_eq!(found, walked(&ensemble, tree, &rows), "{name}, seed {seed}, tree {tree}");
        }
        for (row, keys) in rows.chunks(kind.width).zip(keys.chunks(kind.width)) {
            let mut found = Vec::new();
            flat.add_row(keys, |target, weight| found.push((0, target, weight.wide().to_bits())));
            let expected: Vec<_> = (0..trees).flat_map(|tree| walked(&ensemble, tree, row)).collect();
            assert_eq!(found, expected, "{name}, seed {seed}");
        }
    }

    #[test]
    fn flat_trees_give_the_votes_of_the_plain_walk_in_its_order() {
        for seed in 0..20 {
            for (name, kind) in [
                ("small", Kind { compare: None, ..BOOSTED }),
                ("lone leaves", Kind { branches: 0, trees: LOCKSTEP + 1, ..BOOSTED }),
                (
                    "long chains, past the blind steps",
                    Kind { branches: 60, chains: true, trees: 4, compare: None, ..BOOSTED },
                ),
                ("several votes, or none", Kind { targets: 3, votes: 3, ..BOOSTED }),
            ] {
                check::<f32>(name, kind, seed);
                check::<f64>(name, Kind { precision: Precision::Double, ..kind }, seed);
            }
        }
    }
}
