//! Steps over a block of rows, in safe code: loops over columns that a compiler turns into whichever vectors
//! [`super::kernel`] tells it to use, and the meaning of a layer. A plane holds one column of the block; lanes are rows, so no
//! sum ever crosses them, and every output is the same fused multiply-adds in the same order on every machine and in every
//! place of a block.
#![allow(clippy::needless_range_loop)] // Lanes and outputs are counted, as the kernel counts them.

use super::math;
use super::steps::{Function, Join, Operand, Step, Steps};

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
    steps: Vec<Packed>,
}

#[derive(Debug, Clone)]
enum Packed {
    Map(Function, usize, usize),
    Join(Join, Operand, Operand, usize),
    Layer(Layer),
}

/// A layer whose weights stand in the order in which a kernel meets them.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    from: usize,
    inputs: usize,
    to: usize,
    /// For each group of outputs, input by input, one weight for each output of the group.
    groups: Vec<f32>,
    /// The outputs that fill no group, one after the other.
    rest: Vec<f32>,
    bias: Vec<f32>,
    pub relu: bool,
}

impl Program {
    /// Packs simplified steps in groups of so many outputs.
    pub fn new(steps: &Steps, group: usize) -> Self {
        let planes = steps.planes();
        let pack = |step: &Step| match step {
            Step::Map { function, from, to } => Packed::Map(*function, *from as usize, *to as usize),
            Step::Join { join, left, right, to } => Packed::Join(*join, *left, *right, *to as usize),
            Step::Layer(layer) => {
                let (inputs, outputs) = (layer.from.len(), layer.bias.len());
                let grouped = outputs / group * group;
                let row = |input: usize| &layer.weights[input * outputs..][..outputs];
                let first = (0..grouped).step_by(group);
                let groups = first.flat_map(|at| (0..inputs).flat_map(move |input| row(input)[at..at + group].iter()));
                let rest = (grouped..outputs).flat_map(|output| (0..inputs).map(move |input| row(input)[output]));
                Packed::Layer(Layer {
                    from: layer.from[0] as usize,
                    inputs,
                    to: layer.to as usize,
                    groups: groups.copied().collect(),
                    rest: rest.collect(),
                    bias: layer.bias.clone(),
                    relu: layer.relu,
                })
            }
        };
        let packed = steps.steps.iter().map(pack).collect();
        Self { width: steps.width, planes, outputs: steps.outputs.clone(), steps: packed }
    }

    /// Fills at most a block's rows in and runs them through all steps, layers by a way of the kernel's.
    #[inline(always)]
    pub fn run(&self, rows: impl Fill, planes: &mut [Plane], layer_by: impl Fn(&Layer, usize, &mut [Plane])) {
        let filled = rows.fill(planes).next_multiple_of(GRAIN).min(BLOCK);
        for step in &self.steps {
            match step {
                Packed::Map(function, from, to) => map(*function, *from, *to, filled, planes),
                Packed::Join(op, left, right, to) => join(*op, *left, *right, *to, filled, planes),
                Packed::Layer(layer) => layer_by(layer, filled, planes),
            }
        }
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

#[inline(always)]
fn map(function: Function, from: usize, to: usize, filled: usize, planes: &mut [Plane]) {
    let (before, after) = planes.split_at_mut(to);
    let (from, to) = (&before[from], &mut after[0]);
    match function {
        Function::Copy => each(from, to, filled, |x| x),
        Function::Abs => each(from, to, filled, f32::abs),
        Function::Neg => each(from, to, filled, |x| -x),
        Function::Sign => each(from, to, filled, math::sign),
        Function::Exp => each(from, to, filled, math::exp),
        Function::Log => each(from, to, filled, math::ln),
        Function::Relu => each(from, to, filled, relu),
        Function::Sigmoid => each(from, to, filled, math::sigmoid),
        Function::Tanh => each(from, to, filled, math::tanh),
        Function::Leaky(slope) => each(from, to, filled, |x| if x < 0.0 { slope * x } else { x }),
        Function::Clip(low, high) => each(from, to, filled, |x| {
            let x = if x < low { low } else { x };
            if x > high { high } else { x }
        }),
        Function::SoftLog(one) => each(from, to, filled, |x| math::sign(x) * math::ln(x.abs() + one)),
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
    let truth = |yes: bool| if yes { 1.0 } else { 0.0 };
    match join {
        Join::Add => both.each(|a, b| a + b),
        Join::Sub => both.each(|a, b| a - b),
        Join::Mul => both.each(|a, b| a * b),
        Join::Div => both.each(|a, b| a / b),
        Join::Greater => both.each(|a, b| truth(a > b)),
        Join::GreaterOrEqual => both.each(|a, b| truth(a >= b)),
        Join::Less => both.each(|a, b| truth(a < b)),
        Join::LessOrEqual => both.each(|a, b| truth(a <= b)),
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
