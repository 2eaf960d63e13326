//! Trees as files list them: side by side or mixed, their nodes and weights in any order, by any numbers.

#![allow(clippy::unwrap_used)]

use crate::examples::model;
use crate::graph::{Column, Graph, Table, Values};
use crate::ops::tests::{Attributes, operator};
use crate::trees::tests::forests::{BOOSTED, Kind, forest, rows};
use crate::trees::{Ensemble, Node, Test};
use prost::Message;

/// A node as a file lists it.
#[derive(Clone)]
struct Line {
    tree: i64,
    id: i64,
    feature: i64,
    mode: &'static str,
    value: f32,
    yes: i64,
    no: i64,
    missing: bool,
    weights: Vec<f32>,
}

impl Line {
    /// A leaf without weights.
    fn leaf(tree: i64, id: i64) -> Self {
        let (value, weights) = (0.0, vec![]);
        Self { tree, id, feature: 0, mode: "LEAF", value, yes: 0, no: 0, missing: false, weights }
    }
}

fn lines(ensemble: &Ensemble) -> Vec<Line> {
    let trees = ensemble.get().trees.iter().enumerate();
    let line = |tree: usize, (id, node): (usize, &Node)| {
        let leaf = Line::leaf(tree as i64, id as i64);
        match node {
            Node::Branch { feature, test: Test::Threshold(_, threshold), missing_tracks_true, yes, no } => Line {
                feature: i64::from(*feature),
                mode: "BRANCH_LT",
                value: threshold.0 as f32,
                yes: i64::from(*yes),
                no: i64::from(*no),
                missing: *missing_tracks_true,
                ..leaf
            },
            Node::Branch { .. } => panic!("is no threshold"),
            Node::Leaf { votes } => Line { weights: votes.iter().map(|vote| vote.weight.0 as f32).collect(), ..leaf },
        }
    };
    trees.flat_map(|(tree, own)| own.nodes.iter().enumerate().map(move |node| line(tree, node))).collect()
}

/// A regressor of these lines, the weights in the order of `voters`.
fn graph(lines: &[Line], voters: &[Line]) -> Vec<u8> {
    let of = |get: fn(&Line) -> i64| lines.iter().map(get).collect::<Vec<_>>();
    let weights: Vec<(&Line, f32)> =
        voters.iter().flat_map(|line| line.weights.iter().map(move |weight| (line, *weight))).collect();
    let by_weight = |get: fn(&Line) -> i64| weights.iter().map(|(line, _)| get(line)).collect::<Vec<_>>();
    let mut node = operator("TreeEnsembleRegressor")
        .int("n_targets", 1)
        .texts("nodes_modes", &lines.iter().map(|line| line.mode).collect::<Vec<_>>())
        .ints("nodes_treeids", &of(|line| line.tree))
        .ints("nodes_nodeids", &of(|line| line.id))
        .ints("nodes_featureids", &of(|line| line.feature))
        .ints("nodes_truenodeids", &of(|line| line.yes))
        .ints("nodes_missing_value_tracks_true", &of(|line| i64::from(line.missing)))
        .ints("nodes_falsenodeids", &of(|line| line.no))
        .floats("nodes_values", &lines.iter().map(|line| line.value).collect::<Vec<_>>())
        .ints("target_treeids", &by_weight(|line| line.tree))
        .ints("target_nodeids", &by_weight(|line| line.id))
        .ints("target_ids", &vec![0; weights.len()])
        .floats("target_weights", &weights.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
    node.input = vec!["x".into()];
    node.output = vec!["y".into()];
    model(BOOSTED.width, 1, vec![node], vec![]).encode_to_vec()
}

fn refused(lines: &[Line]) -> String {
    Graph::load(&graph(lines, lines), None).map(drop).unwrap_err().to_string()
}

/// Nodes of all trees in turns, the root of each first.
fn mixed(lines: &[Line]) -> Vec<Line> {
    let mut mixed = lines.to_vec();
    mixed.sort_by_key(|line| (line.id, line.tree));
    mixed
}

#[test]
fn a_forest_is_the_same_in_any_order_of_its_lists() {
    for seed in 0..10 {
        let mut draft = forest(seed, Kind { branches: 30, ..BOOSTED }).into_draft();
        draft.base.clear();
        let (ensemble, width) = (draft.check().unwrap(), BOOSTED.width);
        let tidy = lines(&ensemble);
        let strange = |line: &Line| Line {
            id: 7 - 3 * line.id,
            tree: 100 - line.tree,
            yes: 7 - 3 * line.yes,
            no: 7 - 3 * line.no,
            ..line.clone()
        };
        let renamed = |lines: &[Line]| lines.iter().map(strange).collect::<Vec<_>>();
        let backwards = |lines: &[Line]| lines.iter().rev().cloned().collect::<Vec<_>>();
        let cells: Vec<f32> = rows(seed, width, 60).into_iter().map(|cell| cell as f32).collect();
        let column = |at: usize| Column {
            name: format!("x{at}"),
            values: Values::F32(cells.iter().skip(at).step_by(width).copied().collect()),
        };
        let table = Table { columns: (0..width).map(column).collect() };
        let mut expected = vec![0f32; 60];
        cells.chunks(width).zip(expected.chunks_mut(1)).for_each(|(row, answer)| ensemble.answer(row, answer));
        for (lines, voters) in [
            (tidy.clone(), tidy.clone()),
            (mixed(&tidy), tidy.clone()),
            (tidy.clone(), backwards(&tidy)),
            (mixed(&tidy), backwards(&tidy)),
            (renamed(&tidy), backwards(&renamed(&tidy))),
            (renamed(&mixed(&tidy)), renamed(&tidy)),
        ] {
            let graph = Graph::load(&graph(&lines, &voters), None).unwrap();
            assert_eq!(graph.run(&table).unwrap()[0].values, Values::F32(expected.clone()));
        }
    }
}

#[test]
fn lists_that_lead_nowhere_are_refused() {
    let leaf = |id: i64| Line { weights: vec![1.0], ..Line::leaf(4, id) };
    let root = Line { mode: "BRANCH_LT", yes: 1, no: 2, weights: vec![], ..leaf(0) };
    let good = [root.clone(), leaf(1), leaf(2)];
    assert!(Graph::load(&graph(&good, &good), None).is_ok());
    for (lines, why) in [
        (vec![root.clone(), leaf(1), leaf(1)], "lists node 1 of tree 4 twice"),
        (vec![root.clone(), leaf(1), leaf(3)], "a node 2 in tree 4, which another leads to"),
        (vec![Line { yes: -1, ..root.clone() }, leaf(1), leaf(2)], "a node -1 in tree 4, which another leads to"),
        (vec![Line { mode: "BRANCH", ..root.clone() }, leaf(1), leaf(2)], "there is no mode BRANCH"),
        (vec![Line { feature: -1, ..root.clone() }, leaf(1), leaf(2)], "nodes_featureids of features"),
        (vec![Line { yes: 0, ..root.clone() }, leaf(1), leaf(2)], "node 0: is reached by two ways"),
    ] {
        let found = refused(&lines);
        assert!(found.contains(why), "{why}: {found}");
    }
    let why = Graph::load(&graph(&good, &[leaf(9)]), None).map(drop).unwrap_err().to_string();
    assert!(why.contains("a node 9 in tree 4 for its weight"), "{why}");
    let why = Graph::load(&graph(&good, &[Line { tree: 5, ..leaf(1) }]), None).map(drop).unwrap_err().to_string();
    assert!(why.contains("a node 1 in tree 5 for its weight"), "{why}");
}
