//! The tree engine: one meaning on every path, to the bit, and hostile ensembles refused by name.

#![allow(clippy::unwrap_used)]

pub(crate) mod forests;

use super::*;
use forests::{BOOSTED, Kind, forest, rows};
use proptest::prelude::*;

/// Of every path through the engine at least one.
const KINDS: &[(&str, Kind)] = &[
    ("boosted", BOOSTED),
    ("at most", Kind { compare: Some(Compare::Leq), ..BOOSTED }),
    ("all modes", Kind { compare: None, ..BOOSTED }),
    ("stumps", Kind { branches: 1, trees: 40, ..BOOSTED }),
    ("lone leaves", Kind { branches: 0, ..BOOSTED }),
    ("no trees", Kind { trees: 0, ..BOOSTED }),
    ("chains", Kind { branches: 40, chains: true, compare: None, ..BOOSTED }),
    ("long chains", Kind { branches: 400, chains: true, trees: 3, ..BOOSTED }),
    ("large", Kind { branches: 200, trees: 4, compare: None, ..BOOSTED }),
    ("too large for blocks", Kind { branches: 700, trees: 5, compare: None, ..BOOSTED }),
    ("many questions", Kind { branches: 250, trees: 60, width: 40, ..BOOSTED }),
    ("classes", Kind { targets: 4, votes: 5, ..BOOSTED }),
    ("classes of large trees", Kind { targets: 3, votes: 3, branches: 90, compare: None, ..BOOSTED }),
    ("average", Kind { aggregate: Aggregate::Average, targets: 2, votes: 2, ..BOOSTED }),
    ("least", Kind { aggregate: Aggregate::Min, targets: 2, votes: 2, ..BOOSTED }),
    ("greatest", Kind { aggregate: Aggregate::Max, ..BOOSTED }),
    ("double", Kind { precision: Precision::Double, compare: None, ..BOOSTED }),
    ("double, large", Kind { precision: Precision::Double, branches: 150, targets: 2, votes: 2, ..BOOSTED }),
];

/// Answers of the plain walk, as bits.
fn plain(ensemble: &Ensemble, rows: &[f64]) -> Vec<u64> {
    let draft = ensemble.get();
    let answer = |row: &[f64]| match draft.precision {
        Precision::Single => {
            let row: Vec<f32> = row.iter().map(|value| *value as f32).collect();
            let mut found = vec![0f32; draft.targets];
            ensemble.answer(&row, &mut found);
            found.into_iter().map(|found| u64::from(found.to_bits())).collect::<Vec<_>>()
        }
        Precision::Double => {
            let mut found = vec![0f64; draft.targets];
            ensemble.answer(row, &mut found);
            found.into_iter().map(f64::to_bits).collect()
        }
    };
    rows.chunks(draft.width).flat_map(answer).collect()
}

fn compiled(compiled: &Compiled, rows: &[f64]) -> Vec<u64> {
    let draft = compiled.ensemble().get();
    let count = rows.len() / draft.width * draft.targets;
    if draft.precision == Precision::Single {
        let rows: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
        let mut found = vec![9f32; count];
        compiled.run_f32(&rows, &mut found).unwrap();
        return found.into_iter().map(|found| u64::from(found.to_bits())).collect();
    }
    let mut found = vec![9f64; count];
    compiled.run_f64(rows, &mut found).unwrap();
    found.into_iter().map(f64::to_bits).collect()
}

/// Code that is not optimised is many times slower.
const CASES: u32 = if cfg!(debug_assertions) { 6 } else { 24 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]
    #[test]
    fn every_form_gives_the_same_bits(seed: u64) {
        for (name, kind) in KINDS {
            let ensemble = forest(seed, *kind);
            let forms = [Vectors::None, Vectors::Avx2, Vectors::Avx512];
            let forms = forms.map(|vectors| (vectors, Compiled::using(ensemble.clone(), vectors)));
            for count in [1, 7, 10, 24, 130, 530] {
                let rows = rows(seed, kind.width, count);
                let expected = plain(&ensemble, &rows);
                for (vectors, form) in &forms {
                    prop_assert_eq!(&compiled(form, &rows), &expected, "{}, {} rows, {:?}", name, count, vectors);
                }
            }
        }
    }
}

#[test]
fn doubles_compare_as_doubles() {
    let tenth = Node::Branch {
        feature: 0,
        test: Test::Threshold(Compare::Leq, Real(0.1)),
        missing_tracks_true: false,
        yes: 1,
        no: 2,
    };
    let leaf = |weight: f64| Node::Leaf { votes: vec![Vote { target: 0, weight: Real(weight) }] };
    let mut draft = Draft { precision: Precision::Double, ..forest(1, BOOSTED).into_draft() };
    draft.trees.truncate(1);
    draft.trees[0].nodes = vec![tenth, leaf(1.0), leaf(2.0)];
    draft.base = vec![Real(0.5)];
    let compiled = Compiled::new(draft.check().unwrap());
    let row = |first: f64| [first, 0.0, 0.0, 0.0, 0.0];
    let mut answer = [0.0];
    for (value, expected) in [(0.1, 1.5), (f64::from(0.1f32), 2.5), (f64::NAN, 2.5)] {
        compiled.run_f64(&row(value), &mut answer).unwrap();
        assert_eq!(answer[0], expected, "{value}");
        let mut narrow = [0.0];
        compiled.run_f32(&row(value).map(|value| value as f32), &mut narrow).unwrap();
        assert_eq!(narrow[0], 2.5, "as f32 {value} is more than a tenth");
    }
}

#[test]
fn votes_are_added_in_their_order() {
    // 1e8 + 1 − 1e8 is 0 in f32 and 1 in f64: the order and the precision are seen.
    let leaf = |weights: &[f32]| Node::Leaf {
        votes: weights.iter().map(|weight| Vote { target: 0, weight: Real::from(*weight) }).collect(),
    };
    let mut draft = Draft { base: vec![], ..forest(1, BOOSTED).into_draft() };
    draft.trees.truncate(2);
    draft.trees[0].nodes = vec![leaf(&[1e8, 1.0])];
    draft.trees[1].nodes = vec![leaf(&[-1e8])];
    let compiled = Compiled::new(draft.check().unwrap());
    for count in [1, 20] {
        let mut answers = vec![5.0; count];
        compiled.run_f32(&vec![0.0; 5 * count], &mut answers).unwrap();
        assert!(answers.iter().all(|answer| *answer == 0.0), "{answers:?}");
    }
}

#[test]
fn a_forest_for_other_rows_is_the_one_that_would_be_checked_anew() {
    let (narrow, double) = (forest(3, BOOSTED), forest(3, Kind { precision: Precision::Double, ..BOOSTED }));
    for (ensemble, width, precision) in [
        (&narrow, 5, Precision::Single),
        (&narrow, 9, Precision::Double),
        (&narrow, 4, Precision::Single),
        (&narrow, usize::MAX, Precision::Single),
        (&double, 5, Precision::Double),
        (&double, 5, Precision::Single),
    ] {
        let anew = Draft { width, precision, ..ensemble.clone().into_draft() }.check();
        assert_eq!(ensemble.for_rows(width, precision), anew, "{width}, {precision:?}");
    }
}

#[test]
fn trees_are_shared_until_they_are_changed() {
    let ensemble = forest(3, BOOSTED);
    let wider = ensemble.for_rows(9, Precision::Double).unwrap();
    assert!(std::ptr::eq(&ensemble.get().trees[0], &wider.get().trees[0]));
    let mut draft = wider.into_draft();
    draft.trees.truncate(1);
    assert_eq!((draft.trees.len(), ensemble.get().trees.len()), (1, BOOSTED.trees));
}

/// Refusals of an ensemble with one thing changed.
fn check(expected: &str, change: impl Fn(&mut Draft)) {
    let mut draft = Draft { base: vec![], ..forest(3, Kind { branches: 6, trees: 2, ..BOOSTED }).into_draft() };
    let leaf = Node::Leaf { votes: vec![] };
    draft.trees[1].nodes = vec![branch(0, 1, 2), branch(1, 3, 4), leaf.clone(), leaf.clone(), leaf];
    assert!(draft.clone().check().is_ok());
    change(&mut draft);
    let why = draft.check().err().map_or("it is let through".to_owned(), |error| error.to_string());
    assert!(why.contains(expected), "expected {expected:?}, got {why:?}");
}

fn branch(feature: u32, yes: u32, no: u32) -> Node {
    threshold(feature, yes, no, 0.5)
}

fn threshold(feature: u32, yes: u32, no: u32, threshold: f64) -> Node {
    let test = Test::Threshold(Compare::Lt, Real(threshold));
    Node::Branch { feature, test, missing_tracks_true: false, yes, no }
}

#[test]
fn hostile_ensembles_are_refused_by_name() {
    let member = |set| Node::Branch { feature: 0, test: Test::Member(set), missing_tracks_true: true, yes: 1, no: 2 };
    let vote = |target, weight: f64| Node::Leaf { votes: vec![Vote { target, weight: Real(weight) }] };
    check("tree 1, node 0: has the child 5, the tree has 5 nodes", |draft| draft.trees[1].nodes[0] = branch(0, 5, 2));
    check("tree 1, node 0: is reached by two ways", |draft| draft.trees[1].nodes[1] = branch(0, 0, 4));
    check("tree 1, node 1: is reached by two ways", |draft| draft.trees[1].nodes[1] = branch(0, 1, 4));
    check("tree 1, node 2: is reached by two ways", |draft| draft.trees[1].nodes[1] = branch(0, 2, 4));
    check("tree 1, node 2: is reached by two ways", |draft| draft.trees[1].nodes[0] = branch(0, 2, 2));
    check("tree 1, node 1: is reached by no way", |draft| draft.trees[1].nodes[0] = vote(0, 1.0));
    check("tree 1, node 5: is the root of a tree of 5 nodes", |draft| draft.trees[1].root = 5);
    check("tree 1, node 0: is the root of a tree of 0 nodes", |draft| {
        draft.trees[1].nodes.clear();
    });
    check("tree 1, node 1: asks for feature 5 of 5", |draft| draft.trees[1].nodes[1] = branch(5, 3, 4));
    check("tree 1, node 1: its threshold is NaN", |draft| {
        draft.trees[1].nodes[1] = threshold(0, 3, 4, f64::NAN);
    });
    check("tree 1, node 1: its threshold 0.1 is no f32", |draft| draft.trees[1].nodes[1] = threshold(0, 3, 4, 0.1));
    check("tree 1, node 0: its member is NaN", |draft| draft.trees[1].nodes[0] = member(vec![Real(f64::NAN)]));
    check("tree 1, node 3: its weight is NaN", |draft| draft.trees[1].nodes[3] = vote(0, f64::NAN));
    check("tree 1, node 3: votes for target 1 of 1", |draft| draft.trees[1].nodes[3] = vote(1, 1.0));
    check("the ensemble has 2 base values for 1 targets", |draft| draft.base = vec![Real(0.0); 2]);
    check("the ensemble has a base value is NaN", |draft| draft.base = vec![Real(f64::NAN)]);
    check("the ensemble has 0 features, must have 1 to 1048576", |draft| draft.width = 0);
    check("the ensemble has 65537 targets, must have 1 to 65536", |draft| draft.targets = 65537);
    check("is the start of branch 513, a way may have 512", |draft| {
        let leaf = || Node::Leaf { votes: vec![] };
        let chain = (0..513).flat_map(|at| [branch(0, 2 * at + 1, 2 * at + 2), leaf()]);
        draft.trees[1].nodes = chain.chain([leaf()]).collect();
    });
}

#[test]
fn calls_of_another_shape_are_refused() {
    let single = Compiled::new(forest(1, BOOSTED));
    let double = Compiled::new(forest(1, Kind { precision: Precision::Double, ..BOOSTED }));
    let shape = |result: Result<(), TreeError>| result.unwrap_err().to_string();
    assert_eq!(shape(single.run_f32(&[0.0; 6], &mut [0.0])), "rows has 6 numbers where a multiple of 5 are needed");
    assert_eq!(shape(single.run_f32(&[0.0; 10], &mut [0.0])), "answers has 1 numbers where 2 are needed");
    assert_eq!(shape(double.run_f64(&[0.0; 5], &mut [])), "answers has 0 numbers where 1 are needed");
    assert!(shape(single.run_f64(&[0.0; 5], &mut [0.0])).contains("single precision"));
    single.run_f32(&[], &mut []).unwrap();
}
