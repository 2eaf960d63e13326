//! A graph as steps, where it is a dense net: weighted sums and functions of single numbers over the columns of one input.
//! Anything else, or anything that is not understood to the last attribute, gives nothing, and the graph goes through the
//! graph engine, which also says what is wrong with it.

use super::steps::{Function, Join, Layer, Operand, Plane, Step, Steps};
use crate::ops::{NodeProto, whole_numbers};
use std::collections::HashMap;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

/// More planes than this, 256 bytes each, are left to the graph engine.
const MOST_PLANES: usize = 1 << 14;
/// Numbers that are held while a graph is read, columns' and weights': a small file must not become a large net.
const MOST_NUMBERS: usize = 1 << 24;
/// Of more classes than these a softmax is left to the graph engine: its steps grow with their square.
const MOST_CLASSES: usize = 8;
/// Float, as `Cast` says it.
const FLOAT: i64 = DataType::Float as i64;

/// Reads the steps from an input f32 [N, width] to outputs f32 [N, …] by their names.
pub(super) fn read(proto: &ModelProto, input: &str, width: usize, outputs: &[&str]) -> Option<Steps> {
    let graph = proto.graph.as_ref()?;
    let mut reader = Reader::new(graph, input, width, outputs)?;
    graph.node.iter().try_for_each(|node| reader.node(node))?;
    let outputs = outputs.iter().map(|name| reader.numbers(name)).collect::<Option<Vec<_>>>()?;
    let steps = Steps { width, steps: reader.steps, outputs }.simplified();
    (steps.planes() <= MOST_PLANES).then_some(steps)
}

/// What a name stands for.
#[derive(Debug, Clone)]
enum Value {
    /// Columns of numbers.
    Numbers(Vec<Plane>),
    /// Columns of yes and no, as 1 and 0.
    Truths(Vec<Plane>),
    /// Columns of numbers, each laid as a row: PyTorch turns a block to pick columns of it.
    Turned(Vec<Plane>),
    Constant(Constant),
}

#[derive(Debug, Clone)]
struct Constant {
    dims: Vec<usize>,
    numbers: Vec<f32>,
    whole: Vec<i64>,
}

struct Reader {
    values: HashMap<String, Value>,
    /// How often each name is read.
    uses: HashMap<String, usize>,
    steps: Vec<Step>,
    /// The name that the newest layer gives, as long as it is the newest step.
    newest: String,
    next: Plane,
    /// See [`MOST_NUMBERS`].
    held: usize,
}

impl Reader {
    fn new(graph: &GraphProto, input: &str, width: usize, outputs: &[&str]) -> Option<Self> {
        let mut values = HashMap::from([(input.to_owned(), Value::Numbers((0..width as Plane).collect()))]);
        for tensor in &graph.initializer {
            if let Some(constant) = Constant::of(tensor) {
                values.insert(tensor.name.clone(), Value::Constant(constant));
            }
        }
        let mut uses = HashMap::new();
        let read = graph.node.iter().flat_map(|node| node.input.iter().map(String::as_str));
        read.chain(outputs.iter().copied()).for_each(|name| *uses.entry(name.to_owned()).or_default() += 1);
        (width > 0 && width <= MOST_PLANES).then_some(Self {
            values,
            uses,
            steps: Vec::new(),
            newest: String::new(),
            next: width as Plane,
            held: 0,
        })
    }

    fn node(&mut self, node: &NodeProto) -> Option<()> {
        let [output] = node.output.as_slice() else { return None };
        if !["", "ai.onnx"].contains(&node.domain.as_str()) {
            return None;
        }
        let value = self.value(node)?;
        self.held += match &value {
            Value::Numbers(planes) | Value::Truths(planes) | Value::Turned(planes) => planes.len(),
            Value::Constant(constant) => constant.numbers.len(),
        };
        if self.next as usize > 2 * MOST_PLANES || self.held > MOST_NUMBERS {
            return None;
        }
        if ["Gemm", "MatMul", "Add", "Relu"].contains(&node.op_type.as_str()) {
            self.newest.clone_from(output);
        }
        self.values.insert(output.clone(), value).is_none().then_some(())
    }

    fn value(&mut self, node: &NodeProto) -> Option<Value> {
        let attributes: &[&str] = match node.op_type.as_str() {
            "Gather" | "Concat" => &["axis"],
            "Cast" => &["to"],
            "Gemm" => &["alpha", "beta", "transA", "transB"],
            "BatchNormalization" => &["epsilon", "momentum", "spatial"],
            "GatherND" => &["batch_dims"],
            "LeakyRelu" => &["alpha"],
            "Softmax" => &["axis"],
            "Transpose" => &["perm"],
            "Constant" => &["value"],
            _ => &[],
        };
        if !node.attribute.iter().all(|attribute| attributes.contains(&attribute.name.as_str())) {
            return None;
        }
        match node.op_type.as_str() {
            "Identity" => self.values.get(only(node)?).cloned(),
            "Constant" => Some(Value::Constant(Constant::of(node.attribute.first()?.t.as_ref()?)?)),
            "Cast" if whole(node, "to", 0) == FLOAT => match self.values.get(only(node)?)? {
                Value::Numbers(planes) | Value::Truths(planes) => Some(Value::Numbers(planes.clone())),
                Value::Constant(_) | Value::Turned(_) => None,
            },
            "BatchNormalization" => self.batch_norm(node),
            "Gather" => self.gather(node),
            "GatherND" if whole(node, "batch_dims", 0) == 0 => self.gather_rows(node),
            "Softmax" if [1, -1].contains(&whole(node, "axis", -1)) => self.softmax(node),
            "Transpose" => match self.values.get(only(node)?)? {
                Value::Numbers(planes) if is_turn(node) => Some(Value::Turned(planes.clone())),
                Value::Turned(planes) if is_turn(node) => Some(Value::Numbers(planes.clone())),
                _ => None,
            },
            "Concat" if is_columns(node) => {
                let mut planes = Vec::new();
                for name in &node.input {
                    planes.extend(self.numbers(name)?);
                    if planes.len() > MOST_PLANES {
                        return None;
                    }
                }
                Some(Value::Numbers(planes))
            }
            "Gemm" => self.gemm(node),
            "MatMul" => self.mat_mul(node),
            "Clip" => self.clip(node),
            "Relu" => match self.last_layer(only(node)?) {
                Some(layer) if !layer.relu => {
                    layer.relu = true;
                    self.values.get(only(node)?).cloned()
                }
                _ => self.map(node, Function::Relu),
            },
            "LeakyRelu" => self.map(node, Function::Leaky(real(node, "alpha", 0.01))),
            "Abs" => self.map(node, Function::Abs),
            "Neg" => self.map(node, Function::Neg),
            "Sign" => self.map(node, Function::Sign),
            "Exp" => self.map(node, Function::Exp),
            "Log" => self.map(node, Function::Log),
            "Sigmoid" => self.map(node, Function::Sigmoid),
            "Tanh" => self.map(node, Function::Tanh),
            "Add" => self.add(node),
            "Sub" => self.join(node, Join::Sub).map(Value::Numbers),
            "Mul" => self.join(node, Join::Mul).map(Value::Numbers),
            "Div" => self.join(node, Join::Div).map(Value::Numbers),
            "Greater" => self.join(node, Join::Greater).map(Value::Truths),
            "GreaterOrEqual" => self.join(node, Join::GreaterOrEqual).map(Value::Truths),
            "Less" => self.join(node, Join::Less).map(Value::Truths),
            "LessOrEqual" => self.join(node, Join::LessOrEqual).map(Value::Truths),
            _ => None,
        }
    }

    fn numbers(&self, name: &str) -> Option<Vec<Plane>> {
        match self.values.get(name)? {
            Value::Numbers(planes) => Some(planes.clone()),
            Value::Truths(_) | Value::Constant(_) | Value::Turned(_) => None,
        }
    }

    fn constant(&self, name: &str) -> Option<&Constant> {
        match self.values.get(name)? {
            Value::Constant(constant) => Some(constant),
            Value::Numbers(_) | Value::Truths(_) | Value::Turned(_) => None,
        }
    }

    fn plane(&mut self) -> Plane {
        self.next += 1;
        self.next - 1
    }

    fn map(&mut self, node: &NodeProto, function: Function) -> Option<Value> {
        let from = self.numbers(only(node)?)?;
        Some(Value::Numbers(from.into_iter().map(|from| self.mapped(function, from)).collect()))
    }

    fn clip(&mut self, node: &NodeProto) -> Option<Value> {
        let [input, bounds @ ..] = node.input.as_slice() else { return None };
        let bound = |at: usize, none: f32| match bounds.get(at).filter(|name| !name.is_empty()) {
            Some(name) => self.constant(name)?.scalar(),
            None => Some(none),
        };
        let (low, high) = (bound(0, f32::NEG_INFINITY)?, bound(1, f32::INFINITY)?);
        let alone = NodeProto { input: vec![input.clone()], ..NodeProto::default() };
        self.map(&alone, Function::Clip(low, high))
    }

    /// Columns picked by number.
    fn gather(&mut self, node: &NodeProto) -> Option<Value> {
        let [data, places] = node.input.as_slice() else { return None };
        let (from, places) = (self.numbers(data)?, self.constant(places)?);
        if !is_columns(node) || places.dims.len() != 1 || places.whole.is_empty() {
            return None;
        }
        picked(&from, &places.whole).map(Value::Numbers)
    }

    /// Rows of a turned block picked by number.
    fn gather_rows(&mut self, node: &NodeProto) -> Option<Value> {
        let [data, places] = node.input.as_slice() else { return None };
        let Value::Turned(from) = self.values.get(data)? else { return None };
        let places = self.constant(places)?;
        match *places.dims.as_slice() {
            [_, 1] if !places.whole.is_empty() => picked(from, &places.whole).map(Value::Turned),
            _ => None,
        }
    }

    /// (x − mean) / √(variance + epsilon) · scale + bias, with all of them constants of a column.
    fn batch_norm(&mut self, node: &NodeProto) -> Option<Value> {
        let [value, scale, bias, mean, variance] = node.input.as_slice() else { return None };
        let from = self.numbers(value)?;
        let row = |name: &String| {
            let row = self.constant(name)?.row()?;
            (row.len() == from.len()).then(|| row.iter().copied().map(f64::from).collect::<Vec<f64>>())
        };
        let (scale, bias, mean, variance) = (row(scale)?, row(bias)?, row(mean)?, row(variance)?);
        let epsilon = f64::from(real(node, "epsilon", 1e-5));
        let mut made = Vec::with_capacity(from.len());
        for (at, plane) in from.into_iter().enumerate() {
            let by = scale[at] / (variance[at] + epsilon).sqrt();
            let scaled = self.joined(Join::Mul, Operand::Plane(plane), Operand::Number(by as f32));
            let plus = Operand::Number((bias[at] - mean[at] * by) as f32);
            made.push(self.joined(Join::Add, Operand::Plane(scaled), plus));
        }
        Some(Value::Numbers(made))
    }

    /// Each as 1 / Σ e^(other − it), which neither overflows nor loses a small one; of two, the sigmoid of their difference.
    fn softmax(&mut self, node: &NodeProto) -> Option<Value> {
        let from = self.numbers(only(node)?)?;
        if from.len() < 2 || from.len() > MOST_CLASSES {
            return None;
        }
        let mut made = Vec::with_capacity(from.len());
        for own in &from {
            let mut sum: Option<Operand> = None;
            for other in from.iter().filter(|other| *other != own) {
                let apart = self.joined(Join::Sub, Operand::Plane(*other), Operand::Plane(*own));
                let risen = Operand::Plane(self.mapped(Function::Exp, apart));
                sum = Some(match sum {
                    Some(sum) => Operand::Plane(self.joined(Join::Add, sum, risen)),
                    None => risen,
                });
            }
            let whole = self.joined(Join::Add, sum?, Operand::Number(1.0));
            made.push(self.joined(Join::Div, Operand::Number(1.0), Operand::Plane(whole)));
        }
        Some(Value::Numbers(made))
    }

    fn joined(&mut self, join: Join, left: Operand, right: Operand) -> Plane {
        let to = self.plane();
        self.steps.push(Step::Join { join, left, right, to });
        to
    }

    fn mapped(&mut self, function: Function, from: Plane) -> Plane {
        let to = self.plane();
        self.steps.push(Step::Map { function, from, to });
        to
    }

    fn add(&mut self, node: &NodeProto) -> Option<Value> {
        if let [value, bias] = node.input.as_slice()
            && let Some(numbers) = self.constant(bias).and_then(Constant::row).map(<[f32]>::to_vec)
            && let Some(layer) = self.last_layer(value)
            && !layer.relu
            && layer.bias.iter().all(|bias| *bias == 0.0)
            && [1, layer.bias.len()].contains(&numbers.len())
        {
            let count = layer.bias.len();
            layer.bias = numbers.into_iter().cycle().take(count).collect();
            return self.values.get(value).cloned();
        }
        self.join(node, Join::Add).map(Value::Numbers)
    }

    fn join(&mut self, node: &NodeProto, join: Join) -> Option<Vec<Plane>> {
        let [left, right] = node.input.as_slice() else { return None };
        let sides = [self.operands(left)?, self.operands(right)?];
        let constant = |side: &Vec<Operand>| side.iter().all(|operand| matches!(operand, Operand::Number(_)));
        let width = sides[0].len().max(sides[1].len());
        if sides.iter().all(constant) || sides.iter().any(|side| side.len() != width && side.len() != 1) {
            return None;
        }
        let at = |side: &Vec<Operand>, at: usize| side[if side.len() == 1 { 0 } else { at }];
        let made = (0..width).map(|column| self.joined(join, at(&sides[0], column), at(&sides[1], column)));
        Some(made.collect())
    }

    fn operands(&self, name: &str) -> Option<Vec<Operand>> {
        match self.values.get(name)? {
            Value::Numbers(planes) => Some(planes.iter().copied().map(Operand::Plane).collect()),
            Value::Constant(constant) => Some(constant.row()?.iter().copied().map(Operand::Number).collect()),
            Value::Truths(_) | Value::Turned(_) => None,
        }
    }

    fn mat_mul(&mut self, node: &NodeProto) -> Option<Value> {
        let [value, weights] = node.input.as_slice() else { return None };
        let weights = self.constant(weights)?.clone();
        let bias = vec![0.0; *weights.dims.get(1)?];
        self.layer(value, weights, bias)
    }

    fn gemm(&mut self, node: &NodeProto) -> Option<Value> {
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
            weights = weights.transposed()?;
        }
        let outputs = *weights.dims.get(1)?;
        let bias = match bias {
            Some(bias) => self.constant(bias)?.row()?.to_vec(),
            None => vec![0.0],
        };
        let bias = if bias.len() == 1 { vec![bias[0]; outputs] } else { bias };
        self.layer(value, weights, bias)
    }

    fn layer(&mut self, value: &str, weights: Constant, bias: Vec<f32>) -> Option<Value> {
        let from = self.numbers(value)?;
        let outputs = bias.len();
        if weights.dims != [from.len(), outputs] || outputs == 0 || outputs > MOST_PLANES || weights.numbers.is_empty()
        {
            return None;
        }
        self.held += weights.numbers.len();
        let to = self.next;
        self.next += outputs as Plane;
        self.steps.push(Step::Layer(Layer { from, to, weights: weights.numbers, bias, relu: false }));
        Some(Value::Numbers((to..self.next).collect()))
    }

    /// The newest step, if it is a layer that gives this name, and nobody else reads it.
    fn last_layer(&mut self, name: &str) -> Option<&mut Layer> {
        let alone = self.newest == name && self.uses.get(name) == Some(&1);
        match self.steps.last_mut()? {
            Step::Layer(layer) if alone => Some(layer),
            _ => None,
        }
    }
}

impl Constant {
    fn of(tensor: &TensorProto) -> Option<Self> {
        let dims = tensor.dims.iter().map(|dim| usize::try_from(*dim).ok()).collect::<Option<Vec<_>>>()?;
        let (numbers, whole) = match DataType::try_from(tensor.data_type).ok()? {
            DataType::Float if tensor.raw_data.is_empty() => (tensor.float_data.clone(), vec![]),
            DataType::Float => {
                (tensor.raw_data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(), vec![])
            }
            DataType::Int64 | DataType::Int32 => (vec![], whole_numbers(tensor)),
            _ => return None,
        };
        let count = dims.iter().try_fold(1usize, |count, dim| count.checked_mul(*dim))?;
        (count > 0 && numbers.len().max(whole.len()) == count).then_some(Self { dims, numbers, whole })
    }

    /// The numbers of one row, which every row of a block is met with.
    fn row(&self) -> Option<&[f32]> {
        let one_row = matches!(self.dims.as_slice(), [] | [_] | [1, _]);
        (one_row && !self.numbers.is_empty()).then_some(&self.numbers)
    }

    fn scalar(&self) -> Option<f32> {
        match self.numbers.as_slice() {
            [number] if self.dims.is_empty() => Some(*number),
            _ => None,
        }
    }

    fn transposed(&self) -> Option<Self> {
        let [rows, columns] = *self.dims.as_slice() else { return None };
        let numbers =
            (0..columns).flat_map(|column| (0..rows).map(move |row| self.numbers.get(row * columns + column)));
        let numbers = numbers.map(Option::<&f32>::copied).collect::<Option<Vec<_>>>()?;
        Some(Self { dims: vec![columns, rows], numbers, whole: vec![] })
    }
}

/// Planes by number, from the end where it is negative.
fn picked(from: &[Plane], places: &[i64]) -> Option<Vec<Plane>> {
    let pick = |place: &i64| {
        let place = if *place < 0 { place.checked_add(from.len() as i64)? } else { *place };
        from.get(usize::try_from(place).ok()?).copied()
    };
    let picked: Vec<Plane> = places.iter().map(pick).collect::<Option<_>>()?;
    (picked.len() <= MOST_PLANES).then_some(picked)
}

/// Whether it turns rows into columns.
fn is_turn(node: &NodeProto) -> bool {
    node.attribute.iter().all(|attribute| attribute.name != "perm" || attribute.ints == [1, 0])
}

/// The one input.
fn only(node: &NodeProto) -> Option<&String> {
    match node.input.as_slice() {
        [input] => Some(input),
        _ => None,
    }
}

/// Whether its axis is the columns'.
fn is_columns(node: &NodeProto) -> bool {
    [1, -1].contains(&whole(node, "axis", 0))
}

fn whole(node: &NodeProto, name: &str, default: i64) -> i64 {
    node.attribute.iter().find(|attribute| attribute.name == name).map_or(default, |attribute| attribute.i)
}

fn real(node: &NodeProto, name: &str, default: f32) -> f32 {
    node.attribute.iter().find(|attribute| attribute.name == name).map_or(default, |attribute| attribute.f)
}
