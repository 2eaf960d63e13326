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
