//! What a graph leaves unsaid, said as the graph library wants it: inputs and outputs that are left out at the end are not there at
//! all, a value that a mode does not use is left out, and a graph that names no opset of the standard has the newest one.

use tract_onnx::pb::{GraphProto, ModelProto, OperatorSetIdProto};

/// The opset of the standard's own operators, which is written in where none is named.
pub(super) fn opset(proto: &mut ModelProto) -> i64 {
    let named = proto.opset_import.iter().find(|set| ["", "ai.onnx"].contains(&set.domain.as_str()));
    if let Some(named) = named {
        return named.version;
    }
    let version = crate::ops::NEWEST;
    proto.opset_import.push(OperatorSetIdProto { domain: String::new(), version });
    version
}

/// Leaves out what is not used, in a graph and those within it.
pub(super) fn leave_out(graph: &mut GraphProto) {
    for node in &mut graph.node {
        let mode = node.attribute.iter().find(|attribute| attribute.name == "mode");
        if node.op_type == "Pad" && mode.is_some_and(|mode| mode.s != b"constant") {
            node.input.iter_mut().skip(2).take(1).for_each(String::clear);
        }
        cut(&mut node.input);
        cut(&mut node.output);
        super::subgraphs::inner(node).for_each(leave_out);
    }
}

/// Cuts empty names off the end.
fn cut(names: &mut Vec<String>) {
    let kept = names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
    names.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::node;
    use tract_onnx::pb::{AttributeProto, NodeProto};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_left_out_at_the_end_is_not_there() {
        let mode = AttributeProto { name: "mode".into(), s: b"edge".to_vec(), ..AttributeProto::default() };
        let pad = NodeProto { attribute: vec![mode], ..node("Pad", &["x", "counts", "value"], "y") };
        let mut conv = node("Conv", &["x", "w", ""], "y");
        conv.output.push(String::new());
        let clip = node("Clip", &["x", "", "most"], "y");
        let mut graph = GraphProto { node: vec![pad, conv, clip], ..GraphProto::default() };
        leave_out(&mut graph);
        let inputs: Vec<_> = graph.node.iter().map(|node| node.input.clone()).collect();
        assert_eq!(inputs, [names(&["x", "counts"]), names(&["x", "w"]), names(&["x", "", "most"])]);
        assert_eq!(graph.node[1].output, names(&["y"]));
    }

    #[test]
    fn a_graph_without_an_opset_has_the_newest() {
        let mut proto = ModelProto::default();
        assert_eq!((opset(&mut proto), proto.opset_import.len()), (crate::ops::NEWEST, 1));
        proto.opset_import[0].version = 13;
        assert_eq!((opset(&mut proto), proto.opset_import.len()), (13, 1));
    }
}
