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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data_type: DataType, dims: &[i64]) -> TensorProto {
        TensorProto { data_type: data_type as i32, dims: dims.to_vec(), ..TensorProto::default() }
    }

    #[test]
    fn a_tensor_holds_what_its_dimensions_say() {
        use DataType::{Bool, Complex64, Double, Float, Float16, Int8, Int64, Uint64};
        let raw =
            |data_type, dims: &[i64], bytes: usize| TensorProto { raw_data: vec![0; bytes], ..of(data_type, dims) };
        let external = TensorProto { data_location: Some(DataLocation::External as i32), ..raw(Float, &[1], 4) };
        let rows: [(&str, TensorProto, Result<(), &str>); 18] = [
            ("raw floats", raw(Float, &[2, 3], 24), Ok(())),
            ("one raw float", raw(Double, &[], 8), Ok(())),
            ("halves", raw(Float16, &[3], 6), Ok(())),
            ("listed floats", TensorProto { float_data: vec![1.0; 2], ..of(Float, &[2]) }, Ok(())),
            (
                "small numbers are listed as larger ones",
                TensorProto { int32_data: vec![1; 2], ..of(Int8, &[2]) },
                Ok(()),
            ),
            ("texts", TensorProto { string_data: vec![vec![]; 2], ..of(DataType::String, &[2]) }, Ok(())),
            ("nothing", of(Int64, &[0, 1 << 40]), Ok(())),
            ("a byte too few", raw(Float, &[2], 7), Err("its dimensions [2] do not fit its data")),
            ("a byte too many", raw(Float, &[1], 5), Err("do not fit its data")),
            ("a float too many", raw(Float, &[2], 12), Err("do not fit its data")),
            (
                "listed by another type",
                TensorProto { double_data: vec![1.0], ..of(Float, &[1]) },
                Err("do not fit its data"),
            ),
            ("a dimension below zero", raw(Bool, &[-1], 1), Err("has impossible dimensions [-1]")),
            ("more than can be counted", raw(Bool, &[i64::MAX, 4], 1), Err("has impossible dimensions")),
            (
                "raw texts",
                raw(DataType::String, &[1], 4),
                Err("is of String, which is not read here: cast it to float32"),
            ),
            ("raw complex numbers", raw(Complex64, &[1], 8), Err("is of Complex64")),
            ("listed without a sign", TensorProto { uint64_data: vec![1], ..of(Uint64, &[1]) }, Err("is of Uint64")),
            ("another file", external, Err("save the model with its data inside")),
            (
                "no type that is known",
                TensorProto { data_type: 99, ..TensorProto::default() },
                Err("has no known type 99"),
            ),
        ];
        for (name, tensor, expected) in rows {
            match (check(&tensor), expected) {
                (Ok(()), Ok(())) => {}
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{name}: {why}"),
                (found, expected) => panic!("{name}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn raw_data_are_read_from_their_lowest_byte_on() {
        let raw = |data_type, bytes: &[u8]| TensorProto { raw_data: bytes.to_vec(), ..of(data_type, &[]) };
        assert_eq!(whole_numbers(&raw(DataType::Int64, &(-2i64).to_le_bytes())), [-2]);
        assert_eq!(whole_numbers(&raw(DataType::Int32, &[1, 2, 0, 0, 0xff, 0xff, 0xff, 0xff])), [513, -1]);
        assert_eq!(whole_numbers(&TensorProto { int32_data: vec![7], ..of(DataType::Int32, &[1]) }), [7]);
        assert!(whole_numbers(&TensorProto { float_data: vec![7.0], ..of(DataType::Float, &[1]) }).is_empty());
        assert_eq!(floats(&raw(DataType::Float, &[0, 0, 0x80, 0x3f])), Some(vec![1.0]));
        assert_eq!(floats(&TensorProto { float_data: vec![7.0], ..of(DataType::Float, &[1]) }), Some(vec![7.0]));
        assert_eq!(floats(&raw(DataType::Double, &[0; 8])), None);
    }
}
