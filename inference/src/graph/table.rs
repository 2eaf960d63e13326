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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ops::tests::{all, cells, words};

    const NAN: f64 = f64::NAN;

    fn column(values: Values) -> Column {
        Column { name: "c".into(), values }
    }

    /// What one cell becomes where the graph takes this kind, as f64; nothing where it is refused.
    fn taken(values: Values, kind: Kind) -> Option<f64> {
        let column = column(values);
        let tensor = tensor(&[&column], kind, &[0], &[1, 1]).ok()?;
        assert_eq!(tensor.datum_type(), kind.datum_type());
        Some(all::<f64>(&tensor.cast_to::<f64>().unwrap())[0])
    }

    #[test]
    fn a_cell_is_what_the_graph_takes_or_refused() {
        let f64s = |cell: f64| Values::F64(vec![cell]);
        let i64s = |cell: i64| Values::I64(vec![cell]);
        let text = || Values::Text(vec!["1".into()]);
        let exact = 9_007_199_254_740_992.0;
        for (name, values, kind, expected) in [
            ("rounded to single precision", f64s(0.1), Kind::F32, Some(f64::from(0.1f32))),
            ("beyond single precision", f64s(1e300), Kind::F32, Some(f64::INFINITY)),
            ("a whole number as a float", i64s(7), Kind::F32, Some(7.0)),
            ("text as a float", text(), Kind::F32, None),
            ("a double", f64s(0.1), Kind::F64, Some(0.1)),
            ("a float as a double", Values::F32(vec![0.1]), Kind::F64, Some(f64::from(0.1f32))),
            ("a whole float", f64s(-3.0), Kind::I64, Some(-3.0)),
            ("a fraction", f64s(0.5), Kind::I64, None),
            ("what is missing", f64s(NAN), Kind::I64, None),
            ("an infinite number", f64s(f64::INFINITY), Kind::I64, None),
            ("the last whole number that is exact", f64s(exact), Kind::I64, Some(exact)),
            ("one that is not", f64s(2.0 * exact), Kind::I64, None),
            ("as large as 32 bits hold", i64s(i64::from(i32::MAX)), Kind::I32, Some(2_147_483_647.0)),
            ("one more", i64s(i64::from(i32::MAX) + 1), Kind::I32, None),
            ("yes", i64s(-2), Kind::Bool, Some(1.0)),
            ("no", f64s(-0.0), Kind::Bool, Some(0.0)),
            ("half a yes", f64s(0.5), Kind::Bool, None),
            ("text as a whole number", text(), Kind::I64, None),
            ("a number as text", f64s(1.0), Kind::Text, None),
        ] {
            assert_eq!(taken(values, kind), expected, "{name}");
        }
        let column = column(text());
        let found = tensor(&[&column], Kind::Text, &[0, 0], &[2, 1]).unwrap();
        assert_eq!(all::<String>(&found), ["1", "1"]);
    }

    #[test]
    fn a_refused_cell_is_named_by_its_row_and_column() {
        let (a, b) =
            (column(Values::I64(vec![1, 2, 3])), Column { name: "b".into(), values: Values::F64(vec![0.0, 1.0, 0.5]) });
        let why = tensor(&[&a, &b], Kind::I64, &[0, 1, 2], &[3, 2]).unwrap_err().to_string();
        assert_eq!(why, "row 3, column b: the graph takes I64 there");
        let found = tensor(&[&b, &a], Kind::I64, &[1, 0, 1], &[3, 2]).unwrap();
        assert_eq!(all::<i64>(&found), [1, 2, 0, 1, 1, 2], "rows in the order that is asked for");
    }

    #[test]
    fn rows_of_a_net_are_floats_whose_whole_numbers_are_whole() {
        let columns = [column(Values::F32(vec![0.5, f32::NAN])), column(Values::F64(vec![3.0, 1e10]))];
        let of = |kind: Kind, rows: Range<usize>| singles(&[(&columns[0], Kind::F32), (&columns[1], kind)], rows);
        assert_eq!(all::<f32>(&of(Kind::I64, 0..1).unwrap()), [0.5, 3.0]);
        let both = of(Kind::I64, 0..2).unwrap();
        assert_eq!(both.shape(), [2, 2]);
        assert!(all::<f32>(&both)[2].is_nan() && all::<f32>(&both)[3] == 1e10);
        assert_eq!(of(Kind::I32, 0..2).unwrap_err().to_string(), "row 2, column c: the graph takes I32 there");
        assert!(singles(&[(&columns[0], Kind::I64)], 0..1).is_err(), "a half is no code");
        assert!(singles(&[(&column(Values::Text(vec![String::new()])), Kind::F32)], 0..1).is_err());
    }

    #[test]
    fn a_table_is_as_long_as_each_of_its_columns() {
        let of = |lengths: &[usize]| Table {
            columns: lengths.iter().map(|length| column(Values::I64(vec![0; *length]))).collect(),
        };
        assert_eq!((of(&[]).rows(), of(&[0, 0]).rows(), of(&[3, 3]).rows()), (Ok(0), Ok(0), Ok(3)));
        assert!(of(&[3, 3, 2]).rows().is_err_and(|why| why.to_string() == "column c has not 3 cells"));
        assert!(Values::Text(vec![]).is_empty() && !Values::F64(vec![NAN]).is_empty());
    }

    #[test]
    fn cells_of_a_tensor_are_of_the_kind_that_a_table_has() {
        for (tensor, expected) in [
            (cells(&[3], &[1f32, 2.0, 3.0]), Some(Values::F32(vec![1.0, 2.0]))),
            (cells(&[3], &[1f64, 2.0, 3.0]), Some(Values::F64(vec![1.0, 2.0]))),
            (cells(&[3], &[-1i32, 2, 3]), Some(Values::I64(vec![-1, 2]))),
            (cells(&[3], &[true, false, true]), Some(Values::I64(vec![1, 0]))),
            (words(&[3], &["a", "", "c"]), Some(Values::Text(vec!["a".into(), String::new()]))),
            (cells(&[3], &[1u8, 2, 3]), None),
        ] {
            let kind = Values::empty(tensor.datum_type());
            assert_eq!(kind.is_some(), expected.is_some(), "{tensor:?}");
            let Some(mut kind) = kind else { continue };
            let found = Values::of_tensor(&tensor, 2).unwrap();
            assert_eq!(Some(&found), expected.as_ref());
            kind.extend(found);
            assert_eq!(Some(kind), expected, "the kind that it goes into");
        }
    }
}
