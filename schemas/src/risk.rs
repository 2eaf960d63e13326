//! The score event, `score.computed.v1`. Nobody downstream looks back: it carries all that a policy, a person or a replay
//! needs. Numbers are quantised here, once.

use crate::Word;
use crate::application::{Facts, Requested};
use domain::{ApplicantKind, FeatureFlag, Intent, ModelRole, Population, ReportStatus, RequestType, Role, ScoreStatus};
use serde::{Deserialize, Deserializer, Serialize};

/// `ce_type` of the assigned arm's score.
pub const COMPUTED: &str = "score.computed.v1";
/// `ce_type` of a shadow's score.
pub const SHADOW_COMPUTED: &str = "score.shadow_computed.v1";

/// The body of a score event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskEvent {
    /// Identity of the application.
    pub application: ApplicationRef,
    /// Who applied, by role.
    pub subjects: Vec<Subject>,
    /// Of the record scored.
    pub input: InputRef,
    /// Product.
    pub product: String,
    /// What is wanted.
    pub intent: Word<Intent>,
    /// What kind of request it is.
    pub request_type: Word<RequestType>,
    /// Sales channel.
    pub channel: String,
    /// ISO 3166-2.
    pub jurisdiction: String,
    /// Amount, term, purpose.
    pub requested: Requested,
    /// The primary applicant's typed facts, for rules.
    pub facts: Facts,
    /// The parties beside the primary applicant, for rules; only where the route in force has them carried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<Party>,
    /// All times.
    pub times: Times,
    /// Whether there is a score.
    pub status: Word<ScoreStatus>,
    /// Why it is unscorable: words with the feature's name, such as `wrong_currency:limit_bal`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unscorable: Vec<String>,
    /// The model; absent when no model serves the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelRef>,
    /// The route that chose the model.
    pub route: RouteRef,
    /// The score; absent when unscorable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// Values used, in the model's order.
    #[serde(default)]
    pub features: Vec<FeatureUsed>,
    /// How contributions were made; absent when unscorable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// Candidate reasons, strongest first.
    #[serde(default)]
    pub reasons: Vec<CandidateReason>,
    /// Bureau reports that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportUsed>,
}

/// (tenant, application id, revision).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationRef {
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: u32,
}

/// A pseudonymous applicant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Part in the application.
    pub role: Word<Role>,
    /// A person or an organisation.
    pub kind: Word<ApplicantKind>,
    /// Which tenant key made it.
    pub key_id: String,
    /// HMAC-SHA-256(tenant key, customer_ref), hexadecimal.
    pub subject: String,
}

/// A party beside the primary applicant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Party {
    /// `co_applicant` or `guarantor`.
    pub role: Word<Role>,
    /// `person` or `organisation`.
    pub kind: Word<ApplicantKind>,
    /// Typed facts.
    pub facts: Facts,
}

/// The record that was scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRef {
    /// Event id of the accepted application.
    pub event_id: String,
    /// Topic without prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Keyed digest of the RFC 8785 form of the sender's `data`.
    pub data_digest: String,
    /// Id of the key that made it; absent where a version before made an unkeyed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest_key: Option<String>,
}

/// Times, RFC 3339 in UTC; `as_of` is a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The sender's clock.
    pub submitted_at: String,
    /// Starts the notice clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The broker's clock at first touch: the only time that rules use.
    pub received_at: String,
    /// The date that the facts describe.
    pub as_of: String,
}

/// Which model, and what it predicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRef {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// SHA-256 of the manifest.
    pub digest: String,
    /// Part in the route.
    pub role: Word<ModelRole>,
    /// Bad definition, horizon, population, prior correction.
    pub target: Target,
    /// Engine and its version.
    pub engine: String,
    /// Build and kernel set.
    pub kernel: String,
}

/// What a probability is a probability of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What counts as bad.
    pub definition: String,
    /// Within how many months.
    pub horizon_months: u32,
    /// Whom the sample is of.
    pub population: Word<Population>,
    /// How the sample's bad rate was corrected.
    pub prior_correction: String,
}

/// The route that chose the arm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRef {
    /// SHA-256 of the route document.
    pub digest: String,
    /// Name of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Sticky hash of the primary's subject, 0..=9999.
    pub bucket: u32,
    /// Id of the entry that applied; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The arm that decides on this customer, champion or challenger; absent where no entry applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Word<ModelRole>>,
    /// Whether the customer is one of those whom no challenger gets; absent where no entry applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<bool>,
    /// Ids of entries whose condition was undetermined on this application, and which therefore did not apply.
    #[serde(rename = "untold", default, skip_serializing_if = "Vec::is_empty")]
    pub undetermined_conditions: Vec<String>,
}

/// The score itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Log-odds of default, as the graph gave it.
    pub margin: f32,
    /// Before calibration, to 1e-6.
    pub pd_raw: f64,
    /// Calibrated, to 1e-6.
    pub pd: f64,
    /// 0 safe, 1 risky.
    pub class: u8,
    /// pd at or above which the class is 1.
    pub threshold: f64,
    /// Points.
    pub score: i32,
    /// Lowest and highest points.
    pub range: [i32; 2],
    /// The product's scale.
    pub scale_id: String,
    /// Band of the scale.
    pub band: String,
}

/// One characteristic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureUsed {
    /// Its name in the feature contract.
    pub name: String,
    /// What the graph was given; NaN, `null` on the wire, where a missing value is given as none.
    #[serde(deserialize_with = "number_or_none")]
    pub value: f32,
    /// Present when the value is not as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<Word<FeatureFlag>>,
    /// Its part of the margin against the reference, to 1e-6; positive is riskier.
    pub contribution: f64,
}

/// `null` is NaN, which JSON has no word for.
fn number_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    Ok(Option::<f32>::deserialize(deserializer)?.unwrap_or(f32::NAN))
}

/// How contributions were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Such as `scorecard_exact`.
    pub method: String,
    /// The reference population.
    pub reference: String,
    /// Margin of the reference, to 1e-6.
    pub base: f64,
    /// margin − base − Σ contributions, to 1e-6.
    pub residual: f64,
    /// Why the residual is above 1e-5, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inexact: Option<String>,
    /// Sampled contributions only: how far one may be from the Shapley value, with 95 % confidence, to 1e-6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_95: Option<f64>,
}

/// An adverse characteristic with its code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateReason {
    /// From 1.
    pub rank: u32,
    /// Reason code.
    pub code: String,
    /// What the applicant is told.
    pub text: String,
    /// Form C-1 code or `other`.
    pub form_c1: String,
    /// HMDA reason for denial, 1..=9.
    pub hmda: u8,
    /// Characteristics behind it.
    pub features: Vec<String>,
    /// Their summed contribution, to 1e-6.
    pub contribution: f64,
}

/// A report that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportUsed {
    /// The bureau.
    pub source: String,
    /// Its id.
    pub report_id: String,
    /// What the bureau found.
    pub status: Word<ReportStatus>,
    /// RFC 3339.
    pub pulled_at: String,
}
