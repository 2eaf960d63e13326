//! Records as the workers write them.

use chrono::DateTime;
use runtime::clock::rfc3339;
use runtime::stream::{Offset, OwnedInput};
use schemas::event_id::event_id;
use schemas::{Topic, application, decision, intake, notification, reply, risk};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};

/// Names somebody; may stand in no answer but that about identities.
pub const SECRET: &str = "Ottilie Niemand";
/// 2026-09-21T14:13:20.123Z.
pub const NOON_MS: i64 = 1_790_000_000_123;
/// A day in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// An application and what became of it.
#[derive(Debug, Clone)]
pub struct Loan {
    pub tenant: String,
    pub id: String,
    pub revision: u32,
    pub product: &'static str,
    pub channel: &'static str,
    pub jurisdiction: &'static str,
    pub intent: &'static str,
    pub model: &'static str,
    pub policy: &'static str,
    pub currency: &'static str,
    pub amount_minor: i64,
    /// None: unscorable.
    pub score: Option<i32>,
    pub band: &'static str,
    /// None: not decided yet.
    pub outcome: Option<&'static str>,
    pub automation: &'static str,
    pub received_ms: i64,
}

impl Loan {
    pub fn new(tenant: &str, id: impl Into<String>) -> Self {
        Self {
            tenant: tenant.to_owned(),
            id: id.into(),
            revision: 1,
            product: "credit_card",
            channel: "online",
            jurisdiction: "TW-TPE",
            intent: "decide",
            model: "taiwan_scorecard",
            policy: "demo",
            currency: "TWD",
            amount_minor: 100_000,
            score: Some(612),
            band: "B",
            outcome: Some("approve"),
            automation: "automatic",
            received_ms: NOON_MS,
        }
    }

    /// Every record of its way through the deployment.
    pub fn records(&self) -> Vec<OwnedInput> {
        let mut records =
            vec![self.identity(&self.digest(), SECRET), self.replied("accepted"), self.accepted(), self.scored()];
        if let Some(outcome) = self.outcome {
            records.extend([self.decided(1, outcome), self.delivered()]);
        }
        records
    }

    /// What was stripped from a body of this revision.
    pub fn identity(&self, digest: &str, name: &str) -> OwnedInput {
        let body = json!({
            "tenant": self.tenant, "application_id": self.id, "revision": self.revision, "data_digest": digest,
            "applicants": [{"role": "primary", "kind": "person", "key_id": "k1", "subject": "ab12", "customer_ref": "c-1",
                            "identity": {"full_name": name}}],
        });
        let mut record = self.record(Topic::Identities, intake::IDENTITY, digest, &body);
        record.headers.retain(|(name, _)| name != intake::header::DATA_DIGEST);
        record.headers.push(header(intake::header::DATA_DIGEST, digest));
        record
    }

    pub fn replied(&self, status: &str) -> OwnedInput {
        let offset = next_offset();
        let problem = (status == "conflict").then(|| json!({"type": "conflict", "pointers": ["/requested"]}));
        let body = json!({
            "status": status, "tenant": self.tenant, "application_id": self.id, "revision": self.revision,
            "origin": {"topic": "loan.applications.v1", "partition": 3, "offset": offset}, "problem": problem,
            "warnings": ["unknown_word"],
            "warning_details": [{"type": "unknown_word", "pointer": "/requested/purpose"}],
        });
        self.record(Topic::LoanReplies, reply::REPLIED, &offset.to_string(), &body)
    }

    pub fn accepted(&self) -> OwnedInput {
        let body = json!({
            "tenant": self.tenant, "application_id": self.id, "revision": self.revision, "product": self.product,
            "intent": self.intent, "request_type": "new", "channel": self.channel, "jurisdiction": self.jurisdiction,
            "requested": self.requested(), "submitted_at": self.received(), "as_of": "2026-09-01",
            "applicants": [{"role": "primary", "kind": "person", "subject": {"key_id": "k1", "subject": "ab12"},
                            "facts": {"of_legal_age": true, "dependants": 2}}],
            "attributes": {"limit_bal": 20000},
        });
        self.record(Topic::Applications, intake::ACCEPTED, "1", &body)
    }

    pub fn scored(&self) -> OwnedInput {
        let status = if self.score.is_some() { "scored" } else { "unscorable" };
        let unscorable: &[&str] = if self.score.is_some() { &[] } else { &["wrong_currency:limit_bal"] };
        let body = json!({
            "application": self.reference(), "subjects": [], "product": self.product, "intent": self.intent,
            "request_type": "new", "channel": self.channel, "jurisdiction": self.jurisdiction, "requested": self.requested(),
            "times": self.times(), "status": status, "unscorable": unscorable, "model": self.model(),
            "route": {"digest": "bb", "bucket": 17, "name": "standard", "version": "1.0.0", "entry": "cards"}, "score": self.points(),
            "features": [{"name": "limit_bal", "value": 20000.0, "contribution": 0.5},
                         {"name": "age_of_file", "value": -1e9, "flag": "missing", "contribution": 0.125}],
            "explanation": {"method": "scorecard_exact", "reference": "near_cutoff", "base": -0.5, "residual": 0.0},
            "reasons": [{"rank": 1, "code": "delinquent_obligations", "text": "Delinquent", "form_c1": "x", "hmda": 3,
                         "features": ["limit_bal"], "contribution": 0.5}],
            "reports": [{"source": "b", "report_id": "1", "status": "thin", "pulled_at": "2026-09-11T00:00:00Z"}],
        });
        self.record(Topic::Risk, risk::COMPUTED, "champion", &body)
    }

    pub fn decided(&self, number: u32, outcome: &str) -> OwnedInput {
        let supersedes = number.checked_sub(1).filter(|earlier| *earlier > 0);
        let body = json!({
            "application": self.reference(), "subjects": [], "decision_number": number, "supersedes": supersedes,
            "outcome": outcome, "final": true, "automation": self.automation, "step": "cutoff", "product": self.product,
            "intent": self.intent, "channel": self.channel, "jurisdiction": self.jurisdiction, "requested": self.requested(),
            "risk": {"event_id": "e", "status": "scored", "model": self.model(), "score": self.points()},
            "policy": {"name": self.policy, "version": "1", "digest": "cc"},
            "rules": [{"id": "cutoff_b", "step": "cutoff", "value": "612", "threshold": "560",
                       "comparisons": [{"fact": "score", "operator": "at_least", "value": "612", "threshold": "560"}]}],
            "principal_reasons": [{"rank": 1, "code": "delinquent_obligations", "source": "model", "text": "Delinquent",
                                   "form_c1": "x", "hmda": 3}],
            "adverse_action": outcome == "decline", "inputs": {}, "times": self.times(), "decided_at": self.received(),
            "notice": {"due_by": "2026-10-21T00:00:00Z", "recipients": ["primary"]},
        });
        self.record(Topic::Decisions, decision::MADE, &number.to_string(), &body)
    }

    pub fn delivered(&self) -> OwnedInput {
        let body = json!({
            "delivery_id": self.event("delivery", "1"), "subscription": "all", "event_id": self.event(decision::MADE, "1"),
            "tenant": self.tenant, "application_id": self.id, "revision": self.revision, "status": "delivered",
            "attempts": 1, "http_status": 200, "at": self.received(),
        });
        self.record(Topic::Notifications, notification::DELIVERED, "1", &body)
    }

    /// The receipt of a delivery for another subscription, for the `end`th time that it ended.
    pub fn ended(&self, end: u32, status: &str) -> OwnedInput {
        let later = Loan { received_ms: self.received_ms + i64::from(end) * 60_000, ..self.clone() };
        let body = json!({
            "delivery_id": self.event("delivery", "again"), "subscription": "again", "event_id": self.event(decision::MADE, "1"),
            "tenant": self.tenant, "application_id": self.id, "revision": self.revision, "status": status, "attempts": end,
            "at": later.received(),
        });
        self.record(Topic::Notifications, notification::DELIVERED, &format!("again-{end}"), &body)
    }

    pub fn withdrawn(&self) -> OwnedInput {
        let body = json!({"tenant": self.tenant, "application_id": self.id, "withdrawn_at": self.received()});
        self.record(Topic::Applications, application::WITHDRAWN, "w", &body)
    }

    /// Id of one of its events.
    pub fn event(&self, kind: &str, ordinal: &str) -> String {
        event_id(kind, &self.tenant, &self.id, self.revision, ordinal).to_string()
    }

    /// Digest of its body.
    pub fn digest(&self) -> String {
        format!("{:064x}", self.revision)
    }

    fn record(&self, topic: Topic, kind: &str, ordinal: &str, body: &Value) -> OwnedInput {
        OwnedInput {
            topic: topic.base_name().to_owned(),
            partition: 0,
            offset: Offset::default(), // whoever writes it says
            timestamp_ms: self.received_ms + 500,
            key: Some(format!("{}|{}", self.tenant, self.id).into_bytes()),
            payload: Some(body.to_string().into_bytes()),
            headers: vec![
                header("ce_id", &self.event(kind, ordinal)),
                header("ce_type", kind),
                header(intake::header::TENANT, &self.tenant),
                header(intake::header::REVISION, &self.revision.to_string()),
                header(intake::header::RECEIVED_AT, &self.received_ms.to_string()),
                header(intake::header::DATA_DIGEST, &self.digest()),
            ],
        }
    }

    fn reference(&self) -> Value {
        json!({"tenant": self.tenant, "application_id": self.id, "revision": self.revision})
    }

    fn requested(&self) -> Value {
        json!({"amount": {"amount_minor": self.amount_minor, "currency": self.currency}, "term_months": 12, "purpose": "car"})
    }

    fn received(&self) -> String {
        rfc3339(DateTime::from_timestamp_millis(self.received_ms).unwrap())
    }

    fn times(&self) -> Value {
        json!({"submitted_at": self.received(), "received_at": self.received(), "as_of": "2026-09-01"})
    }

    fn model(&self) -> Value {
        json!({"name": self.model, "version": "1.0.0", "digest": "aa", "role": "champion"})
    }

    fn points(&self) -> Option<Value> {
        let scale = format!("{}.v1", self.product);
        let class = i32::from(self.score? < 560);
        Some(json!({"margin": -1.5, "pd_raw": 0.1, "pd": 0.1, "class": class, "threshold": 0.25, "score": self.score,
                    "range": [300, 850], "scale_id": scale, "band": self.band}))
    }
}

fn header(name: &str, value: &str) -> (String, Option<Vec<u8>>) {
    (name.to_owned(), Some(value.as_bytes().to_vec()))
}

/// Offset of a record of the sender's.
fn next_offset() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
