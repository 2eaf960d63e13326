//! PURE. What a detail takes from the bodies of events. Reads only what it shows; fields that are new or absent do no harm.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a score event holds beyond its row.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ScoreParts {
    /// Values used, in the model's order, each with its part of the margin.
    pub features: Vec<Feature>,
    /// How contributions were made.
    pub explanation: Option<Explanation>,
    /// Candidate reasons, strongest first.
    pub reasons: Vec<CandidateReason>,
    /// Bureau reports that were read.
    pub reports: Vec<Report>,
    /// Why this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
}

/// The route that chose the model.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Route {
    /// Name of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The entry that applied; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Sticky hash of the customer, 0 to 9999: shares of challengers go by it.
    #[serde(default)]
    pub bucket: u32,
}

/// A characteristic as the model was given it.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Feature {
    /// Its name in the feature contract.
    pub name: String,
    /// What the model was given; absent where a missing value was given as no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// `missing`, `clamped` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
    /// Its part of the margin against the reference; positive is riskier.
    #[serde(default)]
    pub contribution: f64,
}

/// How contributions were made.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Such as `scorecard_exact`.
    pub method: String,
    /// The reference population.
    pub reference: String,
    /// Margin of the reference.
    pub base: f64,
    /// What contributions leave unexplained.
    pub residual: f64,
}

/// An adverse characteristic.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CandidateReason {
    /// From 1.
    pub rank: u32,
    /// Reason code.
    pub code: String,
    /// What the applicant would be told.
    pub text: String,
    /// Characteristics behind it.
    #[serde(default)]
    pub features: Vec<String>,
    /// Their summed contribution.
    #[serde(default)]
    pub contribution: f64,
}

/// A report that was read.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The bureau.
    pub source: String,
    /// Its id.
    pub report_id: String,
    /// `hit`, `no_hit` …
    pub status: String,
    /// When it was pulled.
    #[schema(format = DateTime)]
    pub pulled_at: String,
}

/// What a decision holds beyond its row.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DecisionParts {
    /// Decision number that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<u32>,
    /// Rules that fired, in order.
    pub rules: Vec<Rule>,
    /// Reasons given to the applicant.
    pub principal_reasons: Vec<PrincipalReason>,
    /// Whether a notice of adverse action is due.
    pub adverse_action: bool,
    /// When and to whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// Scores that the applicant is told of.
    pub score_disclosure: Vec<Disclosure>,
    /// Terms approved or offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
}

/// A rule that fired.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Its id in the policy.
    pub id: String,
    /// `knockout`, `cutoff`, `zone` or `limit`.
    pub step: String,
    /// The value seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// What it compared, so that it held; each reads as a true sentence.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
}

/// What a rule compared.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// The fact or feature, as the policy names it.
    pub fact: String,
    /// `below`, `at_most`, `above`, `at_least`, `equal`, `not_equal`, `one_of` or `none_of`; an open set.
    pub operator: String,
    /// The value seen; absent where the policy withholds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// What stands in place of a constant, as the policy names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// What the model did to the value, where the fact is a feature: `missing`, `clamped` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
}

/// A reason given to the applicant.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrincipalReason {
    /// From 1.
    pub rank: u32,
    /// Reason code.
    pub code: String,
    /// `policy`, `model` or `human`.
    pub source: String,
    /// What the applicant is told.
    pub text: String,
    /// Form C-1 code or `other`.
    #[serde(default)]
    pub form_c1: String,
    /// HMDA reason for denial.
    #[serde(default)]
    pub hmda: u8,
}

/// A notice of adverse action.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// The last moment for it.
    #[schema(format = DateTime)]
    pub due_by: String,
    /// Roles of the recipients.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// A score that the applicant is told of.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Disclosure {
    /// Points.
    pub score: i64,
    /// Lowest and highest points.
    pub range: Vec<i64>,
    /// Date of the score.
    pub date: String,
    /// Who made it.
    pub agency: String,
    /// Key factors.
    #[serde(default)]
    pub key_factors: Vec<String>,
}

/// Terms.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_months: Option<u32>,
}

/// What an answer holds beyond its row.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ReplyParts {
    /// What was taken and may be a mistake, as words.
    pub warnings: Vec<String>,
    /// Where, for the first of them.
    pub warning_details: Vec<Warning>,
}

/// Something that was taken, and that no model of the product reads as it was sent.
#[derive(Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// Such as `unknown_attribute`.
    #[serde(rename = "type")]
    pub kind: String,
    /// JSON pointer (RFC 6901) into the application.
    pub pointer: String,
    /// The known name that is most like it, where one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// The accepted body as it may be shown. The log holds none of these members of an applicant; should one get there, it does
/// not come out here.
pub fn request(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut request: Value = serde_json::from_slice(body)?;
    let applicants = request.get_mut("applicants").and_then(Value::as_array_mut);
    for applicant in applicants.into_iter().flatten().filter_map(Value::as_object_mut) {
        for personal in ["identity", "protected", "customer_ref"] {
            applicant.remove(personal);
        }
    }
    Ok(request)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Every good and edge example of an event type, as the contract publishes them.
    fn examples(event: &str) -> Vec<(String, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/examples").join(event);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let named =
            files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
        named.filter(|(name, _)| name.starts_with("good") || name.starts_with("edge")).collect()
    }

    #[test]
    fn every_example_of_the_contract_can_be_told() {
        let scores = examples("score.computed.v1");
        let decisions = examples("decision.made.v1");
        let applications = examples("application.accepted.v1");
        assert!(scores.len() >= 3 && decisions.len() >= 3 && applications.len() >= 3);
        for (name, body) in scores {
            let parts: Result<ScoreParts, _> = serde_json::from_slice(&body);
            assert!(parts.is_ok(), "{name}: {parts:?}");
        }
        for (name, body) in decisions {
            let parts: Result<DecisionParts, _> = serde_json::from_slice(&body);
            assert!(parts.is_ok(), "{name}: {parts:?}");
        }
        for (name, body) in applications {
            assert!(request(&body).is_ok(), "{name}");
        }
    }

    #[test]
    fn who_applied_never_comes_out() {
        let body = br#"{"product":"p","applicants":[{"role":"primary","customer_ref":"c1","identity":{"name":"A"},"protected":{}}]}"#;
        let shown = request(body).unwrap();
        assert_eq!(shown, serde_json::json!({"product": "p", "applicants": [{"role": "primary"}]}));
    }
}
