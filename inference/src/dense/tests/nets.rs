//! Nets as exporters write them, small and with numbers that look random.

use super::Numbers;
use crate::examples::{node, tensor, whole, with};
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};

/// Nodes and constants alone: what is read takes its input and outputs by name.
pub fn model(node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let graph = GraphProto { node, initializer, name: "net".into(), ..Default::default() };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
    ModelProto { graph: Some(graph), opset_import, ..Default::default() }
}

/// Layers of these widths with a function after each but the last, which has the other.
pub fn layers(widths: &[usize], between: &str, last: &str, seed: u64) -> ModelProto {
    let mut numbers = Numbers(seed);
    let (mut nodes, mut constants, mut value) = (vec![], vec![], "x".to_owned());
    for (at, pair) in widths.windows(2).enumerate() {
        let (w, b, sum, out) = (format!("w{at}"), format!("b{at}"), format!("s{at}"), format!("h{at}"));
        constants.push(tensor(&w, pair, numbers.many(pair[0] * pair[1])));
        constants.push(tensor(&b, &pair[1..], numbers.many(pair[1])));
        nodes.push(node("Gemm", &[&value, &w, &b], &sum));
        nodes.push(node(if at + 2 == widths.len() { last } else { between }, &[&sum], &out));
        value = out;
    }
    nodes.push(node("Identity", &[&value], "y"));
    model(nodes, constants)
}

/// What our packages do before their first layer.
pub fn squashed(seed: u64, outputs: usize) -> ModelProto {
    let mut numbers = Numbers(seed);
    let nodes = vec![
        with(node("Gather", &["x", "smooth"], "amounts"), "axis", 1),
        node("Sub", &["amounts", "centre"], "centred"),
        node("Mul", &["centred", "rate"], "t"),
        node("Sign", &["t"], "sign"),
        node("Abs", &["t"], "size"),
        node("Add", &["size", "one"], "size_1"),
        node("Log", &["size_1"], "log"),
        node("Mul", &["sign", "log"], "squashed"),
        with(node("Gather", &["x", "coded"], "codes"), "axis", 1),
        node("Greater", &["codes", "edges"], "above"),
        with(node("Cast", &["above"], "steps"), "to", 1),
        with(node("Concat", &["squashed", "steps"], "inputs"), "axis", 1),
        node("MatMul", &["inputs", "w"], "sums"),
        node("Add", &["sums", "b"], "biased"),
        node("Relu", &["biased"], "h"),
        node("Gemm", &["h", "v"], "y"),
    ];
    let constants = vec![
        whole("smooth", &[0, 2]),
        tensor("centre", &[2], numbers.many(2)),
        tensor("rate", &[2], numbers.many(2)),
        tensor("one", &[1], vec![1.0]),
        whole("coded", &[1, 1, 3]),
        tensor("edges", &[3], vec![-0.5, 0.5, 0.25]),
        tensor("w", &[5, 11], numbers.many(55)),
        tensor("b", &[11], numbers.many(11)),
        tensor("v", &[11, outputs], numbers.many(11 * outputs)),
    ];
    model(nodes, constants)
}

/// As PyTorch picks columns and ends a classifier: a turned block, a batch norm and a softmax.
pub fn turned(seed: u64) -> ModelProto {
    let mut numbers = Numbers(seed);
    let nodes = vec![
        node("Transpose", &["x"], "turned"),
        node("GatherND", &["turned", "places"], "rows"),
        node("Transpose", &["rows"], "columns"),
        node("BatchNormalization", &["columns", "scale", "bias", "mean", "variance"], "normed"),
        node("MatMul", &["normed", "w"], "sums"),
        node("Softmax", &["sums"], "y"),
    ];
    let places = TensorProto { dims: vec![3, 1], ..whole("places", &[4, 0, 2]) };
    let constants = vec![
        places,
        tensor("scale", &[3], numbers.many(3)),
        tensor("bias", &[3], numbers.many(3)),
        tensor("mean", &[3], numbers.many(3)),
        tensor("variance", &[3], vec![0.5, 1.0, 2.5]),
        tensor("w", &[3, 3], numbers.many(9)),
    ];
    model(nodes, constants)
}

pub fn floats(name: &str, value: f32, node: NodeProto) -> NodeProto {
    let attribute = AttributeProto { name: name.into(), f: value, r#type: 1, ..Default::default() };
    NodeProto { attribute: [node.attribute, vec![attribute]].concat(), ..node }
}

pub fn text(name: &str, value: &str, node: NodeProto) -> NodeProto {
    let attribute = AttributeProto { name: name.into(), s: value.into(), r#type: 3, ..Default::default() };
    NodeProto { attribute: [node.attribute, vec![attribute]].concat(), ..node }
}

pub fn ints(name: &str, values: &[i64], node: NodeProto) -> NodeProto {
    let attribute = AttributeProto { name: name.into(), ints: values.to_vec(), r#type: 7, ..Default::default() };
    NodeProto { attribute: [node.attribute, vec![attribute]].concat(), ..node }
}

/// Residual sums with norms, squares, means and GELU as exporters write it.
pub fn residual(seed: u64) -> ModelProto {
    let mut numbers = Numbers(seed);
    let nodes = vec![
        node("Gemm", &["x", "w", "b"], "first"),
        floats("epsilon", 1e-4, node("LayerNormalization", &["first", "scale", "b"], "normed")),
        node("Gemm", &["normed", "v", "b"], "sums"),
        node("Div", &["sums", "root"], "scaled"),
        node("Erf", &["scaled"], "erf"),
        node("Add", &["erf", "one"], "share"),
        node("Mul", &["share", "half"], "phi"),
        node("Mul", &["sums", "phi"], "gelu"),
        node("Add", &["first", "gelu"], "whole"),
        ints("axes", &[1], node("ReduceMean", &["whole"], "mean")),
        node("Sub", &["whole", "mean"], "apart"),
        node("Pow", &["apart", "two"], "squares"),
        ints("axes", &[-1], node("ReduceMean", &["squares"], "variance")),
        node("Sqrt", &["variance"], "deviation"),
        node("PRelu", &["apart", "slope"], "leaky"),
        node("Concat", &["leaky", "deviation"], "all"),
    ];
    let mut nodes: Vec<NodeProto> =
        nodes.into_iter().map(|node| if node.op_type == "Concat" { with(node, "axis", 1) } else { node }).collect();
    nodes.push(with(node("Softmax", &["all"], "y"), "axis", 1));
    let constants = vec![
        tensor("w", &[6, 9], numbers.many(54)),
        tensor("v", &[9, 9], numbers.many(81)),
        tensor("b", &[9], numbers.many(9)),
        tensor("scale", &[9], numbers.many(9)),
        tensor("slope", &[9], numbers.many(9)),
        tensor("root", &[], vec![std::f32::consts::SQRT_2]),
        tensor("one", &[], vec![1.0]),
        tensor("half", &[1], vec![0.5]),
        tensor("two", &[], vec![2.0]),
    ];
    model(nodes, constants)
}

/// Categories that are embedded and laid out as yes and no, after a missing code was replaced.
pub fn embedded(seed: u64) -> ModelProto {
    let mut numbers = Numbers(seed);
    let nodes = vec![
        node("IsNaN", &["x"], "missing"),
        node("Where", &["missing", "instead", "x"], "whole"),
        node("Clip", &["whole", "low", "high"], "clipped"),
        node("Slice", &["clipped", "start", "middle", "axis"], "coded"),
        node("Slice", &["clipped", "middle", "far", "axis"], "amounts"),
        with(node("Cast", &["coded"], "codes"), "to", 7),
        with(node("Gather", &["codes", "place"], "code"), "axis", 1),
        node("Gather", &["table", "code"], "vector"),
        node("Gather", &["table", "codes"], "vectors"),
        node("Flatten", &["vectors"], "flat"),
        node("Unsqueeze", &["codes", "last"], "deep"),
        node("Equal", &["deep", "range"], "is"),
        with(node("Cast", &["is"], "hot"), "to", 1),
        node("Reshape", &["hot", "wide"], "shown"),
        with(node("OneHot", &["code", "depth", "values"], "other"), "axis", -1),
        node("Not", &["missing"], "known"),
        with(node("Cast", &["known"], "flags"), "to", 1),
        with(node("Concat", &["amounts", "vector", "flat", "shown", "other", "flags"], "inputs"), "axis", 1),
        node("MatMul", &["inputs", "w"], "y"),
    ];
    let scalar = |name: &str, number: i64| TensorProto { dims: vec![], ..whole(name, &[number]) };
    let constants = vec![
        tensor("instead", &[4], vec![1.0, -1.0, 0.5, 0.25]),
        tensor("low", &[], vec![-2.0]),
        tensor("high", &[], vec![2.0]),
        whole("start", &[0]),
        whole("middle", &[2]),
        whole("far", &[i64::MAX]),
        whole("axis", &[1]),
        whole("last", &[-1]),
        scalar("place", 1),
        tensor("table", &[5, 3], numbers.many(15)),
        whole("range", &[-1, 0, 1]),
        whole("wide", &[-1, 6]),
        scalar("depth", 3),
        tensor("values", &[2], vec![-0.5, 1.5]),
        tensor("w", &[2 + 3 + 6 + 6 + 3 + 4, 2], numbers.many(48)),
    ];
    model(nodes, constants)
}

/// Four months of three figures through a loop.
pub fn months(operator: &str, direction: &str, late: i64, seed: u64) -> ModelProto {
    let mut numbers = Numbers(seed);
    let (gates, directions) =
        (if operator == "LSTM" { 4 } else { 3 }, if direction == "bidirectional" { 2 } else { 1 });
    let (units, figures) = (5, 3);
    let all = gates * units;
    let turns = with(node(operator, &["turned", "w", "r", "b"], "all"), "hidden_size", units as i64);
    let turns = text("direction", direction, turns);
    let mut nodes = vec![
        node("Reshape", &["x", "months"], "history"),
        ints("perm", &[1, 0, 2], node("Transpose", &["history"], "turned")),
        if operator == "GRU" { with(turns, "linear_before_reset", late) } else { turns },
        ints("perm", &[2, 0, 1, 3], node("Transpose", &["all"], "rows")),
        node("Reshape", &["rows", "flat"], "states"),
        node("Gemm", &["states", "v"], "y"),
    ];
    nodes[2].output.push("last".into());
    let constants = vec![
        whole("months", &[-1, 4, figures as i64]),
        whole("flat", &[0, (4 * directions * units) as i64]),
        tensor("w", &[directions, all, figures], numbers.many(directions * all * figures)),
        tensor("r", &[directions, all, units], numbers.many(directions * all * units)),
        tensor("b", &[directions, 2 * all], numbers.many(directions * 2 * all)),
        tensor("v", &[4 * directions * units, 1], numbers.many(4 * directions * units)),
    ];
    model(nodes, constants)
}

/// Columns as tokens, two heads, as PyTorch lays rows and heads side by side.
pub fn attention(seed: u64) -> ModelProto {
    let mut numbers = Numbers(seed);
    let nodes = vec![
        node("Shape", &["x"], "sizes"),
        node("Slice", &["sizes", "zero", "one"], "count"),
        with(node("Concat", &["count", "one", "one"], "repeats"), "axis", 0),
        node("Expand", &["collects", "repeats"], "first"),
        node("Unsqueeze", &["x", "two"], "deep"),
        node("Mul", &["deep", "weight"], "scaled"),
        with(node("Concat", &["first", "scaled"], "tokens"), "axis", 1),
        ints("perm", &[1, 0, 2], node("Transpose", &["tokens"], "turned")),
        node("MatMul", &["turned", "w"], "sums"),
        with(node("Split", &["sums"], "q"), "axis", -1),
        node("Reshape", &["q", "heads"], "q_heads"),
        node("Reshape", &["k", "heads"], "k_heads"),
        node("Reshape", &["v", "heads"], "v_heads"),
        ints("perm", &[1, 0, 2], node("Transpose", &["q_heads"], "q_turned")),
        ints("perm", &[1, 2, 0], node("Transpose", &["k_heads"], "k_turned")),
        ints("perm", &[1, 0, 2], node("Transpose", &["v_heads"], "v_turned")),
        node("MatMul", &["q_turned", "k_turned"], "scores"),
        with(node("Softmax", &["scores"], "shares"), "axis", -1),
        node("MatMul", &["shares", "v_turned"], "seen"),
        node("Reshape", &["seen", "apart"], "each"),
        ints("perm", &[2, 0, 1, 3], node("Transpose", &["each"], "back")),
        node("Reshape", &["back", "side_by_side"], "flat"),
        node("Gemm", &["flat", "o"], "out"),
        node("Reshape", &["out", "again"], "tokens_out"),
        with(node("Gather", &["tokens_out", "place"], "y"), "axis", 0),
    ];
    let mut nodes = nodes;
    nodes[9].output = ["q", "k", "v"].map(String::from).to_vec();
    let constants = vec![
        whole("zero", &[0]),
        whole("one", &[1]),
        whole("two", &[2]),
        tensor("collects", &[1, 1, 4], numbers.many(4)),
        tensor("weight", &[3, 4], numbers.many(12)),
        tensor("w", &[4, 12], numbers.many(48)),
        whole("heads", &[4, -1, 2]),
        whole("apart", &[-1, 2, 4, 2]),
        whole("side_by_side", &[-1, 4]),
        tensor("o", &[4, 4], numbers.many(16)),
        whole("again", &[4, -1, 4]),
        TensorProto { dims: vec![], ..whole("place", &[0]) },
    ];
    model(nodes, constants)
}

/// All of them, with the width of their rows.
pub fn all() -> Vec<(&'static str, ModelProto, usize)> {
    vec![
        ("relu", layers(&[23, 64, 32, 1], "Relu", "Sigmoid", 1), 23),
        ("tanh", layers(&[3, 17, 9, 2], "Tanh", "Identity", 2), 3),
        ("sigmoid", layers(&[70, 5, 1], "Sigmoid", "Exp", 3), 70),
        ("one layer", layers(&[1, 1], "Relu", "Relu", 4), 1),
        ("squashed", squashed(5, 2), 4),
        ("turned", turned(6), 5),
        ("residual", residual(10), 6),
        ("embedded", embedded(11), 4),
        ("gru", months("GRU", "forward", 1, 12), 12),
        ("gru that resets before its weights", months("GRU", "forward", 0, 13), 12),
        ("bidirectional gru", months("GRU", "bidirectional", 0, 14), 12),
        ("lstm", months("LSTM", "forward", 0, 15), 12),
        ("bidirectional lstm", months("LSTM", "bidirectional", 0, 16), 12),
        ("attention", attention(17), 3),
    ]
}
