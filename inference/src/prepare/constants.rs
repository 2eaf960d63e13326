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
        for inner in super::subgraphs::inner(node) {
            into_attributes(inner);
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::examples::{node, whole, with};
    use crate::ops::tests::Attributes;
    use tract_onnx::pb::NodeProto;

    fn ints(node: &NodeProto) -> Vec<(&str, Vec<i64>)> {
        node.attribute.iter().map(|attribute| (attribute.name.as_str(), attribute.ints.clone())).collect()
    }

    #[test]
    fn axes_of_the_file_become_an_attribute() {
        let sum = |inputs: &[&str]| node("ReduceLogSumExp", inputs, "y");
        let made = node("Constant", &[], "made").tensor("value", whole("", &[-1]));
        for (name, before, inputs, attributes) in [
            ("a tensor of the file", sum(&["x", "axes"]), vec!["x"], vec![("axes", vec![0, 2])]),
            ("one that a node makes", sum(&["x", "made"]), vec!["x"], vec![("axes", vec![-1])]),
            ("one that is not there", sum(&["x", ""]), vec!["x"], vec![]),
            ("none", sum(&["x"]), vec!["x"], vec![]),
            ("one that is reckoned", sum(&["x", "x"]), vec!["x", "x"], vec![]),
            ("another operator's", node("ReduceSum", &["x", "axes"], "y"), vec!["x", "axes"], vec![]),
        ] {
            let mut graph = GraphProto {
                node: vec![made.clone(), before],
                initializer: vec![whole("axes", &[0, 2])],
                ..Default::default()
            };
            into_attributes(&mut graph);
            assert_eq!(graph.node[1].input, inputs, "{name}");
            assert_eq!(ints(&graph.node[1]), attributes, "{name}");
        }
        let inner = GraphProto {
            node: vec![sum(&["x", "axes"])],
            initializer: vec![whole("axes", &[1])],
            ..GraphProto::default()
        };
        let branch = AttributeProto { name: "then_branch".into(), g: Some(inner), ..AttributeProto::default() };
        let mut graph = GraphProto { node: vec![node("If", &["c"], "y").with(branch)], ..GraphProto::default() };
        into_attributes(&mut graph);
        let inner = graph.node[0].attribute[0].g.as_ref().unwrap();
        assert_eq!(ints(&inner.node[0]), [("axes", vec![1])], "in a graph within");
    }

    #[test]
    fn a_count_of_an_older_opset_becomes_an_input() {
        let top = |inputs: &[&str]| node("TopK", inputs, "y");
        let of = |node: NodeProto| {
            let mut graph = GraphProto { node: vec![node], ..GraphProto::default() };
            counts_into_inputs(&mut graph);
            let made: Vec<_> =
                graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.int64_data.clone())).collect();
            (graph.node[0].input.clone(), graph.node[0].attribute.len(), made)
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let axis = with(with(top(&["x"]), "axis", 1), "k", 3);
        assert_eq!(of(axis), (names(&["x", "y.k"]), 1, vec![("y.k".to_owned(), vec![3])]));
        assert_eq!(of(top(&["x", "n"])), (names(&["x", "n"]), 0, vec![]));
        assert_eq!(of(top(&["x"])), (names(&["x"]), 0, vec![]));
        assert_eq!(of(with(node("Softmax", &["x"], "y"), "k", 3)), (names(&["x"]), 1, vec![]));
    }
}
