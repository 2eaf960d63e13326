//! A table of columns, and its cells as a graph's tensors.

use crate::error::EngineError;
use crate::ops::{slice, tensor as tensor_of};
use std::ops::Range;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::*;

/// What cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers, single precision.
    F32,
    /// Numbers, double precision.
    F64,
    /// Whole numbers.
    I64,
    /// Whole numbers, as some exporters have them.
    I32,
    /// 0 or 1.
    Bool,
    /// Text.
    Text,
}

/// Columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// In their order.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// Its cells.
    pub values: Values,
}

/// Cells of one type. A missing number is NaN, a missing text is empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers, single precision.
    F32(Vec<f32>),
    /// Numbers, double precision.
    F64(Vec<f64>),
    /// Whole numbers.
    I64(Vec<i64>),
    /// Text.
    Text(Vec<String>),
}

impl Kind {
    pub(super) fn of(data_type: DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Float => Self::F32,
            DataType::Double => Self::F64,
            DataType::Int64 => Self::I64,
            DataType::Int32 => Self::I32,
            DataType::Bool => Self::Bool,
            DataType::String => Self::Text,
            _ => return None,
        })
    }

    pub(super) fn datum_type(self) -> DatumType {
        match self {
            Self::F32 => f32::datum_type(),
            Self::F64 => f64::datum_type(),
            Self::I64 => i64::datum_type(),
            Self::I32 => i32::datum_type(),
            Self::Bool => bool::datum_type(),
            Self::Text => String::datum_type(),
        }
    }
}

impl Table {
    /// The number of rows.
    pub(super) fn rows(&self) -> Result<usize, EngineError> {
        let rows = self.columns.first().map_or(0, |column| column.values.len());
        match self.columns.iter().find(|column| column.values.len() != rows) {
            Some(column) => Err(EngineError(format!("column {} has not {rows} cells", column.name))),
            None => Ok(rows),
        }
    }
}

impl Values {
    /// Number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(cells) => cells.len(),
            Self::F64(cells) => cells.len(),
            Self::I64(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
        }
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// No cells of the kind that holds a tensor of this type.
    pub(super) fn empty(datum_type: DatumType) -> Option<Self> {
        Some(match datum_type {
            DatumType::F32 => Self::F32(vec![]),
            DatumType::F64 => Self::F64(vec![]),
            DatumType::String => Self::Text(vec![]),
            DatumType::I64 | DatumType::I32 | DatumType::Bool | DatumType::TDim => Self::I64(vec![]),
            _ => return None,
        })
    }

    /// The first cells of a tensor.
    pub(super) fn of_tensor(tensor: &Tensor, count: usize) -> TractResult<Self> {
        Ok(match tensor.datum_type() {
            DatumType::F32 => Self::F32(slice::<f32>(tensor)?[..count].to_vec()),
            DatumType::F64 => Self::F64(slice::<f64>(tensor)?[..count].to_vec()),
            DatumType::String => Self::Text(slice::<String>(tensor)?[..count].to_vec()),
            _ => Self::I64(slice::<i64>(&*tensor.cast_to::<i64>()?)?[..count].to_vec()),
        })
    }

    /// Adds cells of the same kind at the end.
    pub(super) fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::F32(cells), Self::F32(more)) => cells.extend(more),
            (Self::F64(cells), Self::F64(more)) => cells.extend(more),
            (Self::I64(cells), Self::I64(more)) => cells.extend(more),
            (Self::Text(cells), Self::Text(more)) => cells.extend(more),
            _ => {}
        }
    }

    /// A cell as f64, or nothing where it is text.
    fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::F32(cells) => Some(f64::from(cells[row])),
            Self::F64(cells) => Some(cells[row]),
            Self::I64(cells) => Some(cells[row] as f64),
            Self::Text(_) => None,
        }
    }
}

/// Rows of some columns as a graph's input.
pub(super) fn tensor(columns: &[&Column], kind: Kind, rows: &[usize], shape: &[usize]) -> Result<Tensor, EngineError> {
    let cells = Cells { columns, rows };
    match kind {
        Kind::F32 => cells.filled(shape, |column, row| column.values.number(row).map(|number| number as f32)),
        Kind::F64 => cells.filled(shape, |column, row| column.values.number(row)),
        Kind::I64 => cells.filled(shape, whole),
        Kind::I32 => cells.filled(shape, |column, row| i32::try_from(whole(column, row)?).ok()),
        Kind::Bool => cells.filled(shape, |column, row| whole(column, row).map(|number| number != 0)),
        Kind::Text => cells.filled(shape, |column, row| match &column.values {
            Values::Text(cells) => Some(cells[row].clone()),
            _ => None,
        }),
    }
}

/// Rows of numbers and of whole numbers as floats [rows, columns]; a whole number of 32 or 64 bits must be one.
pub(super) fn singles(columns: &[(&Column, Kind)], rows: Range<usize>) -> Result<Tensor, EngineError> {
    let mut cells = Vec::with_capacity(rows.len() * columns.len());
    for row in rows.clone() {
        for (column, kind) in columns {
            let found = match kind {
                Kind::I64 => whole(column, row).map(|number| number as f32),
                Kind::I32 => {
                    whole(column, row).filter(|number| i32::try_from(*number).is_ok()).map(|number| number as f32)
                }
                _ => column.values.number(row).map(|number| number as f32),
            };
            cells.push(found.ok_or_else(|| refused(column, row, kind.datum_type()))?);
        }
    }
    tensor_of(&[rows.len(), columns.len()], cells).map_err(|error| EngineError(format!("{error:#}")))
}

fn refused(column: &Column, row: usize, takes: DatumType) -> EngineError {
    EngineError(format!("row {}, column {}: the graph takes {takes:?} there", row + 1, column.name))
}

/// Some rows of some columns.
struct Cells<'a> {
    columns: &'a [&'a Column],
    rows: &'a [usize],
}

impl Cells<'_> {
    fn filled<D: Datum>(
        &self,
        shape: &[usize],
        cell: impl Fn(&Column, usize) -> Option<D>,
    ) -> Result<Tensor, EngineError> {
        let mut cells = Vec::with_capacity(self.rows.len() * self.columns.len());
        for row in self.rows {
            for column in self.columns {
                let found = cell(column, *row);
                cells.push(found.ok_or_else(|| refused(column, *row, D::datum_type()))?);
            }
        }
        tensor_of(shape, cells).map_err(|error| EngineError(format!("{error:#}")))
    }
}

/// A cell as a whole number, or nothing where it is none.
fn whole(column: &Column, row: usize) -> Option<i64> {
    if let Values::I64(cells) = &column.values {
        return Some(cells[row]);
    }
    let number = column.values.number(row)?;
    let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    exact.then_some(number as i64)
}
