//! Nets made here, against plain code and against the graph engine.
#![allow(clippy::unwrap_used)]

mod nets;

pub(crate) use nets::{floats, ints, model, months, squashed, text};

use super::*;
use crate::examples::{self, node, tensor, whole, with};
use crate::ops;
use nets::layers;
use proptest::prelude::*;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};
use tract_onnx::prelude::*;

/// Numbers that look random, the same for the same seed.
pub(crate) struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * 2.0
    }

    pub fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

fn entry(dims: &[usize]) -> Entry<'_> {
    Entry { name: "x", dims, whole: false }
}

/// A net from `x` to `y`.
pub(crate) fn read(proto: &ModelProto, width: usize) -> Option<Dense> {
    Dense::read(proto, &[entry(&[width])], &["y"])
}

pub(crate) fn shallow(width: usize, w: &[f32], b: &[f32], v: &[f32]) -> Dense {
    read(&examples::shallow(width, w, b, v), width).unwrap()
}

pub(crate) fn run(dense: &Dense, rows: &[f32]) -> Vec<f32> {
    let mut into = [vec![]];
    dense.run(&mut dense.memory(), rows, &mut into).unwrap();
    into.concat()
}

pub(crate) fn bits(answers: &[f32]) -> Vec<u32> {
    answers.iter().map(|answer| answer.to_bits()).collect()
}

/// With its input and output declared, as a file has them.
fn declared(mut proto: ModelProto) -> ModelProto {
    use tract_onnx::pb::{TypeProto, ValueInfoProto, type_proto};
    let value = |name: &str| {
        let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: None };
        let of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
        ValueInfoProto { name: name.into(), r#type: Some(of), ..Default::default() }
    };
    let graph = proto.graph.as_mut().unwrap();
    graph.input.push(value("x"));
    graph.output.push(value("y"));
    proto
}

/// Through the graph engine, all rows at once.
fn through_tract(proto: &ModelProto, rows: &[f32], width: usize) -> Vec<f32> {
    let proto = declared(proto.clone());
    let count = rows.len() / width;
    let mut model = ops::onnx().model_for_proto_model(&proto).unwrap();
    model.set_input_fact(0, f32::fact([count, width]).into()).unwrap();
    let plan = model.into_optimized().unwrap().into_runnable().unwrap();
    let input = ops::tensor(&[count, width], rows.to_vec()).unwrap();
    let answers = plan.run(tvec!(input.into())).unwrap();
    ops::slice::<f32>(&answers[0]).unwrap().to_vec()
}

#[test]
fn nets_answer_as_the_graph_engine_does() {
    for (name, proto, width) in nets::all() {
        let dense = read(&proto, width).unwrap_or_else(|| panic!("{name} was not read"));
        let rows = Numbers(9).many(100 * width);
        let (ours, theirs) = (run(&dense, &rows), through_tract(&proto, &rows, width));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (own, other) in ours.iter().zip(&theirs) {
            assert!((own - other).abs() <= 1e-5 * other.abs().max(1.0), "{name}: {own} against {other}");
        }
    }
}

#[test]
fn instructions_and_batches_change_no_bit() {
    for (name, proto, width) in nets::all() {
        let by = |vectors| Dense::using(&proto, &[entry(&[width])], &["y"], vectors).unwrap();
        let mut rows = Numbers(8).many(131 * width);
        rows[5 * width] = f32::NAN;
        rows[7 * width] = f32::INFINITY;
        rows[9 * width] = 1e-41;
        let plain = bits(&run(&by(Vectors::None), &rows));
        for vectors in [Vectors::Avx2, Vectors::Avx512] {
            let dense = by(vectors);
            let mut memory = dense.memory();
            for size in [1, 2, 31, 32, 33, 63, 64, 65, 131] {
                let mut into = [vec![]];
                rows.chunks(size * width).for_each(|rows| dense.run(&mut memory, rows, &mut into).unwrap());
                assert_eq!(bits(&into.concat()), plain, "{name}, {vectors:?}, {size} rows at a time");
            }
        }
    }
}

/// A bias or a relu joins its layer only where nobody else reads the bare sums, under whatever name.
#[test]
fn sums_that_others_read_stay_bare() {
    let constants = vec![tensor("w", &[1, 1], vec![1.0])];
    for other in ["Identity", "Abs"] {
        let nodes = vec![
            node("MatMul", &["x", "w"], "s"),
            node("Identity", &["s"], "a"),
            node(other, &["s"], "b"),
            node("Relu", &["a"], "r"),
            node("Add", &["r", "b"], "y"),
        ];
        let dense = read(&model(nodes, constants.clone()), 1).unwrap();
        assert_eq!(run(&dense, &[-3.0, 2.0]), if other == "Abs" { [3.0, 4.0] } else { [-3.0, 4.0] }, "{other}");
    }
}

#[test]
fn what_is_no_number_never_becomes_one() {
    let dense = read(&layers(&[2, 8, 1], "Relu", "Relu", 6), 2).unwrap();
    assert!(run(&dense, &[f32::NAN, 1.0])[0].is_nan());
}

/// The states of months that are read from the last on are those of the months turned round.
#[test]
fn a_loop_that_goes_backward_is_not_run_forward() {
    for (operator, late) in [("GRU", 0), ("GRU", 1), ("LSTM", 0)] {
        let back = |proto: ModelProto| {
            read(&ops::read(&prost::Message::encode_to_vec(&declared(proto)), None).unwrap(), 12).unwrap()
        };
        let there = months(operator, "forward", late, 18);
        let mut turned = there.clone();
        let graph = turned.graph.as_mut().unwrap();
        graph.initializer.iter_mut().find(|tensor| tensor.name == "v").unwrap().float_data = there
            .graph
            .as_ref()
            .unwrap()
            .initializer
            .iter()
            .find(|tensor| tensor.name == "v")
            .unwrap()
            .float_data
            .chunks(5)
            .rev()
            .flatten()
            .copied()
            .collect();
        let row = Numbers(19).many(12);
        let from_the_last: Vec<f32> = row.chunks(3).rev().flatten().copied().collect();
        let (forward, backward) = (back(turned), back(months(operator, "reverse", late, 18)));
        let (expected, found) = (run(&forward, &from_the_last), run(&backward, &row));
        // The sums over all months are in another order.
        assert!((expected[0] - found[0]).abs() < 1e-6, "{operator} {late}: {found:?}, not {expected:?}");
        assert_ne!(bits(&found), bits(&run(&back(there), &row)), "{operator} {late} goes forward");
    }
}

/// A code that the table has not is refused, wherever its row lies, and the rows after it are not.
#[test]
fn a_code_that_no_row_of_a_table_has_is_refused() {
    let nodes = vec![with(node("Cast", &["x"], "codes"), "to", 7), node("Gather", &["table", "codes"], "deep")];
    let nodes = [nodes, vec![node("Flatten", &["deep"], "y")]].concat();
    let dense = read(&model(nodes, vec![tensor("table", &[3, 1], vec![10.0, 20.0, 30.0])]), 1).unwrap();
    assert_eq!(run(&dense, &[0.9, 2.0, -1.0, -3.0, 1.0]), [10.0, 30.0, 30.0, 10.0, 20.0]);
    let mut memory = dense.memory();
    for wrong in [3.0, -4.0, 1e30, f32::INFINITY, f32::NAN] {
        for count in [1, 2, 30, 64, 65, 67, 130] {
            let mut rows = vec![1.0; count];
            rows[count - 1] = wrong;
            let why = dense.run(&mut memory, &rows, &mut [vec![]]).unwrap_err().to_string();
            assert!(why.contains("deep (Gather): a code is no whole number from 0 to 2"), "{wrong} of {count}: {why}");
            let mut into = [vec![]];
            dense.run(&mut memory, &[1.0, 0.0], &mut into).unwrap();
            assert_eq!(into[0], [20.0, 10.0], "after {wrong} of {count}");
        }
    }
}

/// Codes stand in floats, which tell no neighbours apart beyond 2^24: two of them are compared by the graph engine.
#[test]
fn codes_are_compared_with_small_constants_alone() {
    let read = |nodes: Vec<NodeProto>| {
        let nodes = [nodes, vec![with(node("Cast", &["same"], "y"), "to", 1)]].concat();
        let codes = |name| Entry { name, dims: &[1], whole: true };
        let constants = vec![whole("small", &[1 << 22]), whole("large", &[1 << 24]), whole("least", &[i64::MIN])];
        Dense::read(&model(nodes, constants), &[codes("a"), codes("b")], &["y"]).is_some()
    };
    assert!(read(vec![node("Equal", &["a", "small"], "same")]));
    for (left, right) in [("a", "b"), ("a", "large"), ("least", "a")] {
        assert!(!read(vec![node("Equal", &[left, right], "same")]), "{left} {right}");
    }
    assert!(!read(vec![node("Add", &["a", "small"], "moved"), node("Less", &["moved", "small"], "same")]));
}

#[test]
fn what_is_not_understood_whole_is_left_alone() {
    let read = |nodes: Vec<NodeProto>| {
        let constants = vec![
            tensor("w", &[2, 2], vec![1.0; 4]),
            tensor("row", &[2], vec![1.0; 2]),
            tensor("column", &[2, 1], vec![1.0; 2]),
            whole("place", &[0]),
            whole("far", &[2]),
        ];
        super::tests::read(&model(nodes, constants), 2).is_some()
    };
    assert!(read(vec![node("Gemm", &["x", "w", "row"], "y")]));
    assert!(read(vec![node("MatMul", &["x", "column"], "y")]));
    for (why, nodes) in [
        ("an operator it does not know", vec![node("Softplus", &["x"], "y")]),
        ("another domain", vec![NodeProto { domain: "ai.onnx.ml".into(), ..node("Abs", &["x"], "y") }]),
        ("an attribute of another version", vec![with(node("Add", &["x", "row"], "y"), "broadcast", 1)]),
        ("one number for each row of a block", vec![node("Add", &["x", "column"], "y")]),
        ("rows picked, not columns", vec![with(node("Gather", &["x", "place"], "y"), "axis", 0)]),
        ("a column that is not there", vec![with(node("Gather", &["x", "far"], "y"), "axis", 1)]),
        ("weights that do not fit", vec![node("Gemm", &["x", "column", "row"], "y")]),
        ("a transposed input", vec![with(node("Gemm", &["x", "w"], "y"), "transA", 1)]),
        ("truths as an answer", vec![node("Greater", &["x", "row"], "y")]),
        ("nothing that gives the answer", vec![node("Abs", &["x"], "z")]),
    ] {
        assert!(!read(nodes), "{why}");
    }
}

/// Small files that would be large nets.
#[test]
fn what_grows_without_end_is_left_alone() {
    let chain = |op: &str, count: usize, twice: bool| {
        let value = |at: usize| if at == 0 { "x".to_owned() } else { format!("v{at}") };
        let step = |at: usize| {
            let (from, to) = (value(at), if at + 1 == count { "y".to_owned() } else { value(at + 1) });
            let inputs: Vec<&str> = if twice { vec![from.as_str(), from.as_str()] } else { vec![from.as_str(), "w"] };
            with(node(op, &inputs, &to), "axis", 1)
        };
        (0..count).map(step).collect::<Vec<_>>()
    };
    let wide = 1 << 14;
    let read = |nodes: Vec<NodeProto>, width: usize, constants: Vec<TensorProto>| {
        super::tests::read(&model(nodes, constants), width).is_some()
    };
    assert!(read(chain("Concat", 5, true), 1, vec![]));
    assert!(!read(chain("Concat", 60, true), 1, vec![]), "doubled 60 times");
    let all: Vec<i64> = (0..wide).collect();
    assert!(
        !read(chain("Gather", 3000, false), wide as usize, vec![whole("w", &all)]),
        "a wide row picked 3,000 times"
    );
    let empty = tensor("w", &[0, 1 << 40], vec![]);
    assert!(!read(vec![node("MatMul", &["x", "w"], "y")], 1, vec![empty]), "an empty tensor of a huge width");
}

proptest! {
    /// Plain sums in the documented order, by the bit.
    #[test]
    fn a_layer_is_fused_sums_in_order_and_then_the_bias(inputs in 1..40usize, outputs in 1..40usize, seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let (weights, bias) = (numbers.many(inputs * outputs), numbers.many(outputs));
        let rows = numbers.many(3 * inputs);
        let constants = vec![tensor("w", &[inputs, outputs], weights.clone()), tensor("b", &[outputs], bias.clone())];
        let dense = read(&model(vec![node("Gemm", &["x", "w", "b"], "y")], constants), inputs);
        let found = run(&dense.unwrap(), &rows);
        for (row, found) in rows.chunks(inputs).zip(found.chunks(outputs)) {
            for (output, found) in found.iter().enumerate() {
                let step = |sum: f32, (input, x): (usize, &f32)| x.mul_add(weights[input * outputs + output], sum);
                let sum = row.iter().enumerate().fold(0f32, step) + bias[output];
                prop_assert_eq!(sum.to_bits(), found.to_bits());
            }
        }
    }
}
