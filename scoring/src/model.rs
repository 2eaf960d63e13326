//! A package that has proven itself: the only thing that scores. Built by [`Model::load`] or not at all.

use crate::contract::{self, Contract, ReasonText};
use crate::error::{EngineError, LoadError, Part};
use crate::explain::{self, Contributions, Shapley};
use crate::expr::Document;
use crate::golden;
use crate::manifest::{CalibrationMethod, Kind, Manifest};
use crate::mapping::{self, FeatureVector, Unscorable};
use crate::plan::{Plan, PlanState, Shape};
use crate::reasons::{self, Candidate};
use crate::reference::Reference;
use crate::scales::Scales;
use domain::Digest;
use domain::pd::{Pd, sigmoid};
use domain::scale::Scale;
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
    scale: Scale,
    reference: Reference,
    plan: Plan,
    /// Nets only.
    shapley: Option<Shapley>,
}

/// One thread's working memory for one model.
#[derive(Debug)]
pub struct ThreadState {
    plan: PlanState,
    rows: Vec<f32>,
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
    /// At most four, strongest first.
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
        let contract = Contract::new(&manifest)?;
        let scale = scale_of(&manifest, scales)?;
        let reference =
            Reference::parse(&files.reference, manifest.reasons.reference, manifest.kind, &contract.sentinels())?;
        let shape = Shape {
            input: &manifest.graph.input,
            width: contract.features.len(),
            margin: &manifest.graph.margin,
            partials: manifest.graph.partials.as_deref(),
        };
        let plan = Plan::new(&files.graph, shape)?;
        let shapley = match manifest.kind {
            Kind::Scorecard => None,
            Kind::Net => Some(Shapley::new(&plan, &reference.background).map_err(|e| LoadError::Graph(e.to_string()))?),
        };
        let digest = Digest::of(&files.manifest);
        let model = Self { manifest, digest, contract, scale, reference, plan, shapley };
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

    /// Every reason a feature names.
    pub fn reasons(&self) -> &[ReasonText] {
        &self.contract.codes
    }

    /// Points and bands.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// How contributions are made.
    pub fn method(&self) -> &str {
        self.shapley.as_ref().map_or(explain::SCORECARD, Shapley::method)
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
        Ok(ThreadState { plan: self.plan.state()?, rows: Vec::new() })
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
        let width = self.contract.features.len();
        state.rows.clear();
        rows.iter().for_each(|row| state.rows.extend_from_slice(&row.values));
        let answers = self.plan.run(&mut state.plan, &state.rows)?;
        let mut scored = Vec::with_capacity(rows.len());
        for (index, (row, margin)) in rows.iter().zip(&answers.margins).enumerate() {
            let contributions = match &self.shapley {
                _ if !margin.is_finite() => {
                    scored.push(None);
                    continue;
                }
                Some(shapley) => shapley.explain(&self.plan, &mut state.plan, &row.values, *margin)?,
                None => {
                    let partials = &answers.partials[index * width..][..width];
                    let intercept = self.manifest.graph.intercept.unwrap_or_default();
                    explain::scorecard(partials, &self.reference.mean_partials, intercept)
                }
            };
            scored.push(self.publish(row, *margin, contributions));
        }
        Ok(scored)
    }

    /// Margins and, for scorecards, parts as the graph gives them, for proofs.
    pub(crate) fn raw(&self, rows: &[FeatureVector]) -> Result<crate::plan::Answers, EngineError> {
        let flat: Vec<f32> = rows.iter().flat_map(|row| row.values.iter().copied()).collect();
        self.plan.run(&mut self.plan.state()?, &flat)
    }

    /// The calibrated probability of a margin.
    pub(crate) fn pd(&self, margin: f32) -> Option<Pd> {
        let (a, b) = match self.manifest.calibration.method {
            CalibrationMethod::None => (1.0, 0.0),
            CalibrationMethod::Platt => {
                (self.manifest.calibration.a.unwrap_or(1.0), self.manifest.calibration.b.unwrap_or(0.0))
            }
        };
        Pd::quantise(sigmoid(a * f64::from(margin) + b))
    }

    fn publish(&self, row: &FeatureVector, margin: f32, contributions: Contributions) -> Option<Scored> {
        let pd = self.pd(margin)?;
        let residual = millionths(contributions.residual(margin));
        let base = millionths(contributions.base);
        let mut parts = contributions.parts;
        parts.iter_mut().for_each(|part| *part = millionths(*part));
        Some(Scored {
            margin,
            pd_raw: millionths(sigmoid(f64::from(margin))),
            pd,
            class: u8::from(pd.get() >= self.manifest.classification.threshold),
            score: self.scale.score(pd),
            candidates: reasons::candidates(&self.contract, row, &parts, &self.reference.typical),
            contributions: parts,
            base,
            residual,
        })
    }
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
    let graph = &manifest.graph;
    match manifest.kind {
        Kind::Scorecard if graph.partials.is_none() || graph.intercept.is_none_or(|value| !value.is_finite()) => {
            return fault("graph", "a scorecard names its partials and its intercept");
        }
        Kind::Net if graph.partials.is_some() || graph.intercept.is_some() => {
            return fault("graph", "only a scorecard has partials and an intercept");
        }
        Kind::Scorecard | Kind::Net => {}
    }
    let calibration = &manifest.calibration;
    let fits = match (calibration.method, calibration.a, calibration.b) {
        (CalibrationMethod::Platt, Some(a), Some(b)) => a.is_finite() && a > 0.0 && b.is_finite(),
        (CalibrationMethod::Platt, _, _) => false,
        (CalibrationMethod::None, a, b) => a.is_none() && b.is_none(),
    };
    if !fits {
        return fault("calibration", "platt needs a above zero and b; none has neither");
    }
    let threshold = manifest.classification.threshold;
    if !(threshold > 0.0 && threshold < 1.0) {
        return fault("classification", "threshold must lie between 0 and 1");
    }
    Ok(())
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
