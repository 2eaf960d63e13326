//! What the names of a graph stand for while it is read.

use super::super::steps::Operand;
use super::shapes::{Arranged, Shape, Size};
use crate::ops::{floats, whole_numbers};
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;

/// Cells row by row of their axes, the last one fastest.
#[derive(Debug, Clone)]
pub(super) struct Array<T> {
    pub shape: Shape,
    pub cells: Vec<T>,
}

/// What cells mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Numbers,
    /// Yes and no, as 1 and 0.
    Truths,
    /// Whole numbers: codes of categories.
    Codes,
    /// Codes that were moved by a constant: good for looking up alone, since a large one is rounded.
    Places,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// What depends on rows, or could.
    Cells(Kind, Array<Operand>),
    /// Numbers of the file.
    Constant(Array<f32>),
    /// Whole numbers of the file, and sizes.
    Whole(Array<Size>),
}

impl<T: Copy> Array<T> {
    pub fn new(shape: Shape, cells: Vec<T>) -> Option<Self> {
        (shape.count()? == cells.len()).then_some(Self { shape, cells })
    }

    pub fn arranged(&self, how: Arranged) -> Self {
        Self { shape: how.shape, cells: how.from.iter().map(|at| self.cells[*at]).collect() }
    }

    pub fn map<U>(&self, of: impl FnMut(T) -> U) -> Array<U> {
        Array { shape: self.shape.clone(), cells: self.cells.iter().copied().map(of).collect() }
    }

    /// Side by side along an axis.
    pub fn joined(arrays: &[Self], axis: usize) -> Option<Self> {
        let first = &arrays.first()?.shape;
        let same = |shape: &Shape| {
            let apart =
                shape.dims.iter().zip(&first.dims).enumerate().any(|(at, (one, other))| at != axis && one != other);
            !apart && !shape.is_merged() && (shape.rows, shape.dims.len()) == (first.rows, first.dims.len())
        };
        if first.rows == Some(axis) || axis >= first.dims.len() || !arrays.iter().all(|array| same(&array.shape)) {
            return None;
        }
        let mut shape = first.clone();
        shape.dims[axis] = arrays.iter().try_fold(0usize, |sum, array| sum.checked_add(array.shape.dims[axis]))?;
        let mut cells = Vec::with_capacity(shape.count()?);
        let outer: usize = shape.dims[..axis].iter().product();
        for at in 0..outer {
            for array in arrays {
                let each = array.cells.len() / outer;
                cells.extend_from_slice(&array.cells[at * each..][..each]);
            }
        }
        Self::new(shape, cells)
    }
}

impl Value {
    pub fn shape(&self) -> &Shape {
        match self {
            Self::Cells(_, array) => &array.shape,
            Self::Constant(array) => &array.shape,
            Self::Whole(array) => &array.shape,
        }
    }

    /// How many cells it holds.
    pub fn len(&self) -> usize {
        match self {
            Self::Cells(_, array) => array.cells.len(),
            Self::Constant(array) => array.cells.len(),
            Self::Whole(array) => array.cells.len(),
        }
    }

    pub fn arranged(&self, how: Arranged) -> Self {
        match self {
            Self::Cells(kind, array) => Self::Cells(*kind, array.arranged(how)),
            Self::Constant(array) => Self::Constant(array.arranged(how)),
            Self::Whole(array) => Self::Whole(array.arranged(how)),
        }
    }

    /// A tensor of the file: floats, or whole numbers.
    pub fn of(tensor: &TensorProto) -> Option<Self> {
        let dims = tensor.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect::<Option<Vec<_>>>()?;
        let shape = Shape::plain(&dims);
        match DataType::try_from(tensor.data_type).ok()? {
            DataType::Float => Array::new(shape, floats(tensor)?).map(Self::Constant),
            DataType::Int64 | DataType::Int32 => {
                Array::new(shape, whole_numbers(tensor).into_iter().map(Size::Of).collect()).map(Self::Whole)
            }
            _ => None,
        }
    }
}
