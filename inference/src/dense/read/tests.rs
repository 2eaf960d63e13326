//! Each operator of a net as the standard has it, over a row of numbers; and what is left to the graph engine.
#![allow(clippy::unwrap_used)]

mod recurrent;

use crate::dense::tests::{bits, floats, ints, model, read, run, text};
use crate::examples::{node, tensor, whole, with};
use crate::ops::NodeProto;
use tract_onnx::pb::TensorProto;

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

/// A net from `x` to `y`: its name, its nodes, a row, and the answer or that it is no net.
type Row<'a> = (&'a str, Vec<NodeProto>, &'a [f32], Option<&'a [f32]>);

fn check(constants: &[TensorProto], rows: Vec<Row<'_>>) {
    for (name, nodes, row, expected) in rows {
        let net = read(&model(nodes, constants.to_vec()), row.len());
        assert_eq!(net.is_some(), expected.is_some(), "{name}");
        let (Some(net), Some(expected)) = (net, expected) else { continue };
        let found = run(&net, row);
        assert_eq!(bits(&found), bits(expected), "{name}: {found:?}, not {expected:?}");
    }
}

fn scalar(name: &str, number: i64) -> TensorProto {
    TensorProto { dims: vec![], ..whole(name, &[number]) }
}

fn flat(from: &str) -> NodeProto {
    node("Flatten", &[from], "y")
}

#[test]
fn cells_are_moved_about() {
    let constants = [
        whole("pairs", &[-1, 2, 2]),
        whole("kept", &[0, 2, -1]),
        whole("five", &[0, 5]),
        whole("zero", &[0]),
        whole("one", &[1]),
        whole("two", &[2]),
        whole("minus", &[-1]),
        whole("end", &[i64::MAX]),
        whole("start", &[i64::MIN]),
        whole("both", &[3, -4]),
        whole("beyond", &[4]),
        whole("repeat", &[2, 3, 1]),
        whole("uneven", &[3, 1]),
        whole("short", &[1, 1]),
        scalar("second", 1),
        tensor("row", &[2], vec![7.0, 8.0]),
    ];
    let slice = |inputs: &[&str]| vec![node("Slice", &[&["x"], inputs].concat(), "y")];
    let pairs = || node("Reshape", &["x", "pairs"], "p");
    let four: &[f32] = &[1.0, 2.0, 3.0, 4.0];
    let turned: &[f32] = &[1.0, 3.0, 2.0, 4.0];
    let split = |inputs: &[&str]| {
        let parts = NodeProto { output: vec!["a".into(), "b".into()], ..with(node("Split", inputs, ""), "axis", 1) };
        vec![parts, with(node("Concat", &["b", "a"], "y"), "axis", -1)]
    };
    check(
        &constants,
        vec![
            ("a dropout keeps all", vec![node("Dropout", &["x", "row"], "y")], &[1.0, NAN], Some(&[1.0, NAN])),
            (
                "pairs turned",
                vec![pairs(), ints("perm", &[0, 2, 1], node("Transpose", &["p"], "t")), flat("t")],
                four,
                Some(turned),
            ),
            ("sizes that are kept", vec![node("Reshape", &["x", "kept"], "p"), flat("p")], four, Some(four)),
            ("sizes that do not come out", vec![node("Reshape", &["x", "five"], "y")], four, None),
            ("rows turned into columns", vec![node("Transpose", &["x"], "y")], four, None),
            ("a slice", slice(&["one", "minus", "one"]), four, Some(&[2.0, 3.0])),
            ("to the end", slice(&["two", "end", "one"]), four, Some(&[3.0, 4.0])),
            ("every second", slice(&["zero", "end", "one", "two"]), four, Some(&[1.0, 3.0])),
            ("backward", slice(&["minus", "start", "one", "minus"]), four, Some(&[4.0, 3.0, 2.0, 1.0])),
            ("nothing", slice(&["two", "one", "one"]), four, None),
            ("all rows", slice(&["zero", "end", "zero"]), four, Some(four)),
            ("some rows", slice(&["zero", "one", "zero"]), four, None),
            ("rows backward", slice(&["minus", "start", "zero", "minus"]), four, None),
            ("an axis that is not there", slice(&["zero", "one", "two"]), four, None),
            (
                "columns by number, from the end too",
                vec![with(node("Gather", &["x", "both"], "y"), "axis", 1)],
                four,
                Some(&[4.0, 1.0]),
            ),
            ("a column that is not there", vec![with(node("Gather", &["x", "beyond"], "y"), "axis", 1)], four, None),
            (
                "one of each pair",
                vec![pairs(), with(node("Gather", &["p", "second"], "y"), "axis", 2)],
                four,
                Some(&[2.0, 4.0]),
            ),
            ("halves", split(&["x"]), four, Some(&[3.0, 4.0, 1.0, 2.0])),
            ("the first half is larger", split(&["x"]), &[1.0, 2.0, 3.0], Some(&[3.0, 1.0, 2.0])),
            ("uneven parts", split(&["x", "uneven"]), four, Some(&[4.0, 1.0, 2.0, 3.0])),
            ("parts that leave some out", split(&["x", "short"]), four, None),
            ("rows beside rows", vec![with(node("Concat", &["x", "x"], "y"), "axis", 0)], four, None),
            (
                "a new axis, and away with it",
                vec![node("Unsqueeze", &["x", "two"], "u"), node("Squeeze", &["u", "minus"], "y")],
                four,
                Some(four),
            ),
            ("away with an axis of four", vec![node("Squeeze", &["x", "one"], "y")], four, None),
            (
                "a row for each row",
                vec![node("Shape", &["x"], "s"), node("Expand", &["row", "s"], "e"), node("Add", &["x", "e"], "y")],
                &[1.0, 2.0],
                Some(&[8.0, 10.0]),
            ),
            (
                "a fixed number of rows",
                vec![node("Expand", &["row", "repeat"], "e"), node("Add", &["x", "e"], "y")],
                &[1.0, 2.0],
                None,
            ),
        ],
    );
}

#[test]
fn single_cells_are_mapped_and_chosen() {
    let constants = [
        tensor("low", &[], vec![-1.0]),
        tensor("high", &[], vec![2.0]),
        tensor("list", &[1], vec![2.0]),
        tensor("three", &[], vec![3.0]),
        tensor("row", &[3], vec![0.0, 0.5, -1.0]),
        tensor("two", &[2], vec![0.0, 0.5]),
    ];
    let edges: &[f32] = &[-3.0, NAN, INF];
    let compared = |operator: &str| vec![node(operator, &["x", "row"], "t"), with(node("Cast", &["t"], "y"), "to", 1)];
    let where_missing = vec![node("IsNaN", &["x"], "m"), node("Where", &["m", "row", "x"], "y")];
    let within = vec![
        node("Greater", &["x", "low"], "a"),
        node("Less", &["x", "high"], "b"),
        node("And", &["a", "b"], "c"),
        node("Not", &["c"], "d"),
        with(node("Cast", &["d"], "y"), "to", 1),
    ];
    check(
        &constants,
        vec![
            ("between two", vec![node("Clip", &["x", "low", "high"], "y")], edges, Some(&[-1.0, NAN, 2.0])),
            ("at most", vec![node("Clip", &["x", "", "high"], "y")], edges, Some(&[-3.0, NAN, 2.0])),
            ("at least", vec![node("Clip", &["x", "low"], "y")], edges, Some(&[-1.0, NAN, INF])),
            ("a bound that is a list", vec![node("Clip", &["x", "list"], "y")], edges, None),
            (
                "a slope a column",
                vec![node("PRelu", &["x", "row"], "y")],
                &[-2.0, -2.0, -2.0],
                Some(&[-0.0, -1.0, 2.0]),
            ),
            ("a slope of rows", vec![node("PRelu", &["x", "x"], "y")], &[-2.0], None),
            ("the usual slope", vec![node("LeakyRelu", &["x"], "y")], &[-100.0, 3.0], Some(&[-100.0 * 0.01, 3.0])),
            (
                "another slope",
                vec![floats("alpha", 0.5, node("LeakyRelu", &["x"], "y"))],
                &[-100.0, NAN],
                Some(&[-50.0, NAN]),
            ),
            ("squares", vec![node("Pow", &["x", "high"], "y")], edges, Some(&[9.0, NAN, INF])),
            ("squares by a list of one", vec![node("Pow", &["x", "list"], "y")], edges, Some(&[9.0, NAN, INF])),
            ("cubes", vec![node("Pow", &["x", "three"], "y")], edges, None),
            ("what is missing is replaced", where_missing, &[NAN, 2.0, NAN], Some(&[0.0, 2.0, -1.0])),
            ("more", compared("Greater"), &[1.0, 0.5, NAN], Some(&[1.0, 0.0, 0.0])),
            ("at least as much", compared("GreaterOrEqual"), &[-0.0, 0.25, NAN], Some(&[1.0, 0.0, 0.0])),
            ("less", compared("Less"), &[-0.0, 0.25, NAN], Some(&[0.0, 1.0, 0.0])),
            ("at most as much", compared("LessOrEqual"), &[-0.0, 0.75, NAN], Some(&[1.0, 0.0, 0.0])),
            ("equal", compared("Equal"), &[-0.0, 0.5, NAN], Some(&[1.0, 1.0, 0.0])),
            ("not between two", within, &[-1.0, 0.0, NAN], Some(&[1.0, 0.0, 1.0])),
            ("a row that is too short", vec![node("Add", &["x", "two"], "y")], edges, None),
            ("of two kinds", vec![node("IsNaN", &["x"], "m"), node("Add", &["m", "x"], "y")], edges, None),
            (
                "an approximation of no name",
                vec![text("approximate", "sigmoid", node("Gelu", &["x"], "y"))],
                edges,
                None,
            ),
        ],
    );
    // Both forms of GELU, by their formulas.
    for (approximate, expected) in [
        ("none", &(|x: f64| 0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt()))) as &dyn Fn(f64) -> f64),
        ("tanh", &|x: f64| {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }),
    ] {
        let net = read(&model(vec![text("approximate", approximate, node("Gelu", &["x"], "y"))], vec![]), 1).unwrap();
        for x in (-40..=40).map(|at| at as f32 / 8.0) {
            let (found, expected) = (run(&net, &[x])[0], expected(f64::from(x)));
            assert!(
                (f64::from(found) - expected).abs() < 3e-6,
                "gelu by {approximate} of {x} is {found}, not {expected}"
            );
        }
    }
}

#[test]
fn sums_go_over_the_axes_that_are_named() {
    let constants = [
        tensor("w", &[2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        tensor("v", &[3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
        tensor("bias", &[3], vec![0.5, 0.0, -0.5]),
        tensor("one", &[], vec![1.0]),
        tensor("ones", &[2], vec![1.0, 2.0]),
        tensor("mean", &[2], vec![1.0, -1.0]),
        tensor("variance", &[2], vec![4.0, 0.25]),
        tensor("zeros", &[2], vec![0.0, 0.0]),
        whole("pairs", &[-1, 2, 2]),
        whole("last", &[-1]),
        whole("middle", &[1]),
        whole("first", &[0]),
        whole("all", &[1, 2]),
    ];
    let pairs = || node("Reshape", &["x", "pairs"], "p");
    let gemm = |inputs: &[&str]| node("Gemm", inputs, "y");
    let sums: &[f32] = &[9.0, 12.0, 15.0];
    let norm = || floats("epsilon", 0.0, node("BatchNormalization", &["x", "ones", "zeros", "mean", "variance"], "y"));
    let layer_norm = |inputs: &[&str]| floats("epsilon", 0.0, node("LayerNormalization", inputs, "y"));
    let reduced = |operator: &str, axes: &str, keep: i64| {
        let sum = with(node(operator, &["p", axes], if keep == 1 { "s" } else { "y" }), "keepdims", keep);
        if keep == 1 { vec![pairs(), sum, flat("s")] } else { vec![pairs(), sum] }
    };
    let four: &[f32] = &[1.0, 2.0, 3.0, 5.0];
    check(
        &constants,
        vec![
            ("a layer", vec![gemm(&["x", "w"])], &[1.0, 2.0], Some(sums)),
            ("a layer with a bias", vec![gemm(&["x", "w", "bias"])], &[1.0, 2.0], Some(&[9.5, 12.0, 14.5])),
            ("one bias for all", vec![gemm(&["x", "w", "one"])], &[1.0, 2.0], Some(&[10.0, 13.0, 16.0])),
            ("weights turned", vec![with(gemm(&["x", "v"]), "transB", 1)], &[1.0, 2.0], Some(sums)),
            ("a bias of another width", vec![gemm(&["x", "w", "ones"])], &[1.0, 2.0], None),
            ("times a factor", vec![floats("alpha", 2.0, gemm(&["x", "w"]))], &[1.0, 2.0], None),
            ("a bias times a factor", vec![floats("beta", 2.0, gemm(&["x", "w", "bias"]))], &[1.0, 2.0], None),
            ("another width", vec![gemm(&["x", "w"])], &[1.0, 2.0, 3.0], None),
            (
                "a layer of each pair",
                vec![pairs(), node("MatMul", &["p", "w"], "m"), flat("m")],
                four,
                Some(&[9.0, 12.0, 15.0, 23.0, 31.0, 39.0]),
            ),
            (
                "pairs by pairs",
                vec![pairs(), node("MatMul", &["p", "p"], "m"), flat("m")],
                four,
                Some(&[7.0, 12.0, 18.0, 31.0]),
            ),
            ("what is missing stays missing", vec![gemm(&["x", "w"])], &[NAN, 0.0], Some(&[NAN; 3])),
            ("a norm of columns", vec![norm()], &[3.0, -1.0], Some(&[1.0, 0.0])),
            ("a norm that trains", vec![with(norm(), "training_mode", 1)], &[3.0, -1.0], None),
            ("a norm of a row", vec![layer_norm(&["x", "ones", "zeros"])], &[1.0, 3.0], Some(&[-1.0, 2.0])),
            (
                "a norm of each pair",
                vec![pairs(), NodeProto { output: vec!["n".into()], ..layer_norm(&["p", "ones"]) }, flat("n")],
                four,
                Some(&[-1.0, 2.0, -1.0, 2.0]),
            ),
            ("a norm over the rows", vec![with(layer_norm(&["x", "ones"]), "axis", 0)], &[1.0, 3.0], None),
            ("a scale of another width", vec![layer_norm(&["x", "bias"])], &[1.0, 3.0], None),
            ("shares of two that are alike", vec![node("Softmax", &["x"], "y")], &[7.0, 7.0], Some(&[0.5, 0.5])),
            ("shares of two far apart", vec![node("Softmax", &["x"], "y")], &[-1000.0, 1000.0], Some(&[0.0, 1.0])),
            ("shares of four", vec![node("Softmax", &["x"], "y")], &[0.0; 4], Some(&[0.25; 4])),
            ("shares of what is missing", vec![node("Softmax", &["x"], "y")], &[NAN, 0.0, 0.0], Some(&[NAN; 3])),
            ("shares over the rows", vec![with(node("Softmax", &["x"], "y"), "axis", 0)], &[0.0, 0.0], None),
            ("a sum of each pair", reduced("ReduceSum", "last", 0), four, Some(&[3.0, 8.0])),
            ("a sum that keeps its axis", reduced("ReduceSum", "middle", 1), four, Some(&[4.0, 7.0])),
            ("a mean of each pair", reduced("ReduceMean", "last", 0), four, Some(&[1.5, 4.0])),
            ("a mean of all", reduced("ReduceMean", "all", 1), four, Some(&[2.75])),
            ("a sum of the rows", reduced("ReduceSum", "first", 1), four, None),
            ("a sum of axes that are not named", vec![node("ReduceSum", &["x"], "y")], four, None),
        ],
    );
}

#[test]
fn codes_are_whole_and_looked_up() {
    let constants = [
        tensor("table", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]),
        scalar("three", 3),
        scalar("none", 0),
        tensor("shown", &[2], vec![0.0, 1.0]),
        tensor("other", &[2], vec![-1.0, 5.0]),
        whole("by", &[1]),
        whole("second", &[1]),
    ];
    let cast = |to: i64| with(node("Cast", &["x"], "c"), "to", to);
    let back = |from: &str| with(node("Cast", &[from], "y"), "to", 1);
    let hot = |values: &str, depth: &str| vec![cast(7), node("OneHot", &["c", depth, values], "h"), flat("h")];
    let codes: &[f32] = &[1.0, 0.0];
    check(
        &constants,
        vec![
            ("towards zero", vec![cast(7), back("c")], &[1.9, -1.9, 0.5], Some(&[1.0, -1.0, 0.0])),
            (
                "of 32 bits, and what has none the least",
                vec![cast(6), back("c")],
                &[3e9, NAN, -7.0],
                Some(&[-2_147_483_648.0, -2_147_483_648.0, -7.0]),
            ),
            ("of a type that is not read", vec![cast(3), back("c")], codes, None),
            (
                "rows of a table",
                vec![cast(7), node("Gather", &["table", "c"], "g"), flat("g")],
                codes,
                Some(&[3.0, 4.0, 1.0, 2.0]),
            ),
            (
                "rows from its end",
                vec![cast(7), node("Gather", &["table", "c"], "g"), flat("g")],
                &[-1.0, -2.0],
                Some(&[3.0, 4.0, 1.0, 2.0]),
            ),
            (
                "codes moved by a constant",
                vec![cast(7), node("Add", &["c", "by"], "m"), node("Gather", &["table", "m"], "g"), flat("g")],
                &[0.0, -1.0],
                Some(&[3.0, 4.0, 1.0, 2.0]),
            ),
            ("a number is no code", vec![node("Gather", &["table", "x"], "g"), flat("g")], codes, None),
            ("ones", hot("shown", "three"), codes, Some(&[0.0, 1.0, 0.0, 1.0, 0.0, 0.0])),
            ("ones counted from the end", hot("shown", "three"), &[-1.0, -3.0], Some(&[0.0, 0.0, 1.0, 1.0, 0.0, 0.0])),
            ("beyond all classes", hot("shown", "three"), &[3.0, -4.0], Some(&[0.0; 6])),
            ("other numbers than one and zero", hot("other", "three"), &[1.0], Some(&[-1.0, 5.0, -1.0])),
            ("no class at all", hot("shown", "none"), codes, None),
            (
                "a code that is compared",
                vec![cast(7), node("Equal", &["c", "second"], "e"), back("e")],
                codes,
                Some(&[1.0, 0.0]),
            ),
            ("codes as an answer", vec![NodeProto { output: vec!["y".into()], ..cast(7) }], codes, None),
        ],
    );
}

/// What a name stands for is what one node gave it, and all that a node says is understood.
#[test]
fn a_net_is_understood_whole_or_not_at_all() {
    let abs = |from: &str, to: &str| node("Abs", &[from], to);
    let row: &[f32] = &[-2.0];
    check(
        &[tensor("w", &[1, 1], vec![2.0])],
        vec![
            ("a chain", vec![abs("x", "a"), node("Neg", &["a"], "y")], row, Some(&[-2.0])),
            ("a name given twice", vec![abs("x", "y"), abs("x", "y")], row, None),
            ("a name of the file given again", vec![abs("x", "w"), abs("w", "y")], row, None),
            ("a name from nowhere", vec![abs("z", "y")], row, None),
            ("two inputs for one", vec![node("Abs", &["x", "x"], "y")], row, None),
            ("an attribute that is not understood", vec![with(abs("x", "y"), "mode", 1)], row, None),
            (
                "an operator that is not understood, even unread",
                vec![node("Sinh", &["x"], "a"), abs("x", "y")],
                row,
                None,
            ),
            (
                "an output that it has not",
                vec![NodeProto { output: vec!["y".into(), "z".into()], ..abs("x", "y") }],
                row,
                None,
            ),
            (
                "an output that nobody names",
                vec![NodeProto { output: vec!["y".into(), String::new()], ..abs("x", "y") }],
                row,
                Some(&[2.0]),
            ),
            ("the input itself", vec![node("Identity", &["x"], "y")], row, Some(&[-2.0])),
            ("a constant for all rows", vec![node("Identity", &["w"], "y")], row, None),
        ],
    );
}
