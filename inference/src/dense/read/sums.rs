//! What sums over many cells: layers, products of arrays, norms, softmax.

use super::shapes::Shape;
use super::value::{Array, Kind, Value};
use super::{Function, Join, Operand, Reader, list, only, real, whole};
use crate::dense::steps::{Layer, Normalize, Step};
use crate::ops::NodeProto;
use std::sync::Arc;

impl Reader {
    pub(super) fn mat_mul(&mut self, node: &NodeProto) -> Option<Value> {
        let [left, right] = node.input.as_slice() else { return None };
        if let Value::Constant(weights) = self.values.get(right)?
            && let [_, outputs] = *weights.shape.dims.as_slice()
        {
            let weights = weights.clone();
            return self.layer(left, &weights, &vec![0.0; outputs]);
        }
        self.product(&self.numbers(left)?, &self.numbers(right)?)
    }

    pub(super) fn gemm(&mut self, node: &NodeProto) -> Option<Value> {
        let (value, weights, bias) = match node.input.as_slice() {
            [value, weights] => (value, weights, None),
            [value, weights, bias] => (value, weights, Some(bias).filter(|name| !name.is_empty())),
            _ => return None,
        };
        if real(node, "alpha", 1.0) != 1.0 || real(node, "beta", 1.0) != 1.0 || whole(node, "transA", 0) != 0 {
            return None;
        }
        let mut weights = self.constant(weights)?.clone();
        if whole(node, "transB", 0) != 0 {
            weights = weights.arranged(weights.shape.transposed(&[1, 0])?);
        }
        let [_, outputs] = *weights.shape.dims.as_slice() else { return None };
        let bias = match bias {
            Some(bias) => {
                let bias = self.constant(bias)?;
                bias.arranged(bias.shape.spread(&Shape::plain(&[1, outputs]))?).cells
            }
            None => vec![0.0; outputs],
        };
        self.layer(value, &weights, &bias)
    }

    /// Sums over the last axis.
    fn layer(&mut self, value: &str, weights: &Array<f32>, bias: &[f32]) -> Option<Value> {
        let from = self.numbers(value)?;
        let inputs = last_axis(&from.shape)?;
        if weights.shape.dims != [inputs, bias.len()] {
            return None;
        }
        self.hold(weights.cells.len())?;
        let weights = Arc::new(weights.cells.clone());
        let mut cells = Vec::new();
        for line in from.cells.chunks(inputs) {
            cells.extend(self.summed(line, &weights, bias.to_vec())?);
        }
        let mut shape = from.shape;
        *shape.dims.last_mut()? = bias.len();
        Some(Value::Cells(Kind::Numbers, Array::new(shape, cells)?))
    }

    /// One layer of these cells.
    pub(super) fn summed(
        &mut self,
        cells: &[Operand],
        weights: &Arc<Vec<f32>>,
        bias: Vec<f32>,
    ) -> Option<Vec<Operand>> {
        let from = self.columns_of(cells)?;
        let to = self.columns(bias.len())?;
        self.hold(from.len() + bias.len())?;
        self.steps.push(Step::Layer(Layer { from, to, weights: weights.clone(), bias, relu: false }));
        Some((to..self.next).map(Operand::Column).collect())
    }

    /// Of two arrays of which each row has its own, as attention multiplies queries with keys.
    fn product(&mut self, left: &Array<Operand>, right: &Array<Operand>) -> Option<Value> {
        let [outer, inner] = [left, right].map(|side| batch(&side.shape));
        let ((left_batch, [rows, depth]), (right_batch, [height, columns])) = (outer?, inner?);
        if depth != height {
            return None;
        }
        let batch = left_batch.common(&right_batch)?;
        let to = |last: [usize; 2]| Shape { dims: [batch.dims.as_slice(), &last].concat(), ..batch.clone() };
        let left = left.arranged(left.shape.spread(&to([rows, depth]))?);
        let right = right.arranged(right.shape.spread(&to([height, columns]))?);
        let shape = to([rows, columns]);
        let count = shape.count()?;
        self.hold(count.checked_mul(depth)?)?;
        let (left, right) = (self.columns_of(&left.cells)?, self.columns_of(&right.cells)?);
        let mut cells = Vec::with_capacity(count);
        for (left, right) in left.chunks(rows * depth).zip(right.chunks(depth * columns)) {
            for row in left.chunks(depth) {
                for column in 0..columns {
                    let right = right.iter().skip(column).step_by(columns).copied().collect();
                    let to = self.columns(1)?;
                    self.steps.push(Step::Dot { left: row.to_vec(), right, to });
                    cells.push(Operand::Column(to));
                }
            }
        }
        Some(Value::Cells(Kind::Numbers, Array::new(shape, cells)?))
    }

    /// (x − mean) / √(variance + epsilon) · scale + bias, with all of them constants of a column.
    pub(super) fn batch_norm(&mut self, node: &NodeProto) -> Option<Value> {
        let [value, scale, bias, mean, variance] = node.input.as_slice() else { return None };
        let from = self.numbers(value)?;
        let channels = *from.shape.dims.get(1).filter(|_| from.shape.rows == Some(0) && !from.shape.is_merged())?;
        if whole(node, "training_mode", 0) != 0 {
            return None;
        }
        let row = |name: &String| {
            let row = self.constant(name).filter(|row| row.shape.dims == [channels])?;
            Some(row.cells.iter().copied().map(f64::from).collect::<Vec<f64>>())
        };
        let (scale, bias, mean, variance) = (row(scale)?, row(bias)?, row(mean)?, row(variance)?);
        let epsilon = f64::from(real(node, "epsilon", 1e-5));
        let each = from.cells.len() / channels;
        let mut cells = Vec::with_capacity(from.cells.len());
        for (at, cell) in from.cells.iter().enumerate() {
            let at = at / each;
            let by = scale[at] / (variance[at] + epsilon).sqrt();
            let scaled = self.joined(Join::Mul, *cell, Operand::Number(by as f32))?;
            cells.push(self.joined(Join::Add, scaled, Operand::Number((bias[at] - mean[at] * by) as f32))?);
        }
        Some(Value::numbers(Array { cells, ..from }))
    }

    /// Each row's cells from an axis on, by their own mean and variance.
    pub(super) fn layer_norm(&mut self, node: &NodeProto) -> Option<Value> {
        let (value, scale, bias) = match node.input.as_slice() {
            [value, scale] => (value, scale, None),
            [value, scale, bias] => (value, scale, Some(bias).filter(|name| !name.is_empty())),
            _ => return None,
        };
        let from = self.numbers(value)?;
        let axis = from.shape.column_axis(whole(node, "axis", -1))?;
        let size: usize = from.shape.dims[axis..].iter().product();
        if from.shape.rows.is_none_or(|rows| rows > axis) || from.shape.trail && from.shape.rows == Some(axis - 1) {
            return None;
        }
        let of = |name: &String| self.constant(name).filter(|row| row.cells.len() == size).map(|row| row.cells.clone());
        let scale = of(scale)?;
        let bias = bias.map_or_else(|| Some(vec![0.0; size]), of)?;
        let epsilon = real(node, "epsilon", 1e-5);
        let mut cells = Vec::with_capacity(from.cells.len());
        for line in from.cells.chunks(size) {
            let (from, to) = (self.columns_of(line)?, self.columns(size)?);
            self.hold(3 * size)?;
            self.steps.push(Step::Normalize(Normalize { from, to, epsilon, scale: scale.clone(), bias: bias.clone() }));
            cells.extend((to..self.next).map(Operand::Column));
        }
        Some(Value::Cells(Kind::Numbers, Array { cells, ..from }))
    }

    /// Along the last axis. Of two, each is the sigmoid of their difference: 1 / (1 + e^(other − it)).
    pub(super) fn softmax(&mut self, node: &NodeProto) -> Option<Value> {
        let from = self.numbers(only(node)?)?;
        let size = last_axis(&from.shape)?;
        let last = from.shape.sizes().len() as i64 - 1;
        // Before opset 13 it goes along all axes from this one on.
        let axis = whole(node, "axis", if self.opset < 13 { 1 } else { -1 });
        if axis != last && (axis != -1 || self.opset < 13 && last != 1) || from.shape.rows.is_none() {
            return None;
        }
        let mut cells = Vec::with_capacity(from.cells.len());
        for line in from.cells.chunks(size) {
            if let [one, other] = *line {
                for (own, other) in [(one, other), (other, one)] {
                    let apart = self.joined(Join::Sub, other, own)?;
                    let risen = self.mapped(Function::Exp, apart)?;
                    let whole = self.joined(Join::Add, risen, Operand::Number(1.0))?;
                    cells.push(self.joined(Join::Div, Operand::Number(1.0), whole)?);
                }
                continue;
            }
            let (from, to) = (self.columns_of(line)?, self.columns(size)?);
            self.hold(size)?;
            self.steps.push(Step::Softmax { from, to });
            cells.extend((to..self.next).map(Operand::Column));
        }
        Some(Value::Cells(Kind::Numbers, Array { cells, ..from }))
    }

    /// Sums and means over axes.
    pub(super) fn reduced(&mut self, node: &NodeProto) -> Option<Value> {
        let (value, axes) = match node.input.as_slice() {
            [value] => (value, list(node, "axes")?.to_vec()),
            [value, axes] => (value, self.whole(axes)?),
            _ => return None,
        };
        let mut array = self.numbers(value)?;
        if array.shape.is_merged() {
            return None;
        }
        let mut count = 1usize;
        for axis in &axes {
            let axis = array.shape.column_axis(*axis)?;
            let size = array.shape.dims[axis];
            let after: usize = array.shape.dims[axis + 1..].iter().product();
            let mut cells = Vec::with_capacity(array.cells.len() / size);
            for block in array.cells.chunks(size * after) {
                for at in 0..after {
                    let mut line = block.iter().skip(at).step_by(after).copied();
                    let first = line.next()?;
                    cells.push(line.try_fold(first, |sum, cell| self.joined(Join::Add, sum, cell))?);
                }
            }
            array.shape.dims[axis] = 1;
            array.cells = cells;
            count = count.checked_mul(size)?;
        }
        if node.op_type == "ReduceMean" {
            let count = Operand::Number(count as f32);
            array.cells = array.cells.iter().map(|sum| self.joined(Join::Div, *sum, count)).collect::<Option<_>>()?;
        }
        let value = Value::numbers(array);
        match whole(node, "keepdims", 1) {
            0 => Some(value.arranged(value.shape().squeezed(Some(&axes))?)),
            _ => Some(value),
        }
    }
}

/// The size of the last axis, where it is not the rows' and not seen as one with it.
fn last_axis(shape: &Shape) -> Option<usize> {
    let last = shape.dims.len().checked_sub(1)?;
    let before_rows = shape.rows.is_none_or(|rows| rows < last - usize::from(shape.trail).min(last));
    (before_rows && shape.dims.len() > 1).then(|| shape.dims[last])
}

/// An array's shape but for its last two axes, and those.
fn batch(shape: &Shape) -> Option<(Shape, [usize; 2])> {
    let (batch, last) = shape.dims.split_last_chunk::<2>()?;
    let rows = shape.rows?;
    let fits = rows + usize::from(shape.trail) < batch.len();
    fits.then(|| (Shape { dims: batch.to_vec(), ..shape.clone() }, *last))
}
