//! Proof, from the structure alone, that a margin never falls, or never rises, as one feature grows.
//!
//! Within one tree it is decided exactly: the margin falls somewhere if and only if there are two leaves, the second lighter,
//! and two rows that differ in the feature alone, the second's value greater, of which the first row comes to the first leaf
//! and the second to the second. An ensemble is proven if all its trees are; trees that make up for each other are not seen.
//! Sums are rounded in a fixed order and rounding keeps order, so what is proven holds for the computed margin to the bit.

use super::ensemble::{Aggregate, Ensemble, Node, Precision, Tree};
use super::keys::{Interval, intervals};
use super::number::{Key, Number};
use std::collections::BTreeMap;

/// Leaves of a tree, of which all pairs are looked at; a larger tree is not proven.
const MAX_LEAVES: usize = 512;
/// Intervals that the questions of a tree are made of; a tree with more is not proven.
const MAX_INTERVALS: usize = 4096;

/// What is known of a margin as one feature grows from −∞ to +∞, all others fixed. Missing values stand outside the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Monotone {
    /// It never changes.
    Constant,
    /// It never falls.
    Rising,
    /// It never rises.
    Falling,
    /// Neither is proven. One tree where it falls, and one where it rises, or which was too large to look at.
    NotProven {
        /// Position of the first tree that is not rising.
        falls: usize,
        /// Position of the first tree that is not falling.
        rises: usize,
    },
}

/// What can be proven of a target's margin in a feature.
pub fn monotone(ensemble: &Ensemble, target: usize, feature: usize) -> Monotone {
    let draft = ensemble.get();
    let adds = matches!(draft.aggregate, Aggregate::Sum | Aggregate::Average);
    let look = |tree: &Tree| match (adds, draft.precision) {
        (false, _) => Turns { falls: true, rises: true },
        (true, Precision::Single) => turns::<f32>(tree, target as u32, feature as u32),
        (true, Precision::Double) => turns::<f64>(tree, target as u32, feature as u32),
    };
    let turns: Vec<Turns> = draft.trees.iter().map(look).collect();
    let first = |turn: fn(&Turns) -> bool| turns.iter().position(turn);
    match (first(|turns| turns.falls), first(|turns| turns.rises)) {
        (None, None) => Monotone::Constant,
        (None, Some(_)) => Monotone::Rising,
        (Some(_), None) => Monotone::Falling,
        (Some(falls), Some(rises)) => Monotone::NotProven { falls, rises },
    }
}

/// Whether a tree's margin may fall, and rise, somewhere.
#[derive(Debug, Clone, Copy, Default)]
struct Turns {
    falls: bool,
    rises: bool,
}

/// A leaf and the values of each feature that come to it; a feature that is not named may have any.
struct Place<K> {
    weight: f64,
    values: BTreeMap<u32, Set<K>>,
}

/// Keys: ranges with both ends, in order, apart from each other.
type Set<K> = Vec<(K, K)>;

fn turns<T: Number>(tree: &Tree, target: u32, feature: u32) -> Turns {
    let asks = |node: &Node| matches!(node, Node::Branch { feature: asked, .. } if *asked == feature);
    if !tree.nodes.iter().any(asks) {
        return Turns::default();
    }
    if tree.nodes.len() / 2 >= MAX_LEAVES || super::columns::questions(tree) > MAX_INTERVALS {
        return Turns { falls: true, rises: true };
    }
    let places = places::<T>(tree, target);
    let mut turns = Turns::default();
    for (at, a) in places.iter().enumerate() {
        for b in places[at + 1..].iter().filter(|b| a.weight != b.weight && beside(a, b, feature)) {
            let (light, heavy) = if a.weight < b.weight { (a, b) } else { (b, a) };
            turns.rises |= before::<T>(light, heavy, feature);
            turns.falls |= before::<T>(heavy, light, feature);
        }
    }
    turns
}

/// Leaves that some row comes to.
fn places<T: Number>(tree: &Tree, target: u32) -> Vec<Place<T::Key>> {
    let mut found = Vec::new();
    let mut open: Vec<(usize, BTreeMap<u32, Set<T::Key>>)> = vec![(tree.root as usize, BTreeMap::new())];
    while let Some((node, values)) = open.pop() {
        match &tree.nodes[node] {
            Node::Branch { feature, test, missing_tracks_true, yes, no } => {
                let met = ranges(&intervals::<T>(test, *missing_tracks_true));
                for (child, answer) in [(*yes, met.clone()), (*no, others(&met))] {
                    let now = common(values.get(feature).unwrap_or(&numbers::<T>()), &answer);
                    if !now.is_empty() {
                        let mut values = values.clone();
                        values.insert(*feature, now);
                        open.push((child as usize, values));
                    }
                }
            }
            Node::Leaf { votes } => {
                let votes = votes.iter().filter(|vote| vote.target == target);
                found.push(Place { weight: votes.map(|vote| vote.weight.0).sum(), values });
            }
        }
    }
    found
}

/// Whether two rows that differ in the feature alone can come to these leaves.
fn beside<K: Key>(a: &Place<K>, b: &Place<K>, feature: u32) -> bool {
    let shared = a.values.iter().filter(|(asked, _)| **asked != feature);
    shared.filter_map(|(asked, values)| Some((values, b.values.get(asked)?))).all(|(a, b)| !common(a, b).is_empty())
}

/// Whether `a` has a value of the feature that is less than one of `b`.
fn before<T: Number>(a: &Place<T::Key>, b: &Place<T::Key>, feature: u32) -> bool {
    let ends = |place: &Place<T::Key>| {
        let all = numbers::<T>();
        let values = common(place.values.get(&feature).unwrap_or(&all), &all[..1]);
        Some((values.first()?.0, values.last()?.1))
    };
    matches!((ends(a), ends(b)), (Some((least, _)), Some((_, most))) if least < most)
}

/// All numbers, then the missing one.
fn numbers<T: Number>() -> Set<T::Key> {
    vec![(T::of(f64::NEG_INFINITY).key(), T::of(f64::INFINITY).key()), (T::Key::MISSING, T::Key::MISSING)]
}

fn ranges<K: Key>(intervals: &[Interval<K>]) -> Set<K> {
    let mut found = Set::new();
    for Interval { from, length } in intervals.iter().filter(|interval| interval.length != K::default()) {
        let last = from.plus(*length).previous();
        match *from <= last {
            true => found.push((*from, last)),
            false => found.extend([(K::default(), last), (*from, K::MOST)]),
        }
    }
    found.sort_unstable();
    found
}

/// All keys that are not in the set.
fn others<K: Key>(set: &[(K, K)]) -> Set<K> {
    let mut found = Set::new();
    let mut next = Some(K::default());
    for (from, last) in set {
        if let Some(next) = next.filter(|next| next < from) {
            found.push((next, from.previous()));
        }
        next = (*last < K::MOST).then(|| last.next()).max(next.filter(|next| next > last));
    }
    found.extend(next.map(|next| (next, K::MOST)));
    found
}

fn common<K: Key>(a: &[(K, K)], b: &[(K, K)]) -> Set<K> {
    let mut found = Set::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let (from, last) = (a[i].0.max(b[j].0), a[i].1.min(b[j].1));
        if from <= last {
            found.push((from, last));
        }
        if a[i].1 < b[j].1 { i += 1 } else { j += 1 }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::forests::{BOOSTED, Kind, forest};
    use crate::trees::{Compare, Draft, Real, Test, Vote};
    use proptest::prelude::*;

    #[test]
    fn sets_are_what_they_say() {
        let set = ranges(&[Interval { from: 10u32, length: 5 }, Interval { from: u32::MAX, length: 3 }]);
        assert_eq!(set, [(0, 1), (10, 14), (u32::MAX, u32::MAX)]);
        assert_eq!(others(&set), [(2, 9), (15, u32::MAX - 1)]);
        assert_eq!(others(&others(&set)), set);
        assert_eq!(others::<u32>(&[]), [(0, u32::MAX)]);
        assert_eq!(others(&[(0, u32::MAX)]), []);
        assert_eq!(common(&set, &[(1, 10), (14, 20)]), [(1, 1), (10, 10), (14, 14)]);
        assert_eq!(ranges(&[Interval { from: 4u32, length: u32::MAX }]), [(0, 2), (4, u32::MAX)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        /// One tree is decided exactly, so a search over all values that it can tell apart must agree.
        #[test]
        fn what_is_proven_is_what_a_search_finds(seed: u64) {
            let kind = Kind { width: 3, trees: 1, branches: 7, ..BOOSTED };
            for kind in [kind, Kind { compare: None, ..kind }, Kind { precision: Precision::Double, ..kind }] {
                let ensemble = forest(seed, kind);
                for feature in 0..3 {
                    let (rises, falls) = search(&ensemble, feature);
                    let expected = match (rises, falls) {
                        (false, false) => Monotone::Constant,
                        (true, false) => Monotone::Rising,
                        (false, true) => Monotone::Falling,
                        (true, true) => Monotone::NotProven { falls: 0, rises: 0 },
                    };
                    prop_assert_eq!(monotone(&ensemble, 0, feature), expected, "{:?} in {}", ensemble, feature);
                }
            }
        }
    }

    /// Whether a tree of three features rises, and falls, in one of them, over all values next to its thresholds.
    fn search(ensemble: &Ensemble, feature: usize) -> (bool, bool) {
        let single = ensemble.get().precision == Precision::Single;
        let mut values = vec![f64::NEG_INFINITY, f64::INFINITY];
        for node in ensemble.get().trees.iter().flat_map(|tree| &tree.nodes) {
            let Node::Branch { test, .. } = node else { continue };
            let thresholds = match test {
                Test::Threshold(_, threshold) => std::slice::from_ref(threshold),
                Test::Member(set) => set,
            };
            for Real(at) in thresholds {
                let next = |down: bool| match (single, down) {
                    (true, true) => f64::from((*at as f32).next_down()),
                    (true, false) => f64::from((*at as f32).next_up()),
                    (false, true) => at.next_down(),
                    (false, false) => at.next_up(),
                };
                // Next to both zeros, not from one to the other.
                values.extend([next(true), *at, next(false), if *at == 0.0 { -next(false) } else { *at }]);
                values.extend(if *at == 0.0 { Some(-next(true)) } else { None });
            }
        }
        values.sort_by(f64::total_cmp);
        values.dedup();
        let others: Vec<f64> = values.iter().copied().chain([f64::NAN]).collect();
        let answer =
            |row: &[f64]| ensemble.get().trees.iter().map(|tree| weight(&tree.nodes[tree.leaf(row)])).sum::<f64>();
        let (mut rises, mut falls) = (false, false);
        for a in &others {
            for b in &others {
                let mut row = [*a; 3];
                row[(feature + 1) % 3] = *b;
                let answers: Vec<f64> = values
                    .iter()
                    .map(|value| {
                        row[feature] = *value;
                        answer(&row)
                    })
                    .collect();
                rises |= answers.windows(2).any(|pair| pair[0] < pair[1]);
                falls |= answers.windows(2).any(|pair| pair[0] > pair[1]);
            }
        }
        (rises, falls)
    }

    fn weight(node: &Node) -> f64 {
        let Node::Leaf { votes } = node else { return 0.0 };
        votes.iter().map(|vote| vote.weight.0).sum()
    }

    /// A stump on a feature: lighter below the threshold by so much.
    fn stump(feature: u32, rise: f32) -> Tree {
        let leaf = |weight: f32| Node::Leaf { votes: vec![Vote { target: 0, weight: Real::from(weight) }] };
        let test = Test::Threshold(Compare::Lt, Real(0.5));
        let branch = Node::Branch { feature, test, missing_tracks_true: true, yes: 1, no: 2 };
        Tree { root: 0, nodes: vec![branch, leaf(0.0), leaf(rise)] }
    }

    fn of(trees: Vec<Tree>, aggregate: Aggregate, feature: usize) -> Monotone {
        let (precision, base) = (Precision::Single, vec![]);
        let draft = Draft { width: 3, targets: 1, precision, aggregate, base, trees: trees.into() };
        monotone(&draft.check().expect("a forest"), 0, feature)
    }

    #[test]
    fn an_ensemble_is_proven_tree_by_tree() {
        let sum = Aggregate::Sum;
        // All of one feature, and too many leaves to look at.
        let mut long = forest(5, Kind { branches: 600, trees: 40, width: 1, ..BOOSTED }).into_draft();
        long.trees.retain(|tree| tree.nodes.len() / 2 >= MAX_LEAVES);
        assert!(!long.trees.is_empty());
        for (name, found, expected) in [
            ("no tree", of(vec![], sum, 0), Monotone::Constant),
            ("another feature", of(vec![stump(1, 1.0)], sum, 0), Monotone::Constant),
            ("no rise", of(vec![stump(0, 0.0)], sum, 0), Monotone::Constant),
            ("rising twice", of(vec![stump(0, 1.0), stump(1, -1.0), stump(0, 2.0)], sum, 0), Monotone::Rising),
            ("falling", of(vec![stump(0, -1.0), stump(0, 0.0)], Aggregate::Average, 0), Monotone::Falling),
            // Together they rise, which is not seen.
            (
                "one of each",
                of(vec![stump(2, 1.0), stump(0, 3.0), stump(0, -1.0)], sum, 0),
                Monotone::NotProven { falls: 2, rises: 1 },
            ),
            (
                "the greatest vote",
                of(vec![stump(1, 1.0)], Aggregate::Max, 0),
                Monotone::NotProven { falls: 0, rises: 0 },
            ),
            (
                "too large",
                of(vec![stump(0, 1.0), long.trees[0].clone()], sum, 0),
                Monotone::NotProven { falls: 1, rises: 0 },
            ),
        ] {
            assert_eq!(found, expected, "{name}");
        }
    }
}
