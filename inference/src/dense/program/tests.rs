//! Steps as they are packed, for a block and for one row, against each step's meaning in the plainest code.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::dense::kernel::{self, GROUP};
use crate::dense::lanes::{BLOCK, Column, Rows};
use crate::dense::math;
use crate::dense::steps::{Lookup, Normalize};
use crate::dense::tests::{Numbers, bits};
use crate::trees::Vectors;

/// The columns of one row, step by step; nothing where a table has no row for a code.
pub(in crate::dense) fn meaning(steps: &Steps, row: &[f32]) -> Option<Vec<f32>> {
    let mut cells = vec![0f32; steps.columns()];
    cells[..row.len()].copy_from_slice(row);
    for step in &steps.steps {
        let at = |column: &u32| cells[*column as usize];
        let side = |side: &Operand| match side {
            Operand::Column(column) => at(column),
            Operand::Number(number) => *number,
        };
        let made: Vec<f32> = match step {
            Step::Map { function, from, .. } => vec![function.of(at(from))],
            Step::Join { join, left, right, .. } => vec![join.of(side(left), side(right))],
            Step::Choose { test, yes, no, .. } => vec![if at(test) != 0.0 { side(yes) } else { side(no) }],
            Step::Layer(layer) => {
                let outputs = layer.bias.len();
                let sum = |output: usize| {
                    let inputs = layer.from.iter().enumerate();
                    let sum = inputs.fold(0f32, |sum, (input, from)| {
                        at(from).mul_add(layer.weights[input * outputs + output], sum)
                    });
                    let sum = sum + layer.bias[output];
                    if layer.relu && sum < 0.0 { 0.0 } else { sum }
                };
                (0..outputs).map(sum).collect()
            }
            Step::Normalize(Normalize { from, epsilon, scale, bias, .. }) => {
                let count = from.len() as f32;
                let mean = from.iter().fold(0f32, |sum, from| sum + at(from)) / count;
                let squares = from.iter().fold(0f32, |sum, from| (at(from) - mean).mul_add(at(from) - mean, sum));
                let spread = (squares / count + epsilon).sqrt();
                let each = from.iter().zip(scale).zip(bias);
                each.map(|((from, scale), bias)| (at(from) - mean) / spread * scale + bias).collect()
            }
            Step::Softmax { from, .. } => {
                let most = from.iter().map(at).fold(f32::NEG_INFINITY, |most, x| if x > most { x } else { most });
                let risen: Vec<f32> = from.iter().map(|from| math::exp(at(from) - most)).collect();
                let sum = risen.iter().fold(0f32, |sum, risen| sum + risen);
                risen.into_iter().map(|risen| risen / sum).collect()
            }
            Step::Dot { left, right, .. } => {
                vec![left.iter().zip(right).fold(0f32, |sum, (left, right)| at(left).mul_add(at(right), sum))]
            }
            Step::Lookup(lookup) => lookup.row(at(&lookup.from))?.to_vec(),
        };
        cells[step.makes().start as usize..][..made.len()].copy_from_slice(&made);
    }
    Some(steps.outputs.concat().iter().map(|column| cells[*column as usize]).collect())
}

/// Steps by seed, over three columns: each reads what stands before it, and every column is an output.
pub(in crate::dense) fn random(seed: u64, count: usize) -> Steps {
    let mut numbers = Numbers(seed);
    let mut steps = Steps { width: 3, checks: vec!["no such code".into()], ..Steps::default() };
    for _ in 0..count {
        let to = steps.columns() as u32;
        let below = |numbers: &mut Numbers, bound: u32| ((numbers.next() + 2.0) * 1e5) as u32 % bound;
        let some = |numbers: &mut Numbers, count: u32| (0..count).map(|_| below(numbers, to)).collect::<Vec<_>>();
        let side = |numbers: &mut Numbers| match below(numbers, 3) {
            0 => Operand::Number(numbers.next()),
            _ => Operand::Column(below(numbers, to)),
        };
        let n = &mut numbers;
        let step = match below(n, 14) {
            0..=3 => {
                let functions = [
                    Function::Abs,
                    Function::Sign,
                    Function::Log,
                    Function::Relu,
                    Function::Tanh,
                    Function::Leaky(0.5),
                    Function::Clip(-1.0, 1.0),
                    Function::Neg,
                ];
                Step::Map { function: functions[below(n, 8) as usize], from: below(n, to), to }
            }
            4..=7 => {
                let joins = [Join::Add, Join::Sub, Join::Mul, Join::Div, Join::Greater, Join::Equal];
                Step::Join {
                    join: joins[below(n, 6) as usize],
                    left: Operand::Column(below(n, to)),
                    right: side(n),
                    to,
                }
            }
            8 => Step::Choose { test: below(n, to), yes: side(n), no: side(n), to },
            9 | 10 => {
                let (inputs, outputs) = (1 + below(n, 5), 1 + below(n, 6) as usize);
                let (from, weights) = (some(n, inputs), Arc::new(n.many(inputs as usize * outputs)));
                let bias = if below(n, 2) == 0 { vec![0.0; outputs] } else { n.many(outputs) };
                Step::Layer(steps::Layer { from, to, weights, bias, relu: below(n, 3) == 0 })
            }
            11 => {
                let count = 2 + below(n, 3);
                let (from, scale, bias) = (some(n, count), n.many(count as usize), n.many(count as usize));
                Step::Normalize(Normalize { from, to, epsilon: 1e-3, scale, bias })
            }
            12 => match below(n, 2) {
                0 => Step::Softmax { from: some(n, 3), to },
                _ => Step::Dot { left: some(n, 3), right: some(n, 3), to },
            },
            _ => Step::Lookup(Lookup { from: below(n, 3), to, table: Arc::new(n.many(8)), width: 2, check: 0 }),
        };
        steps.steps.push(step);
    }
    steps.outputs = vec![(0..steps.columns() as u32).collect()];
    steps
}

/// Of few values, so that truths, ties and codes of tables are met.
fn rows(seed: u64, count: usize) -> Vec<f32> {
    let number = |x: f32| match (x * 4.0) as i32 {
        7 => f32::NAN,
        -7 => f32::INFINITY,
        whole => (whole / 2) as f32,
    };
    Numbers(seed).many(count * 3).into_iter().map(number).collect()
}

fn one_pattern(answers: Option<Vec<f32>>) -> Option<Vec<u32>> {
    answers.map(|all| bits(&all.into_iter().map(|x| if x.is_nan() { f32::NAN } else { x }).collect::<Vec<_>>()))
}

#[test]
fn packed_steps_mean_what_they_meant_in_a_block_and_alone() {
    let mut refused = 0;
    for seed in 0..150 {
        let steps = random(seed, 20);
        // An output of its own for half of them, so that what only others read may be fused, absorbed or dropped.
        let outputs =
            vec![steps.outputs[0].iter().copied().filter(|column| column % (1 + seed as u32 % 4) == 0).collect()];
        let steps = Steps { outputs, ..steps };
        let simple = steps.clone().simplified();
        let program = Program::new(&simple, GROUP);
        let rows = rows(seed, 21);
        let mut columns = vec![Column([0.0; BLOCK]); program.columns];
        kernel::run(Vectors::None, &program, Rows(&rows, 3), &mut columns);
        for (at, row) in rows.chunks(3).enumerate() {
            let expected = one_pattern(meaning(&steps, row));
            assert!(simple.columns() <= steps.columns() + 64, "seed {seed}");
            let mut cells = vec![0.0; program.columns];
            program.run_one(row, &mut cells);
            let outputs = || program.outputs.concat();
            let alone = outputs().iter().map(|column| cells[*column as usize]).collect();
            let among = outputs().iter().map(|column| columns[*column as usize].0[at]).collect();
            let said = |last: f32| program.check(last).is_some();
            let is_refused = [said(cells[program.columns - 1]), said(columns[program.columns - 1].0[at])];
            if meaning(&simple, row).is_none() {
                assert_eq!(is_refused, [true, true], "seed {seed}, row {at}: {row:?}");
                refused += 1;
                continue;
            }
            assert_eq!(is_refused, [false, false], "seed {seed}, row {at}: {row:?}");
            if expected.is_some() {
                assert_eq!(one_pattern(meaning(&simple, row)), expected, "seed {seed}, row {at}: {row:?}, simplified");
            }
            let expected = one_pattern(meaning(&simple, row));
            assert_eq!(one_pattern(Some(alone)), expected, "seed {seed}, row {at}: {row:?}, alone");
            assert_eq!(one_pattern(Some(among)), expected, "seed {seed}, row {at}: {row:?}, in a block");
        }
    }
    assert!(refused > 50, "only {refused} rows had a code that no table has");
}

#[test]
fn neighbours_that_do_the_same_are_one_and_others_are_not() {
    let map = |function, from, to| Step::Map { function, from, to };
    let join = |left, right, to| Step::Join { join: Join::Add, left, right, to };
    let (column, number) = (Operand::Column, Operand::Number);
    for (name, steps, expected) in [
        ("side by side", vec![map(Function::Abs, 0, 3), map(Function::Abs, 1, 4), map(Function::Abs, 2, 5)], 1),
        ("another function", vec![map(Function::Abs, 0, 3), map(Function::Neg, 1, 4)], 2),
        ("another slope", vec![map(Function::Leaky(0.1), 0, 3), map(Function::Leaky(0.2), 1, 4)], 2),
        ("turned round", vec![map(Function::Abs, 1, 3), map(Function::Abs, 0, 4)], 2),
        ("of the one before", vec![map(Function::Abs, 2, 3), map(Function::Abs, 3, 4)], 2),
        ("with numbers", vec![join(column(0), number(1.0), 3), join(column(1), number(2.0), 4)], 1),
        (
            "with one column",
            vec![join(column(0), column(2), 3), join(column(1), column(2), 4), join(column(2), column(2), 5)],
            1,
        ),
        ("one column with itself", vec![join(column(1), column(1), 3), join(column(1), column(1), 4)], 1),
        ("a column, then a number", vec![join(column(0), column(1), 3), join(column(1), number(2.0), 4)], 2),
        ("a sum of the sum before", vec![join(column(0), column(1), 3), join(column(3), column(1), 4)], 2),
    ] {
        let columns = 3 + steps.len() as u32;
        let steps = Steps { width: 3, steps, outputs: vec![(3..columns).collect()], ..Steps::default() };
        let program = Program::new(&steps, GROUP);
        assert_eq!(program.steps.len(), expected, "{name}");
        let row = [0.5, -2.0, 3.0];
        let mut cells = vec![0.0; program.columns];
        program.run_one(&row, &mut cells);
        assert_eq!(Some(cells[3..].to_vec()), meaning(&steps, &row), "{name}");
    }
}

#[test]
fn what_a_row_is_refused_for_is_counted_from_one() {
    let checks = vec!["first".to_owned(), "second".to_owned()];
    let program = Program::new(&Steps { width: 1, checks, outputs: vec![vec![0]], ..Steps::default() }, GROUP);
    for (said, expected) in [(0.0, None), (1.0, Some("first")), (2.0, Some("second")), (3.0, None)] {
        assert_eq!(program.check(said), expected, "{said}");
    }
    assert_eq!((program.columns, Program::new(&Steps { width: 1, ..Steps::default() }, GROUP).columns), (2, 1));
}
