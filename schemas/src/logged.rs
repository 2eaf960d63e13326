//! PURE. Events as whoever reads the log reads them: the one set of structs behind rows of projections and what a detail shows. They take
//! the fields that are shown and pass over the others, so that a body of any version that was ever logged is read; which of them
//! becomes what is the reader's to say.

use crate::Word;
use crate::decision::{Notice, Offer, PolicyRef};
use crate::event_id::coordinates_id;
use crate::risk::{ApplicationRef, ReportUsed, RouteRef, Score, Times};
use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Utc};
use domain::{FeatureFlag, Outcome};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// Digits of a second that PostgreSQL keeps.
const MICROSECONDS: u16 = 6;

/// The text of a body. PostgreSQL holds no U+0000 in text: it becomes U+FFFD, while the log keeps it.
pub fn text(body: &[u8]) -> Option<Cow<'_, str>> {
    let (text, nul) = (std::str::from_utf8(body).ok()?, "\\u0000");
    Some(if text.contains(nul) { text.replace(nul, "\\ufffd").into() } else { text.into() })
}

/// RFC 3339 to UTC, to the microsecond: what PostgreSQL keeps, however a row gets there.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc().trunc_subsecs(MICROSECONDS))
}

/// A day of the years that people write; PostgreSQL's begin in 4713 before Christ, Rust's long before.
pub fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| (1..=9999).contains(&day.year()))
}

/// An event's id: its own, or that of its kind and coordinates; the topic has its prefix.
pub fn id(own: Option<&str>, kind: &str, (topic, partition, offset): (&str, i32, i64)) -> Uuid {
    let own = own.and_then(|id| Uuid::parse_str(id).ok());
    own.unwrap_or_else(|| coordinates_id(kind, topic, partition, offset))
}

/// An accepted application.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Application {
    pub tenant: String,
    pub application_id: String,
    pub revision: i32,
    pub product: String,
    pub intent: String,
    pub request_type: String,
    pub channel: String,
    pub jurisdiction: String,
    pub requested: Asked,
    pub submitted_at: String,
    #[serde(default)]
    pub completed_at: Option<String>,
    pub as_of: String,
    #[serde(default)]
    pub applicants: Vec<Applicant>,
}

/// What was asked for. Unlike in the sender's form, fields that come later are passed over.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Asked {
    pub amount: Amount,
    #[serde(default)]
    pub term_months: Option<u32>,
    #[serde(default)]
    pub purpose: Option<String>,
}

/// An amount with its currency.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Amount {
    pub amount_minor: i64,
    pub currency: String,
}

/// Who applied.
#[derive(Debug, Deserialize)]
pub struct Applicant {
    /// The pseudonym, where there is one.
    #[serde(default)]
    pub subject: Option<Subject>,
}

/// A pseudonym.
#[derive(Debug, Deserialize)]
pub struct Subject {
    /// Hexadecimal.
    pub subject: String,
}

/// The applicant's end of an application.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Withdrawal {
    pub tenant: String,
    pub application_id: String,
    pub withdrawn_at: String,
}

/// A score event, with what dashboards group and count.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Scored<'a> {
    pub application: ApplicationRef,
    pub product: String,
    pub intent: String,
    pub channel: String,
    pub jurisdiction: String,
    pub times: Times,
    pub status: String,
    #[serde(default)]
    pub unscorable: Vec<String>,
    #[serde(default)]
    pub model: Option<Model>,
    #[serde(default)]
    pub route: Option<RouteRef>,
    #[serde(default)]
    pub score: Option<Score>,
    #[serde(default, borrow)]
    pub features: Vec<Feature<'a>>,
    #[serde(default)]
    pub reports: Vec<ReportUsed>,
}

/// The model of a score.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Model {
    pub name: String,
    pub version: String,
    pub role: String,
}

/// A feature of a score, without its value.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Feature<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(default)]
    pub flag: Option<Word<FeatureFlag>>,
}

/// A decision. Reasons and rules are the JSON that the event has.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Decided {
    pub application: ApplicationRef,
    pub decision_number: i32,
    pub outcome: Word<Outcome>,
    #[serde(rename = "final")]
    pub is_final: bool,
    pub automation: String,
    pub step: String,
    #[serde(default)]
    pub referral: Option<String>,
    pub product: String,
    pub intent: String,
    pub channel: String,
    pub jurisdiction: String,
    #[serde(default)]
    pub requested: Option<Asked>,
    #[serde(default)]
    pub risk: Option<Risk>,
    pub policy: PolicyRef,
    #[serde(default)]
    pub rules: Option<Box<RawValue>>,
    #[serde(default)]
    pub principal_reasons: Option<Box<RawValue>>,
    pub adverse_action: bool,
    #[serde(default)]
    pub notice: Option<Notice>,
    #[serde(default)]
    pub offer: Option<Offer>,
    #[serde(default)]
    pub times: Option<ReceivedAt>,
    pub decided_at: String,
}

/// The score that a decision used.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)] // named as in the contract
pub struct Risk {
    pub status: String,
    #[serde(default)]
    pub model: Option<Model>,
    #[serde(default)]
    pub score: Option<Score>,
}

/// When a deployment first had an application.
#[derive(Debug, Deserialize)]
pub struct ReceivedAt {
    /// RFC 3339.
    pub received_at: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Every good and edge example of an event type, as text.
    fn examples(kind: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(kind);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_good = |name: &str| name.starts_with("good") || name.starts_with("edge");
        let good = files.filter(|path| is_good(&path.file_name().unwrap().to_string_lossy()));
        good.map(|path| text(&std::fs::read(path).unwrap()).unwrap().into_owned()).collect()
    }

    #[test]
    fn every_example_of_the_contract_is_read() {
        type Reads = fn(&str) -> bool;
        let rows: [(&str, Reads); 5] = [
            ("application.accepted.v1", |text| serde_json::from_str::<Application>(text).is_ok()),
            ("application.withdrawn.v1", |text| serde_json::from_str::<Withdrawal>(text).is_ok()),
            ("score.computed.v1", |text| serde_json::from_str::<Scored<'_>>(text).is_ok()),
            ("score.shadow_computed.v1", |text| serde_json::from_str::<Scored<'_>>(text).is_ok()),
            ("decision.made.v1", |text| serde_json::from_str::<Decided>(text).is_ok()),
        ];
        for (kind, reads) in rows {
            let examples = examples(kind);
            assert!(!examples.is_empty(), "{kind} has no example");
            examples.iter().for_each(|text| assert!(reads(text), "{kind}: {text}"));
        }
    }

    #[test]
    fn a_body_is_text_that_a_database_holds() {
        let rows: [(&[u8], Option<&str>); 3] = [
            (br#"{"a":"b"}"#, Some(r#"{"a":"b"}"#)),
            (br#"{"a":"b\u0000"}"#, Some(r#"{"a":"b\ufffd"}"#)),
            (b"\xff", None),
        ];
        for (body, expected) in rows {
            assert_eq!(text(body).as_deref(), expected);
        }
    }

    #[test]
    fn times_and_days_are_such_as_a_database_holds() {
        let times = [
            ("2026-09-21T14:13:21.123456789+02:00", Some("2026-09-21T12:13:21.123456+00:00")),
            ("2026-09-21T14:13:21Z", Some("2026-09-21T14:13:21+00:00")),
            ("2026-09-21", None),
        ];
        for (given, expected) in times {
            assert_eq!(time(given).map(|at| at.to_rfc3339()).as_deref(), expected, "{given}");
        }
        let days = [("2026-09-21", true), ("0000-01-01", false), ("+10000-01-01", false), ("21.9.2026", false)];
        for (given, is_day) in days {
            assert_eq!(day(given).is_some(), is_day, "{given}");
        }
    }

    #[test]
    fn an_event_without_an_id_of_its_own_has_that_of_its_coordinates() {
        let own = "6f0c3d1e-9f5b-5c2e-8a47-2d1b70e495a3";
        let of_coordinates = coordinates_id("k", "t", 1, 3).to_string();
        for (given, expected) in [(Some(own), own), (Some("no id"), &*of_coordinates), (None, &*of_coordinates)] {
            assert_eq!(id(given, "k", ("t", 1, 3)).to_string(), expected);
        }
    }
}
