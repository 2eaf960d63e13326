//! Steps over a block of rows, in safe code: loops over columns that a compiler turns into whichever vectors
//! [`super::kernel`] tells it to use, and the meaning of a layer. Each column of the block stands in a [`Column`]; lanes are rows, so no
//! sum ever crosses them, and every output is the same fused multiply-adds in the same order on every machine and in every
//! place of a block.
#![allow(clippy::needless_range_loop)] // Lanes and outputs are counted, as the kernel counts them.

use super::functions::{relu, with_function, with_join};
use super::math;
use super::program::{Layer, Packed, Program, Side};
use super::steps::{Function, Join, Lookup, Normalize, Operand, Step};

/// Rows of a block.
pub(super) const BLOCK: usize = 64;
/// Rows that a kernel does at least, whatever stands in those that nobody asks for.
pub(super) const GRAIN: usize = 16;

/// One column of a block.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Column(pub [f32; BLOCK]);

impl Program {
    /// Fills at most a block's rows in and runs them through all steps, layers by a way of the kernel's.
    #[inline(always)]
    pub fn run(&self, rows: impl Fill, columns: &mut [Column], layer_by: impl Fn(&Layer, usize, &mut [Column])) {
        let filled = rows.fill(columns).next_multiple_of(GRAIN).min(BLOCK);
        for step in &self.steps {
            match step {
                Packed::Layer(layer) => layer_by(layer, filled, columns),
                Packed::Map { function, from, to, count } => map(*function, *from, *to, *count, filled, columns),
                Packed::Join { join: op, left, right, to, count } => {
                    join(*op, [left, right], *to, *count, filled, columns);
                }
                Packed::Plain(step) => plain(step, filled, &mut columns[..self.columns]),
            }
        }
    }

    /// What is wrong with the first of these rows that a step had no answer for.
    pub fn fault(&self, columns: &[Column], rows: usize) -> Option<&str> {
        let said = columns.get(self.columns - 1).filter(|_| !self.checks.is_empty())?;
        said.0[..rows].iter().find_map(|check| self.check(*check))
    }
}

#[inline(always)]
fn plain(step: &Step, filled: usize, columns: &mut [Column]) {
    match step {
        Step::Choose { test, yes, no, to } => choose(*test, [*yes, *no], *to as usize, filled, columns),
        Step::Normalize(step) => normalize(step, filled, columns),
        Step::Softmax { from, to } => softmax(from, *to as usize, filled, columns),
        Step::Dot { left, right, to } => dot(left, right, *to as usize, filled, columns),
        Step::Lookup(step) => lookup(step, filled, columns),
        Step::Layer(_) | Step::Map { .. } | Step::Join { .. } => {} // packed otherwise
    }
}

/// What fills the first columns of a block.
pub(super) trait Fill {
    /// Fills them and gives the number of rows. What is beyond stays, and no answer depends on it.
    fn fill(self, columns: &mut [Column]) -> usize;
}

/// Rows laid one after the other, of so many numbers each.
pub(super) struct Rows<'a>(pub &'a [f32], pub usize);

impl Fill for Rows<'_> {
    #[inline(always)]
    fn fill(self, columns: &mut [Column]) -> usize {
        for (at, row) in self.0.chunks_exact(self.1).enumerate().take(BLOCK) {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.0[at] = *value);
        }
        self.0.len() / self.1
    }
}

/// Some outputs of a layer: their weights, input by input, their biases, and the columns that they are of and go to.
pub(super) type Outputs<'a, const O: usize> = (&'a [[f32; O]], &'a [f32; O], &'a [Column], &'a mut [Column; O]);

impl Layer {
    /// Its outputs in groups, and those that fill none, one by one.
    pub fn split<'a, const O: usize>(
        &'a self,
        columns: &'a mut [Column],
    ) -> (impl Iterator<Item = Outputs<'a, O>>, impl Iterator<Item = Outputs<'a, 1>>) {
        let (before, after) = columns.split_at_mut(self.to);
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
    pub fn run_plain<const O: usize>(&self, filled: usize, columns: &mut [Column]) {
        let (groups, rest) = self.split::<O>(columns);
        groups.for_each(|outputs| self.sum(outputs, filled));
        rest.for_each(|outputs| self.sum(outputs, filled));
    }

    fn sum<const O: usize>(&self, (weights, bias, from, to): Outputs<'_, O>, filled: usize) {
        for o in 0..O {
            let mut sums = [0f32; BLOCK];
            for (weights, column) in weights.iter().zip(from) {
                for (sum, row) in sums[..filled].iter_mut().zip(&column.0) {
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

/// Lanes one by one, before any of them is stored: a compiler need not ask whether what is read changes under way. It is written
/// out where it stands, since a closure may stay a call to code without vectors.
macro_rules! made {
    ($at:ident => $lane:expr) => {{
        let mut made = [0f32; GRAIN];
        for $at in 0..GRAIN {
            made[$at] = $lane;
        }
        made
    }};
}

#[inline(always)]
fn map(function: Function, from: usize, to: usize, count: usize, filled: usize, columns: &mut [Column]) {
    let (before, after) = columns.split_at_mut(to);
    let pairs = before[from..from + count].iter().zip(&mut after[..count]);
    with_function!(function, known => {
        for (from, to) in pairs {
            each(known, from, to, filled);
        }
    });
}

#[inline(always)]
fn each(function: Function, from: &Column, to: &mut Column, filled: usize) {
    for chunk in 0..filled / GRAIN {
        let from = lanes(from, chunk);
        *lanes_mut(to, chunk) = made!(at => function.of(from[at]));
    }
}

#[inline(always)]
fn join(join: Join, sides: [&Side; 2], to: usize, count: usize, filled: usize, columns: &mut [Column]) {
    let (before, after) = columns.split_at_mut(to);
    with_join!(join, known => {
        for (at, to) in after[..count].iter_mut().enumerate() {
            match [sides[0].at(at, before), sides[1].at(at, before)] {
                [Found::Column(left), Found::Column(right)] => pair(known, left, right, to, filled),
                [Found::Column(left), Found::Number(right)] => first(known, left, right, to, filled),
                [Found::Number(left), Found::Column(right)] => second(known, left, right, to, filled),
                [Found::Number(left), Found::Number(right)] => to.0.fill(known.of(left, right)),
            }
        }
    });
}

/// What one of neighbouring joins reads.
enum Found<'a> {
    Column(&'a Column),
    Number(f32),
}

impl Side {
    #[inline(always)]
    fn at<'a>(&self, at: usize, columns: &'a [Column]) -> Found<'a> {
        match self {
            Self::Columns(first) => Found::Column(&columns[first + at]),
            Self::Column(only) => Found::Column(&columns[*only]),
            Self::Numbers(numbers) => Found::Number(numbers[at]),
        }
    }
}

#[inline(always)]
fn pair(join: Join, left: &Column, right: &Column, to: &mut Column, filled: usize) {
    for chunk in 0..filled / GRAIN {
        let (left, right) = (lanes(left, chunk), lanes(right, chunk));
        *lanes_mut(to, chunk) = made!(at => join.of(left[at], right[at]));
    }
}

#[inline(always)]
fn first(join: Join, left: &Column, right: f32, to: &mut Column, filled: usize) {
    for chunk in 0..filled / GRAIN {
        let left = lanes(left, chunk);
        *lanes_mut(to, chunk) = made!(at => join.of(left[at], right));
    }
}

#[inline(always)]
fn second(join: Join, left: f32, right: &Column, to: &mut Column, filled: usize) {
    for chunk in 0..filled / GRAIN {
        let right = lanes(right, chunk);
        *lanes_mut(to, chunk) = made!(at => join.of(left, right[at]));
    }
}

/// Some lanes of a column.
#[inline(always)]
fn lanes(column: &Column, chunk: usize) -> &[f32; GRAIN] {
    &column.0.as_chunks::<GRAIN>().0[chunk]
}

#[inline(always)]
fn lanes_mut(column: &mut Column, chunk: usize) -> &mut [f32; GRAIN] {
    &mut column.0.as_chunks_mut::<GRAIN>().0[chunk]
}

#[inline(always)]
fn choose(test: u32, sides: [Operand; 2], to: usize, filled: usize, columns: &mut [Column]) {
    let (before, after) = columns.split_at_mut(to);
    let constant = sides.map(|side| match side {
        Operand::Number(number) => Column([number; BLOCK]),
        Operand::Column(_) => Column([0.0; BLOCK]),
    });
    let side = |at: usize| match sides[at] {
        Operand::Column(column) => &before[column as usize],
        Operand::Number(_) => &constant[at],
    };
    let (test, yes, no) = (&before[test as usize], side(0), side(1));
    for chunk in 0..filled / GRAIN {
        let (test, yes, no) = (lanes(test, chunk), lanes(yes, chunk), lanes(no, chunk));
        *lanes_mut(&mut after[0], chunk) = made!(at => if test[at] != 0.0 { yes[at] } else { no[at] });
    }
}

#[inline(always)]
fn normalize(step: &Normalize, filled: usize, columns: &mut [Column]) {
    let (before, after) = columns.split_at_mut(step.to as usize);
    let count = step.from.len() as f32;
    for chunk in 0..filled / GRAIN {
        let mut mean = [0f32; GRAIN];
        for from in &step.from {
            let from = lanes(&before[*from as usize], chunk);
            for at in 0..GRAIN {
                mean[at] += from[at];
            }
        }
        for at in 0..GRAIN {
            mean[at] /= count;
        }
        let mut spread = [0f32; GRAIN];
        for from in &step.from {
            let from = lanes(&before[*from as usize], chunk);
            for at in 0..GRAIN {
                let apart = from[at] - mean[at];
                spread[at] = apart.mul_add(apart, spread[at]);
            }
        }
        for at in 0..GRAIN {
            spread[at] = (spread[at] / count + step.epsilon).sqrt();
        }
        for (((to, from), scale), bias) in after.iter_mut().zip(&step.from).zip(&step.scale).zip(&step.bias) {
            let from = lanes(&before[*from as usize], chunk);
            *lanes_mut(to, chunk) = made!(at => (from[at] - mean[at]) / spread[at] * scale + bias);
        }
    }
}

#[inline(always)]
fn softmax(from: &[u32], to: usize, filled: usize, columns: &mut [Column]) {
    let (before, after) = columns.split_at_mut(to);
    for chunk in 0..filled / GRAIN {
        let mut greatest = [f32::NEG_INFINITY; GRAIN];
        for from in from {
            let from = lanes(&before[*from as usize], chunk);
            for at in 0..GRAIN {
                greatest[at] = if from[at] > greatest[at] { from[at] } else { greatest[at] };
            }
        }
        let mut sum = [0f32; GRAIN];
        for (to, from) in after.iter_mut().zip(from) {
            let from = lanes(&before[*from as usize], chunk);
            let risen = made!(at => math::exp(from[at] - greatest[at]));
            for at in 0..GRAIN {
                sum[at] += risen[at];
            }
            *lanes_mut(to, chunk) = risen;
        }
        for to in &mut after[..from.len()] {
            let to = lanes_mut(to, chunk);
            let risen = *to;
            *to = made!(at => risen[at] / sum[at]);
        }
    }
}

#[inline(always)]
fn dot(left: &[u32], right: &[u32], to: usize, filled: usize, columns: &mut [Column]) {
    let (before, after) = columns.split_at_mut(to);
    for chunk in 0..filled / GRAIN {
        let mut sum = [0f32; GRAIN];
        for (left, right) in left.iter().zip(right) {
            let (left, right) = (lanes(&before[*left as usize], chunk), lanes(&before[*right as usize], chunk));
            for at in 0..GRAIN {
                sum[at] = left[at].mul_add(right[at], sum[at]);
            }
        }
        *lanes_mut(&mut after[0], chunk) = sum;
    }
}

/// Where the table has no such row, the last column says so; the lane gets no number.
#[inline(always)]
fn lookup(step: &Lookup, filled: usize, columns: &mut [Column]) {
    let (before, after) = columns.split_at_mut(step.to as usize);
    let last = after.len() - 1;
    let (after, said) = after.split_at_mut(last);
    for lane in 0..filled {
        match step.row(before[step.from as usize].0[lane]) {
            Some(row) => {
                for (to, number) in after.iter_mut().zip(row) {
                    to.0[lane] = *number;
                }
            }
            None => {
                said[0].0[lane] = (step.check + 1) as f32;
                after.iter_mut().take(step.width).for_each(|to| to.0[lane] = f32::NAN);
            }
        }
    }
}
