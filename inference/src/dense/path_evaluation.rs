//! A net taken apart at its first layer, for answers on the path from one row to another. Where everything before that layer is
//! of one feature each, its sums are sums of the features' parts: [`super::along`] adds and takes out parts.

use super::program::Program;
use super::steps::{Layer, Step, Steps};

/// A move of one feature between two rows, from the one where it is to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which start the path is from.
    pub start: usize,
    /// Whether the path begins here: all features are first put to their start.
    pub first: bool,
    /// The feature that moves.
    pub feature: usize,
    /// To the row that paths go to, or back to the start.
    pub forth: bool,
    /// Whether the place after the move is asked for.
    pub asked: bool,
}

/// The places that are asked for on a path from starts to a row, laid one after the other.
pub fn places(starts: &[Vec<f32>], row: &[f32], path: &[Move]) -> Vec<f32> {
    let mut places = Vec::with_capacity(path.len() * row.len());
    let mut at = vec![0.0; row.len()];
    for step in path {
        let start = &starts[step.start];
        if step.first {
            at.copy_from_slice(start);
        }
        at[step.feature] = if step.forth { row[step.feature] } else { start[step.feature] };
        if step.asked {
            places.extend_from_slice(&at);
        }
    }
    places
}

/// A net taken apart at its first layer.
#[derive(Debug, Clone)]
pub(super) struct Split {
    /// From rows to what the layer reads.
    pub(super) before: Program,
    /// The feature that each of the layer's inputs is of.
    pub(super) features: Vec<usize>,
    pub(super) layer: Layer,
    /// From the layer's outputs to the answer.
    pub(super) after: Program,
}

/// Rows that paths start from, each as its features' parts of the first layer's sums.
#[derive(Debug, Clone)]
pub(crate) struct Starts {
    /// Start by start, feature by feature, one number for each of the layer's outputs.
    pub(super) parts: Vec<f64>,
    /// Start by start, the sums of its parts.
    pub(super) sums: Vec<f64>,
}

impl Split {
    /// Nothing where something before the first layer is of two features, or goes around the layer, or where the answer is
    /// not one number.
    pub fn new(steps: &Steps, group: usize) -> Option<Self> {
        let at = steps.steps.iter().position(|step| matches!(step, Step::Layer(_)))?;
        let Step::Layer(layer) = &steps.steps[at] else { return None };
        let of = origins(steps.width, &steps.steps[..at])?;
        let features = layer.from.iter().map(|column| of.get(*column as usize).copied()).collect::<Option<_>>()?;
        let [output] = steps.outputs.as_slice() else { return None };
        // A row that is refused halfway is not: what refuses must come first.
        if steps.steps[at..].iter().any(|step| matches!(step, Step::Lookup(_))) {
            return None;
        }
        let counted = |column: u32| column.checked_sub(layer.to);
        let after = |step: &Step| step.clone().renumbered(counted, counted(step.makes().start)?);
        let after = Steps {
            width: layer.bias.len(),
            steps: steps.steps[at + 1..].iter().map(after).collect::<Option<_>>()?,
            outputs: vec![output.iter().copied().map(counted).collect::<Option<_>>()?],
            checks: vec![],
        };
        let before = Steps {
            width: steps.width,
            steps: steps.steps[..at].to_vec(),
            outputs: vec![layer.from.clone()],
            checks: steps.checks.clone(),
        };
        let (before, after) = (Program::new(&before, group), Program::new(&after, group));
        (output.len() == 1).then_some(Self { before, features, layer: layer.clone(), after })
    }

    /// How many outputs the layer has.
    pub fn outputs(&self) -> usize {
        self.layer.bias.len()
    }
}

/// The feature that each column before the first layer is of.
fn origins(width: usize, steps: &[Step]) -> Option<Vec<usize>> {
    let mut of: Vec<usize> = (0..width).collect();
    for step in steps {
        let mut features = step.reads().into_iter().map(|column| of[column as usize]);
        let feature = features.next()?;
        if features.any(|other| other != feature) {
            return None;
        }
        of.extend(step.makes().map(|_| feature));
    }
    Some(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dense::steps::{Function, Join, Lookup, Operand};
    use std::sync::Arc;

    fn moved(start: usize, first: bool, feature: usize, forth: bool, asked: bool) -> Move {
        Move { start, first, feature, forth, asked }
    }

    #[test]
    fn places_are_the_start_with_what_has_moved() {
        let starts = [vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]];
        let row = [-1.0, -2.0, -3.0];
        for (name, path, expected) in [
            ("nothing", vec![], vec![]),
            ("nothing is asked for", vec![moved(0, true, 1, true, false)], vec![]),
            ("one feature", vec![moved(0, true, 1, true, true)], vec![1.0, -2.0, 3.0]),
            (
                "one after the other",
                vec![moved(1, true, 2, true, true), moved(1, false, 0, true, true)],
                vec![4.0, 5.0, -3.0, -1.0, 5.0, -3.0],
            ),
            (
                "two at once, and one back",
                vec![moved(0, true, 0, true, false), moved(0, false, 1, true, true), moved(0, false, 0, false, true)],
                vec![-1.0, -2.0, 3.0, 1.0, -2.0, 3.0],
            ),
            (
                "a path of its own from each start",
                vec![moved(0, true, 0, true, true), moved(1, true, 2, true, true)],
                vec![-1.0, 2.0, 3.0, 4.0, 5.0, -3.0],
            ),
        ] {
            assert_eq!(places(&starts, &row, &path), expected, "{name}");
        }
    }

    /// A layer of two outputs over these columns, after these steps; then one that adds both up.
    fn net(before: Vec<Step>, from: Vec<u32>, outputs: Vec<Vec<u32>>) -> Steps {
        let to = before.iter().map(|step| step.makes().end).max().unwrap_or(2);
        let (weights, inputs) = (Arc::new(vec![1.0; 2 * from.len()]), from);
        let layer = Step::Layer(Layer { from: inputs, to, weights, bias: vec![0.0; 2], relu: false });
        let (left, right) = (Operand::Column(to), Operand::Column(to + 1));
        let sum = Step::Join { join: Join::Add, left, right, to: to + 2 };
        Steps { width: 2, steps: [before, vec![layer, sum]].concat(), outputs, ..Steps::default() }
    }

    #[test]
    fn a_net_is_taken_apart_where_all_before_its_first_layer_is_of_one_feature_each() {
        let map = |from, to| Step::Map { function: Function::Exp, from, to };
        let join = |left, right, to| Step::Join { join: Join::Mul, left, right, to };
        let lookup = |from, to| Step::Lookup(Lookup { from, to, table: Arc::new(vec![1.0, 2.0]), width: 1, check: 0 });
        let (column, number) = (Operand::Column, Operand::Number);
        for (name, steps, expected) in [
            ("features as they are", net(vec![], vec![1, 0], vec![vec![4]]), Some(vec![1, 0])),
            ("functions of them", net(vec![map(1, 2), map(2, 3)], vec![0, 3], vec![vec![6]]), Some(vec![0, 1])),
            ("one by itself", net(vec![join(column(1), column(1), 2)], vec![0, 2], vec![vec![5]]), Some(vec![0, 1])),
            (
                "one by a number",
                net(vec![join(number(2.0), column(0), 2)], vec![2, 1], vec![vec![5]]),
                Some(vec![0, 1]),
            ),
            ("a table before it", net(vec![lookup(0, 2)], vec![2, 1], vec![vec![5]]), Some(vec![0, 1])),
            ("one by another", net(vec![join(column(0), column(1), 2)], vec![0, 2], vec![vec![5]]), None),
            ("numbers alone", net(vec![join(number(1.0), number(2.0), 2)], vec![0, 2], vec![vec![5]]), None),
            ("two numbers as an answer", net(vec![], vec![0, 1], vec![vec![4, 2]]), None),
            ("two answers", net(vec![], vec![0, 1], vec![vec![4], vec![2]]), None),
            ("an answer around the layer", net(vec![], vec![0, 1], vec![vec![0]]), None),
            ("no layer", Steps { width: 2, steps: vec![map(0, 2)], outputs: vec![vec![2]], ..Steps::default() }, None),
        ] {
            assert_eq!(Split::new(&steps, 4).map(|split| split.features), expected, "{name}");
        }
        let mut behind = net(vec![], vec![0, 1], vec![vec![5]]);
        behind.steps.push(lookup(4, 5));
        assert!(Split::new(&behind, 4).is_none(), "a row may be refused behind the layer");
    }
}
