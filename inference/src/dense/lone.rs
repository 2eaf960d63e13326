//! One row for itself: the steps of [`super::lanes`] over single numbers, so that neighbours are what fills a vector. Every number
//! is made of the same ones by the same operations in the same order as in a block, and has the same bits.
#![allow(clippy::needless_range_loop)] // Outputs are counted, as the kernel counts them.

use super::functions::{relu, with_function, with_join};
use super::math;
use super::program::{Layer, Packed, Program, Side};
use super::steps::{Function, Join, Operand, Step};

/// The smallest number of rows that a block is worth; fewer are answered one by one. Reckoned, not measured: a block of 64 lanes takes
/// as long as two to eight rows alone, by the shape of the net.
pub(super) const WORTH_A_BLOCK: usize = 4;

impl Program {
    /// Runs a row through all steps; the cells are as many as columns.
    #[inline(always)]
    pub fn run_one(&self, row: &[f32], cells: &mut [f32]) {
        cells[..row.len()].copy_from_slice(row);
        for step in &self.steps {
            match step {
                Packed::Layer(layer) => layer.run_one(cells),
                Packed::Map { function, from, to, count } => {
                    let (before, after) = cells.split_at_mut(*to);
                    let pairs = before[*from..from + count].iter().zip(&mut after[..*count]);
                    with_function!(*function, known => {
                        for (from, to) in pairs {
                            *to = known.of(*from);
                        }
                    });
                }
                Packed::Join { join, left, right, to, count } => {
                    let (before, after) = cells.split_at_mut(*to);
                    let to = &mut after[..*count];
                    with_join!(*join, known => joined(known, [left, right], before, to));
                }
                Packed::Plain(step) => plain(step, &mut cells[..self.columns]),
            }
        }
    }
}

#[inline(always)]
fn joined(join: Join, sides: [&Side; 2], before: &[f32], to: &mut [f32]) {
    let count = to.len();
    match sides {
        [Side::Column(left), Side::Column(right)] => to.fill(join.of(before[*left], before[*right])),
        [Side::Column(left), right] => {
            let left = before[*left];
            for (to, right) in to.iter_mut().zip(line(right, before, count)) {
                *to = join.of(left, *right);
            }
        }
        [left, Side::Column(right)] => {
            let right = before[*right];
            for (to, left) in to.iter_mut().zip(line(left, before, count)) {
                *to = join.of(*left, right);
            }
        }
        [left, right] => {
            let pairs = line(left, before, count).iter().zip(line(right, before, count));
            for (to, (left, right)) in to.iter_mut().zip(pairs) {
                *to = join.of(*left, *right);
            }
        }
    }
}

/// The numbers of a side that has one for each.
#[inline(always)]
fn line<'a>(side: &'a Side, cells: &'a [f32], count: usize) -> &'a [f32] {
    match side {
        Side::Columns(first) | Side::Column(first) => &cells[*first..first + count],
        Side::Numbers(numbers) => numbers,
    }
}

impl Layer {
    #[inline(always)]
    fn run_one(&self, cells: &mut [f32]) {
        let (before, after) = cells.split_at_mut(self.to);
        let (from, to) = (&before[self.from..self.from + self.inputs], &mut after[..self.bias.len()]);
        let (wide, rest) = to.as_chunks_mut::<64>();
        let (narrow, rest) = rest.as_chunks_mut::<16>();
        let (few, rest) = rest.as_chunks_mut::<4>();
        let mut first = 0;
        for to in wide {
            self.sums(from, to, first);
            first += to.len();
        }
        for to in narrow {
            self.sums(from, to, first);
            first += to.len();
        }
        for to in few {
            self.sums(from, to, first);
            first += to.len();
        }
        for to in rest.as_chunks_mut::<1>().0 {
            self.sums(from, to, first);
            first += 1;
        }
    }

    /// Some outputs from this one on.
    #[inline(always)]
    fn sums<const O: usize>(&self, from: &[f32], to: &mut [f32; O], first: usize) {
        let mut sums = [0f32; O];
        for (x, weights) in from.iter().zip(self.weights.chunks_exact(self.bias.len())) {
            let weights: &[f32; O] = weights[first..].first_chunk().unwrap_or(&[0.0; O]);
            for o in 0..O {
                sums[o] = x.mul_add(weights[o], sums[o]);
            }
        }
        for ((to, sum), bias) in to.iter_mut().zip(sums).zip(&self.bias[first..]) {
            let sum = sum + bias;
            *to = if self.relu { relu(sum) } else { sum };
        }
    }
}

#[inline(always)]
fn plain(step: &Step, cells: &mut [f32]) {
    let (before, after) = cells.split_at_mut(step.makes().start as usize);
    match step {
        Step::Choose { test, yes, no, .. } => {
            let side = |side: &Operand| match side {
                Operand::Column(column) => before[*column as usize],
                Operand::Number(number) => *number,
            };
            after[0] = if before[*test as usize] != 0.0 { side(yes) } else { side(no) };
        }
        Step::Normalize(step) => {
            let count = step.from.len() as f32;
            let (mut mean, mut spread) = (0f32, 0f32);
            for column in &step.from {
                mean += before[*column as usize];
            }
            mean /= count;
            for column in &step.from {
                let apart = before[*column as usize] - mean;
                spread = apart.mul_add(apart, spread);
            }
            let spread = (spread / count + step.epsilon).sqrt();
            for (((to, column), scale), bias) in after.iter_mut().zip(&step.from).zip(&step.scale).zip(&step.bias) {
                *to = (before[*column as usize] - mean) / spread * scale + bias;
            }
        }
        Step::Softmax { from, .. } => {
            let to = &mut after[..from.len()];
            let (mut greatest, mut sum) = (f32::NEG_INFINITY, 0f32);
            for (to, column) in to.iter_mut().zip(from) {
                *to = before[*column as usize];
                greatest = if *to > greatest { *to } else { greatest };
            }
            for to in to.iter_mut() {
                *to = math::exp(*to - greatest);
            }
            for to in to.iter() {
                sum += to;
            }
            for to in to {
                *to /= sum;
            }
        }
        Step::Dot { left, right, .. } => {
            let mut sum = 0f32;
            for (left, right) in left.iter().zip(right) {
                sum = before[*left as usize].mul_add(before[*right as usize], sum);
            }
            after[0] = sum;
        }
        Step::Lookup(step) => {
            let last = after.len() - 1;
            let (after, said) = after.split_at_mut(last);
            match step.row(before[step.from as usize]) {
                Some(row) => after[..step.width].copy_from_slice(row),
                None => {
                    said[0] = (step.check + 1) as f32;
                    after[..step.width].fill(f32::NAN);
                }
            }
        }
        Step::Layer(_) | Step::Map { .. } | Step::Join { .. } => {} // packed otherwise
    }
}
