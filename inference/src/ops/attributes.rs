//! Attributes that tract has no reader for: tensors, and what is checked of every tensor before anyone reads it.

use super::{NodeProto, ParsingContext};
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::tract_hir::internal::*;

/// An attribute that is a tensor; `None` where it is absent or empty of type.
pub(crate) fn tensor(ctx: &ParsingContext, node: &NodeProto, name: &str) -> TractResult<Option<Tensor>> {
    let Some(proto) = node.get_attr_opt::<&TensorProto>(name)? else { return Ok(None) };
    if proto.data_type == DataType::Undefined as i32 {
        return Ok(None);
    }
    check(proto).map_err(|why| format_err!("Node {} ({}), attribute '{name}': {why}", node.name, node.op_type))?;
    Ok(Some(ctx.load_tensor(proto)?))
}

/// Whether a tensor holds what its type and dimensions say, so that reading it can neither panic nor run past its end.
pub(crate) fn check(proto: &TensorProto) -> Result<(), String> {
    if proto.data_location == Some(DataLocation::External as i32) {
        return Err("its data is in another file: save the model with its data inside".to_owned());
    }
    let data_type =
        DataType::try_from(proto.data_type).map_err(|_| format!("has no known type {}", proto.data_type))?;
    let length = proto.dims.iter().try_fold(1usize, |length, dim| length.checked_mul(usize::try_from(*dim).ok()?));
    let length = length.ok_or_else(|| format!("has impossible dimensions {:?}", proto.dims))?;
    let found = match (proto.raw_data.is_empty(), width(data_type)) {
        (false, None) => return Err(format!("is of {data_type:?}, which is not read here: cast it to float32")),
        (false, Some(width)) if !proto.raw_data.len().is_multiple_of(width) => usize::MAX,
        (false, Some(width)) => proto.raw_data.len() / width,
        (true, _) => listed(proto, data_type)?,
    };
    match found == length {
        true => Ok(()),
        false => Err(format!("its dimensions {:?} do not fit its data", proto.dims)),
    }
}

/// The elements of a tensor of whole numbers; none of another.
pub(crate) fn whole_numbers(proto: &TensorProto) -> Vec<i64> {
    let raw = &proto.raw_data;
    match DataType::try_from(proto.data_type) {
        Ok(DataType::Int64) if raw.is_empty() => proto.int64_data.clone(),
        Ok(DataType::Int32) if raw.is_empty() => proto.int32_data.iter().copied().map(i64::from).collect(),
        Ok(DataType::Int64) => raw.chunks_exact(8).filter_map(|b| b.try_into().ok()).map(i64::from_le_bytes).collect(),
        Ok(DataType::Int32) => {
            raw.chunks_exact(4).filter_map(|b| b.try_into().ok()).map(|b| i32::from_le_bytes(b).into()).collect()
        }
        _ => vec![],
    }
}

/// The elements of a tensor of single precision; nothing of another.
pub fn floats(proto: &TensorProto) -> Option<Vec<f32>> {
    if proto.data_type != DataType::Float as i32 {
        return None;
    }
    Some(match proto.raw_data.as_chunks::<4>() {
        ([], _) => proto.float_data.clone(),
        (chunks, _) => chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    })
}

/// Bytes of an element in raw data.
fn width(data_type: DataType) -> Option<usize> {
    Some(match data_type {
        DataType::Bool | DataType::Int8 | DataType::Uint8 => 1,
        DataType::Int16 | DataType::Uint16 | DataType::Float16 => 2,
        DataType::Int32 | DataType::Uint32 | DataType::Float => 4,
        DataType::Int64 | DataType::Uint64 | DataType::Double => 8,
        _ => return None,
    })
}

/// Number of elements that stand outside raw data.
fn listed(proto: &TensorProto, data_type: DataType) -> Result<usize, String> {
    Ok(match data_type {
        DataType::Float => proto.float_data.len(),
        DataType::Double => proto.double_data.len(),
        DataType::Int64 => proto.int64_data.len(),
        DataType::String => proto.string_data.len(),
        DataType::Bool
        | DataType::Int8
        | DataType::Uint8
        | DataType::Int16
        | DataType::Uint16
        | DataType::Int32
        | DataType::Float16 => proto.int32_data.len(),
        DataType::Uint32 | DataType::Uint64 if proto.uint64_data.is_empty() => 0,
        other => return Err(format!("is of {other:?}, which is not read here: cast it to float32")),
    })
}
