//! Graphs that mean harm, or were cut short: each must be refused or run, never end the process.

use crate::ops_cases::written;
use inference::graph::{Column, Graph, Table, Values};
use inference::plan::{Plan, Shape};

/// Changes tried on each graph.
const TRIES: u64 = 20;

#[test]
fn changed_bytes_neither_panic_nor_hang() {
    let cases = written("operators").into_iter().step_by(7).chain(written("exports").into_iter().step_by(5));
    let mut loaded = 0u32;
    for (number, case) in cases.enumerate() {
        let bytes = case.graph();
        for seed in 0..TRIES {
            let bytes = changed(&bytes, number as u64 * TRIES + seed);
            let Ok(graph) = Graph::load(&bytes, Some(5)) else { continue };
            loaded += 1;
            let column = |at: usize| Column { name: at.to_string(), values: Values::F32(vec![f32::NAN, 1.0]) };
            let width = graph.inputs().iter().map(|input| input.width).sum();
            let table = Table { columns: (0..width).map(column).collect() };
            drop(graph.run(&table));
        }
    }
    assert!(loaded > 50, "only {loaded} changed graphs loaded: the changes are too coarse to try anything");
}

/// Some bytes replaced, or the end cut off.
fn changed(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut changed = bytes.to_vec();
    if next() % 8 == 0 {
        changed.truncate(next() as usize % bytes.len());
        return changed;
    }
    for _ in 0..=next() % 3 {
        let at = next() as usize % changed.len();
        changed[at] = [0, 1, 0x7f, 0x80, 0xff, next() as u8][next() as usize % 6];
    }
    changed
}

#[test]
fn refusals_name_the_node_and_the_way_out() {
    let cases = written("refusals");
    assert!(cases.len() > 15, "only {} refusals were written", cases.len());
    for case in cases {
        let error = Graph::load(&case.graph(), None).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(case.says()), "{}: {error}\nmust say: {}", case.name, case.says());
    }
}

/// A field of bytes, as protocol buffers have it.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as i64), bytes].concat()
}

/// A field of a small number.
fn small(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// Operator, inputs, output, attribute `axis`.
type Node<'a> = (&'a str, &'a [&'a str], &'a str, Option<i64>);

/// A whole number, seven bits a byte.
fn varint(number: i64) -> Vec<u8> {
    let mut left = number as u64;
    let mut bytes = vec![];
    while left > 0x7f {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

/// As [`graph_to`], with any number of columns.
fn graph(nodes: &[Node<'_>], constants: &[(&str, &[i64])]) -> Vec<u8> {
    graph_to(&field(2, b"M"), nodes, constants)
}

/// A graph of these nodes from `x` [N, 4] to `y` [N, M], with constants of
/// whole numbers.
fn graph_to(columns: &[u8], nodes: &[Node<'_>], constants: &[(&str, &[i64])]) -> Vec<u8> {
    let mut graph = vec![];
    for (operator, inputs, output, axis) in nodes {
        let inputs = inputs.iter().flat_map(|name| field(1, name.as_bytes()));
        let axis =
            axis.map(|axis| field(5, &[field(1, b"axis"), vec![3 << 3], varint(axis), vec![0xa0, 1, 2]].concat()));
        let node = [field(2, output.as_bytes()), field(4, operator.as_bytes()), axis.unwrap_or_default()].concat();
        graph.extend(field(1, &inputs.chain(node).collect::<Vec<u8>>()));
    }
    for (name, numbers) in constants {
        let raw: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        graph.extend(field(
            5,
            &[small(1, numbers.len() as u8), small(2, 7), field(8, name.as_bytes()), field(9, &raw)].concat(),
        ));
    }
    let value = |name: &str, width: &[u8]| {
        let shape = [field(1, &field(2, b"N")), field(1, width)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &[small(1, 1), field(2, &shape)].concat()))].concat()
    };
    graph.extend([field(11, &value("x", &small(1, 4))), field(12, &value("y", columns))].concat());
    [small(1, 8), field(7, &graph), field(8, &small(2, 15))].concat()
}

/// `x` with as many additions of itself as that, one after another.
fn additions(count: usize) -> Vec<u8> {
    let name = |at: usize| match at {
        0 => "x".to_owned(),
        at if at == count => "y".to_owned(),
        at => format!("v{at}"),
    };
    let names: Vec<String> = (0..=count).map(name).collect();
    let inputs: Vec<[&str; 2]> = names[..count].iter().map(|name| [name.as_str(), "x"]).collect();
    let node = |(inputs, output)| ("Add", inputs, output, None);
    let inputs = inputs.iter().map(|inputs| &inputs[..]);
    graph(&inputs.zip(names[1..].iter().map(String::as_str)).map(node).collect::<Vec<Node<'_>>>(), &[])
}

#[test]
fn a_graph_of_too_many_nodes_is_refused_before_it_is_built() {
    Graph::load(&additions(300), None).unwrap();
    for count in [1_025, 5_000] {
        let why = Graph::load(&additions(count), None).map(drop).unwrap_err().to_string();
        assert!(why.contains(&format!("holds {count} nodes, at most 1024 are allowed")), "{why}");
    }
    let sum = vec!["x"; 5_000];
    let why = Graph::load(&graph(&[("Sum", &sum, "y", None)], &[]), None).map(drop).unwrap_err().to_string();
    assert!(why.contains("holds 4999 nodes, at most 1024 are allowed"), "{why}");
    let joined = vec!["x"; 20_000];
    let why = Graph::load(&graph(&[("Concat", &joined, "y", Some(1))], &[]), None).map(drop).unwrap_err().to_string();
    assert!(why.contains("inputs, outputs and tensors, at most 16384 are allowed"), "{why}");
}

#[test]
fn a_small_file_cannot_ask_for_a_machine_full_of_memory() {
    let harmless = graph(&[("Concat", &["x", "x"], "y", Some(1))], &[]);
    Graph::load(&harmless, None).unwrap();

    let names: Vec<String> = (0..40).map(|at| if at == 39 { "y".to_owned() } else { format!("v{at}") }).collect();
    let inputs: Vec<[&str; 2]> = (0..40).map(|at| [if at == 0 { "x" } else { names[at - 1].as_str() }; 2]).collect();
    let doubled: Vec<Node<'_>> = (0..40).map(|at| ("Concat", &inputs[at][..], names[at].as_str(), Some(1))).collect();
    let rows = [
        ("doubled forty times", graph(&doubled, &[])),
        (
            "repeated, and repeated again",
            graph(&[("Tile", &["x", "n"], "v", None), ("Tile", &["v", "n"], "y", None)], &[("n", &[1, 1 << 20])]),
        ),
        (
            "of a size that is reckoned",
            graph(
                &[
                    ("Mul", &["n", "n"], "m", None),
                    ("ConstantOfShape", &["m"], "c", None),
                    ("ReduceSum", &["c"], "s", None),
                    ("Add", &["x", "s"], "y", None),
                ],
                &[("n", &[1 << 10, 1 << 10, 1 << 10])],
            ),
        ),
    ];
    for (what, bytes) in rows {
        let why = Graph::load(&bytes, None).map(|_| ()).unwrap_err().to_string();
        assert!(why.contains("elements"), "{what}: {why}");
    }
}

/// Defects of tract's that its fuzzing found: endless loops, and a read past the end of a shape.
#[test]
fn an_operator_that_relies_on_other_dimensions_is_refused() {
    let flat = ("Reshape", &["x", "all"][..], "v", None);
    let rows: [(&str, Vec<Node<'_>>, &str); 4] = [
        (
            "an axis far ahead",
            vec![("LayerNormalization", &["x", "x"], "y", Some(100))],
            "axis is beyond all dimensions",
        ),
        ("an axis before the first", vec![("Softmax", &["x"], "y", Some(-3))], "axis is beyond all dimensions"),
        (
            "an axis behind a new dimension",
            vec![("OneHot", &["x", "depth", "pair"], "y", Some(-4))],
            "axis is beyond all dimensions",
        ),
        (
            "channels of a list",
            vec![flat, ("BatchNormalization", &["v", "pair", "pair", "pair", "pair"], "y", None)],
            "wants 2 dimensions, and gets 1",
        ),
    ];
    for (what, nodes, why) in rows {
        let bytes = graph(&nodes, &[("all", &[-1]), ("pair", &[0, 1]), ("depth", &[2])]);
        let refused = Graph::load(&bytes, None).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains(why), "{what}: {refused}");
    }
}

#[test]
fn a_graph_that_throws_dice_is_refused() {
    let why = Graph::load(&graph(&[("RandomUniformLike", &["x"], "y", None)], &[]), None).map(|_| ()).unwrap_err();
    assert!(why.to_string().contains("node y (RandomUniformLike): throws dice"), "{why}");
}

#[test]
fn a_graph_that_does_not_answer_row_by_row_is_refused() {
    let bytes = graph_to(&small(1, 1), &[("ReduceSum", &["x"], "y", None)], &[]);
    let why = Plan::new(&bytes, Shape { input: "x", width: 4, margin: "y", partials: None }).map(|_| ()).unwrap_err();
    assert!(why.to_string().contains("one of its outputs has not one row for each row"), "{why}");
}

/// One row that an operator refuses is named, and those beside it are not blamed.
#[test]
fn the_row_that_is_refused_is_named() {
    use inference::examples::{model, node, with};
    use prost::Message;
    // 3 is int8, 1 is float, as `Cast` says it.
    let nodes = vec![with(node("Cast", &["x"], "code"), "to", 3), with(node("Cast", &["code"], "y"), "to", 1)];
    let graph = Graph::load(&model(1, 1, nodes, vec![]).encode_to_vec(), None).unwrap();
    let run =
        |cells: Vec<f32>| graph.run(&Table { columns: vec![Column { name: "x".into(), values: Values::F32(cells) }] });
    for bad in [0, 255, 256, 300, 599] {
        let mut cells = vec![7.0; 600];
        cells[bad] = 999.0;
        let why = run(cells).unwrap_err().to_string();
        assert!(why.starts_with(&format!("row {}: ", bad + 1)) && why.contains("999 is no I8"), "{why}");
    }
    assert!(run(vec![7.0; 600]).is_ok());
}
