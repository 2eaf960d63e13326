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
