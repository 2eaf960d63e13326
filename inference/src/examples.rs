//! Small graphs, written by hand: for the tests of this crate and of those that stand on it.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{self, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};

/// Floats of these dimensions.
pub fn tensor(name: &str, dims: &[usize], numbers: Vec<f32>) -> TensorProto {
    let dims = dims.iter().map(|dim| *dim as i64).collect();
    TensorProto {
        name: name.into(),
        dims,
        data_type: DataType::Float as i32,
        float_data: numbers,
        ..Default::default()
    }
}

/// Whole numbers in a row.
pub fn whole(name: &str, numbers: &[i64]) -> TensorProto {
    let (dims, int64_data) = (vec![numbers.len() as i64], numbers.to_vec());
    TensorProto { name: name.into(), dims, data_type: DataType::Int64 as i32, int64_data, ..Default::default() }
}

/// An operator of one output, named like it.
pub fn node(op: &str, input: &[&str], output: &str) -> NodeProto {
    let input = input.iter().map(|name| (*name).to_owned()).collect();
    NodeProto { op_type: op.into(), input, output: vec![output.into()], name: output.into(), ..Default::default() }
}

/// The same node with an attribute that is a whole number.
pub fn with(mut node: NodeProto, name: &str, i: i64) -> NodeProto {
    // 2 is the kind of a whole number.
    node.attribute.push(AttributeProto { name: name.into(), i, r#type: 2, ..Default::default() });
    node
}

/// A model of opset 17 whose input `x` has `width` columns of f32 and whose output `y` has `outputs`.
pub fn model(width: usize, outputs: usize, node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let (input, output) = (vec![rows("x", width)], vec![rows("y", outputs)]);
    let graph = GraphProto { node, initializer, name: "net".into(), input, output, ..Default::default() };
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }];
    ModelProto { ir_version: 8, graph: Some(graph), opset_import, ..Default::default() }
}

/// f32 [N, width].
fn rows(name: &str, width: usize) -> ValueInfoProto {
    use dimension::Value::{DimParam, DimValue};
    let dim = [DimParam("N".into()), DimValue(width as i64)];
    let dim = dim.map(|value| tensor_shape_proto::Dimension { value: Some(value), ..Default::default() }).to_vec();
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim }) };
    let of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(of), ..Default::default() }
}

/// relu(x · w + b) · v: a hidden layer of `b`'s length and one output.
pub fn shallow(width: usize, w: &[f32], b: &[f32], v: &[f32]) -> ModelProto {
    let nodes = vec![node("Gemm", &["x", "w", "b"], "s"), node("Relu", &["s"], "h"), node("MatMul", &["h", "v"], "y")];
    let hidden = b.len();
    let constants = vec![
        tensor("w", &[width, hidden], w.to_vec()),
        tensor("b", &[hidden], b.to_vec()),
        tensor("v", &[hidden, 1], v.to_vec()),
    ];
    model(width, 1, nodes, constants)
}
