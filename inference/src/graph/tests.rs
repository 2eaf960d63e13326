//! Small graphs over tables: what they take, what they give, and why they do not load.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::examples::{model, node, shallow, tensor, whole, with};
use crate::ops::NodeProto;
use crate::ops::tests::{Attributes, operator};
use prost::Message;
use tract_onnx::pb::{TensorProto, ValueInfoProto};

/// A model of opset 17 with these outputs in place of `y`.
fn giving(outputs: &[&str], nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<u8> {
    let mut proto = model(2, 1, nodes, constants);
    let info = |name: &&str| ValueInfoProto { name: (*name).to_owned(), ..Default::default() };
    proto.graph.as_mut().unwrap().output = outputs.iter().map(info).collect();
    proto.encode_to_vec()
}

fn table(columns: &[(&str, &[f32])]) -> Table {
    let column = |(name, cells): &(&str, &[f32])| Column { name: (*name).into(), values: Values::F32(cells.to_vec()) };
    Table { columns: columns.iter().map(column).collect() }
}

fn refused(bytes: &[u8], options: &Options<'_>) -> String {
    Graph::with(bytes, options).map(drop).unwrap_err().to_string()
}

/// A tree of one branch over the first of two features, as a classifier or a regressor has it.
fn stump(name: &str, side: &str) -> NodeProto {
    let node = operator(name)
        .texts("nodes_modes", &["BRANCH_LT", "LEAF", "LEAF"])
        .ints("nodes_treeids", &[0; 3])
        .ints("nodes_nodeids", &[0, 1, 2])
        .ints("nodes_featureids", &[0; 3])
        .ints("nodes_truenodeids", &[1, 0, 0])
        .ints("nodes_falsenodeids", &[2, 0, 0])
        .floats("nodes_values", &[0.5, 0.0, 0.0]);
    let votes = node.ints(&format!("{side}_treeids"), &[0, 0]).ints(&format!("{side}_nodeids"), &[1, 2]);
    votes.ints(&format!("{side}_ids"), &[0, 0]).floats(&format!("{side}_weights"), &[-1.0, 2.0])
}

fn trees(input: &str) -> NodeProto {
    let node = stump("TreeEnsembleRegressor", "target").int("n_targets", 1);
    NodeProto { input: vec![input.into()], output: vec!["y".into()], ..node }
}

#[test]
fn a_graph_that_cannot_be_run_says_what_would_make_it_loadable() {
    let refusals: &[(&[u8], &str)] = &[(b"", "holds no graph"), (b"no protobuf at all", "the engine refuses it")];
    for (bytes, expected) in refusals {
        let error = Graph::load(bytes, None).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// One row that an operator refuses is named, and those beside it are not blamed.
#[test]
fn the_row_that_is_refused_is_named() {
    // 3 is int8, 1 is float, as `Cast` says it.
    let nodes = vec![with(node("Cast", &["x"], "code"), "to", 3), with(node("Cast", &["code"], "y"), "to", 1)];
    let graph = Graph::load(&model(1, 1, nodes, vec![]).encode_to_vec(), None).unwrap();
    let run = |cells: Vec<f32>| graph.run(&table(&[("x", &cells)]));
    for bad in [0, 255, 256, 300, 599] {
        let mut cells = vec![7.0; 600];
        cells[bad] = 999.0;
        let why = run(cells).unwrap_err().to_string();
        assert!(why.starts_with(&format!("row {}: ", bad + 1)) && why.contains("999 is no I8"), "{why}");
    }
    assert!(run(vec![7.0; 600]).is_ok());
}

#[test]
fn outputs_are_those_that_are_asked_for_in_that_order_and_constants_are_left_out() {
    let nodes = || vec![node("Softplus", &["x"], "a"), node("ReduceMax", &["w"], "same"), node("Floor", &["x"], "b")];
    let bytes = giving(&["a", "same", "b"], nodes(), vec![tensor("w", &[2], vec![1.0, 3.0])]);
    let named = |outputs: Option<&[&str]>| {
        let graph = Graph::with(&bytes, &Options { outputs, ..Options::default() }).unwrap();
        let names: Vec<String> = graph.outputs().map(|(name, columns)| format!("{name} {columns}")).collect();
        (names.join(", "), graph.left_out().to_vec())
    };
    assert_eq!(named(None), ("a 2, b 2".to_owned(), vec!["same".to_owned()]));
    assert_eq!(named(Some(&["b", "a"])), ("b 2, a 2".to_owned(), vec![]));
    let why = refused(&bytes, &Options { outputs: Some(&["c"]), ..Options::default() });
    assert!(why.contains("has no output c; it has a, same, b"), "{why}");
    let why = refused(&bytes, &Options { outputs: Some(&["same"]), ..Options::default() });
    assert!(why.contains("none of its outputs has one row for each row"), "{why}");
    let graph = Graph::load(&bytes, None).unwrap();
    let found = graph.run(&table(&[("x[1]", &[0.5, -1.5]), ("x[0]", &[2.5, f32::NAN])])).unwrap();
    assert_eq!((found[1].name.as_str(), &found[1].columns[..]), ("b", &["b_0".to_owned(), "b_1".to_owned()][..]));
    let Values::F32(cells) = &found[1].values else { panic!("{found:?}") };
    assert_eq!(cells[..2], [2.0, 0.0], "columns go to their names");
    assert!(cells[2].is_nan() && cells[3] == -2.0);
}

#[test]
fn a_table_that_does_not_fit_says_what_differs() {
    let graph = Graph::load(&model(2, 2, vec![node("Floor", &["x"], "y")], vec![]).encode_to_vec(), None).unwrap();
    for (name, columns, expected) in [
        ("one column", table(&[("a", &[1.0])]), "takes 2 columns, the table has 1"),
        ("a name that differs by its case", table(&[("X[0]", &[1.0]), ("b", &[1.0])]), "the table lacks x[0], x[1]"),
        ("a ragged table", table(&[("a", &[1.0, 2.0]), ("b", &[1.0])]), "column b has not 2 cells"),
        (
            "text",
            Table {
                columns: vec![
                    Column { name: "a".into(), values: Values::F32(vec![1.0]) },
                    Column { name: "b".into(), values: Values::Text(vec!["1".into()]) },
                ],
            },
            "row 1, column b: the graph takes F32 there",
        ),
    ] {
        let why = graph.run(&columns).unwrap_err().to_string();
        assert!(why.contains(expected), "{name}: {why}");
    }
    let none = graph.run(&table(&[("a", &[]), ("b", &[])])).unwrap();
    assert_eq!(none[0].values, Values::F32(vec![]), "no rows are answered by none");
    let header = ["x[1]".to_owned(), "x[0]".to_owned()];
    assert_eq!((graph.matched(&header), graph.kinds(&header)), (Ok(Matched::Names), Ok(vec![Kind::F32; 2])));
    assert_eq!(graph.matched(&["p".to_owned(), "q".to_owned()]), Ok(Matched::Order));
}

/// Where the rows of a block would meet, each is run for itself, and has the bits that it has alone.
#[test]
fn rows_that_would_meet_are_run_one_by_one() {
    let constants = || vec![TensorProto { dims: vec![], ..whole("first", &[0]) }];
    for (name, nodes, meets) in [
        ("each for itself", vec![node("Floor", &["x"], "y")], false),
        ("along the columns", vec![with(node("ReduceMax", &["x"], "y").ints("axes", &[1]), "keepdims", 1)], false),
        (
            "turned there and back",
            vec![node("Transpose", &["x"], "t"), node("Round", &["t"], "u"), node("Transpose", &["u"], "y")],
            false,
        ),
        ("a softmax over the rows", vec![with(node("Softmax", &["x"], "y"), "axis", 0)], true),
        (
            "the greatest of all",
            vec![node("ReduceMax", &["x"], "m").ints("axes", &[0]), node("Sub", &["x", "m"], "y")],
            true,
        ),
        ("a running sum", vec![node("CumSum", &["x", "first"], "y")], true),
        (
            "rows with columns",
            vec![
                node("Transpose", &["x"], "t"),
                node("MatMul", &["x", "t"], "p"),
                node("ReduceMax", &["p"], "y").ints("axes", &[1]),
            ],
            true,
        ),
    ] {
        let graph = Graph::load(&giving(&["y"], nodes, constants()), None).unwrap();
        assert_eq!(graph.meet().is_some(), meets, "{name}: {:?}", graph.meet());
        let cells = |at: usize| (0..300).map(|row| ((row * 7 + at) % 13) as f32 / 4.0 - 1.0).collect::<Vec<f32>>();
        let (a, b) = (cells(0), cells(5));
        let together = graph.run(&table(&[("a", &a), ("b", &b)])).unwrap();
        let width = together[0].columns.len();
        let Values::F32(all) = &together[0].values else { panic!("{name}") };
        for row in [0, 1, 255, 256, 299] {
            let alone = graph.run(&table(&[("a", &a[row..=row]), ("b", &b[row..=row])])).unwrap();
            assert_eq!(alone[0].values, Values::F32(all[row * width..][..width].to_vec()), "{name}, row {row}");
        }
    }
}

#[test]
fn trees_are_those_of_a_graph_that_is_nothing_else() {
    let of = |nodes: Vec<NodeProto>| {
        Graph::load(&giving(&["y"], nodes, vec![tensor("one", &[1], vec![1.0])]), None).unwrap()
    };
    let found = of(vec![trees("x")]).trees().unwrap();
    let mut answers = [[0f32]; 4];
    for (row, answer) in [[0.25, 9.0], [0.5, 9.0], [f32::NAN, 9.0], [-9.0, f32::NAN]].iter().zip(&mut answers) {
        found.answer(row, answer);
    }
    assert_eq!((found.get().width, answers), (2, [[-1.0], [2.0], [2.0], [-1.0]]));
    assert_eq!(of(vec![node("Identity", &["x"], "same"), trees("same")]).trees(), Ok(found));
    let shifted = vec![node("Add", &["x", "one"], "more"), trees("more")];
    let both = vec![
        NodeProto { output: vec!["a".into()], ..trees("x") },
        NodeProto { output: vec!["b".into()], name: "other".into(), ..trees("x") },
        node("Add", &["a", "b"], "y"),
    ];
    for (name, graph, expected) in [
        ("a sum before them", of(shifted), "is before them: leave it out and let the feature contract do it"),
        ("two of them", of(both), "must have one tree ensemble, it has 2"),
        ("none of them", of(vec![node("Floor", &["x"], "y")]), "must have one tree ensemble, it has 0"),
        ("a net", Graph::load(&shallow(1, &[1.0], &[0.0], &[1.0]).encode_to_vec(), None).unwrap(), "it is a dense net"),
    ] {
        let why = graph.trees().unwrap_err().to_string();
        assert!(why.contains(expected), "{name}: {why}");
    }
}

#[test]
fn scores_of_a_classifier_are_headed_by_its_labels() {
    let mut classifier = stump("TreeEnsembleClassifier", "class").texts("classlabels_strings", &["good", "bad"]);
    classifier.input = vec!["x".into()];
    classifier.output = vec!["label".into(), "scores".into()];
    let nodes = vec![classifier, node("Identity", &["scores"], "p"), node("Neg", &["scores"], "other")];
    let graph = Graph::load(&giving(&["label", "p", "other"], nodes, vec![]), None).unwrap();
    let found = graph.run(&table(&[("a", &[0.0, 1.0]), ("b", &[0.0, 0.0])])).unwrap();
    assert_eq!(found[0].values, Values::Text(vec!["good".into(), "bad".into()]));
    assert_eq!(found[1].columns, ["p_good", "p_bad"]);
    assert_eq!(found[1].values, Values::F32(vec![1.0, -1.0, -2.0, 2.0]));
    assert_eq!(found[2].columns, ["other_0", "other_1"], "what changes its scores has columns of its own");
    assert_eq!((graph.place("p"), graph.place("label"), graph.place("none")), (Some(1), Some(0), None));
}

/// Through the one memory that a thread has, rows as they are laid down, and only where they are single precision.
#[test]
fn rows_of_floats_are_answered_without_a_table() {
    let net = Graph::load(&shallow(2, &[1.0, 1.0], &[0.5], &[2.0]).encode_to_vec(), None).unwrap();
    let graph = Graph::load(&model(2, 1, vec![trees("x")], vec![]).encode_to_vec(), None).unwrap();
    assert!(net.dense().is_some() && graph.dense().is_none());
    for (graph, expected) in [(&net, [5.0, 0.0, 1.0]), (&graph, [2.0, -1.0, -1.0])] {
        let mut state = graph.state().unwrap();
        let rows = [1.0, 1.0, -3.0, 0.0, 0.0, 0.0];
        let mut into = [vec![9.0]];
        graph.run_f32(&mut state, &rows, &mut into).unwrap();
        assert_eq!(into[0], [&[9.0], &expected[..]].concat(), "added at the end");
        assert_eq!(graph.run_rows(&mut state, &rows).unwrap(), [Values::F32(expected.to_vec())]);
        assert_eq!(graph.run_rows(&mut state, &[]).unwrap(), [Values::F32(vec![])]);
    }
    let labels =
        Graph::load(&model(1, 1, vec![with(node("Cast", &["x"], "y"), "to", 7)], vec![]).encode_to_vec(), None)
            .unwrap();
    let mut state = labels.state().unwrap();
    let why = labels.run_f32(&mut state, &[1.0], &mut [vec![]]).unwrap_err().to_string();
    assert!(why.contains("y is not of single precision"), "{why}");
    assert_eq!(labels.run_rows(&mut state, &[1.9]).unwrap(), [Values::I64(vec![1])]);
    // The memory of another graph is no memory of this one.
    let why = graph.run(&table(&[("a", &[1.0]), ("b", &[1.0])])).unwrap();
    assert_eq!(why[0].values, Values::F32(vec![2.0]));
    let why = graph.run_rows(&mut net.state().unwrap(), &[1.0, 1.0]).unwrap_err().to_string();
    assert!(why.contains("the working memory is another graph's"), "{why}");
}
