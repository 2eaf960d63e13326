//! A package that has proven itself: the only thing that scores. [`Model::load`] builds it, or says why it does not serve.

use crate::application::Document;
use crate::calibration::Calibration;
use crate::contract::{self, Contract, ReasonText};
use crate::engine::{Engine, no_state};
use crate::error::LoadError;
use crate::explain::{self, Contributions, millionths};
use crate::forest::Forest;
use crate::manifest::Manifest;
use crate::mapping::{self, FeatureVector, Unscorable};
use crate::monotonicity::{self, Evidence};
use crate::package::PackageFiles;
use crate::reasons::{self, Candidate};
use crate::reference::Reference;
use crate::scales::Scales;
use crate::stock::{Explains, Stock};
use domain::Digest;
use domain::pd::Pd;
use domain::scale::Scale;
use inference::graph::Graph;
use inference::plan::{Answers, PlanState};
use inference::{EngineError, exact_shapley};
use serde_json::Value;

/// A model that serves. Share it between threads; each brings its own [`ThreadState`].
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    digest: Digest,
    contract: Contract,
    calibration: Calibration,
    scale: Scale,
    reference: Reference,
    engine: Engine,
}

/// One thread's working memory for one model.
#[derive(Debug)]
pub struct ThreadState {
    /// None for trees, which need none.
    plan: Option<PlanState>,
    rows: Vec<f32>,
    parts: Vec<f64>,
}

/// What is said of a graph that takes another number of features than the manifest has; none where it takes as many, or does not say.
fn of_another_width(graph: &[u8], features: usize) -> Option<LoadError> {
    let graph = Graph::load(graph, None).ok()?;
    let inputs: usize = graph.inputs().iter().map(|input| input.width).sum();
    let why = format!(
        "the graph takes {inputs} inputs, and the manifest has {features} features: a feature more or less needs a graph that was \
         trained with it (docs/add-a-feature.md)"
    );
    (inputs != features).then(|| LoadError::contract("feature", why))
}

/// A score with its explanation, quantised as it is published.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Log-odds of default, as the graph gave it.
    pub margin: f32,
    /// Before calibration, to 1e-6.
    pub pd_raw: f64,
    /// Calibrated.
    pub pd: Pd,
    /// 0 safe, 1 risky.
    pub class: u8,
    /// Points.
    pub score: i32,
    /// By feature, to 1e-6; positive is riskier.
    pub contributions: Vec<f64>,
    /// Margin of the reference, to 1e-6.
    pub base: f64,
    /// margin − base − Σ contributions as the method left it, to 1e-6.
    pub residual: f64,
    /// Sampled contributions only: how far one may be from the Shapley value, 95 % confidence, to 1e-6.
    pub error: Option<f64>,
    /// At most four and inquiries, strongest first.
    pub candidates: Vec<Candidate>,
}

/// The graph gave no number.
pub const MARGIN_NOT_FINITE: &str = "margin_not_finite";

impl Model {
    /// Puts a model together from a package whose manifest holds; it has not proven itself yet.
    pub(crate) fn assemble(manifest: Manifest, files: &PackageFiles, scales: &Scales) -> Result<Self, LoadError> {
        let calibration = Calibration::new(&manifest.calibration)?;
        let contract = Contract::new(&manifest)?;
        let scale = scales.of(&manifest)?;
        let reference =
            Reference::parse(&files.reference, manifest.reasons.reference, manifest.kind, &contract.sentinels());
        // What does not fit may be of another width: that is told before what follows from it.
        let width = |why| of_another_width(&files.graph, contract.features.len()).unwrap_or(why);
        let reference = reference.map_err(width)?;
        let engine = Engine::new(&manifest, &files.graph, &contract, &reference).map_err(width)?;
        let digest = Digest::of(&files.manifest);
        Ok(Self { manifest, digest, contract, calibration, scale, reference, engine })
    }

    /// What the package says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest, which names the digests of all else.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The feature contract, in the graph's order.
    pub fn features(&self) -> &[contract::Feature] {
        &self.contract.features
    }

    /// What counts together when reasons are made; every feature is in one of them.
    pub fn groups(&self) -> &[contract::Group] {
        &self.contract.groups
    }

    /// Every reason a feature names.
    pub fn reasons(&self) -> &[ReasonText] {
        &self.contract.codes
    }

    /// How margins become probabilities.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Points and bands.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// How contributions are made.
    pub fn method(&self) -> &str {
        self.engine.method()
    }

    /// The trees, where it is made of them.
    pub fn forest(&self) -> Option<&Forest> {
        match &self.engine {
            Engine::Trees(forest) => Some(forest),
            Engine::Scorecard(_) | Engine::Net(..) | Engine::Graph(..) => None,
        }
    }

    /// The stock graph, where it is one that is neither trees, net nor scorecard.
    pub fn stock(&self) -> Option<&Stock> {
        match &self.engine {
            Engine::Graph(stock, _) => Some(stock),
            Engine::Scorecard(_) | Engine::Net(..) | Engine::Trees(_) => None,
        }
    }

    /// Maps an application's `data` to a row.
    ///
    /// # Errors
    /// Every reason why it cannot be scored.
    pub fn map(&self, data: &Value) -> Result<FeatureVector, Vec<Unscorable>> {
        mapping::map(&self.contract, &Document::new(data, &self.contract.lookup))
    }

    /// The same from JSON text, without building a tree of it.
    ///
    /// # Errors
    /// The outer one is the parser's.
    pub fn map_text(&self, data: &str) -> Result<Result<FeatureVector, Vec<Unscorable>>, serde_json::Error> {
        Ok(mapping::map(&self.contract, &Document::of_text(data, &self.contract.lookup)?))
    }

    /// Working memory for one thread.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn state(&self) -> Result<ThreadState, EngineError> {
        Ok(ThreadState { plan: self.engine.state()?, rows: Vec::new(), parts: Vec::new() })
    }

    /// Scores and explains rows; one answer each, `None` where the graph gave no number. A row's answer does not depend on
    /// the others.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn score_block(
        &self,
        state: &mut ThreadState,
        rows: &[FeatureVector],
    ) -> Result<Vec<Option<Scored>>, EngineError> {
        state.rows.clear();
        rows.iter().for_each(|row| state.rows.extend_from_slice(&row.values));
        let answers = self.engine.run(state.plan.as_mut(), &state.rows)?;
        self.explain_together(state)?;
        let mut scored = Vec::with_capacity(rows.len());
        for (index, (row, margin)) in rows.iter().zip(&answers.margins).enumerate() {
            scored.push(match margin.is_finite() {
                false => None,
                true => self.publish(row, *margin, self.explain(state, &answers, index, row)?),
            });
        }
        Ok(scored)
    }

    /// Fills the parts of all rows of a block, where they are reckoned at once.
    fn explain_together(&self, state: &mut ThreadState) -> Result<(), EngineError> {
        state.parts.resize(state.rows.len(), 0.0);
        match &self.engine {
            Engine::Trees(forest) => forest.explain(&state.rows, &mut state.parts),
            Engine::Graph(stock, Explains::Additive(additive)) => {
                let plan = state.plan.as_mut().ok_or_else(no_state)?;
                stock.explain_added(additive, plan, &state.rows, &mut state.parts)
            }
            Engine::Scorecard(_) | Engine::Net(..) | Engine::Graph(..) => Ok(()),
        }
    }

    /// The contributions of one row of a block.
    fn explain(
        &self,
        state: &mut ThreadState,
        answers: &Answers,
        index: usize,
        row: &FeatureVector,
    ) -> Result<Contributions, EngineError> {
        let width = self.contract.features.len();
        let own = index * width..(index + 1) * width;
        match &self.engine {
            Engine::Scorecard(_) => {
                let intercept = self.manifest.graph.intercept.unwrap_or_default();
                Ok(explain::scorecard(&answers.partials[own], &self.reference.mean_partials, intercept))
            }
            Engine::Net(plan, shapley) => {
                let state = state.plan.as_mut().ok_or_else(no_state)?;
                shapley.explain(plan, state, &row.values, answers.margins[index])
            }
            Engine::Trees(forest) => {
                Ok(Contributions { parts: state.parts[own].to_vec(), base: forest.base(), error: None })
            }
            Engine::Graph(stock, explains) => {
                let (plan, added) = (state.plan.as_mut().ok_or_else(no_state)?, &state.parts[own]);
                stock.explain(explains, plan, &row.values, answers.margins[index], added)
            }
        }
    }

    /// Shapley values of one row by enumeration, whatever method the model publishes. `groups` are features that count
    /// together, every feature for itself where there are none. Only nets have them.
    ///
    /// # Errors
    /// [`EngineError`], also when more groups differ from a background row than [`exact_shapley::MOST_GROUPS`].
    pub fn exact(
        &self,
        state: &mut ThreadState,
        row: &FeatureVector,
        groups: Option<&[Vec<usize>]>,
    ) -> Result<Option<Contributions>, EngineError> {
        let Engine::Net(plan, shapley) = &self.engine else { return Ok(None) };
        let alone: Vec<Vec<usize>> = (0..self.contract.features.len()).map(|feature| vec![feature]).collect();
        let state = state.plan.as_mut().ok_or_else(no_state)?;
        exact_shapley::shapley(plan, state, shapley.starts(), groups.unwrap_or(&alone), &row.values).map(Some)
    }

    /// What stands behind the direction that the contract claims of a feature of a net or stock graph; nothing where none is
    /// claimed, or of another kind of model. What contradicts a claim does not load.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn direction(&self, feature: usize) -> Result<Option<Evidence>, EngineError> {
        let Some(claimed) = self.contract.features.get(feature) else { return Ok(None) };
        let background = &self.reference.background;
        match &self.engine {
            Engine::Net(plan, _) => {
                let proven = plan.dense().map(|dense| dense.directions(feature)[0][0]);
                let mut state = plan.state()?;
                let mut margins = |rows: &[f32]| Ok(plan.run(&mut state, rows)?.margins);
                monotonicity::evidence(&mut margins, proven, background, feature, claimed)
            }
            Engine::Graph(stock, _) => {
                let mut state = stock.state()?;
                monotonicity::evidence(&mut |rows| stock.singles(&mut state, rows), None, background, feature, claimed)
            }
            Engine::Scorecard(_) | Engine::Trees(_) => Ok(None),
        }
    }

    /// The rows that contributions are measured against.
    pub fn background(&self) -> &[Vec<f32>] {
        &self.reference.background
    }

    /// Margins and, for scorecards, parts as the graph gives them, for proofs.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn raw(&self, rows: &[FeatureVector]) -> Result<Answers, EngineError> {
        let flat: Vec<f32> = rows.iter().flat_map(|row| row.values.iter().copied()).collect();
        self.margins(&mut self.state()?, &flat)
    }

    /// Margins alone, of mapped rows laid one after the other.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn margins(&self, state: &mut ThreadState, rows: &[f32]) -> Result<Answers, EngineError> {
        self.engine.run(state.plan.as_mut(), rows)
    }

    /// The probability that a margin means before calibration.
    pub fn pd_raw(&self, margin: f32) -> f64 {
        self.engine.probability(f64::from(margin))
    }

    /// The calibrated probability of a margin.
    pub(crate) fn pd(&self, margin: f32) -> Option<Pd> {
        Pd::quantise(self.calibration.pd(f64::from(margin), self.pd_raw(margin)))
    }

    fn publish(&self, row: &FeatureVector, margin: f32, contributions: Contributions) -> Option<Scored> {
        let pd = self.pd(margin)?;
        let residual = millionths(contributions.residual(margin));
        let base = millionths(contributions.base);
        let error = contributions.error.map(millionths);
        let mut parts = contributions.parts;
        parts.iter_mut().for_each(|part| *part = millionths(*part));
        Some(Scored {
            margin,
            pd_raw: millionths(self.pd_raw(margin)),
            pd,
            class: u8::from(pd.get() >= self.manifest.classification.threshold),
            score: self.scale.score(pd),
            candidates: reasons::candidates(&self.contract, row, &parts, &self.reference.typical),
            contributions: parts,
            base,
            residual,
            error,
        })
    }
}
