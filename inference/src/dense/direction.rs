//! What can be proven of an output's direction from the weights alone: a sum rises where every product does. Rounding keeps
//! order, so what is proven holds to the bit. Most nets prove nothing; those trained under a constraint on their weights do.

use super::steps::{Column, Function, Join, Operand, Step, Steps};

/// How a number moves as one input rises, whatever the other inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Not at all.
    Constant,
    /// Never down.
    Rising,
    /// Never up.
    Falling,
    /// The weights prove nothing.
    NotProven,
}

use Direction::{Constant, Falling, NotProven, Rising};

impl Direction {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Constant, direction) | (direction, Constant) => direction,
            (one, other) if one == other => one,
            _ => NotProven,
        }
    }

    fn flipped(self) -> Self {
        match self {
            Rising => Falling,
            Falling => Rising,
            Constant | NotProven => self,
        }
    }

    /// Of a number times a constant.
    fn times(self, factor: f32) -> Self {
        match factor.partial_cmp(&0.0) {
            Some(std::cmp::Ordering::Greater) => self,
            Some(std::cmp::Ordering::Less) => self.flipped(),
            // An infinite input makes zero times it no number, which has no order.
            Some(std::cmp::Ordering::Equal) => Constant,
            None => NotProven,
        }
    }

    /// Of a function of it that has no direction.
    fn lost(self) -> Self {
        if self == Constant { Constant } else { NotProven }
    }
}

/// The direction of each output's columns in one input.
pub(super) fn of(steps: &Steps, input: usize) -> Vec<Vec<Direction>> {
    let mut found = vec![Constant; steps.columns()];
    if let Some(own) = found[..steps.width].get_mut(input) {
        *own = Rising;
    }
    for step in &steps.steps {
        match step {
            Step::Map { function, from, to } => found[*to as usize] = mapped(*function, found[*from as usize]),
            Step::Join { join, left, right, to } => found[*to as usize] = joined(*join, *left, *right, &found),
            Step::Layer(layer) => {
                let outputs = layer.bias.len();
                for output in 0..outputs {
                    let weights = layer.weights.iter().skip(output).step_by(outputs);
                    let products = layer.from.iter().zip(weights).map(|(from, w)| found[*from as usize].times(*w));
                    found[layer.to as usize + output] = products.fold(Constant, Direction::and);
                }
            }
            Step::Choose { .. } | Step::Normalize(_) | Step::Softmax { .. } | Step::Dot { .. } | Step::Lookup(_) => {
                let all = step.reads().into_iter().map(|column| found[column as usize]);
                let lost = all.fold(Constant, Direction::and).lost();
                step.makes().for_each(|column| found[column as usize] = lost);
            }
        }
    }
    let column = |column: &Column| found[*column as usize];
    steps.outputs.iter().map(|columns| columns.iter().map(column).collect()).collect()
}

fn mapped(function: Function, from: Direction) -> Direction {
    match function {
        Function::Copy
        | Function::Sign
        | Function::Exp
        | Function::Log
        | Function::Sqrt
        | Function::Relu
        | Function::Sigmoid
        | Function::Tanh
        | Function::Clip(..) => from,
        Function::Neg => from.flipped(),
        Function::Abs | Function::Erf | Function::Gelu | Function::Whole(_) => from.lost(),
        Function::Leaky(slope) => {
            if slope >= 0.0 {
                from
            } else {
                from.lost()
            }
        }
        // Below one, its logarithm near zero is negative and the sign turns it over.
        Function::SoftLog(one) => {
            if one >= 1.0 {
                from
            } else {
                from.lost()
            }
        }
    }
}

fn joined(join: Join, left: Operand, right: Operand, found: &[Direction]) -> Direction {
    let of = |operand| match operand {
        Operand::Column(column) => found[column as usize],
        Operand::Number(_) => Constant,
    };
    let (a, b) = (of(left), of(right));
    match (join, left, right) {
        (Join::Add, ..) => a.and(b),
        (Join::Equal, ..) => a.and(b).lost(),
        (Join::Sub | Join::Greater | Join::GreaterOrEqual, ..) => a.and(b.flipped()),
        (Join::Less | Join::LessOrEqual, ..) => a.flipped().and(b),
        (Join::Mul, Operand::Number(factor), _) => b.times(factor),
        (Join::Mul | Join::Div, _, Operand::Number(factor)) => a.times(factor),
        (Join::Mul | Join::Div, ..) => a.and(b).lost(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::steps::Layer;
    use super::*;

    /// Two inputs: a squash of the first and a step of the second, a layer of two with a relu, and an output.
    fn net(first: [f32; 4], second: [f32; 2], squash: Function) -> Steps {
        let layer = |from: [Column; 2], to, weights: &[f32], outputs, relu| {
            let (weights, bias) = (weights.to_vec().into(), vec![0.5; outputs]);
            Step::Layer(Layer { from: from.to_vec(), to, weights, bias, relu })
        };
        let above = Step::Join { join: Join::Greater, left: Operand::Column(1), right: Operand::Number(0.5), to: 3 };
        let steps = vec![
            Step::Map { function: squash, from: 0, to: 2 },
            above,
            layer([2, 3], 4, &first, 2, true),
            layer([4, 5], 6, &second, 1, false),
        ];
        Steps { width: 2, steps, outputs: vec![vec![6]], ..Steps::default() }
    }

    #[test]
    fn signs_that_agree_prove_and_others_do_not() {
        let soft = Function::SoftLog(1.0);
        for (first, second, squash, expected) in [
            ([1.0, 2.0, -1.0, -0.5], [1.0, 3.0], soft, [Rising, Falling]),
            ([1.0, -2.0, 0.0, 0.0], [1.0, -3.0], soft, [Rising, Constant]),
            ([1.0, 2.0, 1.0, -1.0], [1.0, 1.0], soft, [Rising, NotProven]),
            ([1.0, 2.0, 1.0, -1.0], [-1.0, 0.0], soft, [Falling, Falling]),
            ([1.0, 2.0, 0.0, 1.0], [1.0, f32::NAN], soft, [NotProven, NotProven]),
            ([1.0, 2.0, 1.0, 1.0], [1.0, 1.0], Function::SoftLog(0.5), [NotProven, Rising]),
            ([1.0, 2.0, 1.0, 1.0], [1.0, 1.0], Function::Abs, [NotProven, Rising]),
            ([1.0, 2.0, 1.0, 1.0], [1.0, 1.0], Function::Neg, [Falling, Rising]),
        ] {
            let steps = net(first, second, squash);
            let found = [0, 1].map(|input| of(&steps, input)[0][0]);
            assert_eq!(found, expected, "{first:?} {second:?} {squash:?}");
        }
    }

    /// Whatever is proven of steps by seed, a walk along the input shows nothing else.
    #[test]
    fn what_is_proven_holds_on_every_walk() {
        use crate::dense::program::tests::{meaning, random};
        use crate::dense::tests::Numbers;
        let mut proven = [0, 0];
        for seed in 0..300 {
            let steps = random(seed, 8);
            let mut others = Numbers(seed);
            for input in 0..3 {
                let directions = of(&steps, input).concat();
                for _ in 0..4 {
                    let mut row = others.many(3);
                    let mut before: Option<Vec<f32>> = None;
                    for step in -20..=20 {
                        row[input] = step as f32 / 4.0;
                        let Some(now) = meaning(&steps, &row) else { continue };
                        for (column, (a, b)) in before.iter().flatten().zip(&now).enumerate() {
                            let holds = match directions[column] {
                                Constant => a == b || a.is_nan() || b.is_nan(),
                                Rising => a.partial_cmp(b) != Some(std::cmp::Ordering::Greater),
                                Falling => a.partial_cmp(b) != Some(std::cmp::Ordering::Less),
                                NotProven => true,
                            };
                            assert!(holds, "seed {seed}, column {column} by input {input}: {a}, then {b} in {steps:?}");
                        }
                        before = Some(now);
                    }
                }
                let count = |wanted| directions.iter().filter(|found| **found == wanted).count();
                proven = [proven[0] + count(Rising), proven[1] + count(Falling)];
            }
        }
        assert!(proven[0] > 1000 && proven[1] > 100, "little is proven: {proven:?}");
    }
}
