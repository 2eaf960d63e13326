//! `Gemm` in double precision: tract multiplies its terms with factors of single precision, and fails. Where the terms are constants
//! the factors go into them.

use std::collections::HashMap;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

/// Puts them in.
pub(super) fn scale_constants(graph: &mut GraphProto) {
    let mut made: Vec<TensorProto> = Vec::new();
    let known: HashMap<String, usize> =
        graph.initializer.iter().enumerate().map(|(at, tensor)| (tensor.name.clone(), at)).collect();
    for node in graph.node.iter_mut().filter(|node| node.op_type == "Gemm") {
        for (slot, factor) in [(1, "alpha"), (2, "beta")] {
            let Some(place) = node.input.get(slot).and_then(|name| known.get(name)) else { continue };
            let tensor = &graph.initializer[*place];
            let found = node.attribute.iter().position(|attribute| attribute.name == factor);
            let (Some(at), Some(numbers)) = (found, doubles(tensor)) else { continue };
            let by = f64::from(node.attribute.remove(at).f);
            let name = format!("{}.{factor}", output(node));
            made.push(TensorProto {
                name: name.clone(),
                dims: tensor.dims.clone(),
                data_type: DataType::Double as i32,
                double_data: numbers.into_iter().map(|number| number * by).collect(),
                ..TensorProto::default()
            });
            node.input[slot] = name;
        }
    }
    graph.initializer.extend(made);
}

fn output(node: &NodeProto) -> &str {
    node.output.first().map_or("", String::as_str)
}

/// The numbers of a tensor of doubles; nothing of another.
fn doubles(tensor: &TensorProto) -> Option<Vec<f64>> {
    if tensor.data_type != DataType::Double as i32 {
        return None;
    }
    Some(match tensor.raw_data.as_chunks::<8>() {
        ([], _) => tensor.double_data.clone(),
        (chunks, _) => chunks.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{node, tensor};
    use crate::ops::tests::Attributes;

    fn double(name: &str, numbers: &[f64], is_raw: bool) -> TensorProto {
        let raw_data = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let (dims, data_type) = (vec![numbers.len() as i64], DataType::Double as i32);
        let named = TensorProto { name: name.into(), dims, data_type, ..TensorProto::default() };
        match is_raw {
            true => TensorProto { raw_data, ..named },
            false => TensorProto { double_data: numbers.to_vec(), ..named },
        }
    }

    #[test]
    fn factors_go_into_constants_of_double_precision_alone() {
        let constants =
            || vec![double("w", &[1.5, -2.0], false), double("c", &[0.1], true), tensor("f", &[1], vec![3.0])];
        let gemm = |inputs: &[&str], factors: &[(&str, f32)]| {
            factors.iter().fold(node("Gemm", inputs, "y"), |node, (name, factor)| node.float(name, *factor))
        };
        let both = [("alpha", 0.5), ("beta", 2.0)];
        let rows = [
            (
                "both",
                gemm(&["x", "w", "c"], &both),
                vec!["x", "y.alpha", "y.beta"],
                0,
                vec![vec![0.75, -1.0], vec![0.2]],
            ),
            ("one", gemm(&["x", "w", "c"], &both[1..]), vec!["x", "w", "y.beta"], 0, vec![vec![0.2]]),
            ("no factor", gemm(&["x", "w", "c"], &[]), vec!["x", "w", "c"], 0, vec![]),
            ("single precision", gemm(&["x", "f"], &both), vec!["x", "f"], 2, vec![]),
            ("what is reckoned", gemm(&["x", "x"], &both), vec!["x", "x"], 2, vec![]),
            (
                "another operator",
                NodeProto { op_type: "MatMul".into(), ..gemm(&["x", "w"], &both) },
                vec!["x", "w"],
                2,
                vec![],
            ),
        ];
        for (name, node, inputs, left, made) in rows {
            let mut graph = GraphProto { node: vec![node], initializer: constants(), ..GraphProto::default() };
            scale_constants(&mut graph);
            assert_eq!(graph.node[0].input, inputs, "{name}");
            assert_eq!(graph.node[0].attribute.len(), left, "{name}: factors that are left");
            let found: Vec<_> = graph.initializer[3..].iter().map(|tensor| tensor.double_data.clone()).collect();
            assert_eq!(found, made, "{name}");
            assert_eq!(graph.initializer[..3], constants()[..], "{name}: what others read stays");
        }
    }
}
