//! What the three tree operators have in common: an ensemble that waits for the width of its rows, and its answers.

use crate::ops::operator::Fact;
use crate::ops::rows;
use crate::trees::{Aggregate, Compiled, Draft, Ensemble, Node, Precision, Real, Tree};
use tract_onnx::tract_hir::internal::*;

/// Trees as an exporter left them.
#[derive(Debug)]
pub(super) struct Forest {
    pub trees: Vec<Tree>,
    pub targets: usize,
    pub aggregate: Aggregate,
    /// Added after aggregation.
    pub base: Vec<Real>,
    /// Whether its numbers are f64, whatever the rows are.
    pub double: bool,
}

/// Trees that are proven; the graph's input says how wide rows are and in what precision they are met.
#[derive(Debug)]
pub(super) struct Proven {
    /// Of no more features than its trees ask for.
    ensemble: Ensemble,
    double: bool,
}

/// A forest for rows of one width: what runs.
#[derive(Debug)]
pub(super) struct Settled {
    compiled: Compiled,
    /// Rows are read as f64.
    double_rows: bool,
}

impl Forest {
    /// Features that the trees ask for.
    fn asked(&self) -> usize {
        let nodes = self.trees.iter().flat_map(|tree| &tree.nodes);
        let feature = |node: &Node| match node {
            Node::Branch { feature, .. } => Some(*feature as usize + 1),
            Node::Leaf { .. } => None,
        };
        nodes.filter_map(feature).max().unwrap_or(1)
    }

    /// Proves the trees at load, before the width is known.
    pub(super) fn prove(self) -> TractResult<Proven> {
        let draft = Draft {
            width: self.asked(),
            targets: self.targets,
            precision: if self.double { Precision::Double } else { Precision::Single },
            aggregate: self.aggregate,
            base: self.base,
            trees: self.trees.into(),
        };
        Ok(Proven { ensemble: draft.check()?, double: self.double })
    }
}

impl Proven {
    fn precision(&self, rows: DatumType) -> Precision {
        if self.double || rows == f64::datum_type() { Precision::Double } else { Precision::Single }
    }

    /// Compiles for an input, once its width is known.
    pub(super) fn settle(&self, input: &Fact) -> TractResult<Settled> {
        let width = rows::of_fact(input)?.1.to_usize().context("needs a fixed number of features")?;
        let double_rows = input.datum_type == f64::datum_type();
        let ensemble = self.ensemble.for_rows(width, self.precision(input.datum_type))?;
        Ok(Settled { compiled: Compiled::new(ensemble), double_rows })
    }

    /// Refuses an input that has no feature for some branch.
    pub(super) fn check(&self, input: &Fact) -> TractResult<()> {
        rows::check_numbers(input)?;
        let asked = self.ensemble.get().width;
        match rows::of_fact(input)?.1.to_usize() {
            Ok(width) if width < asked => bail!("asks for feature {} of an input that has {width}", asked - 1),
            _ => Ok(()),
        }
    }
}

impl Settled {
    /// The trees with the votes for one target alone. Its sum has the bits that it has among the others.
    pub(super) fn of_target(&self, target: usize) -> TractResult<Ensemble> {
        let ensemble = self.compiled.ensemble().clone();
        if ensemble.get().targets == 1 {
            return Ok(ensemble);
        }
        let mut draft = ensemble.into_draft();
        draft.base = draft.base.get(target).copied().into_iter().collect();
        draft.targets = 1;
        for node in draft.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
            if let Node::Leaf { votes } = node {
                votes.retain(|vote| vote.target as usize == target);
                votes.iter_mut().for_each(|vote| vote.target = 0);
            }
        }
        Ok(draft.check()?)
    }

    /// Row by row, one number for each target; in single precision each is an f32.
    pub(super) fn answers(&self, input: &Tensor) -> TractResult<Vec<f64>> {
        let (count, width) = rows::of_shape(input.shape())?;
        let ensemble = self.compiled.ensemble().get();
        if width != ensemble.width {
            bail!("is compiled for {} features; it is given {width}", ensemble.width);
        }
        if self.double_rows {
            let mut answers = vec![0f64; count * ensemble.targets];
            self.compiled.run_f64(&rows::doubles(input)?, &mut answers)?;
            return Ok(answers);
        }
        let mut answers = vec![0f32; count * ensemble.targets];
        self.compiled.run_f32(&rows::floats(input)?, &mut answers)?;
        Ok(answers.into_iter().map(f64::from).collect())
    }
}
