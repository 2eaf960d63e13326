//! `decision.made.v1`, the only decision type. A pure function of the score event, the policy and the route, but for
//! `decided_at`.

use crate::Word;
use crate::application::Requested;
use crate::risk::{ApplicationRef, Score, Subject, Target, Times};
use domain::{
    Automation, Comparator, FeatureFlag, Intent, ModelRole, Outcome, ReasonSource, Referral, Role, ScoreStatus, Step,
};
use serde::{Deserialize, Serialize};

/// `ce_type` of a decision.
pub const MADE: &str = "decision.made.v1";

/// The body of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Identity of the application.
    pub application: ApplicationRef,
    /// Who applied, by role.
    pub subjects: Vec<Subject>,
    /// From 1; each human act makes the next.
    pub decision_number: u32,
    /// Decision number that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<u32>,
    /// What becomes of the application; unknown means refer.
    pub outcome: Word<Outcome>,
    /// Whether nothing more is to come but by a new act; never where `intent` is `prequalify`.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Who decided.
    pub automation: Word<Automation>,
    /// The step that decided.
    pub step: Word<Step>,
    /// For a referral: why a person must look. Zones of a policy bring words of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Word<Referral>>,
    /// Product.
    pub product: String,
    /// What was wanted.
    pub intent: Word<Intent>,
    /// Sales channel.
    pub channel: String,
    /// ISO 3166-2.
    pub jurisdiction: String,
    /// Amount, term, purpose; absent for a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<Requested>,
    /// The score event; absent for a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskSummary>,
    /// Policy in force at this position.
    pub policy: PolicyRef,
    /// Rules that fired, in order.
    #[serde(default)]
    pub rules: Vec<RuleFired>,
    /// Principal reasons, at most four.
    #[serde(default)]
    pub principal_reasons: Vec<PrincipalReason>,
    /// Whether a notice of adverse action is due.
    pub adverse_action: bool,
    /// When and to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// FCRA disclosure of scores used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub score_disclosure: Vec<ScoreDisclosure>,
    /// Terms approved or offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Whatever was used beyond the score event.
    pub inputs: Inputs,
    /// Which arm of the route decided; absent where no entry of it applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Assignment>,
    /// All times carried on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// Wall clock, RFC 3339; outside ids and replay.
    pub decided_at: String,
}

/// The part of the score event that readers need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskSummary {
    /// Id of the score event.
    pub event_id: String,
    /// Whether there is a score.
    pub status: Word<ScoreStatus>,
    /// Words with the feature's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unscorable: Vec<String>,
    /// Model name, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelSummary>,
    /// The score, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
}

/// Which model scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// SHA-256 of the manifest.
    pub digest: String,
    /// Part in the route.
    pub role: Word<ModelRole>,
    /// What the probability is of.
    pub target: Target,
}

/// Which policy decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Name of the document.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: String,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleFired {
    /// Its id in the policy.
    pub id: String,
    /// Its step.
    pub step: Word<Step>,
    /// The value seen, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The threshold, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// The comparisons that decided, in the order of the rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
}

/// What a rule compared, so that it held; each reads as a true sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The fact or feature, as the policy names it.
    pub fact: String,
    /// How it was compared.
    pub operator: Word<Comparator>,
    /// The value seen, as text; absent where it is withheld, or a text of no closed form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The threshold, as text: a constant, or the value of what stands in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// What stands in place of a constant, as the policy names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What the model did to the value, where the fact is a feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<Word<FeatureFlag>>,
}

/// A reason given to the applicant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalReason {
    /// From 1.
    pub rank: u32,
    /// Reason code.
    pub code: String,
    /// What gave it.
    pub source: Word<ReasonSource>,
    /// What the applicant is told.
    pub text: String,
    /// Form C-1 code or `other`.
    pub form_c1: String,
    /// HMDA reason for denial, 1..=9.
    pub hmda: u8,
}

/// A notice of adverse action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// RFC 3339: 30 days after completion (Reg B 1002.9(a)(1)).
    pub due_by: String,
    /// Roles of the recipients.
    pub recipients: Vec<Word<Role>>,
}

/// A score that was used (FCRA 615(a)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreDisclosure {
    /// Points.
    pub score: i64,
    /// Lowest and highest points.
    pub range: [i64; 2],
    /// Date of the score.
    pub date: String,
    /// Who made it.
    pub agency: String,
    /// Up to four key factors, a fifth when inquiries are one.
    pub key_factors: Vec<String>,
}

/// Terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_months: Option<u32>,
}

/// What was used beyond the score event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// SHA-256 of the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_digest: Option<String>,
    /// Sticky bucket, 0..=9999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
}

/// The arm that a customer is assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Champion or challenger.
    pub arm: Word<ModelRole>,
    /// Sticky bucket, 0..=9999.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// Whether the customer is one of those whom no challenger gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<bool>,
}
