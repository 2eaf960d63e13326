//! Lists of tensors: a model of several targets gives its answers as one. Where it is known which tensors are in a list, the list
//! is those tensors: an output that is one becomes an output for each, a place of one becomes its tensor.

use std::collections::HashMap;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};

/// The type of an attribute that is a whole number.
const INT: i32 = 2;

/// Resolves the lists of the outermost graph; those within loops and branches are left, and refused as operators that are not
/// known.
pub(super) fn resolve(graph: &mut GraphProto) -> Result<(), String> {
    if !graph.node.iter().any(|node| node.op_type == "SequenceConstruct") {
        return Ok(());
    }
    let constants = constants(graph);
    let mut lists: HashMap<String, Vec<String>> = HashMap::new();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for mut node in std::mem::take(&mut graph.node) {
        let list = node.input.first().and_then(|name| lists.get(name)).cloned();
        match (node.op_type.as_str(), list) {
            ("SequenceConstruct", _) => {
                lists.insert(output(&node), node.input);
            }
            ("Identity", Some(list)) => {
                lists.insert(output(&node), list);
            }
            ("SequenceAt", Some(list)) => {
                let place = node.input.get(1).and_then(|name| constants.get(name)).copied();
                let name = place.and_then(|place| list.get(usize::try_from(place).ok()?));
                let name =
                    name.ok_or_else(|| format!("node {}: its place in a list is not known at load", node.name))?;
                node.op_type = "Identity".to_owned();
                node.input = vec![name.clone()];
                nodes.push(node);
            }
            ("ConcatFromSequence", Some(list)) => nodes.extend(joined(node, list)),
            (_, Some(_)) => return Err(format!("node {} ({}): takes a list of tensors", node.name, node.op_type)),
            (_, None) => nodes.push(node),
        }
    }
    graph.node = nodes;
    let outputs = std::mem::take(&mut graph.output);
    for info in outputs {
        match lists.get(&info.name) {
            None => graph.output.push(info),
            Some(list) => {
                for (at, tensor) in list.iter().enumerate() {
                    let name = format!("{}_{at}", info.name);
                    graph.node.push(NodeProto {
                        name: name.clone(),
                        op_type: "Identity".to_owned(),
                        input: vec![tensor.clone()],
                        output: vec![name.clone()],
                        ..NodeProto::default()
                    });
                    graph.output.push(ValueInfoProto { name, ..ValueInfoProto::default() });
                }
            }
        }
    }
    Ok(())
}

fn output(node: &NodeProto) -> String {
    node.output.first().cloned().unwrap_or_default()
}

/// A list put together along an axis, new or not.
fn joined(node: NodeProto, list: Vec<String>) -> Vec<NodeProto> {
    let number = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name).map(|found| found.i);
    let axis = AttributeProto {
        name: "axis".to_owned(),
        i: number("axis").unwrap_or(0),
        r#type: INT,
        ..AttributeProto::default()
    };
    let (mut nodes, mut parts) = (Vec::new(), list);
    if number("new_axis") == Some(1) {
        let axes = TensorProto {
            dims: vec![1],
            data_type: tract_onnx::pb::tensor_proto::DataType::Int64 as i32,
            int64_data: vec![axis.i],
            ..TensorProto::default()
        };
        let name = format!("{}.axes", output(&node));
        // The type of an attribute that is a tensor.
        let value = AttributeProto { name: "value".to_owned(), t: Some(axes), r#type: 4, ..AttributeProto::default() };
        nodes.push(NodeProto {
            name: name.clone(),
            op_type: "Constant".to_owned(),
            output: vec![name.clone()],
            attribute: vec![value],
            ..NodeProto::default()
        });
        for (at, part) in parts.iter_mut().enumerate() {
            let wide = format!("{}.part-{at}", output(&node));
            nodes.push(NodeProto {
                name: wide.clone(),
                op_type: "Unsqueeze".to_owned(),
                input: vec![std::mem::replace(part, wide.clone()), name.clone()],
                output: vec![wide],
                ..NodeProto::default()
            });
        }
    }
    nodes.push(NodeProto { op_type: "Concat".to_owned(), input: parts, attribute: vec![axis], ..node });
    nodes
}

/// Single whole numbers of the file, by name.
fn constants(graph: &GraphProto) -> HashMap<String, i64> {
    let nodes = graph.node.iter().filter(|node| node.op_type == "Constant");
    let made = nodes.filter_map(|node| Some((node.output.first()?, node.attribute.first()?.t.as_ref()?)));
    let all = graph.initializer.iter().map(|tensor| (&tensor.name, tensor)).chain(made);
    let one = |tensor: &TensorProto| match crate::ops::whole_numbers(tensor).as_slice() {
        [number] => Some(*number),
        _ => None,
    };
    all.filter_map(|(name, tensor)| Some((name.clone(), one(tensor)?))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::examples::{node, whole, with};

    fn of(nodes: Vec<NodeProto>, outputs: &[&str]) -> Result<GraphProto, String> {
        let output = outputs.iter().map(|name| ValueInfoProto { name: (*name).into(), ..Default::default() }).collect();
        let initializer = vec![whole("zero", &[0]), whole("one", &[1]), whole("two", &[2]), whole("pair", &[0, 1])];
        let mut graph = GraphProto { node: nodes, output, initializer, ..GraphProto::default() };
        resolve(&mut graph).map(|()| graph)
    }

    /// Operator, inputs and outputs of each node.
    fn nodes(graph: &GraphProto) -> Vec<String> {
        graph
            .node
            .iter()
            .map(|node| format!("{} {} > {}", node.op_type, node.input.join(","), node.output.join(",")))
            .collect()
    }

    #[test]
    fn lists_are_the_tensors_that_are_in_them() {
        let list = || node("SequenceConstruct", &["a", "b"], "l");
        let at = |place: &str| node("SequenceAt", &["l", place], "y");
        let joined = |new: i64| with(with(node("ConcatFromSequence", &["l"], "y"), "axis", 1), "new_axis", new);
        for (name, given, outputs, expected) in [
            ("a place", vec![list(), at("one")], &["y"][..], &["Identity b > y"][..]),
            (
                "by another name",
                vec![list(), node("Identity", &["l"], "m"), node("SequenceAt", &["m", "zero"], "y")],
                &["y"],
                &["Identity a > y"],
            ),
            ("joined", vec![list(), joined(0)], &["y"], &["Concat a,b > y"]),
            (
                "joined along a new axis",
                vec![list(), joined(1)],
                &["y"],
                &[
                    "Constant  > y.axes",
                    "Unsqueeze a,y.axes > y.part-0",
                    "Unsqueeze b,y.axes > y.part-1",
                    "Concat y.part-0,y.part-1 > y",
                ],
            ),
            (
                "an output",
                vec![list(), node("Abs", &["a"], "y")],
                &["l", "y"],
                &["Abs a > y", "Identity a > l_0", "Identity b > l_1"],
            ),
            ("no list", vec![node("SequenceAt", &["l", "one"], "y")], &["y"], &["SequenceAt l,one > y"]),
        ] {
            let graph = of(given, outputs).unwrap();
            assert_eq!(nodes(&graph), expected, "{name}");
        }
        let graph = of(vec![list(), node("Abs", &["a"], "y")], &["l", "y"]).unwrap();
        assert_eq!(graph.output.iter().map(|output| output.name.as_str()).collect::<Vec<_>>(), ["l_0", "l_1", "y"]);
    }

    #[test]
    fn what_is_not_known_at_load_is_refused() {
        let list = || node("SequenceConstruct", &["a", "b"], "l");
        let at = |place: &str| vec![list(), node("SequenceAt", &["l", place], "y")];
        for (name, nodes, expected) in [
            ("beyond the last", at("two"), "node y: its place in a list is not known at load"),
            ("a place that is reckoned", at("x"), "its place in a list is not known at load"),
            ("two places", at("pair"), "its place in a list is not known at load"),
            (
                "a list to an operator of tensors",
                vec![list(), node("Abs", &["l"], "y")],
                "node y (Abs): takes a list of tensors",
            ),
        ] {
            let why = of(nodes, &["y"]).unwrap_err();
            assert!(why.contains(expected), "{name}: {why}");
        }
    }
}
