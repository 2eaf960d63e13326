//! The worker's thought: applications and the models that serve them → what is said of each. Pure but for the engine's own
//! working memory; knows no topic.

use crate::application::{Applicant, Application};
use crate::event::{
    ApplicationRef, Event, Explanation, Features, InputRef, Party, Reasons, RouteRef, Score, Subject, Times,
};
use domain::{ModelRole, ScoreStatus};
use runtime::stream::Offset;
use schemas::Word;
use schemas::application::Report;
use schemas::risk::{ModelRef, ReportUsed, Target};
use scoring::explain::inexact;
use scoring::fingerprint::{ENGINE, kernel};
use scoring::model::MARGIN_NOT_FINITE;
use scoring::{EngineError, FeatureVector, Model, Scored, ThreadState};
use serde_json::value::RawValue;
use std::sync::Arc;

/// A model with this thread's working memory and the parts of an event that never change.
pub struct Serving {
    model: Arc<Model>,
    state: ThreadState,
    digest: String,
    champion: ModelIdentity,
    challenger: ModelIdentity,
    shadow: ModelIdentity,
    reads_reports: bool,
}

/// What a model says of itself in a role.
struct ModelIdentity {
    ordinal: String,
    model_ref: Box<RawValue>,
}

impl ModelIdentity {
    fn new(model: &Model, digest: &str, role: ModelRole) -> Self {
        let manifest = model.manifest();
        let target = &manifest.target;
        let model_ref = ModelRef {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: digest.to_owned(),
            role: role.into(),
            target: Target {
                definition: target.definition.clone(),
                horizon_months: target.horizon_months,
                population: Word::parse(&target.population),
                prior_correction: target.prior_correction.clone(),
            },
            engine: ENGINE.to_owned(),
            kernel: kernel(),
        };
        // A struct of strings and an integer is always JSON.
        let model_ref = serde_json::value::to_raw_value(&model_ref).expect("a model reference is JSON");
        Self { ordinal: ordinal(role, &manifest.name), model_ref }
    }
}

impl Serving {
    /// Sets a model up for this thread.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn new(model: Arc<Model>) -> Result<Self, EngineError> {
        let digest = model.digest().to_string();
        let reads = |source: &Option<String>| source.as_ref().is_some_and(|text| text.contains("reports"));
        let features = &model.manifest().feature;
        let reads_reports = features.iter().any(|feature| reads(&feature.pointer) || reads(&feature.expr));
        let identity = |role| ModelIdentity::new(&model, &digest, role);
        let [champion, challenger, shadow] =
            [ModelRole::Champion, ModelRole::Challenger, ModelRole::Shadow].map(identity);
        Ok(Self { state: model.state()?, champion, challenger, shadow, reads_reports, digest, model })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// SHA-256 of its manifest, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What tells its score events in a role from the other ones of an application.
    pub fn ordinal(&self, role: ModelRole) -> &str {
        &self.identity(role).ordinal
    }

    fn identity(&self, role: ModelRole) -> &ModelIdentity {
        match role {
            ModelRole::Champion => &self.champion,
            ModelRole::Challenger => &self.challenger,
            ModelRole::Shadow => &self.shadow,
        }
    }
}

/// Role and name of a model, as event ids carry them.
pub fn ordinal(role: ModelRole, name: &str) -> String {
    format!("{}:{name}", role.as_str())
}

/// What became of an application.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It has a score.
    Scored(FeatureVector, Scored),
    /// It has none, for these reasons.
    Unscorable(Vec<String>),
}

impl Outcome {
    /// The word for it.
    pub fn status(&self) -> ScoreStatus {
        match self {
            Self::Scored(..) => ScoreStatus::Scored,
            Self::Unscorable(_) => ScoreStatus::Unscorable,
        }
    }
}

/// A row of the graph's input, or why there is none.
pub type Row = Result<FeatureVector, Vec<String>>;

/// Maps applications by a model's feature contract, in their order.
pub fn map(serving: &Serving, applications: &[&Application<'_>]) -> Vec<Row> {
    let row = |application: &&Application<'_>| match serving.model.map_text(application.text) {
        Ok(mapped) => mapped.map_err(|causes| causes.iter().map(ToString::to_string).collect()),
        Err(_) => Err(vec![UNREADABLE.to_owned()]),
    };
    applications.iter().map(row).collect()
}

/// Scores rows by one model, in their order. Each answer depends on its own row only.
pub fn score(serving: &mut Serving, mapped: Vec<Row>) -> Vec<Outcome> {
    let mut rows = Vec::with_capacity(mapped.len());
    let mut refused = Vec::with_capacity(mapped.len());
    for row in mapped {
        refused.push(row.map(|row| rows.push(row)).err());
    }
    let answers = serving.answers(&rows);
    let mut answers = rows.into_iter().zip(answers);
    let outcome = |refused: Option<Vec<String>>| match (refused, &mut answers) {
        (Some(causes), _) => Outcome::Unscorable(causes),
        (None, answers) => match answers.next() {
            Some((row, Ok(Some(scored)))) => Outcome::Scored(row, scored),
            Some((_, Ok(None))) => Outcome::Unscorable(vec![MARGIN_NOT_FINITE.to_owned()]),
            Some((_, Err(_))) | None => Outcome::Unscorable(vec![ENGINE_FAILED.to_owned()]),
        },
    };
    refused.into_iter().map(outcome).collect()
}

impl Serving {
    /// One answer for each row. Where the engine fails on a block, the rows go one by one, so that only the guilty has none.
    fn answers(&mut self, rows: &[FeatureVector]) -> Vec<Result<Option<Scored>, EngineError>> {
        match self.model.score_block(&mut self.state, rows) {
            Ok(scored) => scored.into_iter().map(Ok).collect(),
            Err(error) if rows.len() < 2 => {
                tracing::error!(model = self.model.manifest().name, reason = %error, "engine failed");
                vec![Err(error)]
            }
            Err(_) => rows.iter().flat_map(|row| self.answers(std::slice::from_ref(row))).collect(),
        }
    }
}

/// The engine failed on a row that the contract lets through.
pub(crate) const ENGINE_FAILED: &str = "engine_failed";

/// The body was read in part, and cannot be read in whole.
pub const UNREADABLE: &str = "unreadable_body";

/// What an application of a product without a model gets.
pub(crate) fn without_model(product: &str) -> Outcome {
    Outcome::Unscorable(vec![format!("no_model:{product}")])
}

/// Where an application came from, and when it came to the deployment.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Event id of the accepted application.
    pub event_id: &'a str,
    /// Topic without prefix.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Where it stands in its partition.
    pub offset: Offset,
    /// Keyed digest of the RFC 8785 form of the sender's `data`.
    pub data_digest: &'a str,
    /// Id of its key.
    pub data_digest_key: Option<&'a str>,
    /// RFC 3339.
    pub received_at: &'a str,
}

/// The event that says what became of an application.
pub fn event<'a>(
    application: &'a Application<'_>,
    origin: Origin<'a>,
    route: &RouteRef<'a>,
    role: ModelRole,
    serving: Option<&'a Serving>,
    outcome: &'a Outcome,
) -> Event<'a> {
    let scored = match (serving, outcome) {
        (Some(serving), Outcome::Scored(row, scored)) => Some((&*serving.model, row, scored)),
        _ => None,
    };
    let unscorable = match outcome {
        Outcome::Unscorable(causes) => causes.as_slice(),
        Outcome::Scored(..) => &[],
    };
    let Origin { event_id, topic, partition, offset, data_digest, data_digest_key, received_at } = origin;
    let primary = application.primary();
    Event {
        application: ApplicationRef {
            tenant: &application.tenant,
            application_id: &application.application_id,
            revision: application.revision,
        },
        subjects: application.applicants.iter().map(subject).collect(),
        input: InputRef { event_id, topic, partition, offset: offset.get(), data_digest, data_digest_key },
        product: &application.product,
        intent: &application.intent,
        request_type: &application.request_type,
        channel: &application.channel,
        jurisdiction: &application.jurisdiction,
        requested: application.requested,
        facts: primary.facts,
        parties: match route.carries_parties && role != ModelRole::Shadow {
            true => application.applicants.iter().skip(1).map(party).collect(),
            false => Vec::new(),
        },
        times: Times {
            submitted_at: &application.submitted_at,
            completed_at: application.completed_at.as_deref(),
            received_at,
            as_of: &application.as_of,
        },
        status: if scored.is_some() { ScoreStatus::Scored.into() } else { ScoreStatus::Unscorable.into() },
        unscorable,
        model: serving.map(|serving| &*serving.identity(role).model_ref),
        route: route.clone(),
        score: scored.map(|(model, _, scored)| published(model, scored)),
        features: Features(scored),
        explanation: scored.map(|(model, _, scored)| Explanation {
            method: model.method(),
            reference: model.manifest().reasons.reference.as_str(),
            base: scored.base,
            residual: scored.residual,
            inexact: inexact(scored.residual),
            error_95: scored.error,
        }),
        reasons: Reasons(scored.map(|(model, _, scored)| (model, scored.candidates.as_slice()))),
        reports: match serving {
            Some(serving) if serving.reads_reports => application.applicants.iter().flat_map(reports).collect(),
            _ => Vec::new(),
        },
    }
}

fn published<'a>(model: &'a Model, scored: &Scored) -> Score<'a> {
    let scale = model.scale();
    let (floor, cap) = scale.range();
    Score {
        margin: scored.margin,
        pd_raw: scored.pd_raw,
        pd: scored.pd.get(),
        class: scored.class,
        threshold: model.manifest().classification.threshold,
        score: scored.score,
        range: [floor, cap],
        scale_id: scale.id(),
        band: scale.band(scored.score),
    }
}

fn subject<'a>(applicant: &'a Applicant<'_>) -> Subject<'a> {
    let (key_id, subject) = (&*applicant.subject.key_id, &*applicant.subject.subject);
    Subject { role: &applicant.role, kind: &applicant.kind, key_id, subject }
}

fn party<'a>(applicant: &'a Applicant<'_>) -> Party<'a> {
    Party { role: &applicant.role, kind: &applicant.kind, facts: applicant.facts }
}

fn reports(applicant: &Applicant<'_>) -> Vec<ReportUsed> {
    let reports: Vec<Report> =
        applicant.reports.and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default();
    let used = |report: Report| ReportUsed {
        source: report.source,
        report_id: report.report_id,
        status: report.status,
        pulled_at: report.pulled_at,
    };
    reports.into_iter().map(used).collect()
}
