//! Records as the scorer writes them, and a worker that knows the standard policy.

use chrono::{DateTime, Utc};
use decision::metrics::Metrics;
use decision::{DecisionHandler, Library};
use policy::Compiled;
use prometheus::Registry;
use runtime::stream::harness::Harness;
use runtime::stream::{Offset, Output, OwnedInput, RecordOutcome};
use schemas::decision::Decision;
use schemas::envelope::header;
use serde_json::{Value, json};

pub const STANDARD: &str = include_str!("../../../policies/standard/1.0.0.yaml");
pub const TOPIC: &str = "t1.credit.decisions.v1";

/// The clock of every test.
pub fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp(1_793_620_800, 250_000_000).unwrap()
}

pub fn standard() -> Compiled {
    Compiled::load(STANDARD.as_bytes()).unwrap()
}

/// The standard policy with another cutoff for cards.
pub fn stricter() -> Compiled {
    Compiled::load(stricter_text().as_bytes()).unwrap()
}

pub fn stricter_text() -> String {
    let text = STANDARD.replacen("version: 1.0.0", "version: 1.1.0", 1);
    text.replacen("approve_at_or_above: 560", "approve_at_or_above: 700", 1)
}

pub fn worker(library: Library) -> (Harness<DecisionHandler>, Registry) {
    let registry = Registry::new();
    let metrics = Metrics::new(&registry).unwrap();
    (Harness::new(DecisionHandler::new(library, TOPIC.into(), clock, metrics)), registry)
}

/// A record of the risk topic.
pub fn record(event_type: &str, body: &Value) -> OwnedInput {
    let text = |name: &str| body.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (tenant, id) = (text("/application/tenant"), text("/application/application_id"));
    let headers = [
        (header::SPECVERSION, "1.0"),
        (header::ID, "risk-event-1"),
        (header::SOURCE, "/defaultx/scorer"),
        (header::TYPE, event_type),
        (header::SUBJECT, &id),
        (header::CORRELATION, "thread-7"),
        (header::PARTITION_KEY, &format!("{tenant}|{id}")),
        (header::TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("ce_tenant", &tenant),
        ("ce_revision", "1"),
    ];
    OwnedInput {
        topic: "t1.credit.risk.v1".into(),
        partition: 3,
        offset: Offset::new(11),
        timestamp_ms: 1_793_620_800_000,
        key: Some(format!("{tenant}|{id}").into_bytes()),
        payload: Some(serde_json::to_vec(body).unwrap()),
        headers: headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec()))).into(),
    }
}

pub fn scored(body: &Value) -> OwnedInput {
    record("score.computed.v1", body)
}

/// Feeds one record.
pub fn feed(input: &OwnedInput) -> (RecordOutcome, Vec<(i32, Output)>) {
    let (mut outcomes, outputs) = worker(Library::of(standard())).0.feed(std::slice::from_ref(input)).unwrap();
    (outcomes.remove(0), outputs)
}

pub fn decision_of(output: &Output) -> Decision {
    serde_json::from_slice(output.payload.as_deref().unwrap()).unwrap()
}

/// A card account under review that is approved.
pub fn card() -> Value {
    let feature =
        |name: &str, value: f32, contribution: f64| json!({"name": name, "value": value, "contribution": contribution});
    let reason = |rank: u32, code: &str, text: &str, feature: &str, contribution: f64| json!({"rank": rank, "code": code, "text": text, "form_c1": "other", "hmda": 3, "features": [feature], "contribution": contribution});
    json!({
        "application": {"tenant": "demo", "application_id": "taiwan-1", "revision": 1},
        "subjects": [{"role": "primary", "kind": "person", "key_id": "k1", "subject": "5a".repeat(32)}],
        "input": {"event_id": "e-1", "topic": "credit.applications.v1", "partition": 3, "offset": 9, "data_digest": "0b".repeat(32)},
        "product": "credit_card", "intent": "decide", "request_type": "existing_review",
        "channel": "batch", "jurisdiction": "TW-TPE",
        "requested": {"amount": {"amount_minor": 20_000_000, "currency": "TWD"}, "purpose": "credit_card"},
        "facts": {"of_legal_age": true, "income": [], "debts": []},
        "times": {"submitted_at": "2026-11-02T09:00:00Z", "completed_at": "2026-11-02T09:00:00Z",
                  "received_at": "2026-11-02T09:00:01.120Z", "as_of": "2005-09-30"},
        "status": "scored",
        "model": {"name": "taiwan-scorecard", "version": "1.0.0", "digest": "1c".repeat(32), "role": "champion",
                  "target": {"definition": "default payment next month", "horizon_months": 1, "population": "booked", "prior_correction": "none"},
                  "engine": "tract 0.23.9", "kernel": "scorecard"},
        "route": {"digest": "2d".repeat(32), "bucket": 4711},
        "score": {"margin": -2.1, "pd_raw": 0.109097, "pd": 0.106, "class": 0, "threshold": 0.25, "score": 610,
                  "range": [300, 850], "scale_id": "credit_card.v1", "band": "B"},
        "features": [feature("limit", 200_000.0, -0.1), feature("repayment_status_1", 0.0, -0.3), feature("months_late", 1.0, 0.2),
                     feature("paid_share", 0.04, 0.25), feature("bill_share", 0.9, 0.2)],
        "explanation": {"method": "scorecard_exact", "reference": "near_cutoff", "base": -1.1, "residual": 0.0},
        "reasons": [reason(1, "payments_low", "Payments are low against the bills", "paid_share", 0.25),
                    reason(2, "poor_performance_with_us", "Poor credit performance with us", "months_late", 0.2),
                    reason(3, "balance_high", "Balance is high against the limit", "bill_share", 0.2)]
    })
}

/// The card with some of its fields replaced, by JSON pointer.
pub fn card_with(edits: &[(&str, Value)]) -> Value {
    let mut body = card();
    for (pointer, value) in edits {
        match body.pointer_mut(pointer) {
            Some(place) => *place = value.clone(),
            None => {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                body.pointer_mut(parent).unwrap()[name] = value.clone();
            }
        }
    }
    body
}
