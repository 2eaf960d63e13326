//! One operator in a graph of its own, as an exporter writes it: tensors in, tensors out.

use super::{NodeProto, domains, guarded, onnx, read, register, rows, typed};
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value::DimValue;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};
use tract_onnx::prelude::*;

/// Opset of the graphs that ask for no other.
const OPSET: i64 = 17;
/// Operators that give labels before their scores.
const CLASSIFIERS: [&str; 3] = ["LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"];

/// A node `it` of this operator.
pub(crate) fn operator(name: &str) -> NodeProto {
    let ours = register::ML.iter().any(|(own, _)| *own == name);
    let outputs = if CLASSIFIERS.contains(&name) { 2 } else { 1 };
    NodeProto {
        op_type: name.into(),
        name: "it".into(),
        domain: if ours { domains::ML.into() } else { String::new() },
        output: (0..outputs).map(|at| format!("y{at}")).collect(),
        ..NodeProto::default()
    }
}

/// Attributes of a node, one after the other.
pub(crate) trait Attributes: Sized {
    fn with(self, attribute: AttributeProto) -> Self;

    fn int(self, name: &str, i: i64) -> Self {
        self.with(AttributeProto { name: name.into(), i, r#type: AttributeType::Int as i32, ..Default::default() })
    }

    fn ints(self, name: &str, ints: &[i64]) -> Self {
        let ints = ints.to_vec();
        self.with(AttributeProto { name: name.into(), ints, r#type: AttributeType::Ints as i32, ..Default::default() })
    }

    fn float(self, name: &str, f: f32) -> Self {
        self.with(AttributeProto { name: name.into(), f, r#type: AttributeType::Float as i32, ..Default::default() })
    }

    fn floats(self, name: &str, floats: &[f32]) -> Self {
        let (floats, r#type) = (floats.to_vec(), AttributeType::Floats as i32);
        self.with(AttributeProto { name: name.into(), floats, r#type, ..Default::default() })
    }

    fn text(self, name: &str, text: &str) -> Self {
        let (s, r#type) = (text.into(), AttributeType::String as i32);
        self.with(AttributeProto { name: name.into(), s, r#type, ..Default::default() })
    }

    fn texts(self, name: &str, texts: &[&str]) -> Self {
        let strings = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        let r#type = AttributeType::Strings as i32;
        self.with(AttributeProto { name: name.into(), strings, r#type, ..Default::default() })
    }

    fn tensor(self, name: &str, tensor: TensorProto) -> Self {
        let (t, r#type) = (Some(tensor), AttributeType::Tensor as i32);
        self.with(AttributeProto { name: name.into(), t, r#type, ..Default::default() })
    }
}

impl Attributes for NodeProto {
    fn with(mut self, attribute: AttributeProto) -> Self {
        self.attribute.push(attribute);
        self
    }
}

/// A tensor of this shape.
pub(crate) fn cells<D: Datum>(shape: &[usize], cells: &[D]) -> Tensor {
    rows::tensor(shape, cells.to_vec()).expect("as many cells as the shape has")
}

/// Texts of this shape.
pub(crate) fn words(shape: &[usize], words: &[&str]) -> Tensor {
    rows::tensor(shape, words.iter().map(|word| (*word).to_owned()).collect()).expect("as many words as the shape has")
}

/// The cells of a tensor of this type.
pub(crate) fn all<D: Datum>(tensor: &Tensor) -> Vec<D> {
    rows::slice::<D>(tensor).unwrap_or_else(|why| panic!("{tensor:?}: {why}")).to_vec()
}

/// What an operator gives for these inputs, or why its graph does not load or run.
pub(crate) fn answers(node: NodeProto, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    of_opset(OPSET, node, inputs)
}

/// The same of another opset.
pub(crate) fn of_opset(version: i64, mut node: NodeProto, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    node.input = (0..inputs.len()).map(|at| format!("x{at}")).collect();
    let input = node.input.iter().zip(inputs).map(|(name, tensor)| declared(name, tensor)).collect();
    let output = node.output.iter().map(|name| ValueInfoProto { name: name.clone(), ..Default::default() }).collect();
    let graph = GraphProto { name: "one".into(), node: vec![node], input, output, ..Default::default() };
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
    let opset_import = vec![opset("", version), opset(domains::ML, 3)];
    let model = ModelProto { ir_version: 8, graph: Some(graph), opset_import, ..Default::default() };
    let proto = read(&model.encode_to_vec(), None).map_err(|why| why.to_string())?;
    guarded(|| {
        let mut model = onnx().model_for_proto_model(&proto)?;
        for (index, input) in inputs.iter().enumerate() {
            model.set_input_fact(index, input.datum_type().fact(input.shape()).into())?;
        }
        let given = inputs.iter().map(|input| input.clone().into_tvalue()).collect();
        let outputs = typed(model)?.into_optimized()?.into_runnable()?.run(given)?;
        Ok(outputs.into_iter().map(TValue::into_tensor).collect())
    })
}

fn declared(name: &str, tensor: &Tensor) -> ValueInfoProto {
    let elem_type = match tensor.datum_type() {
        DatumType::F32 => DataType::Float,
        DatumType::F64 => DataType::Double,
        DatumType::I64 => DataType::Int64,
        DatumType::I32 => DataType::Int32,
        DatumType::Bool => DataType::Bool,
        DatumType::String => DataType::String,
        other => panic!("no test declares {other:?}"),
    };
    let dim = |size: &usize| Dimension { value: Some(DimValue(*size as i64)), ..Default::default() };
    let shape = Some(TensorShapeProto { dim: tensor.shape().iter().map(dim).collect() });
    let tensor = type_proto::Tensor { elem_type: elem_type as i32, shape };
    let of = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(of), ..Default::default() }
}

/// A row of a table: its name, the operator, what it is given, and its last output's cells or a part of its refusal.
pub(crate) type Row<'a> = (&'a str, NodeProto, Vec<Tensor>, Result<&'a [f32], &'a str>);

/// Compares single precision by the bit, with all that is no number alike.
pub(crate) fn check(rows: Vec<Row<'_>>) {
    for (name, node, inputs, expected) in rows {
        let operator = node.op_type.clone();
        match (answers(node, &inputs), expected) {
            (Ok(found), Ok(expected)) => {
                let found = all::<f32>(found.last().expect("an output"));
                assert_eq!(bits(&found), bits(expected), "{operator}, {name}: {found:?}, not {expected:?}");
            }
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{operator}, {name}: {why}"),
            (found, expected) => panic!("{operator}, {name}: {found:?}, not {expected:?}"),
        }
    }
}

/// Bits of numbers, one pattern for all that are none.
pub(crate) fn bits(cells: &[f32]) -> Vec<u32> {
    cells.iter().map(|cell| if cell.is_nan() { f32::NAN.to_bits() } else { cell.to_bits() }).collect()
}
