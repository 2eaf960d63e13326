//! Steps over a block of rows, in safe code: loops over columns that a compiler turns into whichever vectors
//! [`super::kernel`] tells it to use, and the meaning of a layer. A plane holds one column of the block; lanes are rows, so no
//! sum ever crosses them, and every output is the same fused multiply-adds in the same order on every machine and in every
//! place of a block.
#![allow(clippy::needless_range_loop)] // Lanes and outputs are counted, as the kernel counts them.

use super::math;
use super::steps::{self, Function, Join, Lookup, Normalize, Operand, Step, Steps};
use std::collections::HashMap;
use std::sync::Arc;

/// Rows of a block.
pub(super) const BLOCK: usize = 64;
/// Rows that a kernel does at least, whatever stands in those that nobody asks for.
pub(super) const GRAIN: usize = 16;

/// One column of a block.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Plane(pub [f32; BLOCK]);

/// Steps with their weights packed for a kernel.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub width: usize,
    pub planes: usize,
    pub outputs: Vec<Vec<u32>>,
    /// What is said of a row that a step has no answer for. The last plane says which, from 1 on, and 0 where all have.
    pub checks: Vec<String>,
    steps: Vec<Packed>,
}

/// A layer is packed, all else is as it was.
#[derive(Debug, Clone)]
enum Packed {
    Layer(Layer),
    Plain(Step),
}

/// A layer whose weights stand in the order in which a kernel meets them.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    from: usize,
    inputs: usize,
    to: usize,
    /// For each group of outputs, input by input, one weight for each output of the group.
    groups: Arc<Vec<f32>>,
    /// The outputs that fill no group, one after the other.
    rest: Arc<Vec<f32>>,
    bias: Vec<f32>,
    pub relu: bool,
}

impl Program {
    /// Packs simplified steps in groups of so many outputs.
    pub fn new(steps: &Steps, group: usize) -> Self {
        // By the weights that turns of a loop share.
        let mut known: HashMap<*const Vec<f32>, [Arc<Vec<f32>>; 2]> = HashMap::new();
        let mut pack = |step: &Step| match step {
            Step::Layer(layer) => {
                let packed = known.entry(Arc::as_ptr(&layer.weights)).or_insert_with(|| grouped(layer, group));
                let [groups, rest] = packed.clone();
                Packed::Layer(Layer {
                    from: layer.from[0] as usize,
                    inputs: layer.from.len(),
                    to: layer.to as usize,
                    groups,
                    rest,
                    bias: layer.bias.clone(),
                    relu: layer.relu,
                })
            }
            _ => Packed::Plain(step.clone()),
        };
        let packed = steps.steps.iter().map(&mut pack).collect();
        let planes = steps.planes() + usize::from(!steps.checks.is_empty());
        let (outputs, checks) = (steps.outputs.clone(), steps.checks.clone());
        Self { width: steps.width, planes, outputs, checks, steps: packed }
    }

    /// Fills at most a block's rows in and runs them through all steps, layers by a way of the kernel's.
    #[inline(always)]
    pub fn run(&self, rows: impl Fill, planes: &mut [Plane], layer_by: impl Fn(&Layer, usize, &mut [Plane])) {
        let filled = rows.fill(planes).next_multiple_of(GRAIN).min(BLOCK);
        for step in &self.steps {
            match step {
                Packed::Layer(layer) => layer_by(layer, filled, planes),
                Packed::Plain(step) => plain(step, filled, &mut planes[..self.planes]),
            }
        }
    }

    /// What is wrong with the first of these rows that a step had no answer for.
    pub fn fault(&self, planes: &[Plane], rows: usize) -> Option<&str> {
        let said = planes.get(self.planes - 1).filter(|_| !self.checks.is_empty())?;
        let check = said.0[..rows].iter().find(|check| **check > 0.0)?;
        self.checks.get(*check as usize - 1).map(String::as_str)
    }

    /// Forgets what was wrong with the rows before.
    pub fn clear(&self, planes: &mut [Plane]) {
        if !self.checks.is_empty() {
            planes[self.planes - 1] = Plane([0.0; BLOCK]);
        }
    }
}

/// Weights in groups of so many outputs, input by input, and those of the outputs that fill none, output by output.
fn grouped(layer: &steps::Layer, group: usize) -> [Arc<Vec<f32>>; 2] {
    let (inputs, outputs) = (layer.from.len(), layer.bias.len());
    let grouped = outputs / group * group;
    let row = |input: usize| &layer.weights[input * outputs..][..outputs];
    let first = (0..grouped).step_by(group);
    let groups = first.flat_map(|at| (0..inputs).flat_map(move |input| row(input)[at..at + group].iter()));
    let rest = (grouped..outputs).flat_map(|output| (0..inputs).map(move |input| row(input)[output]));
    [Arc::new(groups.copied().collect()), Arc::new(rest.collect())]
}

#[inline(always)]
fn plain(step: &Step, filled: usize, planes: &mut [Plane]) {
    match step {
        Step::Map { function, from, to } => map(*function, *from as usize, *to as usize, filled, planes),
        Step::Join { join: op, left, right, to } => join(*op, *left, *right, *to as usize, filled, planes),
        Step::Choose { test, yes, no, to } => choose(*test, [*yes, *no], *to as usize, filled, planes),
        Step::Normalize(step) => normalize(step, filled, planes),
        Step::Softmax { from, to } => softmax(from, *to as usize, filled, planes),
        Step::Dot { left, right, to } => dot(left, right, *to as usize, filled, planes),
        Step::Lookup(step) => lookup(step, filled, planes),
        Step::Layer(_) => {} // packed
    }
}

/// What fills the first planes of a block.
pub(super) trait Fill {
    /// Fills them and gives the number of rows. What is beyond stays, and no answer depends on it.
    fn fill(self, planes: &mut [Plane]) -> usize;
}

/// Rows laid one after the other, of so many numbers each.
pub(super) struct Rows<'a>(pub &'a [f32], pub usize);

impl Fill for Rows<'_> {
    #[inline(always)]
    fn fill(self, planes: &mut [Plane]) -> usize {
        for (at, row) in self.0.chunks_exact(self.1).enumerate().take(BLOCK) {
            planes.iter_mut().zip(row).for_each(|(plane, value)| plane.0[at] = *value);
        }
        self.0.len() / self.1
    }
}

/// Some outputs of a layer: their weights, input by input, their biases, and the planes that they are of and go to.
pub(super) type Outputs<'a, const O: usize> = (&'a [[f32; O]], &'a [f32; O], &'a [Plane], &'a mut [Plane; O]);

impl Layer {
    /// Its outputs in groups, and those that fill none, one by one.
    pub fn split<'a, const O: usize>(
        &'a self,
        planes: &'a mut [Plane],
    ) -> (impl Iterator<Item = Outputs<'a, O>>, impl Iterator<Item = Outputs<'a, 1>>) {
        let (before, after) = planes.split_at_mut(self.to);
        let from = &before[self.from..self.from + self.inputs];
        let (groups, rest) = after[..self.bias.len()].as_chunks_mut::<O>();
        let (bias, bias_of_rest) = self.bias.as_chunks::<O>();
        let weights = self.groups.as_chunks::<O>().0.chunks_exact(self.inputs);
        let groups = weights.zip(bias).zip(groups).map(move |((weights, bias), to)| (weights, bias, from, to));
        let weights = self.rest.as_chunks::<1>().0.chunks_exact(self.inputs);
        let rest = weights.zip(bias_of_rest.as_chunks::<1>().0).zip(rest.as_chunks_mut::<1>().0);
        (groups, rest.map(move |((weights, bias), to)| (weights, bias, from, to)))
    }

    /// The meaning of a layer: what every kernel does, to the bit.
    pub fn run_plain<const O: usize>(&self, filled: usize, planes: &mut [Plane]) {
        let (groups, rest) = self.split::<O>(planes);
        groups.for_each(|outputs| self.sum(outputs, filled));
        rest.for_each(|outputs| self.sum(outputs, filled));
    }

    fn sum<const O: usize>(&self, (weights, bias, from, to): Outputs<'_, O>, filled: usize) {
        for o in 0..O {
            let mut sums = [0f32; BLOCK];
            for (weights, plane) in weights.iter().zip(from) {
                for (sum, row) in sums[..filled].iter_mut().zip(&plane.0) {
                    *sum = row.mul_add(weights[o], *sum);
                }
            }
            for (to, sum) in to[o].0[..filled].iter_mut().zip(sums) {
                let sum = sum + bias[o];
                *to = if self.relu { relu(sum) } else { sum };
            }
        }
    }
}

/// Zero below zero; what is not a number stays so.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if 0.0 > x { 0.0 } else { x }
}

impl Function {
    /// Its meaning.
    #[inline(always)]
    pub fn of(self, x: f32) -> f32 {
        match self {
            Self::Copy => x,
            Self::Abs => x.abs(),
            Self::Neg => -x,
            Self::Sign => math::sign(x),
            Self::Exp => math::exp(x),
            Self::Log => math::ln(x),
            Self::Sqrt => x.sqrt(),
            Self::Relu => relu(x),
            Self::Sigmoid => math::sigmoid(x),
            Self::Tanh => math::tanh(x),
            Self::Erf => math::erf(x),
            Self::Gelu => math::gelu(x),
            Self::Leaky(slope) => {
                if x < 0.0 {
                    slope * x
                } else {
                    x
                }
            }
            Self::Clip(low, high) => {
                let x = if x < low { low } else { x };
                if x > high { high } else { x }
            }
            Self::SoftLog(one) => math::sign(x) * math::ln(x.abs() + one),
            Self::Whole(past) => {
                if x >= -past && x < past {
                    x.trunc()
                } else {
                    -past
                }
            }
        }
    }
}

impl Join {
    /// Its meaning.
    #[inline(always)]
    pub fn of(self, a: f32, b: f32) -> f32 {
        let truth = |yes: bool| if yes { 1.0 } else { 0.0 };
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Equal => truth(a == b),
            Self::Greater => truth(a > b),
            Self::GreaterOrEqual => truth(a >= b),
            Self::Less => truth(a < b),
            Self::LessOrEqual => truth(a <= b),
        }
    }
}

/// A loop for each function: which one it is, is asked once for a block.
#[inline(always)]
fn map(function: Function, from: usize, to: usize, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(to);
    let (from, to) = (&before[from], &mut after[0]);
    match function {
        Function::Copy => each(from, to, filled, |x| Function::Copy.of(x)),
        Function::Abs => each(from, to, filled, |x| Function::Abs.of(x)),
        Function::Neg => each(from, to, filled, |x| Function::Neg.of(x)),
        Function::Sign => each(from, to, filled, |x| Function::Sign.of(x)),
        Function::Exp => each(from, to, filled, |x| Function::Exp.of(x)),
        Function::Log => each(from, to, filled, |x| Function::Log.of(x)),
        Function::Sqrt => each(from, to, filled, |x| Function::Sqrt.of(x)),
        Function::Relu => each(from, to, filled, |x| Function::Relu.of(x)),
        Function::Sigmoid => each(from, to, filled, |x| Function::Sigmoid.of(x)),
        Function::Tanh => each(from, to, filled, |x| Function::Tanh.of(x)),
        Function::Erf => each(from, to, filled, |x| Function::Erf.of(x)),
        Function::Gelu => each(from, to, filled, |x| Function::Gelu.of(x)),
        Function::Leaky(slope) => each(from, to, filled, |x| Function::Leaky(slope).of(x)),
        Function::Clip(low, high) => each(from, to, filled, |x| Function::Clip(low, high).of(x)),
        Function::SoftLog(one) => each(from, to, filled, |x| Function::SoftLog(one).of(x)),
        Function::Whole(past) => each(from, to, filled, |x| Function::Whole(past).of(x)),
    }
}

#[inline(always)]
fn each(from: &Plane, to: &mut Plane, filled: usize, function: impl Fn(f32) -> f32) {
    let from = from.0.as_chunks::<GRAIN>().0;
    for (to, from) in to.0.as_chunks_mut::<GRAIN>().0.iter_mut().zip(from).take(filled / GRAIN) {
        for at in 0..GRAIN {
            to[at] = function(from[at]);
        }
    }
}

#[inline(always)]
fn join(join: Join, left: Operand, right: Operand, to: usize, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(to);
    let to = &mut after[0];
    let both = Both { left: Side::of(left, before), right: Side::of(right, before), to, filled };
    match join {
        Join::Add => both.each(|a, b| Join::Add.of(a, b)),
        Join::Sub => both.each(|a, b| Join::Sub.of(a, b)),
        Join::Mul => both.each(|a, b| Join::Mul.of(a, b)),
        Join::Div => both.each(|a, b| Join::Div.of(a, b)),
        Join::Equal => both.each(|a, b| Join::Equal.of(a, b)),
        Join::Greater => both.each(|a, b| Join::Greater.of(a, b)),
        Join::GreaterOrEqual => both.each(|a, b| Join::GreaterOrEqual.of(a, b)),
        Join::Less => both.each(|a, b| Join::Less.of(a, b)),
        Join::LessOrEqual => both.each(|a, b| Join::LessOrEqual.of(a, b)),
    }
}

/// Some lanes of a plane.
#[inline(always)]
fn lanes(plane: &Plane, chunk: usize) -> &[f32; GRAIN] {
    &plane.0.as_chunks::<GRAIN>().0[chunk]
}

#[inline(always)]
fn lanes_mut(plane: &mut Plane, chunk: usize) -> &mut [f32; GRAIN] {
    &mut plane.0.as_chunks_mut::<GRAIN>().0[chunk]
}

#[inline(always)]
fn choose(test: u32, sides: [Operand; 2], to: usize, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(to);
    let constant = sides.map(|side| match side {
        Operand::Number(number) => Plane([number; BLOCK]),
        Operand::Plane(_) => Plane([0.0; BLOCK]),
    });
    let side = |at: usize| match sides[at] {
        Operand::Plane(plane) => &before[plane as usize],
        Operand::Number(_) => &constant[at],
    };
    let (test, yes, no) = (&before[test as usize], side(0), side(1));
    for chunk in 0..filled / GRAIN {
        let (test, yes, no) = (lanes(test, chunk), lanes(yes, chunk), lanes(no, chunk));
        let to = lanes_mut(&mut after[0], chunk);
        for at in 0..GRAIN {
            to[at] = if test[at] != 0.0 { yes[at] } else { no[at] };
        }
    }
}

#[inline(always)]
fn normalize(step: &Normalize, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(step.to as usize);
    let count = step.from.len() as f32;
    for chunk in 0..filled / GRAIN {
        let mut mean = [0f32; GRAIN];
        for from in &step.from {
            let from = lanes(&before[*from as usize], chunk);
            (0..GRAIN).for_each(|at| mean[at] += from[at]);
        }
        (0..GRAIN).for_each(|at| mean[at] /= count);
        let mut spread = [0f32; GRAIN];
        for from in &step.from {
            let from = lanes(&before[*from as usize], chunk);
            for at in 0..GRAIN {
                let apart = from[at] - mean[at];
                spread[at] = apart.mul_add(apart, spread[at]);
            }
        }
        (0..GRAIN).for_each(|at| spread[at] = (spread[at] / count + step.epsilon).sqrt());
        for (((to, from), scale), bias) in after.iter_mut().zip(&step.from).zip(&step.scale).zip(&step.bias) {
            let (to, from) = (lanes_mut(to, chunk), lanes(&before[*from as usize], chunk));
            (0..GRAIN).for_each(|at| to[at] = (from[at] - mean[at]) / spread[at] * scale + bias);
        }
    }
}

#[inline(always)]
fn softmax(from: &[u32], to: usize, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(to);
    for chunk in 0..filled / GRAIN {
        let mut greatest = [f32::NEG_INFINITY; GRAIN];
        for from in from {
            let from = lanes(&before[*from as usize], chunk);
            (0..GRAIN).for_each(|at| greatest[at] = if from[at] > greatest[at] { from[at] } else { greatest[at] });
        }
        let mut sum = [0f32; GRAIN];
        for (to, from) in after.iter_mut().zip(from) {
            let (to, from) = (lanes_mut(to, chunk), lanes(&before[*from as usize], chunk));
            for at in 0..GRAIN {
                to[at] = math::exp(from[at] - greatest[at]);
                sum[at] += to[at];
            }
        }
        for to in &mut after[..from.len()] {
            let to = lanes_mut(to, chunk);
            (0..GRAIN).for_each(|at| to[at] /= sum[at]);
        }
    }
}

#[inline(always)]
fn dot(left: &[u32], right: &[u32], to: usize, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(to);
    for chunk in 0..filled / GRAIN {
        let mut sum = [0f32; GRAIN];
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (lanes(&before[*left as usize], chunk), lanes(&before[*right as usize], chunk));
            (0..GRAIN).for_each(|at| sum[at] = left[at].mul_add(right[at], sum[at]));
        }
        *lanes_mut(&mut after[0], chunk) = sum;
    }
}

/// Where the table has no such row, the last plane says so; the lane gets no number.
#[inline(always)]
fn lookup(step: &Lookup, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(step.to as usize);
    let count = step.table.len() / step.width;
    let last = after.len() - 1;
    let (after, said) = after.split_at_mut(last);
    for lane in 0..filled {
        let place = before[step.from as usize].0[lane];
        let place = if place < 0.0 { place + count as f32 } else { place };
        let found = if place >= 0.0 { step.table.chunks_exact(step.width).nth(place as usize) } else { None };
        match found {
            Some(row) => after.iter_mut().zip(row).for_each(|(to, number)| to.0[lane] = *number),
            None => {
                said[0].0[lane] = (step.check + 1) as f32;
                after.iter_mut().take(step.width).for_each(|to| to.0[lane] = f32::NAN);
            }
        }
    }
}

struct Both<'a> {
    left: Side<'a>,
    right: Side<'a>,
    to: &'a mut Plane,
    filled: usize,
}

#[derive(Clone, Copy)]
enum Side<'a> {
    Plane(&'a Plane),
    Number(f32),
}

impl<'a> Side<'a> {
    #[inline(always)]
    fn of(operand: Operand, planes: &'a [Plane]) -> Self {
        match operand {
            Operand::Plane(plane) => Self::Plane(&planes[plane as usize]),
            Operand::Number(number) => Self::Number(number),
        }
    }
}

impl Both<'_> {
    #[inline(always)]
    fn each(self, function: impl Fn(f32, f32) -> f32) {
        match (self.left, self.right) {
            (Side::Plane(left), Side::Number(right)) => each(left, self.to, self.filled, |a| function(a, right)),
            (Side::Number(left), Side::Plane(right)) => each(right, self.to, self.filled, |b| function(left, b)),
            (Side::Number(left), Side::Number(right)) => self.to.0.fill(function(left, right)),
            (Side::Plane(left), Side::Plane(right)) => {
                let (left, right) = (left.0.as_chunks::<GRAIN>().0, right.0.as_chunks::<GRAIN>().0);
                let to = self.to.0.as_chunks_mut::<GRAIN>().0.iter_mut();
                for ((to, left), right) in to.zip(left).zip(right).take(self.filled / GRAIN) {
                    for at in 0..GRAIN {
                        to[at] = function(left[at], right[at]);
                    }
                }
            }
        }
    }
}
