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
        for inner in super::inner(node) {
            into_attributes(inner);
        }
    }
}

fn is_taken(operator: &str) -> bool {
    TAKEN.iter().any(|(name, _)| *name == operator)
}
