//! Answers on the way from one row to another, a feature at a time. Where everything before the first layer is of one feature
//! each, that layer's sums are sums of the features' parts: a move takes one part out and puts another in, and only what
//! comes after the layer is reckoned anew. Parts are added in f64, so that thousands of moves do not drift.

use super::lanes::{BLOCK, Fill, Plane};
use super::program::Program;
use super::steps::{Layer, Step, Steps};
use super::{Dense, Memory, kernel};
use crate::error::EngineError;

/// A move of one feature between two rows, from the one where it is to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which start the way is from.
    pub start: usize,
    /// Whether the way begins here: all features are first put to their start.
    pub first: bool,
    /// The feature that moves.
    pub feature: usize,
    /// To the row that ways go to, or back to the start.
    pub forth: bool,
    /// Whether the place after the move is asked for.
    pub asked: bool,
}

/// A net taken apart at its first layer.
#[derive(Debug, Clone)]
pub(super) struct Split {
    /// From rows to what the layer reads.
    before: Program,
    /// The feature that each of the layer's inputs is of.
    features: Vec<usize>,
    layer: Layer,
    /// From the layer's outputs to the answer.
    after: Program,
}

/// Rows that ways start from, each as its features' parts of the first layer's sums.
#[derive(Debug, Clone)]
pub(crate) struct Starts {
    /// Start by start, feature by feature, one number for each of the layer's outputs.
    parts: Vec<f64>,
    /// Start by start, the sums of its parts.
    sums: Vec<f64>,
}

impl Split {
    /// Nothing where something before the first layer is of two features, or goes around the layer, or where the answer is
    /// not one number.
    pub fn new(steps: &Steps, group: usize) -> Option<Self> {
        let at = steps.steps.iter().position(|step| matches!(step, Step::Layer(_)))?;
        let Step::Layer(layer) = &steps.steps[at] else { return None };
        let of = origins(steps.width, &steps.steps[..at])?;
        let features = layer.from.iter().map(|plane| of.get(*plane as usize).copied()).collect::<Option<_>>()?;
        let [output] = steps.outputs.as_slice() else { return None };
        // A row that is refused halfway is not: what refuses must come first.
        if steps.steps[at..].iter().any(|step| matches!(step, Step::Lookup(_))) {
            return None;
        }
        let counted = |plane: u32| plane.checked_sub(layer.to);
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

    fn outputs(&self) -> usize {
        self.layer.bias.len()
    }
}

/// The feature that each plane before the first layer is of.
fn origins(width: usize, steps: &[Step]) -> Option<Vec<usize>> {
    let mut of: Vec<usize> = (0..width).collect();
    for step in steps {
        let mut features = step.reads().into_iter().map(|plane| of[plane as usize]);
        let feature = features.next()?;
        if features.any(|other| other != feature) {
            return None;
        }
        of.extend(step.makes().map(|_| feature));
    }
    Some(of)
}

impl Dense {
    /// Takes the rows that ways start from, laid one after the other, apart; nothing where the net cannot be.
    ///
    /// # Errors
    /// [`EngineError`] says what a row has no answer for.
    pub(crate) fn starts(&self, memory: &mut Memory, rows: &[f32]) -> Result<Option<Starts>, EngineError> {
        let Some(split) = &self.split else { return Ok(None) };
        let parts = self.parts(split, memory, rows)?;
        let (width, outputs) = (self.program.width, split.outputs());
        let mut sums = vec![0.0; rows.len() / width * outputs];
        for (sums, parts) in sums.chunks_mut(outputs).zip(parts.chunks(width * outputs)) {
            for part in parts.chunks(outputs) {
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
        }
        Ok(Some(Starts { parts, sums }))
    }

    /// The answers at the places that are asked for, of ways from these starts to a row; nothing where the net has none.
    ///
    /// # Errors
    /// [`EngineError`] says what the row has no answer for.
    pub(crate) fn along(
        &self,
        memory: &mut Memory,
        starts: &Starts,
        row: &[f32],
        moves: &[Move],
    ) -> Result<Option<Vec<f32>>, EngineError> {
        let Some(split) = &self.split else { return Ok(None) };
        let to = self.parts(split, memory, row)?;
        let mut sums = vec![0.0; split.outputs()];
        let mut answers = Vec::with_capacity(moves.len());
        memory.at_least(split.after.planes);
        let Some(output) = split.after.outputs.first().and_then(|output| output.first()) else { return Ok(None) };
        let mut rest = moves;
        while !rest.is_empty() {
            let mut asked = 0;
            let end = rest.iter().position(|place| {
                asked += usize::from(place.asked);
                asked == BLOCK
            });
            let (now, later) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = later;
            let way = Way { split, starts, to: &to, sums: &mut sums, moves: now, width: self.program.width };
            kernel::run(self.vectors, &split.after, way, &mut memory.planes);
            answers.extend_from_slice(&memory.planes[*output as usize].0[..asked]);
        }
        Ok(Some(answers))
    }

    /// Each feature's part of the first layer's sums, row by row.
    fn parts(&self, split: &Split, memory: &mut Memory, rows: &[f32]) -> Result<Vec<f64>, EngineError> {
        let (width, outputs) = (self.program.width, split.outputs());
        let mut inputs = [Vec::new()];
        super::answer(self.vectors, &split.before, memory, rows, &mut inputs)?;
        let mut parts = vec![0.0; rows.len() * outputs];
        for (parts, inputs) in parts.chunks_mut(width * outputs).zip(inputs[0].chunks(split.features.len())) {
            let weights = split.layer.weights.chunks(outputs);
            for ((input, feature), weights) in inputs.iter().zip(&split.features).zip(weights) {
                let part = &mut parts[feature * outputs..][..outputs];
                part.iter_mut().zip(weights).for_each(|(part, w)| *part += f64::from(*input) * f64::from(*w));
            }
        }
        Ok(parts)
    }
}

/// Moves of at most a block of places that are asked for.
struct Way<'a> {
    split: &'a Split,
    starts: &'a Starts,
    to: &'a [f64],
    /// The layer's sums at the place before.
    sums: &'a mut [f64],
    moves: &'a [Move],
    width: usize,
}

impl Fill for Way<'_> {
    #[inline(always)]
    fn fill(self, planes: &mut [Plane]) -> usize {
        let outputs = self.sums.len();
        let layer = &self.split.layer;
        let mut place = 0;
        for step in self.moves {
            if step.first {
                self.sums.copy_from_slice(&self.starts.sums[step.start * outputs..][..outputs]);
            }
            let away = &self.starts.parts[(step.start * self.width + step.feature) * outputs..][..outputs];
            let there = &self.to[step.feature * outputs..][..outputs];
            let (come, go) = if step.forth { (there, away) } else { (away, there) };
            for ((sum, come), go) in self.sums.iter_mut().zip(come).zip(go) {
                *sum += come - go;
            }
            if step.asked && place < BLOCK {
                for ((plane, sum), bias) in planes.iter_mut().zip(&*self.sums).zip(&layer.bias) {
                    let sum = *sum as f32 + bias;
                    plane.0[place] = if layer.relu && 0.0 > sum { 0.0 } else { sum };
                }
                place += 1;
            }
        }
        place
    }
}
