//! Steps over a block of rows, written once, in safe code, as loops that a compiler turns into whichever vectors it is told
//! to use: [`super::kernel`] says which. A plane holds one column of the block; lanes are rows, so no sum ever crosses them,
//! and every output is the same fused multiply-adds in the same order on every machine and in every place of a block.

#![allow(clippy::needless_range_loop)] // Lanes are counted: what a compiler makes of iterators over arrays varies.

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
struct Layer {
    from: usize,
    inputs: usize,
    to: usize,
    /// For each group of outputs, input by input, one weight for each output of the group.
    groups: Vec<f32>,
    /// The outputs that fill no group, one after the other.
    rest: Vec<f32>,
    bias: Vec<f32>,
    relu: bool,
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

    /// Fills at most a block's rows in and runs them through all steps. `L` lanes make a vector, `V` vectors and `O` outputs
    /// are summed at a time; `O` is the group that the weights are packed for.
    #[inline(always)]
    pub fn run<const L: usize, const V: usize, const O: usize>(&self, rows: impl Fill, planes: &mut [Plane]) {
        let filled = rows.fill(planes).next_multiple_of(GRAIN).min(BLOCK);
        for step in &self.steps {
            match step {
                Packed::Map(function, from, to) => map(*function, *from, *to, filled, planes),
                Packed::Join(op, left, right, to) => join(*op, *left, *right, *to, filled, planes),
                Packed::Layer(layer) => layer.run::<L, V, O>(filled, planes),
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

impl Layer {
    #[inline(always)]
    fn run<const L: usize, const V: usize, const O: usize>(&self, filled: usize, planes: &mut [Plane]) {
        let (before, after) = planes.split_at_mut(self.to);
        let from = &before[self.from..self.from + self.inputs];
        let to = &mut after[..self.bias.len()];
        let (group_of, rest) = to.as_chunks_mut::<O>();
        let (bias, bias_of_rest) = self.bias.as_chunks::<O>();
        let weights = self.groups.as_chunks::<O>().0.chunks_exact(self.inputs);
        for ((weights, bias), to) in weights.zip(bias).zip(group_of) {
            each_sum::<L, V, O>(weights, bias, self.relu, from, to, filled);
        }
        let weights = self.rest.as_chunks::<1>().0.chunks_exact(self.inputs);
        let bias = bias_of_rest.as_chunks::<1>().0;
        for ((weights, bias), to) in weights.zip(bias).zip(rest.as_chunks_mut::<1>().0) {
            each_sum::<L, V, 1>(weights, bias, self.relu, from, to, filled);
        }
    }
}

/// `O` outputs of all rows: in a full block many vectors at a time, in a short one no more than it has.
#[inline(always)]
fn each_sum<const L: usize, const V: usize, const O: usize>(
    weights: &[[f32; O]],
    bias: &[f32; O],
    relu: bool,
    from: &[Plane],
    to: &mut [Plane; O],
    filled: usize,
) {
    if filled == BLOCK {
        for at in (0..BLOCK).step_by(L * V) {
            store(&sums::<L, V, O>(weights, from, at), bias, relu, to, at);
        }
    } else {
        for at in (0..filled).step_by(L) {
            store(&sums::<L, 1, O>(weights, from, at), bias, relu, to, at);
        }
    }
}

/// `O` outputs of `V` vectors of rows, all kept in registers.
#[inline(always)]
fn sums<const L: usize, const V: usize, const O: usize>(
    weights: &[[f32; O]],
    from: &[Plane],
    at: usize,
) -> [[[f32; L]; V]; O] {
    let mut sums = [[[0f32; L]; V]; O];
    for (weights, plane) in weights.iter().zip(from) {
        let rows = plane.0[at..at + L * V].as_chunks::<L>().0;
        for v in 0..V {
            let rows = rows[v];
            for o in 0..O {
                for l in 0..L {
                    sums[o][v][l] = rows[l].mul_add(weights[o], sums[o][v][l]);
                }
            }
        }
    }
    sums
}

#[inline(always)]
fn store<const L: usize, const V: usize, const O: usize>(
    sums: &[[[f32; L]; V]; O],
    bias: &[f32; O],
    relu: bool,
    to: &mut [Plane; O],
    at: usize,
) {
    for o in 0..O {
        let rows = to[o].0[at..at + L * V].as_chunks_mut::<L>().0;
        for v in 0..V {
            for l in 0..L {
                let sum = sums[o][v][l] + bias[o];
                rows[v][l] = if relu { self::relu(sum) } else { sum };
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
