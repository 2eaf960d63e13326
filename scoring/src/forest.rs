//! The trees of a package: the raw sum of the positive class is its margin, and exact Shapley values against the reference
//! are its contributions. Both have the same bits on every machine and in every batch.

use crate::error::{LoadError, Part};
use crate::manifest::{self, Link, Monotone};
use crate::reference::Reference;
use domain::pd::sigmoid;
use inference::EngineError;
use inference::graph::{Column, Graph, Table, Values};
use inference::plan::Answers;
use inference::pushed;
use inference::trees::{self, Compiled, Ensemble, TreeError, TreeShap};
use inference::walks::Contributions;

/// Method of trees: exact, features independent of each other, absent ones as the reference has them.
pub(crate) const TREESHAP: &str = "treeshap_interventional";
/// The most rows of a background: tables are filled from all of them at load.
pub(crate) const MAX_BACKGROUND: usize = 1000;
/// Covers of two children add up to their parent's within this share of it: exporters print them in single precision.
const COVER_SLACK: f64 = 1e-3;

/// Trees that are ready to score and explain.
#[derive(Debug)]
pub struct Forest {
    graph: Graph,
    probability: usize,
    link: Link,
    compiled: Compiled,
    shap: TreeShap,
    /// Only where the package brings covers.
    path: Option<TreeShap>,
}

impl Forest {
    /// Reads the trees out of a graph, as it is, and lays their contributions out against the reference.
    ///
    /// # Errors
    /// [`LoadError`] says what the graph, the covers or the background lack.
    pub fn new(bytes: &[u8], said: &manifest::Graph, width: usize, reference: &Reference) -> Result<Self, LoadError> {
        let graph = Graph::load(bytes, Some(width))?;
        check_input(&graph, &said.input, width)?;
        let probability = said.probability.as_deref().unwrap_or_default();
        let probability = graph
            .place(probability)
            .ok_or_else(|| LoadError::Graph(format!("has no output {probability} of one or two columns")))?;
        // Trees that read the features as they are, or behind what keeps the order of each.
        let ensemble = graph.trees().or_else(|as_they_are| pushed::trees(bytes, width).map_err(|_| as_they_are))?;
        let refused = |error: TreeError| LoadError::Graph(format!("its ensemble {error}"));
        let name = reference.name.as_str();
        if reference.background.len() > MAX_BACKGROUND {
            let why = format!("holds {} rows, at most {MAX_BACKGROUND}", reference.background.len());
            return Err(LoadError::Reference { place: format!("{name}.background"), why });
        }
        let shap = TreeShap::interventional(&ensemble, 0, &reference.background.concat()).map_err(refused)?;
        let path = reference.covers.as_ref().map(|covers| by_covers(&ensemble, covers)).transpose()?;
        let link = said.link.unwrap_or(Link::LogOdds);
        Ok(Self { graph, probability, link, compiled: Compiled::new(ensemble), shap, path })
    }

    /// The trees, with one target.
    pub fn ensemble(&self) -> &Ensemble {
        self.compiled.ensemble()
    }

    /// Expected margin of the reference.
    pub fn base(&self) -> f64 {
        self.shap.base()
    }

    /// The probability that a margin means before calibration.
    pub fn probability(&self, margin: f64) -> f64 {
        match self.link {
            Link::Probability => margin.clamp(0.0, 1.0),
            Link::LogOdds | Link::Softmax | Link::Logit => sigmoid(margin),
        }
    }

    /// Margins of rows laid one after the other.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn run(&self, rows: &[f32]) -> Result<Answers, EngineError> {
        let mut margins = vec![0.0; rows.len() / self.ensemble().get().width];
        self.compiled.run_f32(rows, &mut margins).map_err(failed)?;
        Ok(Answers { margins, partials: Vec::new() })
    }

    /// Contributions of rows laid one after the other, in the same layout.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn explain(&self, rows: &[f32], parts: &mut [f64]) -> Result<(), EngineError> {
        self.shap.explain_f32(rows, parts).map_err(failed)
    }

    /// By covers, whose baseline is the training data: not for reasons. Nothing where the package brings none.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn explain_by_covers(&self, row: &[f32]) -> Result<Option<Contributions>, EngineError> {
        let Some(path) = &self.path else { return Ok(None) };
        let mut parts = vec![0.0; row.len()];
        path.explain_f32(row, &mut parts).map_err(failed)?;
        Ok(Some(Contributions { parts, base: path.base(), error: None }))
    }

    /// The probabilities that the graph itself gives, post-transform and all, for proofs.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(crate) fn graph_probabilities(&self, rows: &[f32]) -> Result<Vec<f64>, EngineError> {
        let width = self.ensemble().get().width;
        let column = |at: usize| Column {
            name: format!("{at}"),
            values: Values::F32(rows.iter().skip(at).step_by(width).copied().collect()),
        };
        let outputs = self.graph.run(&Table { columns: (0..width).map(column).collect() })?;
        let output = &outputs[self.probability];
        let step = output.columns.len();
        Ok(match &output.values {
            Values::F32(cells) => cells.iter().skip(step - 1).step_by(step).map(|cell| f64::from(*cell)).collect(),
            Values::F64(cells) => cells.iter().skip(step - 1).step_by(step).copied().collect(),
            Values::I64(_) | Values::Text(_) => return Err(EngineError(format!("{} is no probability", output.name))),
        })
    }

    /// Proves from the trees alone that the margin never moves against a claimed direction.
    ///
    /// # Errors
    /// [`Contradiction`] says which tree it does in.
    pub(crate) fn prove_direction(&self, feature: usize, claimed: Monotone) -> Result<(), Contradiction> {
        use trees::Monotone::{Constant, Falling, NotProven, Rising};
        match (claimed, trees::monotone(self.ensemble(), 0, feature)) {
            (Monotone::None, _) | (_, Constant) => Ok(()),
            (Monotone::Increasing, Rising) | (Monotone::Decreasing, Falling) => Ok(()),
            (Monotone::Increasing, NotProven { falls, .. }) => Err(Contradiction::FallsIn(falls)),
            (Monotone::Decreasing, NotProven { rises, .. }) => Err(Contradiction::RisesIn(rises)),
            (Monotone::Increasing, Falling) => Err(Contradiction::Falls),
            (Monotone::Decreasing, Rising) => Err(Contradiction::Rises),
        }
    }
}

/// What speaks against a direction that a contract claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The margin falls in the tree at this position.
    #[error("but the margin falls in tree {0}")]
    FallsIn(usize),
    /// The margin rises in the tree at this position.
    #[error("but the margin rises in tree {0}")]
    RisesIn(usize),
    /// It never rises.
    #[error("but the margin falls")]
    Falls,
    /// It never falls.
    #[error("but the margin rises")]
    Rises,
}

fn check_input(graph: &Graph, name: &str, width: usize) -> Result<(), LoadError> {
    let [input] = graph.inputs() else {
        return Err(LoadError::Graph(format!("must have one input, it has {}", graph.inputs().len())));
    };
    if input.name != name {
        return Err(LoadError::Graph(format!("its input is {}, the manifest says {name}", input.name)));
    }
    if input.width != width {
        return Err(LoadError::Graph(format!("{name} must be f32 [N, {width}]")));
    }
    Ok(())
}

/// Path-dependent contributions, after the covers were seen to be of these trees.
fn by_covers(ensemble: &Ensemble, covers: &[Vec<f64>]) -> Result<TreeShap, LoadError> {
    let fault = |why: String| LoadError::Reference { place: "covers".into(), why };
    let shap = TreeShap::path_dependent(ensemble, 0, covers).map_err(|error| fault(error.to_string()))?;
    for (at, (tree, covers)) in ensemble.get().trees.iter().zip(covers).enumerate() {
        for (node, cover) in covers.iter().enumerate() {
            let Some((yes, no)) = tree.children(node) else { continue };
            let below = covers[yes] + covers[no];
            if (below - cover).abs() > COVER_SLACK * cover.abs() {
                return Err(fault(format!("tree {at}, node {node} has {cover}, its children have {below}")));
            }
        }
    }
    Ok(shap)
}

fn failed(error: TreeError) -> EngineError {
    EngineError(format!("{}: {error}", Part::Graph))
}
