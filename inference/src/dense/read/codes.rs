//! Whole numbers: codes of categories, what they are embedded as, and reckoning with sizes.

use super::shapes::{Shape, Size};
use super::value::{Array, Kind, Value};
use super::{Function, Join, Operand, Reader, moves, only, whole};
use crate::dense::steps::{Lookup, Step};
use crate::ops::NodeProto;
use std::sync::Arc;
use tract_onnx::pb::tensor_proto::DataType;

/// The types that `Cast` is understood to.
const FLOAT: i64 = DataType::Float as i64;
const INT_32: i64 = DataType::Int32 as i64;
const INT_64: i64 = DataType::Int64 as i64;
const BOOL: i64 = DataType::Bool as i64;
/// What whole numbers of 32 and of 64 bits stay below in size.
const PAST_32: f32 = 2_147_483_648.0;
const PAST_64: f32 = 9_223_372_036_854_775_808.0;
/// Whole numbers of the file that are compared with codes are at most so large: floats hold them and their neighbours exactly.
const MOST_CODE: i64 = 1 << 22;

impl Reader {
    pub(super) fn cast(&mut self, node: &NodeProto) -> Option<Value> {
        let value = self.values.get(only(node)?)?;
        let to = whole(node, "to", 0);
        Some(match value {
            Value::Cells(Kind::Numbers | Kind::Truths | Kind::Codes, array) if to == FLOAT => {
                Value::Cells(Kind::Numbers, array.clone())
            }
            Value::Cells(Kind::Truths, array) if [INT_32, INT_64].contains(&to) => {
                Value::Cells(Kind::Codes, array.clone())
            }
            Value::Cells(Kind::Truths, _) if to == BOOL => value.clone(),
            Value::Cells(Kind::Codes | Kind::Places, _) if to == INT_64 => value.clone(),
            Value::Cells(Kind::Numbers, array) if [INT_32, INT_64].contains(&to) => {
                let from = array.clone();
                let function = Function::Whole(if to == INT_32 { PAST_32 } else { PAST_64 });
                let cells = from.cells.iter().map(|cell| self.mapped(function, *cell)).collect::<Option<_>>()?;
                Value::Cells(Kind::Codes, Array { cells, ..from })
            }
            Value::Constant(_) if to == FLOAT => value.clone(),
            Value::Whole(_) if to == INT_64 => value.clone(),
            Value::Whole(array) if to == FLOAT => {
                let numbers = self.whole(only(node)?)?.into_iter().map(|number| number as f32).collect();
                Value::Constant(Array::new(array.shape.clone(), numbers)?)
            }
            _ => return None,
        })
    }

    /// Codes that are compared: of rows, or whole numbers of the file.
    pub(super) fn codes(&self, name: &str) -> Option<Array<Operand>> {
        match self.values.get(name)? {
            Value::Cells(Kind::Codes, array) => Some(array.clone()),
            Value::Whole(array) => {
                let code =
                    |code: i64| (code.unsigned_abs() <= MOST_CODE as u64).then_some(Operand::Number(code as f32));
                let cells = self.whole(name)?.into_iter().map(code).collect::<Option<_>>()?;
                Array::new(array.shape.clone(), cells)
            }
            _ => None,
        }
    }

    /// Codes moved by constants, as tables of several columns side by side have them.
    pub(super) fn moved(&mut self, codes: &str, by: &str) -> Option<Value> {
        let (Value::Cells(Kind::Codes, codes), Value::Whole(_)) = (self.values.get(codes)?, self.values.get(by)?)
        else {
            return None;
        };
        let (codes, by) = (codes.clone(), self.codes(by)?);
        Some(Value::Cells(Kind::Places, self.joined_arrays(Join::Add, &codes, &by)?))
    }

    /// Cells picked by number, or rows of a table by codes.
    pub(super) fn gather(&mut self, node: &NodeProto) -> Option<Value> {
        let [data, places] = node.input.as_slice() else { return None };
        let value = self.values.get(data)?;
        let axis = value.shape().column_axis(whole(node, "axis", 0))?;
        match (value, self.values.get(places)?) {
            (_, Value::Whole(array)) => {
                let dims = array.shape.dims.clone();
                // Exporters pick columns by one row of places as well.
                let places = moves::in_axis(&self.whole(places)?, value.shape().dims[axis])?;
                Some(value.arranged(value.shape().picked(axis, &places, &dims)?))
            }
            (Value::Constant(table), Value::Cells(Kind::Codes | Kind::Places, codes)) if axis == 0 => {
                let (table, codes) = (table.clone(), codes.clone());
                self.embedded(&table, &codes, node)
            }
            _ => None,
        }
    }

    fn embedded(&mut self, table: &Array<f32>, codes: &Array<Operand>, node: &NodeProto) -> Option<Value> {
        let (count, dims) = table.shape.dims.split_first()?;
        let width = table.cells.len() / count;
        if codes.shape.is_merged() || *count as i64 > MOST_CODE {
            return None;
        }
        let shape = Shape { dims: [codes.shape.dims.as_slice(), dims].concat(), ..codes.shape.clone() };
        let check = self.checks.len();
        let name = if node.name.is_empty() { node.output.first()? } else { &node.name };
        self.checks.push(format!("{name} (Gather): a code is no whole number from 0 to {}", count - 1));
        let cells = Arc::new(table.cells.clone());
        let mut made = Vec::with_capacity(shape.count()?);
        for code in &codes.cells {
            let (from, to) = (self.column_of(*code)?, self.columns(width)?);
            self.steps.push(Step::Lookup(Lookup { from, to, table: cells.clone(), width, check }));
            made.extend((to..self.next).map(Operand::Column));
        }
        Some(Value::Cells(Kind::Numbers, Array::new(shape, made)?))
    }

    pub(super) fn one_hot(&mut self, node: &NodeProto) -> Option<Value> {
        let [codes, depth, values] = node.input.as_slice() else { return None };
        let Value::Cells(Kind::Codes | Kind::Places, codes) = self.values.get(codes)? else { return None };
        let [depth] = *self.whole(depth)?.as_slice() else { return None };
        let (kind, off, on) = match self.values.get(values)? {
            Value::Constant(values) => match *values.cells.as_slice() {
                [off, on] => (Kind::Numbers, off, on),
                _ => return None,
            },
            Value::Whole(_) => match *self.whole(values)?.as_slice() {
                [0, 1] => (Kind::Codes, 0.0, 1.0),
                _ => return None,
            },
            Value::Cells(..) => return None,
        };
        let codes = codes.clone();
        // The new axis is the last.
        let last = codes.shape.dims.len() as i64;
        if codes.shape.is_merged()
            || !(1..=MOST_CODE).contains(&depth)
            || ![-1, last].contains(&whole(node, "axis", -1))
        {
            return None;
        }
        let depth_dim = usize::try_from(depth).ok()?;
        let shape = Shape { dims: [codes.shape.dims.as_slice(), &[depth_dim]].concat(), ..codes.shape.clone() };
        let mut cells = Vec::with_capacity(shape.count()?);
        for code in &codes.cells {
            for class in 0..depth {
                // Negative codes count from the end.
                let [one, other] = [class, class - depth].map(|class| Operand::Number(class as f32));
                let (one, other) = (self.joined(Join::Equal, *code, one)?, self.joined(Join::Equal, *code, other)?);
                let is = self.joined(Join::Add, one, other)?;
                cells.push(match (is, off, on) {
                    (is, 0.0, 1.0) => is,
                    (Operand::Number(is), ..) => Operand::Number(if is != 0.0 { on } else { off }),
                    (Operand::Column(test), ..) => {
                        let (to, yes, no) = (self.columns(1)?, Operand::Number(on), Operand::Number(off));
                        self.steps.push(Step::Choose { test, yes, no, to });
                        Operand::Column(to)
                    }
                });
            }
        }
        Some(Value::Cells(kind, Array::new(shape, cells)?))
    }
}

/// Sums and products of sizes.
pub(super) fn of_sizes(join: Join, left: &Array<Size>, right: &Array<Size>) -> Option<Value> {
    let shape = left.shape.common(&right.shape)?;
    let [left, right] = [left, right].map(|side| side.shape.spread(&shape).map(|how| side.arranged(how).cells));
    let of = |(left, right): (&Size, &Size)| match (join, *left, *right) {
        (Join::Add, Size::Of(left), Size::Of(right)) => left.checked_add(right).map(Size::Of),
        (Join::Mul, Size::Of(left), Size::Of(right)) => left.checked_mul(right).map(Size::Of),
        (Join::Mul, Size::Rows(left), Size::Of(right)) | (Join::Mul, Size::Of(left), Size::Rows(right)) => {
            left.checked_mul(right).filter(|times| *times > 0).map(Size::Rows)
        }
        _ => None,
    };
    Array::new(shape, left?.iter().zip(&right?).map(of).collect::<Option<_>>()?).map(Value::Whole)
}
