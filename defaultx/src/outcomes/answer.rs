//! What a reply, a decision, a score or a dead letter says of a row. Pure: a record becomes what the result shows of it, or is none of
//! ours.

use crate::letters::{Dead, Letter, Origin};
use anyhow::{Context, Result};
use runtime::stream::Input;
use schemas::decision::{Decision, MADE};
use schemas::envelope::header as ce;
use schemas::intake::{ACCEPTED, header as ext};
use schemas::reply::Reply;
use schemas::risk::{COMPUTED, RiskEvent, Score};
use serde::{Deserialize, Serialize};

/// `origin.topic` of the reply to a row.
const BATCH: &str = "batch";

/// A reply to a row of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replied {
    pub(super) number: u64,
    pub(super) status: String,
    pub(super) problem: Option<String>,
    pub(super) pointers: Vec<String>,
}

impl Replied {
    /// None for a reply to anything else.
    pub(super) fn of(input: &Input<'_>, run: &str) -> Option<Self> {
        if input.header_str(ce::CORRELATION) != Some(run) {
            return None;
        }
        let reply: Reply = serde_json::from_slice(input.payload?).ok()?;
        let number = u64::try_from(reply.origin.offset).ok().filter(|_| reply.origin.topic == BATCH)?;
        let (problem, pointers) = reply.problem.map(|problem| (problem.kind, problem.pointers)).unzip();
        Some(Self { number, status: reply.status.to_string(), problem, pointers: pointers.unwrap_or_default() })
    }
}

/// A decision, or a score that nothing is decided by, of an application that may be one of ours; read when it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) application_id: String,
    pub(super) revision: u32,
    pub(super) is_decision: bool,
    pub(super) bytes: usize,
    event_id: String,
    body: Body,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    /// Its headers say of what it is: of many decisions few are of a row.
    Unread(Vec<u8>),
    /// Only the body of a score says that.
    Read(Box<Told>),
}

/// What the result shows of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// From 1; each human act makes the next.
    pub(super) number: u32,
    pub(super) is_decision: bool,
    pub(super) event_id: String,
    pub(super) score: Option<i32>,
    pub(super) pd: Option<f64>,
    pub(super) band: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) referral: Option<String>,
    pub(super) reasons: Vec<String>,
    pub(super) unscorable: Vec<String>,
    pub(super) model: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) decided_at: Option<String>,
}

impl Answer {
    /// A decision of the tenant; its headers say on what.
    pub(super) fn of_decision(input: &Input<'_>, tenant: &str) -> Option<Self> {
        let is_ours = input.header_str(ce::TYPE) == Some(MADE) && input.header_str(ext::TENANT) == Some(tenant);
        let application_id = input.header_str(ce::SUBJECT).filter(|_| is_ours)?.to_owned();
        let revision = input.header_str(ext::REVISION)?.parse().ok()?;
        let body = input.payload?;
        Self::of(input, (application_id, revision), Body::Unread(body.to_vec()))
    }

    /// A score of the tenant; only its body says of what.
    pub(super) fn of_score(input: &Input<'_>, tenant: &str) -> Option<Self> {
        let body = input.payload.filter(|_| input.header_str(ce::TYPE) == Some(COMPUTED))?;
        let event: RiskEvent = serde_json::from_slice(body).ok().filter(|event| is_of(event, tenant))?;
        let key = (event.application.application_id.clone(), event.application.revision);
        Self::of(input, key, Body::Read(Box::new(scored(event))))
    }

    fn of(input: &Input<'_>, (application_id, revision): (String, u32), body: Body) -> Option<Self> {
        let event_id = input.header_str(ce::ID)?.to_owned();
        let (is_decision, bytes) = (matches!(body, Body::Unread(_)), input.payload.map_or(0, <[u8]>::len));
        Some(Self { application_id, revision, is_decision, bytes, event_id, body })
    }

    /// What it says.
    ///
    /// # Errors
    /// When the body is not what its topic promises.
    pub(super) fn told(&self) -> Result<Told> {
        let told = Told { event_id: self.event_id.clone(), is_decision: self.is_decision, ..Told::default() };
        let body = match &self.body {
            Body::Read(scored) => return Ok(Told { event_id: told.event_id, ..(**scored).clone() }),
            Body::Unread(body) => body,
        };
        let of = || format!("the decision of {}", self.application_id);
        let decision: Decision = serde_json::from_slice(body).with_context(of)?;
        let risk = decision.risk.as_ref();
        let (score, pd, band) = shown(risk.and_then(|risk| risk.score.as_ref()));
        let model = risk.and_then(|risk| risk.model.as_ref());
        Ok(Told {
            number: decision.decision_number,
            score,
            pd,
            band,
            outcome: Some(decision.outcome.to_string()),
            referral: decision.referral.as_ref().map(ToString::to_string),
            reasons: decision.principal_reasons.iter().map(|reason| reason.code.clone()).collect(),
            unscorable: risk.map(|risk| risk.unscorable.clone()).unwrap_or_default(),
            model: model.map(|model| format!("{}@{}", model.name, model.version)),
            policy: Some(format!("{}@{}", decision.policy.name, decision.policy.version)),
            decided_at: Some(decision.decided_at),
            ..told
        })
    }
}

fn is_of(event: &RiskEvent, tenant: &str) -> bool {
    event.application.tenant == tenant
}

fn scored(event: RiskEvent) -> Told {
    let (score, pd, band) = shown(event.score.as_ref());
    let reasons = event.reasons.into_iter().map(|reason| reason.code).collect();
    let model = event.model.map(|model| format!("{}@{}", model.name, model.version));
    Told { score, pd, band, reasons, unscorable: event.unscorable, model, ..Told::default() }
}

fn shown(score: Option<&Score>) -> (Option<i32>, Option<f64>, Option<String>) {
    match score {
        Some(score) => (Some(score.score), Some(score.pd), Some(score.band.clone())),
        None => (None, None, None),
    }
}

/// What the dead letters say of an application that may be one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// A worker set aside what had become of it.
    Aside {
        application_id: String,
        revision: u32,
        /// The word.
        reason: String,
        why: String,
        origin: Origin,
    },
    /// What stood there was published again.
    Again(Origin),
}

impl Lost {
    /// A dead letter of the tenant, or a mark, which says nothing of whose it is.
    pub(super) fn of(input: &Input<'_>, tenant: &str) -> Option<Self> {
        let Dead { reason, stage, detail, origin, .. } = match Letter::of_input(input) {
            Letter::Dead(dead) => dead,
            Letter::Mark(origin) => return Some(Self::Again(origin)),
            Letter::Foreign => return None,
        };
        let key = std::str::from_utf8(input.key?).ok()?;
        let application_id = key.strip_prefix(tenant)?.strip_prefix('|')?.to_owned();
        // What `admit` set aside was not accepted: of a row in conflict the one before it stands, and is awaited.
        let revision = match input.header_str(ce::TYPE)? {
            ACCEPTED => input.header_str(ext::REVISION)?.parse().ok()?,
            COMPUTED => {
                let event: RiskEvent = serde_json::from_slice(input.payload?).ok()?;
                is_of(&event, tenant).then_some(event.application.revision)?
            }
            _ => return None,
        };
        let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
        let why = format!("set aside by {stage}{detail}; `defaultx dead-letters` shows it");
        Some(Self::Aside { application_id, revision, reason, why, origin })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use runtime::stream::{Offset, OwnedInput};
    use serde_json::{Value, json};
    use std::path::Path;

    fn example() -> Value {
        let file = "../schemas/examples/decision.made.v1/good-decline.json";
        serde_json::from_slice(&std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()).unwrap()
    }

    impl Answer {
        /// A decision on an application, whose event id says which and which act it is.
        pub(in crate::outcomes) fn decided(id: &str, revision: u32, number: u32) -> Self {
            let mut body = example();
            body["application"] = json!({"tenant": "demo", "application_id": id, "revision": revision});
            body["decision_number"] = number.into();
            let event_id = format!("{id}.{revision}.{number}");
            let body = serde_json::to_vec(&body).unwrap();
            let (application_id, bytes) = (id.to_owned(), body.len());
            Self { application_id, revision, is_decision: true, bytes, event_id, body: Body::Unread(body) }
        }
    }

    #[test]
    fn a_decision_tells_score_outcome_and_reasons() {
        let told = Answer::decided("a", 1, 1).told().unwrap();
        let body = example();
        assert_eq!(told.outcome.as_deref(), body["outcome"].as_str());
        assert_eq!(told.score.map(i64::from), body["risk"]["score"]["score"].as_i64());
        assert_eq!(told.pd, body["risk"]["score"]["pd"].as_f64());
        let reasons =
            body["principal_reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap());
        assert!(told.reasons.iter().map(String::as_str).eq(reasons));
    }

    fn score() -> (RiskEvent, Vec<u8>) {
        let file = "../schemas/examples/score.computed.v1/good-card-scorecard.json";
        let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        (serde_json::from_slice(&body).unwrap(), body)
    }

    fn record(headers: &[(&str, &str)], key: Option<&str>, body: Vec<u8>) -> OwnedInput {
        OwnedInput {
            topic: "credit.risk.v1".into(),
            partition: 0,
            offset: Offset::default(),
            timestamp_ms: 0,
            key: key.map(|key| key.as_bytes().to_vec()),
            payload: Some(body),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())))
                .collect(),
        }
    }

    /// Headers as the scorer writes them: no tenant and no revision.
    #[test]
    fn a_score_says_in_its_body_what_it_is_of() {
        let (event, body) = score();
        let headers = [(ce::TYPE, COMPUTED), (ce::ID, "e-1"), (ce::SUBJECT, event.application.application_id.as_str())];
        let record = record(&headers, None, body);
        let answer = Answer::of_score(&record.as_input(), &event.application.tenant).unwrap();
        assert_eq!((&answer.application_id, answer.is_decision), (&event.application.application_id, false));
        let told = answer.told().unwrap();
        assert_eq!((told.score, told.event_id.as_str()), (event.score.map(|score| score.score), "e-1"));
        assert!(Answer::of_score(&record.as_input(), "another").is_none());
        assert!(Answer::of_decision(&record.as_input(), &event.application.tenant).is_none());
    }

    #[test]
    fn a_dead_letter_says_whose_it_is_by_its_key_and_which_revision_by_header_or_score() {
        let (event, body) = score();
        let own = [
            ("dl_reason", "unidentified"),
            ("dl_stage", "decision"),
            ("dl_detail", ""),
            ("dl_topic", "credit.risk.v1"),
            ("dl_partition", "0"),
            ("dl_offset", "7"),
        ];
        let of = |before: &[(&str, &str)], key: Option<&str>, body: &[u8]| {
            Lost::of(&record(&[before, &own[..]].concat(), key, body.to_vec()).as_input(), "bank")
        };
        let revision = |lost: Option<Lost>| match lost {
            Some(Lost::Aside { application_id, revision, reason, why, origin }) => {
                assert_eq!((reason.as_str(), origin.offset), ("unidentified", 7));
                assert!(why.starts_with("set aside by decision; "), "{why}");
                Some((application_id, revision))
            }
            _ => None,
        };
        let accepted = [(ce::TYPE, ACCEPTED), (ext::REVISION, "3")];
        let received = [(ce::TYPE, schemas::intake::RECEIVED), (ext::REVISION, "3")];
        assert_eq!(revision(of(&accepted, Some("bank|a"), b"{")), Some(("a".to_owned(), 3)));
        assert_eq!(revision(of(&received, Some("bank|a"), b"{")), None, "it was not accepted, such as a conflict");
        assert_eq!(revision(of(&accepted, Some("banks|a"), b"{")), None, "of another tenant");
        assert_eq!(revision(of(&accepted, None, b"{")), None, "a row of a file, or a cut letter");
        assert_eq!(revision(of(&accepted[..1], Some("bank|a"), b"{")), None, "nobody says of which revision");
        let mut own_event = event.clone();
        own_event.application.tenant = "bank".to_owned();
        let body_of_bank = serde_json::to_vec(&own_event).unwrap();
        let found = of(&[(ce::TYPE, COMPUTED)], Some("bank|a"), &body_of_bank);
        assert_eq!(revision(found), Some(("a".to_owned(), event.application.revision)));
        assert_eq!(revision(of(&[(ce::TYPE, COMPUTED)], Some("bank|a"), &body)), None, "a body of another tenant");
        let by = [(crate::letters::REDRIVEN_BY, "ana"), (crate::letters::REDRIVEN_AT, "2026-11-29T09:15:00.000Z")];
        let mark = record(&[&own[3..], &by[..]].concat(), None, vec![]);
        assert!(matches!(Lost::of(&mark.as_input(), "bank"), Some(Lost::Again(origin)) if origin.offset == 7));
    }
}
