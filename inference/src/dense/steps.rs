//! What a dense net does, column by column: each value between input and output is so many columns, numbered, and
//! a step makes one column, or a layer's columns, of earlier ones. Steps are simplified here before they are laid out.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Number of a column. Those of the input come first; a step makes columns with higher numbers than it reads.
pub(super) type Column = u32;

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    Copy,
    Abs,
    Neg,
    Sign,
    Exp,
    Log,
    Sqrt,
    Relu,
    Sigmoid,
    Tanh,
    Erf,
    /// x · Φ(x).
    Gelu,
    /// Below zero, times this.
    Leaky(f32),
    /// Between these.
    Clip(f32, f32),
    /// sign(x) · ln(|x| + this).
    SoftLog(f32),
    /// Towards zero; the negative of this where it is no number, or not below this in size: a code that is nobody's.
    Whole(f32),
}

/// A function of two numbers; comparisons give 1 or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Add,
    Sub,
    Mul,
    Div,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a join reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operand {
    Column(Column),
    Number(f32),
}

/// Sums of weighted columns: for each output, from zero, the inputs' products in order by fused multiply-adds, then its bias.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub from: Vec<Column>,
    /// The first of the outputs.
    pub to: Column,
    /// Input by input, one for each output. The turns of a loop share them.
    pub weights: Arc<Vec<f32>>,
    /// One for each output.
    pub bias: Vec<f32>,
    /// What is below zero becomes zero.
    pub relu: bool,
}

/// (x − mean) / √(variance + epsilon) · scale + bias, with mean and variance those of a row's columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Normalize {
    pub from: Vec<Column>,
    /// The first of as many as are read.
    pub to: Column,
    pub epsilon: f32,
    pub scale: Vec<f32>,
    pub bias: Vec<f32>,
}

/// Rows of a table by their number, from its end where it is negative: what a category is embedded as.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lookup {
    pub from: Column,
    /// The first of as many as a row of the table has.
    pub to: Column,
    pub table: Arc<Vec<f32>>,
    pub width: usize,
    /// Place in [`Steps::checks`] of what to say where the table has no such row.
    pub check: usize,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Map {
        function: Function,
        from: Column,
        to: Column,
    },
    Join {
        join: Join,
        left: Operand,
        right: Operand,
        to: Column,
    },
    /// One of two numbers: the first where the test is not zero.
    Choose {
        test: Column,
        yes: Operand,
        no: Operand,
        to: Column,
    },
    Layer(Layer),
    Normalize(Normalize),
    /// e^(x − greatest) / Σ e^(x − greatest).
    Softmax {
        from: Vec<Column>,
        to: Column,
    },
    /// The sum of products of two lists of columns.
    Dot {
        left: Vec<Column>,
        right: Vec<Column>,
        to: Column,
    },
    Lookup(Lookup),
}

/// All steps, and the columns of each output.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Steps {
    pub width: usize,
    pub steps: Vec<Step>,
    pub outputs: Vec<Vec<Column>>,
    /// What is said of a row that a step has no answer for.
    pub checks: Vec<String>,
}

impl Operand {
    fn column(self) -> Option<Column> {
        match self {
            Self::Column(column) => Some(column),
            Self::Number(_) => None,
        }
    }

    fn with(self, number: &mut impl FnMut(Column) -> Option<Column>) -> Option<Self> {
        match self {
            Self::Column(column) => number(column).map(Self::Column),
            Self::Number(_) => Some(self),
        }
    }
}

impl Lookup {
    /// The row of the table that a code stands for.
    #[inline(always)]
    pub fn row(&self, code: f32) -> Option<&[f32]> {
        let count = self.table.len() / self.width;
        let place = if code < 0.0 { code + count as f32 } else { code };
        let first = if place >= 0.0 { (place as usize).checked_mul(self.width)? } else { return None };
        self.table.get(first..)?.get(..self.width)
    }
}

impl Step {
    pub fn reads(&self) -> Vec<Column> {
        match self {
            Self::Map { from, .. } => vec![*from],
            Self::Join { left, right, .. } => [left, right].into_iter().filter_map(|side| side.column()).collect(),
            Self::Choose { test, yes, no, .. } => {
                [*test].into_iter().chain([yes, no].into_iter().filter_map(|side| side.column())).collect()
            }
            Self::Layer(Layer { from, .. }) | Self::Normalize(Normalize { from, .. }) | Self::Softmax { from, .. } => {
                from.clone()
            }
            Self::Dot { left, right, .. } => [left.as_slice(), right].concat(),
            Self::Lookup(lookup) => vec![lookup.from],
        }
    }

    pub fn makes(&self) -> Range<Column> {
        let (to, count) = match self {
            Self::Map { to, .. } | Self::Join { to, .. } | Self::Choose { to, .. } | Self::Dot { to, .. } => (*to, 1),
            Self::Layer(Layer { to, bias, .. }) => (*to, bias.len()),
            Self::Normalize(Normalize { from, to, .. }) | Self::Softmax { from, to } => (*to, from.len()),
            Self::Lookup(Lookup { to, width, .. }) => (*to, *width),
        };
        to..to + count as Column
    }

    /// With what it reads renumbered, and what it makes from this column on; nothing where a column has no new number.
    pub fn renumbered(self, mut number: impl FnMut(Column) -> Option<Column>, to: Column) -> Option<Self> {
        let mut all = |columns: Vec<Column>| columns.into_iter().map(&mut number).collect::<Option<Vec<_>>>();
        Some(match self {
            Self::Layer(layer) => Self::Layer(Layer { from: all(layer.from)?, to, ..layer }),
            Self::Normalize(step) => Self::Normalize(Normalize { from: all(step.from)?, to, ..step }),
            Self::Softmax { from, .. } => Self::Softmax { from: all(from)?, to },
            Self::Dot { left, right, .. } => Self::Dot { left: all(left)?, right: all(right)?, to },
            Self::Map { function, from, .. } => Self::Map { function, from: number(from)?, to },
            Self::Join { join, left, right, .. } => {
                Self::Join { join, left: left.with(&mut number)?, right: right.with(&mut number)?, to }
            }
            Self::Choose { test, yes, no, .. } => {
                Self::Choose { test: number(test)?, yes: yes.with(&mut number)?, no: no.with(&mut number)?, to }
            }
            Self::Lookup(lookup) => Self::Lookup(Lookup { from: number(lookup.from)?, to, ..lookup }),
        })
    }
}

impl Steps {
    /// The same answers by fewer steps, with columns numbered without gaps and layers that read neighbours.
    pub fn simplified(mut self) -> Self {
        self.fuse();
        self.absorb();
        self.drop_unread();
        self.renumber()
    }

    /// Columns at work, those of the input included.
    pub fn columns(&self) -> usize {
        self.steps.iter().map(|step| step.makes().end as usize).max().unwrap_or(0).max(self.width)
    }

    /// Four steps that squash an amount are one, which rounds where they rounded.
    fn fuse(&mut self) {
        let made: HashMap<Column, usize> =
            self.steps.iter().enumerate().flat_map(|(at, step)| step.makes().map(move |column| (column, at))).collect();
        let step = |column: &Column| made.get(column).map(|at| &self.steps[*at]);
        let fused = |found: &Step| {
            let Step::Join { join: Join::Mul, left: Operand::Column(sign), right: Operand::Column(log), to } = found
            else {
                return None;
            };
            let Step::Map { function: Function::Sign, from, .. } = step(sign)? else { return None };
            let Step::Map { function: Function::Log, from: sum, .. } = step(log)? else { return None };
            let Step::Join { join: Join::Add, left: Operand::Column(size), right: Operand::Number(one), .. } =
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

    /// A bias and a relu join the layer before them, where nobody else reads the bare sums.
    fn absorb(&mut self) {
        let mut readers: HashMap<Column, usize> = HashMap::new();
        let read = self.steps.iter().flat_map(Step::reads).chain(self.outputs.iter().flatten().copied());
        read.for_each(|column| *readers.entry(column).or_default() += 1);
        let mut layers: HashMap<Column, usize> = HashMap::new();
        for (at, step) in self.steps.iter().enumerate() {
            if let Step::Layer(layer) = step
                && step.makes().all(|column| readers.get(&column) == Some(&1))
            {
                layers.insert(layer.to, at);
            }
        }
        // By column of a layer's: what its one reader makes of it.
        let mut biased: HashMap<Column, (f32, Column)> = HashMap::new();
        let mut risen: HashMap<Column, Column> = HashMap::new();
        for step in &self.steps {
            match step {
                Step::Join { join: Join::Add, left: Operand::Column(column), right: Operand::Number(number), to }
                | Step::Join { join: Join::Add, left: Operand::Number(number), right: Operand::Column(column), to } => {
                    biased.insert(*column, (*number, *to));
                }
                Step::Map { function: Function::Relu, from, to } => {
                    risen.insert(*from, *to);
                }
                _ => {}
            }
        }
        let mut instead: HashMap<Column, Column> = HashMap::new();
        for at in layers.into_values() {
            let Step::Layer(layer) = &mut self.steps[at] else { continue };
            let mut own: Vec<Column> = (layer.to..layer.to + layer.bias.len() as Column).collect();
            let added: Option<Vec<(f32, Column)>> = own.iter().map(|column| biased.get(column).copied()).collect();
            if let Some(added) = added
                && layer.bias.iter().all(|bias| *bias == 0.0)
                && !layer.relu
            {
                layer.bias = added.iter().map(|(bias, _)| *bias).collect();
                own = added.iter().map(|(_, column)| *column).collect();
            }
            let alone = own.iter().all(|column| readers.get(column) == Some(&1));
            let cut: Option<Vec<Column>> = own.iter().map(|column| risen.get(column).copied()).collect();
            if let Some(cut) = cut.filter(|_| alone && !layer.relu) {
                layer.relu = true;
                own = cut;
            }
            let columns = layer.to..layer.to + layer.bias.len() as Column;
            instead.extend(own.into_iter().zip(columns).filter(|(from, to)| from != to));
        }
        let new = |column: Column| instead.get(&column).copied().unwrap_or(column);
        self.steps.retain(|step| !step.makes().any(|column| instead.contains_key(&column)));
        let steps = self.steps.drain(..).filter_map(|step| {
            let to = step.makes().start;
            step.renumbered(|column| Some(new(column)), to)
        });
        self.steps = steps.collect();
        self.outputs.iter_mut().flatten().for_each(|column| *column = new(*column));
    }

    fn drop_unread(&mut self) {
        let mut read: HashSet<Column> = self.outputs.iter().flatten().copied().collect();
        let mut kept = Vec::with_capacity(self.steps.len());
        for step in self.steps.drain(..).rev() {
            if step.makes().any(|column| read.contains(&column)) {
                read.extend(step.reads());
                kept.push(step);
            }
        }
        kept.reverse();
        self.steps = kept;
    }

    fn renumber(self) -> Self {
        let mut next = self.width as Column;
        let mut numbers: HashMap<Column, Column> = (0..next).map(|column| (column, column)).collect();
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in self.steps {
            let made = step.makes();
            let Some(mut step) = step.renumbered(|column| numbers.get(&column).copied(), next) else { continue };
            if let Step::Layer(layer) = &mut step
                && !layer.from.windows(2).all(|pair| pair[0] + 1 == pair[1])
            {
                for from in &mut layer.from {
                    steps.push(Step::Map { function: Function::Copy, from: *from, to: next });
                    *from = next;
                    next += 1;
                }
                layer.to = next;
            }
            numbers.extend(made.clone().zip(next..));
            next += made.len() as Column;
            steps.push(step);
        }
        let outputs =
            self.outputs.iter().map(|columns| columns.iter().map(|column| numbers[column]).collect()).collect();
        Self { steps, outputs, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(function: Function, from: Column, to: Column) -> Step {
        Step::Map { function, from, to }
    }

    fn join(join: Join, left: Column, right: Operand, to: Column) -> Step {
        Step::Join { join, left: Operand::Column(left), right, to }
    }

    #[test]
    fn a_squash_is_one_step_and_what_nobody_reads_is_dropped() {
        let steps = vec![
            map(Function::Sign, 1, 2),
            map(Function::Abs, 1, 3),
            join(Join::Add, 3, Operand::Number(1.0), 4),
            map(Function::Log, 4, 5),
            join(Join::Mul, 2, Operand::Column(5), 6),
            map(Function::Exp, 0, 7),
        ];
        let found = Steps { width: 2, steps, outputs: vec![vec![6]], ..Steps::default() }.simplified();
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
            join(Join::Mul, 2, Operand::Column(5), 6),
        ];
        let found = Steps { width: 2, steps: steps.clone(), outputs: vec![vec![6]], ..Steps::default() }.simplified();
        assert_eq!(found.steps, steps);
    }

    #[test]
    fn a_layer_that_reads_here_and_there_reads_copies_side_by_side() {
        let layer = |from: Vec<Column>, to| {
            Step::Layer(Layer { from, to, weights: Arc::new(vec![0.5, 2.0]), bias: vec![0.0], relu: false })
        };
        let found = Steps { width: 3, steps: vec![layer(vec![2, 0], 3)], outputs: vec![vec![3]], ..Steps::default() }
            .simplified();
        assert_eq!(found.steps, [map(Function::Copy, 2, 3), map(Function::Copy, 0, 4), layer(vec![3, 4], 5)]);
        assert_eq!((found.outputs.clone(), found.columns()), (vec![vec![5]], 6));
    }

    #[test]
    fn a_bias_and_a_relu_join_their_layer_where_nobody_else_reads_the_sums() {
        let layer = |to, bias: f32, relu| {
            let weights = Arc::new(vec![1.0]);
            Step::Layer(Layer { from: vec![0], to, weights, bias: vec![bias], relu })
        };
        let steps = |last| vec![layer(1, 0.0, false), join(Join::Add, 1, Operand::Number(2.0), 2), last];
        let relu = map(Function::Relu, 2, 3);
        let found = Steps { width: 1, steps: steps(relu.clone()), outputs: vec![vec![3]], ..Steps::default() };
        assert_eq!(found.simplified().steps, [layer(1, 2.0, true)]);
        let found = Steps { width: 1, steps: steps(relu), outputs: vec![vec![3, 2]], ..Steps::default() }.simplified();
        assert_eq!(found.steps, [layer(1, 2.0, false), map(Function::Relu, 1, 2)]);
        assert_eq!(found.outputs, [[2, 1]]);
        let twice = join(Join::Mul, 2, Operand::Column(1), 3);
        let found = Steps { width: 1, steps: steps(twice.clone()), outputs: vec![vec![3]], ..Steps::default() };
        assert_eq!(found.simplified().steps, steps(twice));
    }
}
