//! A package that has proven itself: the only thing that scores. Built by [`Model::load`] or not at all.

use crate::calibration::Calibration;
use crate::contract::{self, Contract, ReasonText};
use crate::error::{LoadError, Part};
use crate::explain::{self, Contributions, Shapley};
use crate::expr::Document;
use crate::forest::{self, Forest};
use crate::golden;
use crate::manifest::{Kind, Link, Manifest};
use crate::mapping::{self, FeatureVector, Unscorable};
use crate::monotonicity::{self, Evidence};
use crate::reasons::{self, Candidate};
use crate::reference::Reference;
use crate::scales::Scales;
use crate::stock::{self, Explains, Stock};
use domain::Digest;
use domain::pd::{Pd, sigmoid};
use domain::scale::Scale;
use inference::plan::{Answers, Plan, PlanState, Shape};
use inference::{EngineError, exact_shapley};
use serde_json::Value;

/// The bytes of a package. Reading them from wherever they are is the caller's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFiles {
    /// `manifest.toml`.
    pub manifest: Vec<u8>,
    /// `model.onnx`.
    pub graph: Vec<u8>,
    /// `golden.json`.
    pub golden: Vec<u8>,
    /// `reference.json`.
    pub reference: Vec<u8>,
}

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

/// What gives margins and contributions.
#[derive(Debug)]
enum Engine {
    Scorecard(Plan),
    Net(Plan, Shapley),
    Trees(Box<Forest>),
    Graph(Box<Stock>, Explains),
}

/// One thread's working memory for one model.
#[derive(Debug)]
pub struct ThreadState {
    /// None for trees, which need none.
    plan: Option<PlanState>,
    rows: Vec<f32>,
    parts: Vec<f64>,
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
    /// Builds a model and lets it prove itself: digests, contract, graph, reference, golden answers.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong and where.
    pub fn load(files: &PackageFiles, scales: &Scales) -> Result<Self, LoadError> {
        let manifest = Manifest::parse(&files.manifest)?;
        check_digest(Part::Graph, &manifest.graph_sha256, &files.graph)?;
        check_digest(Part::Golden, &manifest.golden_sha256, &files.golden)?;
        check_digest(Part::Reference, &manifest.reference_sha256, &files.reference)?;
        check_head(&manifest)?;
        let calibration = Calibration::new(&manifest.calibration)?;
        let contract = Contract::new(&manifest)?;
        let scale = scale_of(&manifest, scales)?;
        let reference =
            Reference::parse(&files.reference, manifest.reasons.reference, manifest.kind, &contract.sentinels())?;
        let engine = Engine::new(&manifest, &files.graph, &contract, &reference)?;
        let digest = Digest::of(&files.manifest);
        let model = Self { manifest, digest, contract, calibration, scale, reference, engine };
        golden::prove(&model, &files.golden)?;
        Ok(model)
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
        match &self.engine {
            Engine::Scorecard(_) => explain::SCORECARD,
            Engine::Net(_, shapley) => shapley.method(),
            Engine::Trees(_) => forest::TREESHAP,
            Engine::Graph(_, Explains::Additive(_)) => stock::ADDITIVE,
            Engine::Graph(_, Explains::Net(_, shapley)) => shapley.method(),
            Engine::Graph(_, Explains::Walks(walks, _)) => walks.method(),
        }
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
        match &self.engine {
            Engine::Trees(forest) => forest.probability(f64::from(margin)),
            Engine::Graph(stock, _) => stock.probability(f64::from(margin)),
            Engine::Scorecard(_) | Engine::Net(..) => sigmoid(f64::from(margin)),
        }
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

impl Engine {
    fn new(manifest: &Manifest, graph: &[u8], contract: &Contract, reference: &Reference) -> Result<Self, LoadError> {
        let (said, width) = (&manifest.graph, contract.features.len());
        let shape = Shape {
            input: &said.input,
            width,
            margin: said.margin.as_deref().unwrap_or_default(),
            partials: said.partials.as_deref(),
        };
        Ok(match manifest.kind {
            Kind::Scorecard => Self::Scorecard(Plan::new(graph, shape)?),
            Kind::Net => {
                let plan = Plan::new(graph, shape)?;
                let shapley = Shapley::new(&plan, &reference.background);
                let shapley = shapley.map_err(|error| LoadError::Graph(error.to_string()))?;
                Self::Net(plan, shapley)
            }
            Kind::Trees => Self::Trees(Box::new(Forest::new(graph, said, width, reference)?)),
            Kind::Graph => {
                let mut stock = Stock::new(graph, said, &stock::words(contract))?;
                let explains = stock.explains(said.explained, reference);
                Self::Graph(Box::new(stock), explains.map_err(|error| LoadError::Graph(error.to_string()))?)
            }
        })
    }

    fn state(&self) -> Result<Option<PlanState>, EngineError> {
        match self {
            Self::Scorecard(plan) | Self::Net(plan, _) => plan.state().map(Some),
            Self::Graph(stock, _) => stock.state().map(Some),
            Self::Trees(_) => Ok(None),
        }
    }

    fn run(&self, state: Option<&mut PlanState>, rows: &[f32]) -> Result<Answers, EngineError> {
        match self {
            Self::Scorecard(plan) | Self::Net(plan, _) => plan.run(state.ok_or_else(no_state)?, rows),
            Self::Trees(forest) => forest.run(rows),
            Self::Graph(stock, _) => {
                Ok(Answers { margins: stock.singles(state.ok_or_else(no_state)?, rows)?, partials: vec![] })
            }
        }
    }
}

fn no_state() -> EngineError {
    EngineError("the working memory is another model's".to_owned())
}

/// Rounds to 1e-6; never a negative zero.
pub(crate) fn millionths(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}

fn check_digest(part: Part, expected: &str, bytes: &[u8]) -> Result<(), LoadError> {
    let found = Digest::of(bytes);
    match Digest::parse(expected) {
        Ok(digest) if digest == found => Ok(()),
        _ => Err(LoadError::Digest { part, expected: expected.to_owned(), found }),
    }
}

/// Checks what the manifest says outside the features.
fn check_head(manifest: &Manifest) -> Result<(), LoadError> {
    let fault = |place: &str, why: &str| Err(LoadError::contract(place, why));
    let name_fits = |name: &str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if !name_fits(&manifest.name) || !name_fits(&manifest.version) {
        return fault("name", "name and version are 1 to 64 letters, digits and . _ -");
    }
    contract::token(&manifest.product).map_err(|why| LoadError::contract("product", why))?;
    let target = &manifest.target;
    if target.definition.trim().is_empty() || target.prior_correction.trim().is_empty() {
        return fault("target", "definition and prior_correction must be said");
    }
    if !(1..=600).contains(&target.horizon_months) {
        return fault("target", "horizon_months must be 1 to 600");
    }
    if !["booked", "through_the_door"].contains(&target.population.as_str()) {
        return fault("target", "population must be booked or through_the_door");
    }
    check_graph(manifest)?;
    if let Some(native) = &manifest.native {
        if !name_fits(&native.file) || native.library.trim().is_empty() || Digest::parse(&native.sha256).is_err() {
            return fault("native", "needs a library, a file beside the manifest and its SHA-256");
        }
        if native.bound.is_some() != native.greatest.is_some() || native.bound.is_some() != native.total.is_some() {
            return fault("native", "an accepted difference has a bound, the greatest that was found and the total");
        }
    }
    let threshold = manifest.classification.threshold;
    if !(threshold > 0.0 && threshold < 1.0) {
        return fault("classification", "threshold must lie between 0 and 1");
    }
    Ok(())
}

/// Checks that the graph's table says what its kind needs, and nothing else.
fn check_graph(manifest: &Manifest) -> Result<(), LoadError> {
    let (graph, kind) = (&manifest.graph, manifest.kind);
    let fault = |why: &str| Err(LoadError::contract("graph", why));
    let (trees, stock) = (kind == Kind::Trees, kind == Kind::Graph);
    if graph.margin.is_some() == (trees || stock) {
        return fault(
            "a scorecard or net names its margin; trees have none, it is their sum, and kind graph names its output",
        );
    }
    if graph.probability.is_some() != trees || graph.link.is_some() != (trees || stock) {
        return fault(
            "trees name their probability and link, kind graph its output and link, and no other kind has them",
        );
    }
    if graph.output.is_some() != stock || graph.column.is_some() != stock || graph.input.is_empty() != stock {
        return fault("kind graph names its output and column, every other kind its input");
    }
    if !stock && (graph.before.is_some() || graph.explained.is_some()) {
        return fault("only kind graph has before and explained");
    }
    match (kind, graph.link) {
        (Kind::Trees, Some(Link::Softmax | Link::Logit)) => fault("the link of trees is log_odds or probability"),
        (Kind::Graph, Some(Link::Probability | Link::Logit)) if graph.before.is_some() => {
            fault("what a sigmoid or softmax is given is no probability: with before, link is log_odds or softmax")
        }
        (Kind::Scorecard, _) if graph.partials.is_none() || graph.intercept.is_none_or(|value| !value.is_finite()) => {
            fault("a scorecard names its partials and its intercept")
        }
        (Kind::Net | Kind::Trees | Kind::Graph, _) if graph.partials.is_some() || graph.intercept.is_some() => {
            fault("only a scorecard has partials and an intercept")
        }
        (Kind::Scorecard | Kind::Net | Kind::Trees | Kind::Graph, _) => Ok(()),
    }
}

fn scale_of(manifest: &Manifest, scales: &Scales) -> Result<Scale, LoadError> {
    match scales.find(&manifest.scale_id) {
        None => Err(LoadError::contract("scale_id", format!("there is no scale {}", manifest.scale_id))),
        Some((product, _)) if product != manifest.product => Err(LoadError::contract(
            "scale_id",
            format!("scale {} belongs to {product}, the model to {}", manifest.scale_id, manifest.product),
        )),
        Some((_, scale)) => Ok(scale.clone()),
    }
}
