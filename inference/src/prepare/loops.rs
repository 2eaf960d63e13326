//! Recurrent operators as tract runs them: it goes forward or both ways, with the usual functions, and reads no attribute that
//! says otherwise. Of one that goes backward alone, both ways are run and the forward one is left out; any other difference is
//! refused.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// The type of an attribute that is a whole number.
const INT: i32 = 2;
/// The usual functions of each direction.
const USUAL: [(&str, &[&[u8]]); 3] =
    [("GRU", &[b"Sigmoid", b"Tanh"]), ("LSTM", &[b"Sigmoid", b"Tanh", b"Tanh"]), ("RNN", &[b"Tanh"])];

/// Rewrites the operators of a graph and of those within it.
///
/// # Errors
/// The node, and what is not run here.
pub(super) fn forward(graph: &mut GraphProto) -> Result<(), String> {
    let mut nodes = Vec::with_capacity(graph.node.len());
    let mut backward = false;
    for mut node in std::mem::take(&mut graph.node) {
        super::subgraphs::inner(&mut node).try_for_each(forward)?;
        let Some((_, usual)) = USUAL.iter().find(|(operator, _)| *operator == node.op_type) else {
            nodes.push(node);
            continue;
        };
        check(&node, usual)?;
        match node.attribute.iter_mut().find(|attribute| attribute.name == "direction" && attribute.s == b"reverse") {
            Some(direction) => direction.s = b"bidirectional".to_vec(),
            None => {
                nodes.push(node);
                continue;
            }
        }
        backward = true;
        let rows_first = node.attribute.iter().any(|attribute| attribute.name == "layout" && attribute.i == 1);
        // Weights, biases and first states of each direction.
        for (at, input) in node.input.iter_mut().enumerate() {
            let axis = i64::from(rows_first && [5, 6].contains(&at));
            if [1, 2, 3, 5, 6, 7].contains(&at) && !input.is_empty() {
                let name = format!("{}.{at}.twice", node.name);
                let both = [input.clone(), input.clone()];
                input.clone_from(&name);
                nodes.push(made("Concat", both.to_vec(), name, Some(axis)));
            }
        }
        let mut after = Vec::new();
        for (at, output) in node.output.iter_mut().enumerate() {
            let axis = i64::from(at == 0) + i64::from(rows_first);
            if !output.is_empty() {
                let name = format!("{output}.both");
                let input = vec![name.clone(), constant(1), constant(2), constant(axis)];
                after.push(made("Slice", input, std::mem::replace(output, name), None));
            }
        }
        nodes.push(node);
        nodes.extend(after);
    }
    graph.node = nodes;
    graph.initializer.extend((0..3).filter(|_| backward).map(|number| TensorProto {
        name: constant(number),
        dims: vec![1],
        data_type: DataType::Int64 as i32,
        int64_data: vec![number],
        ..TensorProto::default()
    }));
    Ok(())
}

fn check(node: &NodeProto, usual: &[&[u8]]) -> Result<(), String> {
    let refused = |what: &str| Err(format!("node {} ({}): {what}", node.name, node.op_type));
    for attribute in &node.attribute {
        match attribute.name.as_str() {
            "activations" if !attribute.strings.iter().zip(usual.iter().cycle()).all(|(one, other)| one == other) => {
                return refused(
                    "runs with sigmoid and tanh alone: train it with them, in Keras with recurrent_activation='sigmoid' and \
                     activation='tanh'",
                );
            }
            "clip" if attribute.f != 0.0 => return refused("does not clip: leave the attribute clip out"),
            "input_forget" if attribute.i != 0 => {
                return refused("does not couple its input and forget gates: leave the attribute input_forget out");
            }
            "direction"
                if !["forward", "reverse", "bidirectional"].iter().any(|known| known.as_bytes() == attribute.s) =>
            {
                return refused("has no direction that is known: it is forward, reverse or bidirectional");
            }
            _ => {}
        }
    }
    Ok(())
}

fn made(operator: &str, input: Vec<String>, output: String, axis: Option<i64>) -> NodeProto {
    let axis = axis.map(|i| AttributeProto { name: "axis".to_owned(), i, r#type: INT, ..AttributeProto::default() });
    NodeProto {
        name: output.clone(),
        op_type: operator.to_owned(),
        input,
        output: vec![output],
        attribute: axis.into_iter().collect(),
        ..NodeProto::default()
    }
}

fn constant(number: i64) -> String {
    format!("loops.backward.{number}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::examples::{node, with};

    #[test]
    fn what_would_be_passed_over_is_refused() {
        let strings = |all: &[&str]| AttributeProto {
            name: "activations".into(),
            strings: all.iter().map(|one| one.as_bytes().to_vec()).collect(),
            ..AttributeProto::default()
        };
        let clip = AttributeProto { name: "clip".into(), f: 3.0, ..AttributeProto::default() };
        let direction =
            AttributeProto { name: "direction".into(), s: b"sideways".to_vec(), ..AttributeProto::default() };
        let lstm = || node("LSTM", &["x", "w", "r"], "y");
        for (attribute, expected) in [
            (strings(&["HardSigmoid", "Tanh", "Tanh"]), Some("lstm (LSTM): runs with sigmoid and tanh alone")),
            (strings(&["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Tanh", "Relu"]), Some("sigmoid and tanh alone")),
            (strings(&["Sigmoid", "Tanh", "Tanh"]), None),
            (clip, Some("lstm (LSTM): does not clip")),
            (direction, Some("has no direction that is known")),
        ] {
            let node = NodeProto { name: "lstm".into(), attribute: vec![attribute], ..lstm() };
            let mut graph = GraphProto { node: vec![node], ..GraphProto::default() };
            match (forward(&mut graph), expected) {
                (Ok(()), None) => {}
                (Err(why), Some(expected)) => assert!(why.contains(expected), "{why}"),
                (found, expected) => panic!("{found:?}, not {expected:?}"),
            }
        }
        let mut graph = GraphProto { node: vec![with(lstm(), "input_forget", 1)], ..GraphProto::default() };
        assert!(forward(&mut graph).unwrap_err().contains("input_forget"));
    }

    /// Both directions are run, and the backward one is what is left.
    #[test]
    fn a_loop_that_goes_backward_is_half_of_one_that_goes_both_ways() {
        let text =
            |name: &str, text: &str| AttributeProto { name: name.into(), s: text.into(), ..AttributeProto::default() };
        let of = |layout: i64, inputs: &[&str], outputs: &[&str]| {
            let node = with(node("GRU", inputs, "y"), "layout", layout);
            let output = outputs.iter().map(|name| (*name).to_owned()).collect();
            let attribute = [node.attribute.clone(), vec![text("direction", "reverse")]].concat();
            let mut graph = GraphProto {
                node: vec![NodeProto { attribute, output, name: "gru".into(), ..node }],
                ..GraphProto::default()
            };
            forward(&mut graph).unwrap();
            let axis =
                |node: &NodeProto| node.attribute.iter().find(|attribute| attribute.name == "axis").map(|axis| axis.i);
            let said = |node: &NodeProto| {
                format!("{} {} > {} {:?}", node.op_type, node.input.join(","), node.output.join(","), axis(node))
            };
            (graph.node.iter().map(said).collect::<Vec<_>>(), graph.initializer.len())
        };
        let (nodes, constants) = of(0, &["x", "w", "r", "", "", "h"], &["all", "last"]);
        assert_eq!(
            nodes,
            [
                "Concat w,w > gru.1.twice Some(0)",
                "Concat r,r > gru.2.twice Some(0)",
                "Concat h,h > gru.5.twice Some(0)",
                "GRU x,gru.1.twice,gru.2.twice,,,gru.5.twice > all.both,last.both None",
                "Slice all.both,loops.backward.1,loops.backward.2,loops.backward.1 > all None",
                "Slice last.both,loops.backward.1,loops.backward.2,loops.backward.0 > last None",
            ]
        );
        assert_eq!(constants, 3);
        let (nodes, _) = of(1, &["x", "w", "r", "", "", "h"], &["", "last"]);
        assert_eq!(nodes[2], "Concat h,h > gru.5.twice Some(1)", "rows first");
        assert_eq!(nodes[4..], ["Slice last.both,loops.backward.1,loops.backward.2,loops.backward.1 > last None"]);
        let mut graph = GraphProto { node: vec![node("GRU", &["x", "w", "r"], "y")], ..GraphProto::default() };
        forward(&mut graph).unwrap();
        assert_eq!((graph.node.len(), graph.initializer.len()), (1, 0), "forward needs nothing");
    }
}
