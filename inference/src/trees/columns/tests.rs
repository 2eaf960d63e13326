//! The block form run bit by bit in the plainest code, against the walk; and positions that are not there.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::trees::rows::{RUN, Rows};
use crate::trees::tests::forests::{BOOSTED, Kind, forest, rows};
use crate::trees::{Ensemble, Precision};

/// All trees that are met by blocks, and the columns that they ask for.
fn grouped<T: Number>(ensemble: &Ensemble) -> (Group<T>, Vec<u32>, Vec<usize>) {
    let mut columns = Columns::default();
    let mut grouping = Grouping::<T>::new(&mut columns);
    let trees = ensemble.get().trees.iter().enumerate();
    let taken = trees.filter(|(_, tree)| grouping.add(tree)).map(|(at, _)| at).collect();
    let group = grouping.take();
    (group, columns.features, taken)
}

/// The number of the leaf that one row comes to, as [`Shape`] says, given the answers to all questions.
fn number<T: Number>(group: &Group<T>, shape: &Shape, answers: &[bool]) -> usize {
    match shape.by {
        By::Select(first) => (0..shape.bits).fold(0, |position, level| {
            let node = first as usize + (1 << level) - 1 + position;
            2 * position + usize::from(answers[group.levels[node] as usize])
        }),
        By::Reach(first, last) => {
            let mut slots = [false; MAX_SLOTS];
            slots[0] = true;
            let mut met = vec![];
            for step in &group.steps[first as usize..last as usize] {
                match *step {
                    Step::Branch { mask, slot } => {
                        let (here, yes) = (slots[usize::from(slot)], answers[mask as usize]);
                        slots[usize::from(slot) + 1] = here && yes;
                        slots[usize::from(slot)] = here && !yes;
                    }
                    Step::Leaf { number, slot } => met.extend(slots[usize::from(slot)].then_some(usize::from(number))),
                }
            }
            assert_eq!(met.len(), 1, "a row comes to one leaf");
            met[0]
        }
    }
}

fn check<T: Number>(name: &str, kind: Kind, seed: u64) -> [usize; 2] {
    let ensemble = forest(seed, kind);
    let (group, columns, taken) = grouped::<T>(&ensemble);
    assert!(group.is_sound(columns.len(), kind.targets), "{name}");
    for row in rows(seed, kind.width, 12).chunks(kind.width) {
        let row: Vec<T> = row.iter().map(|value| T::of(*value)).collect();
        let keys: Vec<T::Key> = columns.iter().map(|feature| row[*feature as usize].key()).collect();
        let mut answers = Vec::new();
        group.questions.answer(&keys, &mut answers);
        // A lone leaf asks nothing, and its levels are none.
        for (shape, at) in group.trees.iter().zip(&taken) {
            let number = number(&group, shape, &answers);
            let tree = &ensemble.get().trees[*at];
            let mut expected: Vec<(u32, f64)> = match &tree.nodes[tree.leaf(&row)] {
                Node::Leaf { votes } => votes.iter().map(|vote| (vote.target, vote.weight.0)).collect(),
                Node::Branch { .. } => vec![],
            };
            for output in &group.outputs[shape.outputs.0 as usize..shape.outputs.1 as usize] {
                let weight = group.tables[output.table as usize + number].wide();
                match expected.iter().position(|(target, _)| *target == output.target) {
                    Some(at) => assert_eq!(expected.remove(at).1.to_bits(), weight.to_bits(), "{name}, tree {at}"),
                    None => assert_eq!(weight, 0.0, "{name}: a leaf without a vote adds nothing"),
                }
            }
            assert!(expected.is_empty(), "{name}: votes without a table {expected:?}");
        }
    }
    let selects = group.trees.iter().filter(|shape| matches!(shape.by, By::Select(_))).count();
    [selects, group.trees.len() - selects]
}

#[test]
fn leaves_and_votes_are_those_of_the_walk() {
    let mut seen = [0, 0];
    for seed in 0..12 {
        for (name, kind) in [
            ("small", BOOSTED),
            ("all modes", Kind { compare: None, ..BOOSTED }),
            ("lone leaves", Kind { branches: 0, ..BOOSTED }),
            ("chains", Kind { branches: 40, chains: true, compare: None, ..BOOSTED }),
            ("large", Kind { branches: 200, trees: 4, ..BOOSTED }),
            ("several targets and votes", Kind { targets: 3, votes: 4, ..BOOSTED }),
        ] {
            let counts = [
                check::<f32>(name, kind, seed),
                check::<f64>(name, Kind { precision: Precision::Double, ..kind }, seed),
            ];
            counts.iter().for_each(|count| (0..2).for_each(|by| seen[by] += count[by]));
        }
    }
    assert!(seen.iter().all(|count| *count > 50), "both forms are tried: {seen:?}");
}

/// A chain of so many branches, all of whose no's are leaves, or all of whose yes's are.
fn chain(branches: u32, by_yes: bool) -> Tree {
    let leaf = || Node::Leaf { votes: vec![Vote { target: 0, weight: crate::trees::Real(1.0) }] };
    let mut nodes = Vec::new();
    for at in 0..branches {
        let (next, end) = (2 * at + 2, 2 * at + 1);
        let test = crate::trees::Test::Threshold(crate::trees::Compare::Lt, crate::trees::Real(f64::from(at)));
        let (yes, no) = if by_yes { (next, end) } else { (end, next) };
        nodes.extend([Node::Branch { feature: 0, test, missing_tracks_true: false, yes, no }, leaf()]);
    }
    nodes.push(leaf());
    Tree { root: 0, nodes }
}

#[test]
fn a_tree_that_does_not_fit_is_walked() {
    for (name, tree, expected) in [
        ("a leaf", chain(0, true), Some(true)),
        ("as deep as a perfect tree may be", chain(6, true), Some(true)),
        ("deeper", chain(9, true), Some(false)),
        ("as many rows to be remembered as may be", chain(62, true), Some(false)),
        ("one more", chain(63, true), None),
        ("none of them to be remembered", chain(63, false), Some(false)),
        ("as many leaves as have a number", chain(255, false), Some(false)),
        ("one more leaf", chain(256, false), None),
    ] {
        assert_eq!(Plan::of(&tree).map(|plan| plan.select), expected, "{name}");
    }
    // Of 60 targets, each leaf votes for one: tables for all of them would be almost empty.
    let mut sparse = chain(59, false);
    let mut target = 0..;
    for node in &mut sparse.nodes {
        if let Node::Leaf { votes } = node {
            votes[0].target = target.next().unwrap();
        }
    }
    assert!(Plan::of(&sparse).is_none());
}

fn each(group: &mut Group<f32>, change: fn(&mut Step)) {
    group.steps.iter_mut().for_each(change);
}

#[test]
fn a_position_that_is_not_there_is_no_sound_group() {
    let kind = Kind { targets: 2, votes: 2, compare: None, trees: 9, ..BOOSTED };
    let small = grouped::<f32>(&forest(1, Kind { branches: 6, ..kind }));
    let chains = grouped::<f32>(&forest(2, Kind { branches: 40, chains: true, ..kind }));
    type Change = fn(&mut Group<f32>);
    let rows: [(&str, &(Group<f32>, Vec<u32>, Vec<usize>), Change); 12] = [
        ("a question's column", &small, |group| group.questions.asks[0].column = u32::MAX),
        ("a level's mask", &small, |group| group.levels.iter_mut().for_each(|mask| *mask = u32::MAX)),
        ("a level too few", &small, |group| _ = group.levels.pop()),
        ("more bits than tables have", &small, |group| group.trees[0].bits = 9),
        ("a target", &small, |group| group.outputs[0].target = 2),
        ("a table too short", &small, |group| _ = group.tables.pop()),
        ("an output too few", &small, |group| _ = group.outputs.pop()),
        ("a step too few", &chains, |group| _ = group.steps.pop()),
        ("a branch's mask", &chains, |group| {
            each(group, |step| {
                if let Step::Branch { mask, .. } = step {
                    *mask = u32::MAX
                }
            })
        }),
        ("a branch's slot", &chains, |group| {
            each(group, |step| {
                if let Step::Branch { slot, .. } = step {
                    *slot = MAX_SLOTS as u8 - 1
                }
            })
        }),
        ("a leaf's slot", &chains, |group| {
            each(group, |step| {
                if let Step::Leaf { slot, .. } = step {
                    *slot = MAX_SLOTS as u8
                }
            })
        }),
        ("a leaf's number", &chains, |group| {
            each(group, |step| {
                if let Step::Leaf { number, .. } = step {
                    *number = u8::MAX
                }
            })
        }),
    ];
    for (name, (group, columns, _), change) in rows {
        assert!(group.is_sound(columns.len(), 2) && !group.is_sound(columns.len(), 1), "{name}: before");
        let mut changed = group.clone();
        change(&mut changed);
        assert!(!changed.is_sound(columns.len(), 2), "{name}");
    }
}

/// The form for one row holds every question at one place of its column's runs.
#[test]
fn the_form_for_one_row_asks_the_same_questions() {
    let mut tried = 0;
    for seed in 0..12 {
        let ensemble = forest(seed, Kind { compare: None, branches: 8, ..BOOSTED });
        let (group, columns, _) = grouped::<f32>(&ensemble);
        let Some(form) = Rows::new(&group) else { continue };
        assert!(form.is_sound(&group, columns.len()) && !form.is_sound(&group, columns.len() - 1));
        for row in rows(seed, BOOSTED.width, 8).chunks(BOOSTED.width) {
            let keys: Vec<u32> = columns.iter().map(|feature| (row[*feature as usize] as f32).key()).collect();
            let mut answers = Vec::new();
            group.questions.answer(&keys, &mut answers);
            let ask = |place: usize| {
                let key = keys[form.columns[place / RUN] as usize];
                crate::trees::keys::Interval { from: form.from[place], length: form.length[place] }.holds(key)
            };
            let mut own: Vec<bool> = (0..form.from.len()).map(ask).collect();
            for (place, column, interval) in &form.more {
                own[usize::from(*place)] |= interval.holds(keys[*column as usize]);
            }
            for (level, place) in group.levels.iter().zip(&form.levels) {
                assert_eq!(answers[*level as usize], own[usize::from(*place)], "seed {seed}");
            }
            let count = |answers: &[bool]| answers.iter().filter(|yes| **yes).count();
            assert_eq!(
                count(&own),
                count(&answers),
                "seed {seed}: runs are filled up with questions that nothing meets"
            );
            tried += 1;
        }
    }
    assert!(tried > 20, "only {tried} rows were tried");
    let chains = grouped::<f32>(&forest(2, Kind { branches: 40, chains: true, ..BOOSTED })).0;
    assert!(Rows::new(&chains).is_none(), "trees that are no perfect ones have no such form");
}
