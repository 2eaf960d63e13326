//! Inputs that are constants of the file, as the attributes that they were in earlier opsets: our own operators read attributes.

use std::collections::HashMap;
use tract_onnx::pb::{AttributeProto, GraphProto, TensorProto};

/// Operators of ours whose second input is such a constant, and what it is called.
const TAKEN: [(&str, &str); 1] = [("ReduceLogSumExp", "axes")];
/// The type of an attribute that is a list of whole numbers.
const INTS: i32 = 7;

/// Moves them.
pub(super) fn into_attributes(graph: &mut GraphProto) {
    let nodes = graph.node.iter().filter(|node| node.op_type == "Constant");
    let made = nodes.filter_map(|node| Some((node.output.first()?, node.attribute.first()?.t.as_ref()?)));
    let all = graph.initializer.iter().map(|tensor| (&tensor.name, tensor)).chain(made);
    let known: HashMap<String, TensorProto> = all
        .filter(|(name, _)| graph.node.iter().any(|node| node.input.get(1) == Some(name) && is_taken(&node.op_type)))
        .map(|(name, tensor)| (name.clone(), tensor.clone()))
        .collect();
    for node in &mut graph.node {
        let Some((_, name)) = TAKEN.iter().find(|(operator, _)| *operator == node.op_type) else { continue };
        match node.input.get(1) {
            Some(input) if input.is_empty() => node.input.truncate(1),
            Some(input) => {
                if let Some(tensor) = known.get(input) {
                    node.attribute.push(AttributeProto {
                        name: (*name).to_owned(),
                        ints: crate::ops::whole_numbers(tensor),
                        r#type: INTS,
                        ..AttributeProto::default()
                    });
                    node.input.truncate(1);
                }
            }
            None => {}
        }
        for inner in super::subgraphs::inner(node) {
            into_attributes(inner);
        }
    }
}

/// `TopK` before opset 10 has its count as an attribute; tract reads it as an input.
pub(super) fn counts_into_inputs(graph: &mut GraphProto) {
    let mut made = Vec::new();
    for node in graph.node.iter_mut().filter(|node| node.op_type == "TopK" && node.input.len() == 1) {
        let Some(at) = node.attribute.iter().position(|attribute| attribute.name == "k") else { continue };
        let count = node.attribute.remove(at).i;
        let name = format!("{}.k", node.output.first().map_or("", String::as_str));
        let data_type = tract_onnx::pb::tensor_proto::DataType::Int64 as i32;
        made.push(TensorProto {
            name: name.clone(),
            dims: vec![1],
            data_type,
            int64_data: vec![count],
            ..TensorProto::default()
        });
        node.input.push(name);
    }
    graph.initializer.extend(made);
}

fn is_taken(operator: &str) -> bool {
    TAKEN.iter().any(|(name, _)| *name == operator)
}
