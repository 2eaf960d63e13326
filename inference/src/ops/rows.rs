//! Tensors as rows of features: [N, F], or [F] as one row, as the operators of `ai.onnx.ml` read them.

use super::operator::Fact;
use std::borrow::Cow;
use tract_onnx::tract_hir::internal::*;

/// Rows and width of a fact.
pub(crate) fn of_fact(fact: &Fact) -> TractResult<(TDim, TDim)> {
    match &*fact.shape {
        [width] => Ok((1.into(), width.clone())),
        [rows, width] => Ok((rows.clone(), width.clone())),
        shape => bail!("takes rows of features, [N, F]; it is given {} dimensions", shape.len()),
    }
}

/// Rows and width of a tensor.
pub(crate) fn of_shape(shape: &[usize]) -> TractResult<(usize, usize)> {
    match shape {
        [width] => Ok((1, *width)),
        [rows, width] => Ok((*rows, *width)),
        shape => bail!("takes rows of features, [N, F]; it is given {} dimensions", shape.len()),
    }
}

/// Refuses a width other than the one expected, where it is known already.
pub(crate) fn check_width(fact: &Fact, expected: usize) -> TractResult<()> {
    match of_fact(fact)?.1.to_usize() {
        Ok(width) if width != expected => bail!("is made for {expected} features; it is given {width}"),
        _ => Ok(()),
    }
}

/// Refuses an attribute that has neither one value nor one for each feature, where the width is known already.
pub(crate) fn check_spread(fact: &Fact, attribute: &str, length: usize) -> TractResult<()> {
    match of_fact(fact)?.1.to_usize() {
        Ok(width) if length != 1 && length != width => {
            bail!("`{attribute}` has {length} values for {width} features; give one, or one for each feature")
        }
        _ => Ok(()),
    }
}

/// Demands numbers.
pub(crate) fn check_numbers(fact: &Fact) -> TractResult<()> {
    let datum_type = fact.datum_type;
    if datum_type.is_number() || datum_type == bool::datum_type() {
        return Ok(());
    }
    bail!("takes numbers; it is given {datum_type:?}: encode text before it, with LabelEncoder or OneHotEncoder")
}

/// The elements.
pub(crate) fn slice<D: Datum>(tensor: &Tensor) -> TractResult<&[D]> {
    tensor.try_as_plain_ram()?.as_slice::<D>()
}

/// The elements as f32, rounded to nearest where they are wider.
pub(crate) fn floats(tensor: &Tensor) -> TractResult<Cow<'_, [f32]>> {
    numbers(tensor, |value| value as f32)
}

/// The elements as f64, exact but for 64-bit integers.
pub(crate) fn doubles(tensor: &Tensor) -> TractResult<Cow<'_, [f64]>> {
    numbers(tensor, |value| value)
}

/// Borrows what is of the wanted type already, converts the rest by way of f64.
fn numbers<T: Datum + Copy>(tensor: &Tensor, narrow: fn(f64) -> T) -> TractResult<Cow<'_, [T]>> {
    if tensor.datum_type() == T::datum_type() {
        return Ok(Cow::Borrowed(slice::<T>(tensor)?));
    }
    let converted = match tensor.datum_type() {
        DatumType::F32 => slice::<f32>(tensor)?.iter().map(|v| narrow(f64::from(*v))).collect(),
        DatumType::F64 => slice::<f64>(tensor)?.iter().map(|v| narrow(*v)).collect(),
        DatumType::F16 => slice::<f16>(tensor)?.iter().map(|v| narrow(v.to_f64())).collect(),
        DatumType::I64 => slice::<i64>(tensor)?.iter().map(|v| narrow(*v as f64)).collect(),
        DatumType::I32 => slice::<i32>(tensor)?.iter().map(|v| narrow(f64::from(*v))).collect(),
        DatumType::I16 => slice::<i16>(tensor)?.iter().map(|v| narrow(f64::from(*v))).collect(),
        DatumType::I8 => slice::<i8>(tensor)?.iter().map(|v| narrow(f64::from(*v))).collect(),
        DatumType::U64 => slice::<u64>(tensor)?.iter().map(|v| narrow(*v as f64)).collect(),
        DatumType::U32 => slice::<u32>(tensor)?.iter().map(|v| narrow(f64::from(*v))).collect(),
        DatumType::U16 => slice::<u16>(tensor)?.iter().map(|v| narrow(f64::from(*v))).collect(),
        DatumType::U8 => slice::<u8>(tensor)?.iter().map(|v| narrow(f64::from(*v))).collect(),
        DatumType::Bool => slice::<bool>(tensor)?.iter().map(|v| narrow(f64::from(u8::from(*v)))).collect(),
        other => bail!("takes numbers; it is given {other:?}"),
    };
    Ok(Cow::Owned(converted))
}

/// A tensor of a shape from its elements.
pub(crate) fn tensor<D: Datum>(shape: &[usize], elements: Vec<D>) -> TractResult<Tensor> {
    Ok(tract_ndarray::ArrayD::from_shape_vec(shape, elements)?.into_tensor())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ops::tests::{cells, words};

    fn fact(datum_type: DatumType, shape: &[usize]) -> Fact {
        Fact { datum_type, shape: shape.iter().map(|size| TDim::from(*size)).collect() }
    }

    #[test]
    fn a_list_is_one_row_and_more_than_two_dimensions_are_none() {
        for (shape, expected) in [
            (&[3][..], Some((1, 3))),
            (&[2, 3], Some((2, 3))),
            (&[0, 3], Some((0, 3))),
            (&[], None),
            (&[1, 1, 1], None),
        ] {
            assert_eq!(of_shape(shape).ok(), expected, "{shape:?}");
            let found = of_fact(&fact(f32::datum_type(), shape)).ok();
            assert_eq!(found, expected.map(|(rows, width)| (rows.into(), width.into())), "{shape:?}");
        }
    }

    #[test]
    fn a_width_is_checked_where_it_is_known() {
        let scope = SymbolScope::default();
        let open = Fact { datum_type: f32::datum_type(), shape: tvec!(1.into(), scope.sym("W").into()) };
        let rows = fact(f32::datum_type(), &[5, 3]);
        assert!(check_width(&rows, 3).is_ok() && check_width(&rows, 2).is_err() && check_width(&open, 2).is_ok());
        for (length, fits) in [(0, false), (1, true), (2, false), (3, true)] {
            assert_eq!(check_spread(&rows, "scale", length).is_ok(), fits, "{length} for 3");
            assert!(check_spread(&open, "scale", length).is_ok(), "{length} for an open width");
        }
        for datum_type in
            [f32::datum_type(), f64::datum_type(), i64::datum_type(), u8::datum_type(), bool::datum_type()]
        {
            assert!(check_numbers(&fact(datum_type, &[1])).is_ok(), "{datum_type:?}");
        }
        assert!(check_numbers(&fact(String::datum_type(), &[1])).is_err());
    }

    #[test]
    fn numbers_of_every_type_are_read_as_floats() {
        let wide = (1i64 << 53) + 1;
        for (tensor, single, double) in [
            (cells(&[1], &[0.1f32]), 0.1, f64::from(0.1f32)),
            (cells(&[1], &[0.1f64]), 0.1, 0.1),
            (cells(&[1], &[wide]), 9_007_199_254_740_992.0, 9_007_199_254_740_992.0),
            (cells(&[1], &[u64::MAX]), 18_446_744_073_709_551_616.0, 18_446_744_073_709_551_616.0),
            (cells(&[1], &[i32::MIN]), -2_147_483_648.0, -2_147_483_648.0),
            (cells(&[1], &[-7i8]), -7.0, -7.0),
            (cells(&[1], &[200u8]), 200.0, 200.0),
            (cells(&[1], &[true]), 1.0, 1.0),
            (cells(&[1], &[1e300f64]), f32::INFINITY, 1e300),
        ] {
            assert_eq!(
                (&floats(&tensor).unwrap()[..], &doubles(&tensor).unwrap()[..]),
                (&[single][..], &[double][..]),
                "{tensor:?}"
            );
        }
        assert!(floats(&words(&[1], &["1"])).is_err_and(|why| why.to_string().contains("takes numbers")));
        assert!(tensor(&[2, 2], vec![1f32; 3]).is_err(), "three cells for four places");
    }
}
