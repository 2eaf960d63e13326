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
