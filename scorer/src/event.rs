//! The score event as it is written: the borrowed twin of [`schemas::risk::RiskEvent`], so that saying what was read copies
//! nothing. A test holds the two together.
#![allow(missing_docs)] // each field is described in its twin

use crate::route::{Assignment, Route};
use domain::{ApplicantKind, FeatureFlag, Intent, ModelRole, RequestType, Role, ScoreStatus};
use schemas::Word;
use schemas::risk::ReportUsed;
use scoring::contract::ReasonText;
use scoring::reasons::Candidate;
use scoring::{FeatureVector, Model, Scored};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The body of `score.computed.v1` and of `score.shadow_computed.v1`.
#[derive(serde::Serialize)]
pub struct Event<'a> {
    pub application: ApplicationRef<'a>,
    pub subjects: Vec<Subject<'a>>,
    pub input: InputRef<'a>,
    pub product: &'a str,
    pub intent: &'a Word<Intent>,
    pub request_type: &'a Word<RequestType>,
    pub channel: &'a str,
    pub jurisdiction: &'a str,
    pub requested: &'a RawValue,
    #[serde(serialize_with = "or_empty")]
    pub facts: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<Party<'a>>,
    pub times: Times<'a>,
    pub status: Word<ScoreStatus>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub unscorable: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a RawValue>,
    pub route: RouteRef<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score<'a>>,
    pub features: Features<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation<'a>>,
    pub reasons: Reasons<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<ReportUsed>,
}

#[derive(serde::Serialize)]
pub struct ApplicationRef<'a> {
    pub tenant: &'a str,
    pub application_id: &'a str,
    pub revision: u32,
}

#[derive(serde::Serialize)]
pub struct Subject<'a> {
    pub role: &'a Word<Role>,
    pub kind: &'a Word<ApplicantKind>,
    pub key_id: &'a str,
    pub subject: &'a str,
}

#[derive(serde::Serialize)]
pub struct Party<'a> {
    pub role: &'a Word<Role>,
    pub kind: &'a Word<ApplicantKind>,
    #[serde(serialize_with = "or_empty")]
    pub facts: Option<&'a RawValue>,
}

#[derive(serde::Serialize)]
pub struct InputRef<'a> {
    pub event_id: &'a str,
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub data_digest: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_digest_key: Option<&'a str>,
}

#[derive(serde::Serialize)]
pub struct Times<'a> {
    pub submitted_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<&'a str>,
    pub received_at: &'a str,
    pub as_of: &'a str,
}

#[derive(Clone, Default, serde::Serialize)]
pub struct RouteRef<'a> {
    pub digest: &'a str,
    pub name: &'a str,
    pub version: &'a str,
    pub bucket: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm: Option<Word<ModelRole>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<bool>,
    #[serde(rename = "untold", skip_serializing_if = "Vec::is_empty")]
    pub undetermined_conditions: Vec<&'a str>,
    /// Not said: whether the event carries the parties beside the primary applicant.
    #[serde(skip)]
    pub carries_parties: bool,
}

impl<'a> RouteRef<'a> {
    /// What is said of an assignment.
    pub fn of(route: &'a Route, assignment: Assignment<'a>) -> Self {
        let Assignment { bucket, chosen, undetermined } = assignment;
        let entry = chosen.map(|chosen| &route.entries()[chosen.entry]);
        Self {
            digest: route.digest(),
            name: route.name(),
            version: route.version(),
            bucket,
            entry: entry.map(|entry| entry.id.as_str()),
            arm: entry.zip(chosen).map(|(entry, chosen)| entry.packages[chosen.deciding].role.into()),
            holdout: chosen.map(|chosen| chosen.holdout),
            undetermined_conditions: undetermined,
            carries_parties: entry.is_some_and(|entry| entry.parties),
        }
    }
}

#[derive(serde::Serialize)]
pub struct Score<'a> {
    pub margin: f32,
    pub pd_raw: f64,
    pub pd: f64,
    pub class: u8,
    pub threshold: f64,
    pub score: i32,
    pub range: [i32; 2],
    pub scale_id: &'a str,
    pub band: &'a str,
}

#[derive(serde::Serialize)]
pub struct Explanation<'a> {
    pub method: &'a str,
    pub reference: &'a str,
    pub base: f64,
    pub residual: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inexact: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_95: Option<f64>,
}

/// Readers expect facts to be an object.
fn or_empty<S: Serializer>(facts: &Option<&RawValue>, serializer: S) -> Result<S::Ok, S::Error> {
    match facts {
        Some(facts) => facts.serialize(serializer),
        None => serializer.collect_map(std::iter::empty::<((), ())>()),
    }
}

/// The values used; none where nothing was scored.
pub struct Features<'a>(pub Option<(&'a Model, &'a FeatureVector, &'a Scored)>);

#[derive(serde::Serialize)]
struct FeatureUsed<'a> {
    name: &'a str,
    /// A number that is none is written as `null`.
    value: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<Word<FeatureFlag>>,
    contribution: f64,
}

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((model, row, scored)) = self.0 else { return serializer.collect_seq(std::iter::empty::<()>()) };
        serializer.collect_seq(model.features().iter().enumerate().map(|(index, feature)| FeatureUsed {
            name: &feature.name,
            value: row.values[index],
            flag: row.flags[index].map(Word::from),
            contribution: scored.contributions[index],
        }))
    }
}

/// Candidate reasons, strongest first; none where nothing was scored.
pub struct Reasons<'a>(pub Option<(&'a Model, &'a [Candidate])>);

#[derive(serde::Serialize)]
struct Reason<'a> {
    rank: usize,
    code: &'a str,
    text: &'a str,
    form_c1: &'a str,
    hmda: u8,
    features: Vec<&'a str>,
    contribution: f64,
}

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some((model, candidates)) = self.0 else { return serializer.collect_seq(std::iter::empty::<()>()) };
        serializer.collect_seq(candidates.iter().enumerate().map(|(index, candidate)| {
            let ReasonText { code, text, form_c1, hmda } = &model.reasons()[candidate.reason];
            Reason {
                rank: index + 1,
                code,
                text,
                form_c1,
                hmda: *hmda,
                features: candidate.features.iter().map(|at| &*model.features()[*at].name).collect(),
                contribution: candidate.contribution,
            }
        }))
    }
}
