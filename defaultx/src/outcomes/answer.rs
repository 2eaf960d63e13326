//! What a reply, a decision or a score says of a row. Pure: a record becomes what the result shows of it, or is none of ours.

use anyhow::{Context, Result};
use runtime::stream::Input;
use schemas::decision::{Decision, MADE};
use schemas::envelope::header as ce;
use schemas::intake::header as ext;
use schemas::reply::Reply;
use schemas::risk::{ApplicationRef, COMPUTED, RiskEvent, Score};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) application_id: String,
    pub(super) revision: u32,
    pub(super) is_decision: bool,
    event_id: String,
    body: Vec<u8>,
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
        Self::of(input, application_id, revision, true)
    }

    /// A score of the tenant; only its body says of what.
    pub(super) fn of_score(input: &Input<'_>, tenant: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Scored {
            application: ApplicationRef,
        }
        let body = input.payload.filter(|_| input.header_str(ce::TYPE) == Some(COMPUTED))?;
        let Scored { application } = serde_json::from_slice(body).ok()?;
        let revision = (application.tenant == tenant).then_some(application.revision)?;
        Self::of(input, application.application_id, revision, false)
    }

    fn of(input: &Input<'_>, application_id: String, revision: u32, is_decision: bool) -> Option<Self> {
        let event_id = input.header_str(ce::ID)?.to_owned();
        Some(Self { application_id, revision, is_decision, event_id, body: input.payload?.to_vec() })
    }

    pub(super) fn bytes(&self) -> usize {
        self.body.len()
    }

    /// What it says.
    ///
    /// # Errors
    /// When the body is not what its topic promises.
    pub(super) fn told(&self) -> Result<Told> {
        let of =
            || format!("{} of {}", if self.is_decision { "the decision" } else { "the score" }, self.application_id);
        let scored = |score: Option<&Score>| match score {
            Some(score) => (Some(score.score), Some(score.pd), Some(score.band.clone())),
            None => (None, None, None),
        };
        let told = Told { event_id: self.event_id.clone(), is_decision: self.is_decision, ..Told::default() };
        if !self.is_decision {
            let event: RiskEvent = serde_json::from_slice(&self.body).with_context(of)?;
            let (score, pd, band) = scored(event.score.as_ref());
            let reasons = event.reasons.into_iter().map(|reason| reason.code).collect();
            let model = event.model.map(|model| format!("{}@{}", model.name, model.version));
            return Ok(Told { score, pd, band, reasons, unscorable: event.unscorable, model, ..told });
        }
        let decision: Decision = serde_json::from_slice(&self.body).with_context(of)?;
        let risk = decision.risk.as_ref();
        let (score, pd, band) = scored(risk.and_then(|risk| risk.score.as_ref()));
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
            Self { application_id: id.to_owned(), revision, is_decision: true, event_id, body }
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

    /// Headers as the scorer writes them: no tenant and no revision.
    #[test]
    fn a_score_says_in_its_body_what_it_is_of() {
        let file = "../schemas/examples/score.computed.v1/good-card-scorecard.json";
        let body = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let event: RiskEvent = serde_json::from_slice(&body).unwrap();
        let headers = [(ce::TYPE, COMPUTED), (ce::ID, "e-1"), (ce::SUBJECT, event.application.application_id.as_str())];
        let record = OwnedInput {
            topic: "credit.risk.v1".into(),
            partition: 0,
            offset: Offset::default(),
            timestamp_ms: 0,
            key: None,
            payload: Some(body),
            headers: headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec()))).into(),
        };
        let answer = Answer::of_score(&record.as_input(), &event.application.tenant).unwrap();
        assert_eq!((&answer.application_id, answer.is_decision), (&event.application.application_id, false));
        assert_eq!(answer.told().unwrap().score, event.score.map(|score| score.score));
        assert!(Answer::of_score(&record.as_input(), "another").is_none());
        assert!(Answer::of_decision(&record.as_input(), &event.application.tenant).is_none());
    }
}
