//! Steps as a kernel meets them: weights in the order of its loops, neighbours that do the same as one.

use super::steps::{self, Function, Join, Operand, Step, Steps};
use std::collections::HashMap;
use std::sync::Arc;

/// Steps with their weights packed for a kernel.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub width: usize,
    pub columns: usize,
    pub outputs: Vec<Vec<u32>>,
    /// What is said of a row that a step has no answer for. The last column says which, from 1 on, and 0 where all have.
    pub checks: Vec<String>,
    pub steps: Vec<Packed>,
}

/// A layer is packed, neighbours that do the same are one, all else is as it was.
#[derive(Debug, Clone)]
pub(super) enum Packed {
    Layer(Layer),
    Map { function: Function, from: usize, to: usize, count: usize },
    Join { join: Join, left: Side, right: Side, to: usize, count: usize },
    Plain(Step),
}

/// One side of neighbouring joins.
#[derive(Debug, Clone)]
pub(super) enum Side {
    /// From this column on, one for each.
    Columns(usize),
    /// One for all.
    Column(usize),
    /// Numbers, one for each.
    Numbers(Vec<f32>),
}

/// A layer whose weights stand in the order in which a kernel meets them.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub from: usize,
    pub inputs: usize,
    pub to: usize,
    /// Input by input, one for each output.
    pub weights: Arc<Vec<f32>>,
    /// For each group of outputs, input by input, one weight for each output of the group.
    pub groups: Arc<Vec<f32>>,
    /// The outputs that fill no group, one after the other.
    pub rest: Arc<Vec<f32>>,
    pub bias: Vec<f32>,
    pub relu: bool,
}

impl Program {
    /// Packs simplified steps in groups of so many outputs.
    pub fn new(steps: &Steps, group: usize) -> Self {
        // By the weights that turns of a loop share.
        let mut known: HashMap<*const Vec<f32>, [Arc<Vec<f32>>; 2]> = HashMap::new();
        let mut packed: Vec<Packed> = Vec::new();
        for step in &steps.steps {
            if packed.last_mut().is_some_and(|last| last.takes(step)) {
                continue;
            }
            packed.push(match step {
                Step::Layer(layer) => {
                    let packed = known.entry(Arc::as_ptr(&layer.weights)).or_insert_with(|| grouped(layer, group));
                    let [groups, rest] = packed.clone();
                    Packed::Layer(Layer {
                        from: layer.from[0] as usize,
                        inputs: layer.from.len(),
                        to: layer.to as usize,
                        weights: layer.weights.clone(),
                        groups,
                        rest,
                        bias: layer.bias.clone(),
                        relu: layer.relu,
                    })
                }
                Step::Map { function, from, to } => {
                    Packed::Map { function: *function, from: *from as usize, to: *to as usize, count: 1 }
                }
                Step::Join { join, left, right, to } => Packed::Join {
                    join: *join,
                    left: Side::of(*left),
                    right: Side::of(*right),
                    to: *to as usize,
                    count: 1,
                },
                _ => Packed::Plain(step.clone()),
            });
        }
        let columns = steps.columns() + usize::from(!steps.checks.is_empty());
        let (outputs, checks) = (steps.outputs.clone(), steps.checks.clone());
        Self { width: steps.width, columns, outputs, checks, steps: packed }
    }

    /// What a lane of the last column says.
    pub fn check(&self, said: f32) -> Option<&str> {
        self.checks.get((said as usize).checked_sub(1)?).map(String::as_str)
    }
}

impl Packed {
    /// Takes a step in that does the same with the next columns, if it reads nothing that is made here.
    fn takes(&mut self, step: &Step) -> bool {
        match (self, step) {
            (Self::Map { function, from, to, count }, Step::Map { function: other, from: next, to: into })
                if function == other
                    && (*from + *count, *to + *count) == (*next as usize, *into as usize)
                    && (*next as usize) < *to =>
            {
                *count += 1;
                true
            }
            (Self::Join { join, left, right, to, count }, Step::Join { join: other, left: l, right: r, to: into })
                if join == other && *to + *count == *into as usize =>
            {
                let fits = left.takes(*l, *count, *to) && right.takes(*r, *count, *to);
                if fits {
                    left.take(*l);
                    right.take(*r);
                    *count += 1;
                }
                fits
            }
            _ => false,
        }
    }
}

impl Side {
    fn of(operand: Operand) -> Self {
        match operand {
            Operand::Column(column) => Self::Columns(column as usize),
            Operand::Number(number) => Self::Numbers(vec![number]),
        }
    }

    /// Whether one more, after so many, goes on as these do, and reads only columns before this one.
    fn takes(&self, operand: Operand, count: usize, before: usize) -> bool {
        match (self, operand) {
            (Self::Numbers(_), Operand::Number(_)) => true,
            (Self::Columns(first), Operand::Column(column)) => {
                let (column, is_second) = (column as usize, count == 1);
                column < before && (column == first + count || is_second && column == *first)
            }
            (Self::Column(only), Operand::Column(column)) => column as usize == *only,
            _ => false,
        }
    }

    /// Takes one more in that goes on as these do.
    fn take(&mut self, operand: Operand) {
        match (&mut *self, operand) {
            (Self::Numbers(numbers), Operand::Number(number)) => numbers.push(number),
            (Self::Columns(first), Operand::Column(column)) if *first == column as usize => {
                *self = Self::Column(*first)
            }
            _ => {}
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

#[cfg(test)]
pub(super) mod tests;
