//! What a dense net does, column by column: every column of every value between input and output is a plane of its own, and
//! a step makes one plane, or a layer's planes, of earlier ones. Steps are simplified here before they are laid out.

use std::collections::{HashMap, HashSet};

/// Number of a plane. Those of the input come first; a step makes planes with higher numbers than it reads.
pub(super) type Plane = u32;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Copy,
    Abs,
    Neg,
    Sign,
    Exp,
    Log,
    Relu,
    Sigmoid,
    Tanh,
    /// Below zero, times this.
    Leaky(f32),
    /// Between these.
    Clip(f32, f32),
    /// sign(x) · ln(|x| + this).
    SoftLog(f32),
}

/// A function of two numbers; comparisons give 1 or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Add,
    Sub,
    Mul,
    Div,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a join reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operand {
    Plane(Plane),
    Number(f32),
}

/// Sums of weighted planes: for each output, from zero, the inputs' products in order by fused multiply-adds, then its bias.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub from: Vec<Plane>,
    /// The first of the outputs.
    pub to: Plane,
    /// Input by input, one for each output.
    pub weights: Vec<f32>,
    /// One for each output.
    pub bias: Vec<f32>,
    /// What is below zero becomes zero.
    pub relu: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Map { function: Function, from: Plane, to: Plane },
    Join { join: Join, left: Operand, right: Operand, to: Plane },
    Layer(Layer),
}

/// All steps, and the planes of each output.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Steps {
    pub width: usize,
    pub steps: Vec<Step>,
    pub outputs: Vec<Vec<Plane>>,
}

impl Step {
    fn reads(&self) -> Vec<Plane> {
        match self {
            Self::Map { from, .. } => vec![*from],
            Self::Join { left, right, .. } => {
                let plane = |operand: &Operand| match operand {
                    Operand::Plane(plane) => Some(*plane),
                    Operand::Number(_) => None,
                };
                [left, right].into_iter().filter_map(plane).collect()
            }
            Self::Layer(layer) => layer.from.clone(),
        }
    }

    fn makes(&self) -> std::ops::Range<Plane> {
        match self {
            Self::Map { to, .. } | Self::Join { to, .. } => *to..to + 1,
            Self::Layer(layer) => layer.to..layer.to + layer.bias.len() as Plane,
        }
    }
}

impl Steps {
    /// The same answers by fewer steps, with planes numbered without gaps and layers that read neighbours.
    pub fn simplified(mut self) -> Self {
        self.fuse();
        self.drop_unread();
        self.renumber()
    }

    /// Planes at work, those of the input included.
    pub fn planes(&self) -> usize {
        self.steps.iter().map(|step| step.makes().end as usize).max().unwrap_or(0).max(self.width)
    }

    /// Four steps that squash an amount are one, which rounds where they rounded.
    fn fuse(&mut self) {
        let made: HashMap<Plane, usize> =
            self.steps.iter().enumerate().flat_map(|(at, step)| step.makes().map(move |plane| (plane, at))).collect();
        let step = |plane: &Plane| made.get(plane).map(|at| &self.steps[*at]);
        let fused = |found: &Step| {
            let Step::Join { join: Join::Mul, left: Operand::Plane(sign), right: Operand::Plane(log), to } = found
            else {
                return None;
            };
            let Step::Map { function: Function::Sign, from, .. } = step(sign)? else { return None };
            let Step::Map { function: Function::Log, from: sum, .. } = step(log)? else { return None };
            let Step::Join { join: Join::Add, left: Operand::Plane(size), right: Operand::Number(one), .. } =
                step(sum)?
            else {
                return None;
            };
            let Step::Map { function: Function::Abs, from: same, .. } = step(size)? else { return None };
            let squash = Step::Map { function: Function::SoftLog(*one), from: *from, to: *to };
            (from == same).then_some(squash)
        };
        let steps = self.steps.iter().map(|found| fused(found).unwrap_or_else(|| found.clone())).collect();
        self.steps = steps;
    }

    fn drop_unread(&mut self) {
        let mut read: HashSet<Plane> = self.outputs.iter().flatten().copied().collect();
        let mut kept = Vec::with_capacity(self.steps.len());
        for step in self.steps.drain(..).rev() {
            if step.makes().any(|plane| read.contains(&plane)) {
                read.extend(step.reads());
                kept.push(step);
            }
        }
        kept.reverse();
        self.steps = kept;
    }

    fn renumber(self) -> Self {
        let mut next = self.width as Plane;
        let mut numbers: HashMap<Plane, Plane> = (0..next).map(|plane| (plane, plane)).collect();
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in self.steps {
            let made = step.makes();
            let number = |plane: Plane| numbers[&plane];
            let mut step = step.renumbered(number);
            if let Step::Layer(layer) = &mut step
                && !layer.from.windows(2).all(|pair| pair[0] + 1 == pair[1])
            {
                for from in &mut layer.from {
                    steps.push(Step::Map { function: Function::Copy, from: *from, to: next });
                    *from = next;
                    next += 1;
                }
            }
            let first = next;
            numbers.extend(made.clone().zip(first..));
            next += made.len() as Plane;
            match &mut step {
                Step::Map { to, .. } | Step::Join { to, .. } => *to = first,
                Step::Layer(layer) => layer.to = first,
            }
            steps.push(step);
        }
        let outputs = self.outputs.iter().map(|planes| planes.iter().map(|plane| numbers[plane]).collect()).collect();
        Self { width: self.width, steps, outputs }
    }
}

impl Step {
    /// With what it reads renumbered.
    fn renumbered(self, number: impl Fn(Plane) -> Plane) -> Self {
        let operand = |operand| match operand {
            Operand::Plane(plane) => Operand::Plane(number(plane)),
            Operand::Number(_) => operand,
        };
        match self {
            Self::Map { function, from, to } => Self::Map { function, from: number(from), to },
            Self::Join { join, left, right, to } => Self::Join { join, left: operand(left), right: operand(right), to },
            Self::Layer(layer) => {
                Self::Layer(Layer { from: layer.from.iter().map(|plane| number(*plane)).collect(), ..layer })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(function: Function, from: Plane, to: Plane) -> Step {
        Step::Map { function, from, to }
    }

    fn join(join: Join, left: Plane, right: Operand, to: Plane) -> Step {
        Step::Join { join, left: Operand::Plane(left), right, to }
    }

    #[test]
    fn a_squash_is_one_step_and_what_nobody_reads_is_dropped() {
        let steps = vec![
            map(Function::Sign, 1, 2),
            map(Function::Abs, 1, 3),
            join(Join::Add, 3, Operand::Number(1.0), 4),
            map(Function::Log, 4, 5),
            join(Join::Mul, 2, Operand::Plane(5), 6),
            map(Function::Exp, 0, 7),
        ];
        let found = Steps { width: 2, steps, outputs: vec![vec![6]] }.simplified();
        assert_eq!(found.steps, [map(Function::SoftLog(1.0), 1, 2)]);
        assert_eq!((found.outputs, found.steps.len()), (vec![vec![2]], 1));
    }

    #[test]
    fn the_size_of_one_number_and_the_sign_of_another_are_no_squash() {
        let steps = vec![
            map(Function::Sign, 1, 2),
            map(Function::Abs, 0, 3),
            join(Join::Add, 3, Operand::Number(1.0), 4),
            map(Function::Log, 4, 5),
            join(Join::Mul, 2, Operand::Plane(5), 6),
        ];
        let found = Steps { width: 2, steps: steps.clone(), outputs: vec![vec![6]] }.simplified();
        assert_eq!(found.steps, steps);
    }

    #[test]
    fn a_layer_that_reads_here_and_there_reads_copies_side_by_side() {
        let layer = |from: Vec<Plane>, to| {
            Step::Layer(Layer { from, to, weights: vec![0.5, 2.0], bias: vec![0.0], relu: false })
        };
        let found = Steps { width: 3, steps: vec![layer(vec![2, 0], 3)], outputs: vec![vec![3]] }.simplified();
        assert_eq!(found.steps, [map(Function::Copy, 2, 3), map(Function::Copy, 0, 4), layer(vec![3, 4], 5)]);
        assert_eq!((found.outputs.clone(), found.planes()), (vec![vec![5]], 6));
    }
}
