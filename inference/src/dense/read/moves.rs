//! What moves cells about without reckoning: reshapes, slices, joints. When a net runs, these cost nothing.

use super::shapes::{Shape, Size};
use super::value::{Array, Kind, Value};
use super::{Operand, Reader, list, only, whole};
use crate::ops::NodeProto;

/// From here on the end of a slice is every row, however many there are: exporters write the greatest number of 32 or 64 bits.
const ALL_ROWS: i64 = i32::MAX as i64;

impl Reader {
    /// What a dropout leaves of its input when a net is not trained: all.
    pub(super) fn kept(&self, node: &NodeProto) -> Option<Value> {
        match node.input.as_slice() {
            [value] | [value, _] => self.values.get(value).cloned(),
            _ => None,
        }
    }

    pub(super) fn sizes(&self, node: &NodeProto) -> Option<Value> {
        let sizes = self.values.get(only(node)?)?.shape().sizes();
        let place = |name: &str, default: usize| {
            let at = whole(node, name, default as i64);
            let at = if at < 0 { at.checked_add(sizes.len() as i64)?.max(0) } else { at };
            Some(usize::try_from(at).ok()?.min(sizes.len()))
        };
        let sizes = sizes.get(place("start", 0)?..place("end", sizes.len())?)?.to_vec();
        Array::new(Shape::plain(&[sizes.len()]), sizes).map(Value::Whole)
    }

    pub(super) fn transposed(&self, node: &NodeProto) -> Option<Value> {
        let value = self.values.get(only(node)?)?;
        let back: Vec<i64> = (0..value.shape().sizes().len() as i64).rev().collect();
        let how = value.shape().transposed(list(node, "perm").unwrap_or(&back))?;
        Some(value.arranged(how))
    }

    pub(super) fn reshaped(&self, node: &NodeProto) -> Option<Value> {
        let [value, sizes] = node.input.as_slice() else { return None };
        let (value, Value::Whole(sizes)) = (self.values.get(value)?, self.values.get(sizes)?) else { return None };
        if whole(node, "allowzero", 0) != 0 && sizes.cells.contains(&Size::Of(0)) {
            return None;
        }
        Some(value.arranged(value.shape().reshaped(&sizes.cells)?))
    }

    /// Rows stay, all else is one axis.
    pub(super) fn flattened(&self, node: &NodeProto) -> Option<Value> {
        let value = self.values.get(only(node)?)?;
        if whole(node, "axis", 1) != 1 || value.shape().rows != Some(0) || value.shape().is_merged() {
            return None;
        }
        Some(value.arranged(value.shape().reshaped(&[Size::Rows(1), Size::Of(-1)])?))
    }

    pub(super) fn squeezed(&self, node: &NodeProto) -> Option<Value> {
        let (value, axes) = match node.input.as_slice() {
            [value] => (value, list(node, "axes").map(<[i64]>::to_vec)),
            [value, axes] => (value, Some(self.whole(axes)?)),
            _ => return None,
        };
        let value = self.values.get(value)?;
        let how = match node.op_type.as_str() {
            "Squeeze" => value.shape().squeezed(axes.as_deref())?,
            _ => value.shape().unsqueezed(&axes?)?,
        };
        Some(value.arranged(how))
    }

    pub(super) fn expanded(&self, node: &NodeProto) -> Option<Value> {
        let [name, sizes] = node.input.as_slice() else { return None };
        let (value, Value::Whole(sizes)) = (self.values.get(name)?, self.values.get(sizes)?) else { return None };
        let mut to = Shape::plain(&[]);
        for (axis, size) in sizes.cells.iter().enumerate() {
            to.dims.push(match size {
                Size::Of(size) => usize::try_from(*size).ok()?,
                Size::Rows(1) if to.rows.is_none() => {
                    to.rows = Some(axis);
                    1
                }
                Size::Rows(_) => return None,
            });
        }
        let to = value.shape().common(&to)?;
        let how = value.shape().spread(&to)?;
        match value {
            Value::Constant(_) if to.rows.is_some() => {
                Some(Value::Cells(Kind::Numbers, self.numbers(name)?.arranged(how)))
            }
            Value::Whole(_) if to.rows.is_some() => None,
            _ => Some(value.arranged(how)),
        }
    }

    /// Parts of axes; all of the rows'.
    pub(super) fn sliced(&self, node: &NodeProto) -> Option<Value> {
        let [value, starts, ends, rest @ ..] = node.input.as_slice() else { return None };
        let (starts, ends) = (self.whole(starts)?, self.whole(ends)?);
        let given = |at: usize| rest.get(at).filter(|name| !name.is_empty());
        let axes = given(0).map_or_else(|| Some((0..starts.len() as i64).collect()), |name| self.whole(name))?;
        let strides = given(1).map_or_else(|| Some(vec![1; starts.len()]), |name| self.whole(name))?;
        if [ends.len(), axes.len(), strides.len()] != [starts.len(); 3] {
            return None;
        }
        let mut value = self.values.get(value)?.clone();
        for at in 0..starts.len() {
            let shape = value.shape();
            let axis = shape.axis(axes[at])?;
            if shape.rows == Some(axis) {
                if (starts[at], strides[at]) != (0, 1) || ends[at] < ALL_ROWS {
                    return None;
                }
                continue;
            }
            let places = between(starts[at], ends[at], strides[at], shape.dims[axis])?;
            let how = shape.picked(axis, &places, &[places.len()])?;
            value = value.arranged(how);
        }
        Some(value)
    }

    pub(super) fn split(&self, node: &NodeProto) -> Option<Vec<Value>> {
        let (value, sizes) = match node.input.as_slice() {
            [value] => (value, list(node, "split").map(<[i64]>::to_vec)),
            [value, sizes] => (value, Some(self.whole(sizes)?)),
            _ => return None,
        };
        let value = self.values.get(value)?;
        let axis = value.shape().column_axis(whole(node, "axis", 0))?;
        let (whole, parts) = (value.shape().dims[axis], node.output.len());
        let each = whole.div_ceil(parts.max(1));
        let sizes = match sizes {
            Some(sizes) => sizes.into_iter().map(|size| usize::try_from(size).ok()).collect::<Option<Vec<_>>>()?,
            None => (0..parts).map(|part| whole.saturating_sub(part * each).min(each)).collect(),
        };
        if sizes.len() != parts || sizes.iter().try_fold(0usize, |sum, size| sum.checked_add(*size)) != Some(whole) {
            return None;
        }
        let mut start = 0;
        let mut made = Vec::with_capacity(parts);
        for size in sizes {
            let places: Vec<usize> = (start..start + size).collect();
            made.push(value.arranged(value.shape().picked(axis, &places, &[size])?));
            start += size;
        }
        Some(made)
    }

    pub(super) fn concatenated(&self, node: &NodeProto) -> Option<Value> {
        let values = node.input.iter().map(|name| self.values.get(name)).collect::<Option<Vec<_>>>()?;
        let axis = values.first()?.shape().column_axis(whole(node, "axis", 0))?;
        match values.first()? {
            Value::Whole(_) => {
                let sizes = |value: &&Value| match value {
                    Value::Whole(array) => Some(array.clone()),
                    Value::Cells(..) | Value::Constant(_) => None,
                };
                Array::joined(&values.iter().map(sizes).collect::<Option<Vec<_>>>()?, axis).map(Value::Whole)
            }
            Value::Cells(kind @ (Kind::Truths | Kind::Codes | Kind::Places), _) => {
                let cells = |value: &&Value| match value {
                    Value::Cells(other, array) if other == kind => Some(array.clone()),
                    _ => None,
                };
                let joined = Array::joined(&values.iter().map(cells).collect::<Option<Vec<_>>>()?, axis)?;
                Some(Value::Cells(*kind, joined))
            }
            Value::Cells(Kind::Numbers, _) | Value::Constant(_) => {
                let numbers: Option<Vec<_>> = node.input.iter().map(|name| self.numbers(name)).collect();
                Some(Value::numbers(Array::joined(&numbers?, axis)?))
            }
        }
    }

    /// Rows of a turned block picked by number.
    pub(super) fn gather_rows(&self, node: &NodeProto) -> Option<Value> {
        let [data, places] = node.input.as_slice() else { return None };
        let (value, shape) = (self.values.get(data)?, self.values.get(places)?.shape());
        let [_, 1] = *shape.dims.as_slice() else { return None };
        let axis = value.shape().column_axis(0)?;
        let places = in_axis(&self.whole(places)?, value.shape().dims[axis])?;
        (whole(node, "batch_dims", 0) == 0).then_some(())?;
        Some(value.arranged(value.shape().picked(axis, &places, &[places.len()])?))
    }
}

impl Value {
    /// Numbers of the file where they are the same in all rows and have no axis of rows.
    pub(super) fn numbers(array: Array<Operand>) -> Self {
        let number = |cell: &Operand| match cell {
            Operand::Number(number) => Some(*number),
            Operand::Column(_) => None,
        };
        match array.cells.iter().map(number).collect::<Option<Vec<_>>>() {
            Some(cells) if array.shape.rows.is_none() => Self::Constant(Array { shape: array.shape, cells }),
            _ => Self::Cells(Kind::Numbers, array),
        }
    }
}

/// Places on an axis of this size, from its end where they are negative.
pub(super) fn in_axis(places: &[i64], size: usize) -> Option<Vec<usize>> {
    let place = |place: &i64| {
        let place = if *place < 0 { place.checked_add(size as i64)? } else { *place };
        usize::try_from(place).ok().filter(|place| *place < size)
    };
    places.iter().map(place).collect()
}

/// The places that a slice of an axis of this size takes.
fn between(start: i64, end: i64, stride: i64, size: usize) -> Option<Vec<usize>> {
    let size = size as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let places: Vec<usize> = match stride {
        1.. => {
            let (start, end) = (from_end(start).clamp(0, size), from_end(end).clamp(0, size));
            (start..end).step_by(usize::try_from(stride).ok()?).map(|at| at as usize).collect()
        }
        -1 => {
            let (start, end) = (from_end(start).clamp(-1, size - 1), from_end(end).clamp(-1, size - 1));
            (end + 1..=start).rev().map(|at| at as usize).collect()
        }
        _ => return None,
    };
    (!places.is_empty()).then_some(places)
}
