//! The fast form of an ensemble: compiled once, then shared by threads. Chooses the way for each block of rows; every way
//! gives the bits of [`Ensemble::answer`].

use super::columns::Grouping;
use super::ensemble::{Aggregate, Ensemble, Precision};
use super::error::TreeError;
use super::lanes::{Lanes, Sound, Sums, Vectors, with_answers, with_masks};
use super::nodes::Nodes;
use super::questions::{BLOCK, Column, Columns};
use super::walk::Number;

/// Fewer rows than this go one by one, where there is a form for one row: a block costs about as much as this many.
const FEW: usize = 10;
/// The same where one row walks.
const FEW_WALKS: usize = 24;
/// Keys of a block, row by row.
const MAX_BLOCK_KEYS: usize = 1 << 20;
/// Features that the block form may ask for, 2 or 4 KiB each.
const MAX_COLUMNS: usize = 1 << 12;
/// Targets that the block form may add up, 2 or 4 KiB each.
const MAX_BLOCK_TARGETS: usize = 1 << 10;

/// A compiled ensemble. Its answers are, to the bit, those of [`Ensemble::answer`], for any number of rows.
#[derive(Debug, Clone)]
pub struct Compiled {
    ensemble: Ensemble,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Single(Engine<f32>),
    Double(Engine<f64>),
}

/// One precision's forms of all trees.
#[derive(Debug, Clone)]
struct Engine<T: Number> {
    nodes: Nodes<T>,
    /// Covers all trees, in order; empty where this machine or the aggregate has no block form.
    parts: Vec<Part<T>>,
    /// Feature of each column that the parts ask for.
    columns: Vec<u32>,
    vectors: Vectors,
    /// Whether all parts have a form for one row.
    rows: bool,
    shape: Shape,
}

/// Consecutive trees.
#[derive(Debug, Clone)]
enum Part<T: Number> {
    Block(Sound<T>),
    /// One tree that is better walked.
    Walk(usize),
}

/// What turns votes into answers.
#[derive(Debug, Clone)]
struct Shape {
    width: usize,
    targets: usize,
    aggregate: Aggregate,
    trees: usize,
    base: Vec<f64>,
}

impl Compiled {
    /// Compiles. What [`super::Draft::check`] let through always compiles.
    pub fn new(ensemble: Ensemble) -> Self {
        Self::using(ensemble, Vectors::best())
    }

    /// Compiles for these instructions, or none if the machine does not have them; for tests and comparisons.
    pub fn using(ensemble: Ensemble, vectors: Vectors) -> Self {
        let vectors = if vectors.are_here() { vectors } else { Vectors::None };
        let form = match ensemble.get().precision {
            Precision::Single => Form::Single(Engine::new(&ensemble, vectors)),
            Precision::Double => Form::Double(Engine::new(&ensemble, vectors)),
        };
        Self { ensemble, form }
    }

    /// What was compiled.
    pub fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// Answers rows laid one after the other: `rows` holds N × width numbers, `answers` N × targets. An ensemble of double
    /// precision compares and adds in f64 and rounds its answers to nearest.
    ///
    /// # Errors
    /// [`TreeError::Shape`].
    pub fn run_f32(&self, rows: &[f32], answers: &mut [f32]) -> Result<(), TreeError> {
        self.check(rows.len(), answers.len())?;
        match &self.form {
            Form::Single(engine) => engine.run(rows, answers),
            Form::Double(engine) => {
                let wide: Vec<f64> = rows.iter().map(|value| f64::from(*value)).collect();
                let mut found = vec![0.0; answers.len()];
                engine.run(&wide, &mut found);
                answers.iter_mut().zip(found).for_each(|(answer, found)| *answer = found as f32);
            }
        }
        Ok(())
    }

    /// As [`Compiled::run_f32`], for double rows. An ensemble of single precision refuses them: which rounding of a row is
    /// meant is the caller's to say.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn run_f64(&self, rows: &[f64], answers: &mut [f64]) -> Result<(), TreeError> {
        self.check(rows.len(), answers.len())?;
        match &self.form {
            Form::Single(_) => {
                return Err(TreeError::Ensemble("is of single precision and was given double rows".to_owned()));
            }
            Form::Double(engine) => engine.run(rows, answers),
        }
        Ok(())
    }

    fn check(&self, rows: usize, answers: usize) -> Result<(), TreeError> {
        let (width, targets) = (self.ensemble.get().width, self.ensemble.get().targets);
        if !rows.is_multiple_of(width) {
            return Err(TreeError::Shape { what: "rows", found: rows, needed: format!("a multiple of {width}") });
        }
        let needed = rows / width * targets;
        if answers != needed {
            return Err(TreeError::Shape { what: "answers", found: answers, needed: needed.to_string() });
        }
        Ok(())
    }
}

impl<T: Lanes> Engine<T> {
    fn new(ensemble: &Ensemble, vectors: Vectors) -> Self {
        let draft = ensemble.get();
        let shape = Shape {
            width: draft.width,
            targets: draft.targets,
            aggregate: draft.aggregate,
            trees: draft.trees.len(),
            base: draft.base.iter().map(|base| base.0).collect(),
        };
        let adds = matches!(draft.aggregate, Aggregate::Sum | Aggregate::Average);
        let (parts, columns) = match vectors != Vectors::None && adds && draft.targets <= MAX_BLOCK_TARGETS {
            true => parts(ensemble),
            false => (Vec::new(), Vec::new()),
        };
        let has_rows = |part: &Part<T>| matches!(part, Part::Block(group) if group.rows().is_some());
        let rows = vectors == Vectors::Avx512 && !parts.is_empty() && parts.iter().all(has_rows);
        Self { nodes: Nodes::new(ensemble), parts, columns, vectors, rows, shape }
    }

    fn run(&self, rows: &[T], answers: &mut [T]) {
        let Shape { width, targets, .. } = self.shape;
        // A block's keys are bounded, however wide a row is.
        let block = (MAX_BLOCK_KEYS / width).clamp(1, BLOCK);
        for (rows, answers) in rows.chunks(block * width).zip(answers.chunks_mut(block * targets)) {
            let count = rows.len() / width;
            if count < if self.rows { FEW } else { FEW_WALKS } {
                rows.chunks(width).zip(answers.chunks_mut(targets)).for_each(|(row, answer)| self.row(row, answer));
            } else if self.parts.is_empty() {
                self.walk(rows, answers);
            } else {
                self.block(rows, answers);
            }
        }
    }

    /// One row through several trees at once.
    fn row(&self, row: &[T], answer: &mut [T]) {
        let aggregate = self.shape.aggregate;
        answer.fill(aggregate.start());
        if self.rows {
            self.row_parts(row, answer);
            return self.finish(answer);
        }
        let keys: Vec<T::Key> = row.iter().map(|value| value.key()).collect();
        match answer {
            [answer] if aggregate != Aggregate::Min && aggregate != Aggregate::Max => {
                let mut sum = *answer;
                self.nodes.add_row(&keys, |_, weight| sum = sum + weight);
                *answer = sum;
            }
            _ => self.nodes.add_row(&keys, |target, weight| answer[target] = aggregate.join(answer[target], weight)),
        }
        self.finish(answer);
    }

    /// One row, where every part has the form for it.
    fn row_parts(&self, row: &[T], answer: &mut [T]) {
        let keys: Vec<T::Key> = self.columns.iter().map(|feature| row[*feature as usize].key()).collect();
        with_answers(|answers| {
            for part in &self.parts {
                if let Part::Block(group) = part {
                    let add = |target: usize, weight| answer[target] = answer[target] + weight;
                    T::run_row(group, &keys, answers, add);
                }
            }
        });
    }

    /// Several rows through one tree at once.
    fn walk(&self, rows: &[T], answers: &mut [T]) {
        let keys: Vec<T::Key> = rows.iter().map(|value| value.key()).collect();
        let Shape { width, targets, aggregate, trees, .. } = self.shape;
        answers.fill(aggregate.start());
        for tree in 0..trees {
            self.nodes.add_tree(tree, &keys, width, |row, target, weight| {
                let answer = &mut answers[row * targets + target];
                *answer = aggregate.join(*answer, weight);
            });
        }
        answers.chunks_mut(targets).for_each(|answer| self.finish(answer));
    }

    /// All rows against all questions.
    fn block(&self, rows: &[T], answers: &mut [T]) {
        let Shape { width, targets, .. } = self.shape;
        let count = rows.len() / width;
        let mut columns = vec![Column([T::Key::default(); BLOCK]); self.columns.len()];
        for (column, feature) in columns.iter_mut().zip(&self.columns) {
            let values = rows.iter().skip(*feature as usize).step_by(width);
            column.0.iter_mut().zip(values).for_each(|(key, value)| *key = value.key());
        }
        let walks = self.parts.iter().any(|part| matches!(part, Part::Walk(_)));
        let keys: Vec<T::Key> = if walks { rows.iter().map(|value| value.key()).collect() } else { Vec::new() };
        let mut sums = vec![Sums([T::default(); BLOCK]); targets];
        with_masks(|masks| {
            for part in &self.parts {
                match part {
                    Part::Block(group) => _ = T::run(self.vectors, group, &columns, count, masks, &mut sums),
                    Part::Walk(tree) => self.nodes.add_tree(*tree, &keys, width, |row, target, weight| {
                        let sum = &mut sums[target].0[row];
                        *sum = *sum + weight;
                    }),
                }
            }
        });
        for (row, answer) in answers.chunks_mut(targets).enumerate() {
            answer.iter_mut().zip(&sums).for_each(|(answer, sums)| *answer = sums.0[row]);
            self.finish(answer);
        }
    }

    fn finish(&self, answer: &mut [T]) {
        let Shape { aggregate, trees, base, .. } = &self.shape;
        for (target, answer) in answer.iter_mut().enumerate() {
            *answer = aggregate.finish(*answer, *trees, base.get(target).copied().unwrap_or_default());
        }
    }
}

/// The block form of all trees and the features that it asks for; nothing where it would not fit.
fn parts<T: Lanes>(ensemble: &Ensemble) -> (Vec<Part<T>>, Vec<u32>) {
    let mut columns = Columns::default();
    let mut grouping = Grouping::new(&mut columns);
    let mut found = Vec::new();
    for (at, tree) in ensemble.get().trees.iter().enumerate() {
        if grouping.is_full(tree) {
            found.push(Err(grouping.take()));
        }
        if !grouping.add(tree) {
            if !grouping.is_empty() {
                found.push(Err(grouping.take()));
            }
            found.push(Ok(at));
        }
    }
    if !grouping.is_empty() {
        found.push(Err(grouping.take()));
    }
    let (columns, targets) = (columns.features, ensemble.get().targets);
    let part = |part| match part {
        Ok(tree) => Some(Part::Walk(tree)),
        Err(group) => Sound::new(group, columns.len(), targets).map(Part::Block),
    };
    let parts: Option<Vec<_>> = found.into_iter().map(part).collect();
    match parts {
        Some(parts) if columns.len() <= MAX_COLUMNS && parts.iter().any(|part| matches!(part, Part::Block(_))) => {
            (parts, columns)
        }
        _ => (Vec::new(), Vec::new()),
    }
}
