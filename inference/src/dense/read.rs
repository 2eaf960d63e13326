//! A graph as steps, where it is a dense net: weighted sums, functions of single numbers, and what stands between them in nets
//! of tables: embeddings, norms, softmax, attention over columns, loops over a fixed number of months. Every array of the
//! graph is one of columns here, so that moving cells about costs nothing when it runs. Anything else, or anything that is not
//! understood to the last attribute, gives nothing, and the graph goes through the graph engine, which also says what is wrong
//! with it.
//!
//! Reading order: [`shapes`] and [`value`] are the arrays; [`moves`] rearranges them, [`numbers`] and [`codes`] reckon with
//! single cells, [`sums`] with many, [`recurrent`] unrolls loops.

mod codes;
mod moves;
mod numbers;
mod recurrent;
mod shapes;
mod sums;
mod value;

use super::steps::{Column, Function, Join, Operand, Step, Steps};
use crate::ops::NodeProto;
use shapes::{Shape, Size};
use std::collections::HashMap;
use tract_onnx::pb::ModelProto;
use value::{Array, Kind, Value};

/// More columns than this, 256 bytes each, are left to the graph engine.
const MOST_COLUMNS: usize = 1 << 16;
/// Numbers that are held while a graph is read, columns' and weights': a small file must not become a large net.
const MOST_NUMBERS: usize = 1 << 24;

/// An input of a net.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub name: &'a str,
    /// Of a row.
    pub dims: &'a [usize],
    /// Whether its cells are whole numbers, which are laid down as floats: exact as far as a table of categories reaches.
    pub whole: bool,
}

/// Reads the steps from inputs [N, …] to outputs f32 [N, …] by their names.
pub(super) fn read(proto: &ModelProto, inputs: &[Entry<'_>], outputs: &[&str]) -> Option<Steps> {
    let graph = proto.graph.as_ref()?;
    let opset = proto.opset_import.iter().find(|set| ["", "ai.onnx"].contains(&set.domain.as_str()));
    let mut reader = Reader { opset: opset.map_or(0, |set| set.version), ..Reader::default() };
    for input in inputs {
        let shape = Shape::of_rows(input.dims);
        let first = reader.columns(shape.count()?)?;
        let cells = (first..reader.next).map(Operand::Column).collect();
        let kind = if input.whole { Kind::Codes } else { Kind::Numbers };
        reader.values.insert(input.name.to_owned(), Value::Cells(kind, Array::new(shape, cells)?));
    }
    let width = reader.next as usize;
    for tensor in &graph.initializer {
        if let Some(constant) = Value::of(tensor) {
            reader.hold(constant.len())?;
            reader.values.insert(tensor.name.clone(), constant);
        }
    }
    graph.node.iter().try_for_each(|node| reader.node(node))?;
    let outputs = outputs.iter().map(|name| reader.output(name)).collect::<Option<Vec<_>>>()?;
    let steps = Steps { width, steps: reader.steps, outputs, checks: reader.checks }.simplified();
    (width > 0 && steps.columns() <= MOST_COLUMNS).then_some(steps)
}

#[derive(Default)]
struct Reader {
    opset: i64,
    values: HashMap<String, Value>,
    steps: Vec<Step>,
    checks: Vec<String>,
    /// Columns of numbers that are the same in all rows, by their bits.
    constants: HashMap<u32, Column>,
    next: Column,
    /// See [`MOST_NUMBERS`].
    held: usize,
}

impl Reader {
    fn node(&mut self, node: &NodeProto) -> Option<()> {
        if !["", "ai.onnx"].contains(&node.domain.as_str()) {
            return None;
        }
        let attributes = known_attributes(&node.op_type);
        if !node.attribute.iter().all(|attribute| attributes.contains(&attribute.name.as_str())) {
            return None;
        }
        let values = match node.op_type.as_str() {
            "Split" => self.split(node)?,
            "GRU" | "LSTM" => self.recurrent(node)?,
            _ => vec![self.value(node)?],
        };
        let mut values = values.into_iter();
        for name in &node.output {
            let Some(value) = values.next() else {
                // A mask of a dropout, for one, which nobody reads.
                if name.is_empty() || node.op_type == "Dropout" { continue } else { return None }
            };
            self.hold(value.len())?;
            if !name.is_empty() && self.values.insert(name.clone(), value).is_some() {
                return None;
            }
        }
        Some(())
    }

    fn value(&mut self, node: &NodeProto) -> Option<Value> {
        match node.op_type.as_str() {
            "Identity" => self.values.get(only(node)?).cloned(),
            "Dropout" => self.kept(node),
            "Constant" => Value::of(node.attribute.first()?.t.as_ref()?),
            "Shape" => self.sizes(node),
            "Transpose" => self.transposed(node),
            "Reshape" => self.reshaped(node),
            "Flatten" => self.flattened(node),
            "Squeeze" | "Unsqueeze" => self.squeezed(node),
            "Expand" => self.expanded(node),
            "Slice" => self.sliced(node),
            "Concat" => self.concatenated(node),
            "Gather" => self.gather(node),
            "GatherND" => self.gather_rows(node),
            "Cast" => self.cast(node),
            "OneHot" => self.one_hot(node),
            "BatchNormalization" => self.batch_norm(node),
            "LayerNormalization" => self.layer_norm(node),
            "Softmax" => self.softmax(node),
            "ReduceMean" | "ReduceSum" => self.reduced(node),
            "Gemm" => self.gemm(node),
            "MatMul" => self.mat_mul(node),
            "Clip" => self.clip(node),
            "PRelu" => self.sloped(node),
            "Where" => self.chosen(node),
            "Pow" => self.power(node),
            "Not" => self.not(node),
            "IsNaN" => self.is_missing(node),
            "Gelu" => self.gelu(node),
            "Relu" => self.map(node, Function::Relu),
            "LeakyRelu" => self.map(node, Function::Leaky(real(node, "alpha", 0.01))),
            "Abs" => self.map(node, Function::Abs),
            "Neg" => self.map(node, Function::Neg),
            "Sign" => self.map(node, Function::Sign),
            "Exp" => self.map(node, Function::Exp),
            "Log" => self.map(node, Function::Log),
            "Sqrt" => self.map(node, Function::Sqrt),
            "Erf" => self.map(node, Function::Erf),
            "Sigmoid" => self.map(node, Function::Sigmoid),
            "Tanh" => self.map(node, Function::Tanh),
            "Add" => self.join(node, Join::Add),
            "Sub" => self.join(node, Join::Sub),
            "Mul" => self.join(node, Join::Mul),
            "Div" => self.join(node, Join::Div),
            "And" => self.both(node),
            "Equal" => self.compared(node, Join::Equal),
            "Greater" => self.compared(node, Join::Greater),
            "GreaterOrEqual" => self.compared(node, Join::GreaterOrEqual),
            "Less" => self.compared(node, Join::Less),
            "LessOrEqual" => self.compared(node, Join::LessOrEqual),
            _ => None,
        }
    }

    /// The columns of an output [N] or [N, any].
    fn output(&mut self, name: &str) -> Option<Vec<Column>> {
        let array = self.numbers(name)?;
        if array.shape.rows != Some(0) || array.shape.dims.len() > 2 || array.shape.is_merged() {
            return None;
        }
        array.cells.into_iter().map(|cell| self.column_of(cell)).collect()
    }

    /// An array of numbers, whether of rows or of the file.
    fn numbers(&self, name: &str) -> Option<Array<Operand>> {
        match self.values.get(name)? {
            Value::Cells(Kind::Numbers, array) => Some(array.clone()),
            Value::Constant(array) => Some(array.map(Operand::Number)),
            Value::Cells(..) | Value::Whole(_) => None,
        }
    }

    fn constant(&self, name: &str) -> Option<&Array<f32>> {
        match self.values.get(name)? {
            Value::Constant(array) => Some(array),
            Value::Cells(..) | Value::Whole(_) => None,
        }
    }

    /// Whole numbers of the file.
    fn whole(&self, name: &str) -> Option<Vec<i64>> {
        let size = |size: &Size| match size {
            Size::Of(size) => Some(*size),
            Size::Rows(_) => None,
        };
        match self.values.get(name)? {
            Value::Whole(array) => array.cells.iter().map(size).collect(),
            Value::Cells(..) | Value::Constant(_) => None,
        }
    }

    /// Counts what is held, up to the most.
    fn hold(&mut self, numbers: usize) -> Option<()> {
        self.held = self.held.checked_add(numbers)?;
        (self.held <= MOST_NUMBERS).then_some(())
    }

    /// The first of so many new columns.
    fn columns(&mut self, count: usize) -> Option<Column> {
        let first = self.next;
        let next = (first as usize).checked_add(count).filter(|next| *next <= 2 * MOST_COLUMNS)?;
        self.next = Column::try_from(next).ok()?;
        Some(first)
    }

    /// A column with this in it.
    fn column_of(&mut self, cell: Operand) -> Option<Column> {
        let number = match cell {
            Operand::Column(column) => return Some(column),
            Operand::Number(number) => number,
        };
        if let Some(known) = self.constants.get(&number.to_bits()) {
            return Some(*known);
        }
        let to = self.columns(1)?;
        let (left, right) = (Operand::Number(number), Operand::Number(1.0));
        self.steps.push(Step::Join { join: Join::Mul, left, right, to });
        self.constants.insert(number.to_bits(), to);
        Some(to)
    }

    fn columns_of(&mut self, cells: &[Operand]) -> Option<Vec<Column>> {
        cells.iter().map(|cell| self.column_of(*cell)).collect()
    }

    fn joined(&mut self, join: Join, left: Operand, right: Operand) -> Option<Operand> {
        if let (Operand::Number(left), Operand::Number(right)) = (left, right) {
            return Some(Operand::Number(join.of(left, right)));
        }
        let to = self.columns(1)?;
        self.steps.push(Step::Join { join, left, right, to });
        Some(Operand::Column(to))
    }

    fn mapped(&mut self, function: Function, from: Operand) -> Option<Operand> {
        let from = match from {
            Operand::Number(number) => return Some(Operand::Number(function.of(number))),
            Operand::Column(column) => column,
        };
        let to = self.columns(1)?;
        self.steps.push(Step::Map { function, from, to });
        Some(Operand::Column(to))
    }
}

/// The attributes that are understood of an operator.
fn known_attributes(operator: &str) -> &'static [&'static str] {
    match operator {
        "Gather" | "Concat" | "Softmax" | "Flatten" | "OneHot" => &["axis"],
        "LayerNormalization" => &["axis", "epsilon", "stash_type"],
        "Split" => &["axis", "num_outputs", "split"],
        "Squeeze" | "Unsqueeze" => &["axes"],
        "ReduceMean" | "ReduceSum" => &["axes", "keepdims", "noop_with_empty_axes"],
        "Cast" => &["to"],
        "Gemm" => &["alpha", "beta", "transA", "transB"],
        "BatchNormalization" => &["epsilon", "momentum", "spatial", "training_mode"],
        "GatherND" => &["batch_dims"],
        "LeakyRelu" => &["alpha"],
        "Transpose" => &["perm"],
        "Reshape" => &["allowzero"],
        "Shape" => &["start", "end"],
        "Constant" => &["value"],
        "Dropout" => &["ratio", "seed"],
        "Gelu" => &["approximate"],
        "GRU" => &["activations", "direction", "hidden_size", "layout", "linear_before_reset"],
        "LSTM" => &["activations", "direction", "hidden_size", "layout", "input_forget"],
        _ => &[],
    }
}

/// The one input.
fn only(node: &NodeProto) -> Option<&String> {
    match node.input.as_slice() {
        [input] => Some(input),
        _ => None,
    }
}

fn whole(node: &NodeProto, name: &str, default: i64) -> i64 {
    node.attribute.iter().find(|attribute| attribute.name == name).map_or(default, |attribute| attribute.i)
}

fn real(node: &NodeProto, name: &str, default: f32) -> f32 {
    node.attribute.iter().find(|attribute| attribute.name == name).map_or(default, |attribute| attribute.f)
}

/// A list of whole numbers, where the node has it as an attribute.
fn list<'a>(node: &'a NodeProto, name: &str) -> Option<&'a [i64]> {
    node.attribute.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.ints.as_slice())
}

/// Text, or this where the node has none.
fn text<'a>(node: &'a NodeProto, name: &str, default: &'a str) -> Option<&'a str> {
    match node.attribute.iter().find(|attribute| attribute.name == name) {
        Some(attribute) => std::str::from_utf8(&attribute.s).ok(),
        None => Some(default),
    }
}

#[cfg(test)]
mod tests;
