//! Contributions against their definition, by enumeration, and their axioms.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::trees::tests::forests::{BOOSTED, Dice, Kind, forest, rows};
use crate::trees::{Compare, Draft, Real, Test, Vote};
use proptest::prelude::*;

const KINDS: &[(&str, Kind)] = &[
    ("boosted", Kind { trees: 5, ..BOOSTED }),
    ("all modes", Kind { trees: 5, compare: None, ..BOOSTED }),
    ("chains", Kind { trees: 3, branches: 30, chains: true, ..BOOSTED }),
    ("large", Kind { trees: 2, branches: 120, compare: None, ..BOOSTED }),
    ("classes", Kind { trees: 4, targets: 3, votes: 3, ..BOOSTED }),
    ("average", Kind { trees: 4, aggregate: Aggregate::Average, ..BOOSTED }),
    ("double", Kind { trees: 4, precision: Precision::Double, compare: None, ..BOOSTED }),
    ("lone leaves", Kind { branches: 0, ..BOOSTED }),
];
/// Tables are f32.
const NEAR: f64 = 2e-6;

/// Margin of a row in f64, where an absent feature is decided by `leaf`.
fn margin(ensemble: &Ensemble, target: usize, leaf: impl Fn(usize, &Tree) -> f64) -> f64 {
    let draft = ensemble.get();
    let sum: f64 = draft.trees.iter().enumerate().map(|(at, tree)| leaf(at, tree)).sum();
    let trees = if draft.aggregate == Aggregate::Average { draft.trees.len() as f64 } else { 1.0 };
    sum / trees + ensemble.base(target)
}

fn weight(node: &Node, target: usize) -> f64 {
    let Node::Leaf { votes } = node else { panic!("no leaf") };
    votes.iter().filter(|vote| vote.target as usize == target).map(|vote| vote.weight.0).sum()
}

/// The worth of a coalition, averaged over a background.
fn interventional(ensemble: &Ensemble, target: usize, row: &[f64], background: &[f64], coalition: usize) -> f64 {
    let width = row.len();
    let worth = |other: &[f64]| {
        let mixed: Vec<f64> = (0..width).map(|f| if coalition >> f & 1 == 1 { row[f] } else { other[f] }).collect();
        margin(ensemble, target, |_, tree| weight(&tree.nodes[tree.leaf(&mixed)], target))
    };
    background.chunks(width).map(worth).sum::<f64>() / (background.len() / width) as f64
}

/// The worth of a coalition where absent features go to both children.
fn path_dependent(ensemble: &Ensemble, target: usize, row: &[f64], covers: &[Vec<f64>], coalition: usize) -> f64 {
    fn below(tree: &Tree, node: usize, target: usize, row: &[f64], covers: &[f64], coalition: usize) -> f64 {
        let Node::Branch { feature, test, missing_tracks_true, yes, no } = &tree.nodes[node] else {
            return weight(&tree.nodes[node], target);
        };
        let (yes, no) = (*yes as usize, *no as usize);
        let go = |node| below(tree, node, target, row, covers, coalition);
        if coalition >> feature & 1 == 1 {
            return go(if test.holds(*missing_tracks_true, row[*feature as usize]) { yes } else { no });
        }
        match covers[node] {
            0.0 => (go(yes) + go(no)) / 2.0,
            cover => (go(yes) * covers[yes] + go(no) * covers[no]) / cover,
        }
    }
    margin(ensemble, target, |at, tree| below(tree, tree.root as usize, target, row, &covers[at], coalition))
}

/// Shapley values by definition.
fn shapley(width: usize, worth: impl Fn(usize) -> f64) -> Vec<f64> {
    let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
    let worths: Vec<f64> = (0..1 << width).map(worth).collect();
    let part = |feature: usize| {
        let without = (0..1usize << width).filter(|coalition| coalition >> feature & 1 == 0);
        let share = |coalition: usize| {
            let size = coalition.count_ones() as usize;
            let share = factorial(size) * factorial(width - size - 1) / factorial(width);
            share * (worths[coalition | 1 << feature] - worths[coalition])
        };
        without.map(share).sum()
    };
    (0..width).map(part).collect()
}

fn explain(shap: &TreeShap, ensemble: &Ensemble, rows: &[f64]) -> Vec<f64> {
    let mut parts = vec![7.0; rows.len()];
    match ensemble.get().precision {
        Precision::Double => shap.explain_f64(rows, &mut parts).unwrap(),
        Precision::Single => {
            let rows: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
            shap.explain_f32(&rows, &mut parts).unwrap();
        }
    }
    parts
}

/// Rows that the ensemble's precision can hold.
fn rows_for(ensemble: &Ensemble, seed: u64, count: usize) -> Vec<f64> {
    let mut rows = rows(seed, ensemble.get().width, count);
    if ensemble.get().precision == Precision::Single {
        rows.iter_mut().for_each(|value| *value = f64::from(*value as f32));
    }
    rows
}

fn near(found: &[f64], expected: &[f64], what: &str) {
    for (feature, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < NEAR, "{what}, feature {feature}: {found}, by definition {expected}");
    }
}

fn check(seed: u64, name: &str, kind: Kind) {
    let ensemble = forest(seed, kind);
    let width = kind.width;
    let target = (seed % kind.targets as u64) as usize;
    let (rows, background) = (rows_for(&ensemble, seed, 6), rows_for(&ensemble, !seed, 9));
    let covers = count_covers(&ensemble, &background).unwrap();
    let shaps = [
        TreeShap::interventional(&ensemble, target, &background).unwrap(),
        TreeShap::path_dependent(&ensemble, target, &covers).unwrap(),
    ];
    for (which, shap) in shaps.iter().enumerate() {
        let parts = explain(shap, &ensemble, &rows);
        for (row, parts) in rows.chunks(width).zip(parts.chunks(width)) {
            let worth = |coalition: usize| match which {
                0 => interventional(&ensemble, target, row, &background, coalition),
                _ => path_dependent(&ensemble, target, row, &covers, coalition),
            };
            near(parts, &shapley(width, worth), name);
            let (base, full) = (worth(0), worth((1 << width) - 1));
            assert!((shap.base() - base).abs() < NEAR, "{name}: base {} {base}", shap.base());
            assert!((shap.base() + parts.iter().sum::<f64>() - full).abs() < NEAR, "{name}: efficiency");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn contributions_are_the_definition(seed: u64) {
        for (name, kind) in KINDS {
            check(seed, name, *kind);
        }
    }
}

/// Code that is not optimised is many times slower.
const BLOCK_CASES: u32 = if cfg!(debug_assertions) { 2 } else { 12 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(BLOCK_CASES))]
    #[test]
    fn blocks_give_the_bits_of_single_rows(seed: u64) {
        let wide = Kind { width: 14, branches: 90, chains: seed.is_multiple_of(2), trees: 9, ..BOOSTED };
        for kind in KINDS.iter().map(|(_, kind)| *kind).chain([wide]) {
            let ensemble = forest(seed, kind);
            let rows = rows_for(&ensemble, seed, 600);
            let shap = TreeShap::interventional(&ensemble, 0, &rows[..kind.width * 20]).unwrap();
            let bits = |parts: Vec<f64>| parts.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            let shaps = [Vectors::None, Vectors::Avx2, Vectors::Avx512].map(|vectors| shap.clone().using(vectors));
            let [walked, narrow, wide] = shaps.each_ref().map(|shap| bits(explain(shap, &ensemble, &rows)));
            prop_assert!(walked == narrow && walked == wide, "{:?}", kind);
            for (row, parts) in rows.chunks(kind.width).zip(walked.chunks(kind.width)).step_by(37) {
                prop_assert_eq!(bits(explain(&shap, &ensemble, row)), parts);
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whoever no tree asks for gets nothing; whoever two trees ask alike, with equal values, gets the same.
    #[test]
    fn null_players_and_twins(seed: u64) {
        let mut draft = forest(seed, Kind { width: 3, compare: None, ..BOOSTED }).into_draft();
        let mirrored: Vec<Tree> = draft.trees.iter().map(|tree| swapped(tree, 0, 1)).collect();
        draft.trees.extend(mirrored);
        draft.width = 4;
        let ensemble = draft.check().unwrap();
        let twins = |rows: Vec<f64>| {
            let mut rows: Vec<f64> = rows.iter().map(|value| f64::from(*value as f32)).collect();
            rows.chunks_mut(4).for_each(|row| row[1] = row[0]);
            rows
        };
        let (rows, background) = (twins(rows(seed, 4, 20)), twins(rows(!seed, 4, 8)));
        let parts = explain(&TreeShap::interventional(&ensemble, 0, &background).unwrap(), &ensemble, &rows);
        for parts in parts.chunks(4) {
            prop_assert!((parts[0] - parts[1]).abs() < NEAR, "{:?}", parts);
            prop_assert_eq!(parts[3].to_bits(), 0);
        }
    }
}

fn swapped(tree: &Tree, a: u32, b: u32) -> Tree {
    let mut tree = tree.clone();
    for node in &mut tree.nodes {
        if let Node::Branch { feature, .. } = node {
            *feature = if *feature == a {
                b
            } else if *feature == b {
                a
            } else {
                *feature
            };
        }
    }
    tree
}

#[test]
fn deep_paths_have_contributions_too() {
    // Fourteen features one below the other: beyond tables, by the closed form.
    let mut nodes = Vec::new();
    let mut dice = Dice(11);
    let leaf = |dice: &mut Dice| Node::Leaf {
        votes: vec![Vote { target: 0, weight: Real::from(dice.number().clamp(-2.0, 2.0) as f32) }],
    };
    for at in 0..14 {
        let test = Test::Threshold(Compare::Lt, Real(0.5));
        nodes.push(Node::Branch { feature: at, test, missing_tracks_true: false, yes: 2 * at + 1, no: 2 * at + 2 });
        nodes.push(leaf(&mut dice));
    }
    nodes.push(leaf(&mut dice));
    let draft = Draft {
        width: 14,
        trees: vec![Tree { root: 0, nodes }].into(),
        base: vec![],
        ..forest(1, BOOSTED).into_draft()
    };
    let ensemble = draft.check().unwrap();
    let row: Vec<f64> = (0..14).map(|f| f64::from(u8::from(f % 3 != 0))).collect();
    let background: Vec<f64> = (0..14 * 4).map(|at| f64::from(u8::from(at % 5 != 0))).collect();
    let covers = count_covers(&ensemble, &background).unwrap();
    let by_rows = TreeShap::interventional(&ensemble, 0, &background).unwrap();
    let by_covers = TreeShap::path_dependent(&ensemble, 0, &covers).unwrap();
    let expected = shapley(14, |coalition| interventional(&ensemble, 0, &row, &background, coalition));
    near(&explain(&by_rows, &ensemble, &row), &expected, "interventional");
    let expected = shapley(14, |coalition| path_dependent(&ensemble, 0, &row, &covers, coalition));
    near(&explain(&by_covers, &ensemble, &row), &expected, "path-dependent");
}

#[test]
fn what_has_no_contributions_is_refused() {
    let ensemble = forest(5, BOOSTED);
    let why = |result: Result<TreeShap, TreeError>| result.unwrap_err().to_string();
    let rows = [0f32; 10];
    assert!(why(TreeShap::interventional(&ensemble, 1, &rows)).contains("has 1 targets, not target 1"));
    assert!(why(TreeShap::interventional(&ensemble, 0, &rows[..0])).contains("the background has 0 numbers"));
    assert!(why(TreeShap::interventional(&ensemble, 0, &rows[..4])).contains("the background has 4 numbers"));
    let least = forest(5, Kind { aggregate: Aggregate::Min, ..BOOSTED });
    assert!(why(TreeShap::interventional(&least, 0, &rows)).contains("no sum of contributions"));
    let mut covers = count_covers(&ensemble, &rows).unwrap();
    let root = covers[2][0];
    covers[2][0] = root / 4.0;
    assert!(why(TreeShap::path_dependent(&ensemble, 0, &covers)).contains("tree 2, node 0: has cover 0.5, a child"));
    covers[2][0] = -1.0;
    assert!(why(TreeShap::path_dependent(&ensemble, 0, &covers)).contains("tree 2, node 0: has cover -1"));
    covers[2].pop();
    assert!(why(TreeShap::path_dependent(&ensemble, 0, &covers)).contains("(tree 2)"));
    assert!(why(TreeShap::path_dependent(&ensemble, 0, &[])).contains("covers has 0 numbers where 13"));
}
