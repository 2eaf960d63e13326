//! Records as the workers write them.

use crate::stand::PREFIX;
use runtime::stream::{Offset, OwnedInput};
use schemas::event_id::event_id;
use schemas::{Topic, application, control, decision, intake, notification, reply, risk};
use serde_json::{Value, json};

/// A value that may stand nowhere but in the identity store.
pub const SECRET: &str = "Ottilie Niemand";
/// When everything was received.
pub const RECEIVED_MS: i64 = 1_790_000_000_123;
const RECEIVED: &str = "2026-09-21T14:13:20.123Z";

/// Gives the topics' offsets out.
#[derive(Default)]
pub struct Topics {
    next: std::collections::HashMap<Topic, i64>,
}

impl Topics {
    /// A record at the next offset of a topic; every seventh offset is a transaction marker.
    pub fn record(&mut self, topic: Topic, id: &str, kind: &str, n: usize, body: &Value) -> OwnedInput {
        let next = self.next.entry(topic).or_default();
        let offset = *next;
        *next += if offset % 7 == 5 { 2 } else { 1 };
        let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        OwnedInput {
            topic: topic.name(PREFIX),
            partition: 0,
            offset: Offset::new(offset),
            timestamp_ms: RECEIVED_MS + offset,
            key: Some(format!("bank|L-{n}").into_bytes()),
            payload: Some(body.to_string().into_bytes()),
            headers: vec![
                header("ce_id", id),
                header("ce_type", kind),
                header("ce_tenant", "bank"),
                header("ce_revision", "1"),
                header("ce_receivedat", &RECEIVED_MS.to_string()),
                header("ce_datadigest", &format!("{n:064x}")),
            ],
        }
    }

    /// Everything that the deployment writes for application `n`.
    pub fn story(&mut self, n: usize) -> Vec<OwnedInput> {
        let id = |kind: &str| event_id(kind, "bank", &format!("L-{n}"), 1, "1").to_string();
        let mut add = |topic, kind, body: Value| self.record(topic, &id(kind), kind, n, &body);
        vec![
            add(Topic::LoanApplications, application::SUBMITTED, json!({"identity": {"full_name": SECRET}})),
            add(Topic::Intake, intake::RECEIVED, json!({"free text": SECRET})),
            add(Topic::Identities, intake::IDENTITY, json!({"applicants": [{"identity": {"full_name": SECRET}}]})),
            add(Topic::Protected, intake::PROTECTED, json!({"applicants": [{"protected": {"name": SECRET}}]})),
            add(Topic::LoanReplies, reply::REPLIED, reply(n)),
            add(Topic::Applications, intake::ACCEPTED, accepted(n)),
            add(Topic::Risk, risk::COMPUTED, scored(n)),
            add(Topic::Decisions, decision::MADE, decided(n)),
            add(Topic::Notifications, notification::DELIVERED, delivered(n, &id(decision::MADE))),
        ]
    }

    /// A dead letter that carries personal data in key, value and a header of the sender.
    pub fn dead_letter(&mut self) -> OwnedInput {
        let mut record = self.record(Topic::DeadLetters, "x", "y", 0, &json!({"name": SECRET}));
        record.key = Some(SECRET.as_bytes().to_vec());
        for (name, value) in [
            ("dl_reason", SECRET),
            ("dl_reason", "schema_violation"),
            ("dl_stage", "receive"),
            ("dl_detail", SECRET),
            ("dl_topic", "it.loan.applications.v1"),
            ("dl_partition", "0"),
            ("dl_offset", "77"),
        ] {
            record.headers.push((name.to_owned(), Some(value.as_bytes().to_vec())));
        }
        record
    }

    /// The activation of a policy.
    pub fn activation(&mut self) -> OwnedInput {
        let body = json!({"kind": "policy", "name": "demo", "version": "2", "digest": "aa", "activated_by": "ana",
                          "activated_at": RECEIVED});
        self.record(Topic::Applications, "a", control::ACTIVATED, 0, &body)
    }
}

fn outcome(n: usize) -> &'static str {
    ["approve", "decline", "refer"][n % 3]
}

fn reply(n: usize) -> Value {
    json!({"status": "accepted", "tenant": "bank", "application_id": format!("L-{n}"), "revision": 1,
           "origin": {"topic": "loan.applications.v1", "partition": 0, "offset": n}})
}

fn accepted(n: usize) -> Value {
    json!({"tenant": "bank", "application_id": format!("L-{n}"), "revision": 1, "product": "credit_card", "intent": "decide",
           "request_type": "new", "channel": "online", "jurisdiction": "TW-TPE",
           "requested": {"amount": {"amount_minor": 100_000 + n, "currency": "TWD"}, "term_months": 12, "later": true},
           "submitted_at": RECEIVED, "as_of": "2026-09-01",
           "applicants": [{"role": "primary", "subject": {"key_id": "k", "subject": "ab12"}, "facts": {"note": "nul \u{0} inside"}}]})
}

fn score(n: usize) -> Value {
    json!({"margin": -1.5, "pd_raw": 0.1, "pd": 0.1, "class": 0, "threshold": 0.25, "score": 600 + n % 100,
           "range": [300, 850], "scale_id": "credit_card.v1", "band": "B"})
}

fn scored(n: usize) -> Value {
    json!({"application": {"tenant": "bank", "application_id": format!("L-{n}"), "revision": 1}, "subjects": [],
           "product": "credit_card", "intent": "decide", "request_type": "new", "channel": "online", "jurisdiction": "TW-TPE",
           "times": {"submitted_at": RECEIVED, "received_at": RECEIVED, "as_of": "2026-09-01"}, "status": "scored",
           "model": {"name": "taiwan-scorecard", "version": "1.0.0", "digest": "aa", "role": "champion"},
           "route": {"digest": "bb", "bucket": 17}, "score": score(n),
           "features": [{"name": "limit", "value": 1.0, "contribution": 0.5},
                        {"name": "age_of_file", "value": -1e9, "flag": "missing", "contribution": 0.1},
                        {"name": "sector", "value": -1e9, "flag": "unknown", "contribution": 0.1}],
           "reports": [{"source": "b", "report_id": "1", "status": "thin", "pulled_at": "2026-09-11T00:00:00Z"}]})
}

fn decided(n: usize) -> Value {
    json!({"application": {"tenant": "bank", "application_id": format!("L-{n}"), "revision": 1}, "subjects": [],
           "decision_number": 1, "outcome": outcome(n), "final": true, "automation": "automatic", "step": "cutoff",
           "product": "credit_card", "intent": "decide", "channel": "online", "jurisdiction": "TW-TPE",
           "requested": {"amount": {"amount_minor": 100_000 + n, "currency": "TWD"}},
           "risk": {"event_id": "e", "status": "scored", "score": score(n),
                    "model": {"name": "taiwan-scorecard", "version": "1.0.0", "digest": "aa", "role": "champion"}},
           "policy": {"name": "demo", "version": "1", "digest": "cc"},
           "rules": [{"id": "cutoff_b", "step": "cutoff", "value": "600", "threshold": "560"}],
           "principal_reasons": [{"rank": 1, "code": "delinquent_obligations", "source": "model", "text": "t", "form_c1": "x", "hmda": 3}],
           "adverse_action": outcome(n) == "decline", "inputs": {},
           "times": {"submitted_at": RECEIVED, "received_at": RECEIVED, "as_of": "2026-09-01"}, "decided_at": "2026-09-21T14:13:21Z"})
}

fn delivered(n: usize, told_of: &str) -> Value {
    json!({"delivery_id": format!("d-{n}"), "subscription": "all", "event_id": told_of, "tenant": "bank",
           "application_id": format!("L-{n}"), "revision": 1, "status": "delivered", "attempts": 1, "http_status": 200, "at": RECEIVED})
}
