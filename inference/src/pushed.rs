//! PURE. The trees of a graph that casts, scales or fills its features before them, as trees over the features themselves.

use crate::error::{EngineError, GraphError};
use crate::graph::{Column, Graph, Table, Values};
use crate::onnx::attribute_proto::AttributeType;
use crate::onnx::tensor_proto::DataType;
use crate::onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto, type_proto};
use crate::trees::Ensemble;
use crate::trees::push::pushed;
use crate::{ops, tap};

/// Tree operators.
const TREES: [&str; 3] = ["TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"];
/// Operators that change each feature for itself, and never turn two values round where their constants allow it.
const ELEMENTWISE: [&str; 9] = ["Add", "Cast", "Clip", "Div", "Identity", "Imputer", "Mul", "Scaler", "Sub"];

/// The trees of a graph over its one input of `width` features, whatever rises with each of them in between.
///
/// # Errors
/// [`GraphError`] says what is in the way.
pub fn trees(bytes: &[u8], width: usize) -> Result<Ensemble, GraphError> {
    let proto = ops::read(bytes, None)?;
    let graph = proto.graph.as_ref().ok_or_else(|| refused("holds no graph"))?;
    let found: Vec<&NodeProto> = graph.node.iter().filter(|node| TREES.contains(&&*node.op_type)).collect();
    let [node] = found.as_slice() else {
        return Err(refused(&format!("must have one tree ensemble, it has {}", found.len())));
    };
    let input = node.input.first().map(String::as_str).unwrap_or_default();
    check_path(graph, input)?;
    let before = Graph::load(&tap::bytes(&tap::ending_in(proto.clone(), &[input])), Some(width))?;
    let (_, data_type) = transformed(&before, &vec![0.0; width], width).map_err(|EngineError(why)| GraphError(why))?;
    let alone = Graph::load(&tap::bytes(&alone(&proto, graph, node, data_type)), Some(width))?;
    pushed(alone.trees()?, &|rows| transformed(&before, rows, width).map(|(cells, _)| cells))
}

/// Only operators that take each feature for itself, from the trees back to the graph's input.
fn check_path(graph: &GraphProto, from: &str) -> Result<(), GraphError> {
    let mut name = from;
    while let Some(node) = graph.node.iter().find(|node| node.output.iter().any(|output| output == name)) {
        if !ELEMENTWISE.contains(&&*node.op_type) || !keeps_order(node) {
            let (name, op) = (&node.name, &node.op_type);
            return Err(refused(&format!("{name} ({op}) is before its trees, and mixes features or their order")));
        }
        let made = |name: &&String| graph.initializer.iter().all(|tensor| tensor.name != **name) && !name.is_empty();
        match node.input.iter().filter(made).collect::<Vec<_>>().as_slice() {
            [input] => name = input,
            _ => return Err(refused(&format!("{} is before its trees, and reads more than one tensor", node.name))),
        }
    }
    Ok(())
}

/// A cast to whole numbers loses what is missing; an imputer may fill a number as well, which then has no place in the order.
fn keeps_order(node: &NodeProto) -> bool {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    match node.op_type.as_str() {
        "Cast" => attribute("to").is_some_and(|to| [DataType::Float as i64, DataType::Double as i64].contains(&to.i)),
        "Imputer" => attribute("replaced_value_float").is_some_and(|replaced: &AttributeProto| {
            replaced.r#type == AttributeType::Float as i32 && replaced.f.is_nan()
        }),
        // What is taken from a constant falls; a constant on the left is one too.
        _ => true,
    }
}

/// What the trees are given for rows, and of which type it is.
fn transformed(before: &Graph, rows: &[f32], width: usize) -> Result<(Vec<f64>, DataType), EngineError> {
    let cells = |at: usize| Values::F32(rows.iter().skip(at).step_by(width).copied().collect());
    let names = before.inputs().iter().flat_map(|input| input.columns());
    let columns = names.enumerate().map(|(at, name)| Column { name, values: cells(at) }).collect();
    let output = before.run(&Table { columns })?.into_iter().next();
    match output.map(|output| output.values) {
        Some(Values::F32(cells)) if cells.len() == rows.len() => {
            Ok((cells.into_iter().map(f64::from).collect(), DataType::Float))
        }
        Some(Values::F64(cells)) if cells.len() == rows.len() => Ok((cells, DataType::Double)),
        _ => Err(EngineError("its trees are not given one number for each feature".to_owned())),
    }
}

/// A graph of the trees alone.
fn alone(proto: &ModelProto, graph: &GraphProto, node: &NodeProto, data_type: DataType) -> ModelProto {
    let mut input = graph.input.first().cloned().unwrap_or_default();
    input.name = node.input.first().cloned().unwrap_or_default();
    if let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_mut().and_then(|found| found.value.as_mut()) {
        tensor.elem_type = data_type as i32;
    }
    let output = node.output.iter().map(|name| ValueInfoProto { name: name.clone(), ..Default::default() });
    let graph = GraphProto {
        name: graph.name.clone(),
        input: vec![input],
        output: output.collect(),
        initializer: graph
            .initializer
            .iter()
            .filter(|tensor| node.input[1..].contains(&tensor.name))
            .cloned()
            .collect(),
        node: vec![node.clone()],
        ..Default::default()
    };
    ModelProto { graph: Some(graph), ..proto.clone() }
}

fn refused(why: &str) -> GraphError {
    GraphError(why.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::examples::{model, node, tensor, with};
    use crate::ops::tests::{Attributes, operator};
    use prost::Message;

    /// A stump on each of two features, at 0.5 and at −1, after these nodes from `x` to `z`.
    fn graph(before: Vec<NodeProto>) -> Vec<u8> {
        let mut trees = operator("TreeEnsembleRegressor")
            .int("n_targets", 1)
            .texts("nodes_modes", &["BRANCH_LT", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF"])
            .ints("nodes_treeids", &[0, 0, 0, 1, 1, 1])
            .ints("nodes_nodeids", &[0, 1, 2, 0, 1, 2])
            .ints("nodes_featureids", &[0, 0, 0, 1, 0, 0])
            .ints("nodes_truenodeids", &[1, 0, 0, 1, 0, 0])
            .ints("nodes_falsenodeids", &[2, 0, 0, 2, 0, 0])
            .floats("nodes_values", &[0.5, 0.0, 0.0, -1.0, 0.0, 0.0])
            .ints("target_treeids", &[0, 0, 1, 1])
            .ints("target_nodeids", &[1, 2, 1, 2])
            .ints("target_ids", &[0; 4])
            .floats("target_weights", &[1.0, 2.0, 10.0, 20.0]);
        trees.input = vec!["z".into()];
        trees.output = vec!["y".into()];
        let constants = vec![
            tensor("two", &[1], vec![2.0]),
            tensor("minus", &[1], vec![-2.0]),
            tensor("row", &[2], vec![1.0, 3.0]),
        ];
        model(2, 1, [before, vec![trees]].concat(), constants).encode_to_vec()
    }

    fn ml(node: NodeProto, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.into()],
            name: output.into(),
            ..node
        }
    }

    /// Trees over the features answer as the whole graph does.
    #[test]
    fn trees_take_in_what_rises_with_each_feature() {
        let scaler = || ml(operator("Scaler").floats("offset", &[1.0, 0.0]).floats("scale", &[2.0, 0.5]), &["x"], "z");
        let imputer = |of: f32| {
            ml(
                operator("Imputer").float("replaced_value_float", of).floats("imputed_value_floats", &[0.25, 9.0]),
                &["x"],
                "z",
            )
        };
        for (name, before) in [
            ("a scaler", vec![scaler()]),
            ("what is missing is filled", vec![imputer(f32::NAN)]),
            ("to double precision", vec![with(node("Cast", &["x"], "z"), "to", 11)]),
            ("less and times", vec![node("Sub", &["x", "row"], "c"), node("Mul", &["c", "two"], "z")]),
            ("divided", vec![node("Div", &["x", "two"], "z")]),
            ("the same", vec![node("Identity", &["x"], "z")]),
        ] {
            let bytes = graph(before);
            let found = trees(&bytes, 2).unwrap_or_else(|why| panic!("{name}: {why}"));
            let whole = Graph::load(&bytes, None).unwrap();
            let near = |value: f32| [value.next_down(), value, value.next_up()];
            let edges = [0.5, 1.0, 1.25, 2.0, 0.75, -1.0, -2.0, 2.5, 4.0, 0.0].into_iter().flat_map(near);
            let edges: Vec<f32> = edges.chain([f32::NAN, f32::INFINITY, f32::NEG_INFINITY]).collect();
            for (a, b) in edges.iter().flat_map(|a| edges.iter().map(move |b| (*a, *b))) {
                let expected = whole.run_rows(&mut whole.state().unwrap(), &[a, b]).unwrap();
                let mut answer = [0f64];
                match found.get().precision {
                    crate::trees::Precision::Double => found.answer(&[f64::from(a), f64::from(b)], &mut answer),
                    crate::trees::Precision::Single => {
                        let mut single = [0f32];
                        found.answer(&[a, b], &mut single);
                        answer = single.map(f64::from);
                    }
                }
                assert_eq!(expected, [Values::F32(vec![answer[0] as f32])], "{name} at {a}, {b}");
            }
        }
    }

    #[test]
    fn what_falls_mixes_or_fills_a_number_is_refused() {
        let imputer = ml(
            operator("Imputer").float("replaced_value_float", 0.0).floats("imputed_value_floats", &[1.0]),
            &["x"],
            "z",
        );
        for (name, before, expected) in [
            ("times a number below zero", vec![node("Mul", &["x", "minus"], "z")], "column 0 does not rise"),
            ("taken from a number", vec![node("Sub", &["two", "x"], "z")], "column 0 does not rise"),
            ("a number is filled", vec![imputer], "z (Imputer) is before its trees, and mixes features or their order"),
            (
                "cut to whole numbers",
                vec![with(node("Cast", &["x"], "c"), "to", 7), with(node("Cast", &["c"], "z"), "to", 1)],
                "c (Cast) is before its trees",
            ),
            ("a norm of the row", vec![ml(operator("Normalizer"), &["x"], "z")], "z (Normalizer) is before its trees"),
            (
                "added to itself",
                vec![node("Add", &["x", "x"], "z")],
                "z is before its trees, and reads more than one tensor",
            ),
            ("no trees behind it", vec![], "nothing gives its input z"),
        ] {
            let why = trees(&graph(before), 2).unwrap_err().to_string();
            assert!(why.contains(expected), "{name}: {why}");
        }
        let none = model(2, 1, vec![node("Neg", &["x"], "y")], vec![]).encode_to_vec();
        assert!(trees(&none, 2).is_err_and(|why| why.to_string().contains("must have one tree ensemble, it has 0")));
    }
}
