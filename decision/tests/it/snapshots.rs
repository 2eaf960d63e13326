//! Whole decisions for example score events, as they are published.

use crate::fixture::{card, card_with, decision_of, feed, record, scored};
use runtime::stream::{Output, RecordOutcome};
use schemas::decision::Decision;
use serde_json::{Value, json};

fn examples() -> Vec<(&'static str, Value)> {
    let declined = [("/score/score", json!(480)), ("/score/band", json!("E"))];
    let asked = ("/intent", json!("prequalify"));
    vec![
        ("approve", card()),
        ("decline_by_score", card_with(&declined)),
        ("decline_by_knockout", card_with(&[("/features/1/value", json!(4.0))])),
        ("refer_grey_zone", card_with(&[("/score/score", json!(530)), ("/score/band", json!("D"))])),
        ("refer_large_amount", card_with(&[("/requested/amount/amount_minor", json!(60_000_000))])),
        (
            "refer_unscorable",
            card_with(&[
                ("/status", json!("unscorable")),
                ("/unscorable", json!(["missing:repayment_status_1"])),
                ("/score", Value::Null),
                ("/features", json!([])),
                ("/reasons", json!([])),
            ]),
        ),
        ("refer_unexplained", card_with(&[declined[0].clone(), declined[1].clone(), ("/reasons", json!([]))])),
        ("prequalified", card_with(std::slice::from_ref(&asked))),
        ("prequalified_declined", card_with(&[asked, declined[0].clone(), declined[1].clone()])),
    ]
}

/// A decision that keeps to its schema; without the policy's digest, which changes with every comment in the document.
fn published(output: &Output) -> Decision {
    let body: Value = serde_json::from_slice(output.payload.as_deref().unwrap()).unwrap();
    let validator = schemas::catalogue::validator("decision.made.v1").unwrap();
    let faults: Vec<String> = validator.iter_errors(&body).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let mut decision = decision_of(output);
    decision.policy.digest = "…".to_owned();
    decision
}

#[test]
fn decisions_of_example_events() {
    for (name, body) in examples() {
        let (_, outputs) = feed(&scored(&body));
        insta::assert_json_snapshot!(name, published(&outputs[0].1));
    }
}

#[test]
fn the_decision_of_a_withdrawal() {
    let body = json!({"tenant": "demo", "application_id": "taiwan-1", "withdrawn_at": "2026-11-03T09:00:00Z", "reason": "changed_mind"});
    let mut input = record("application.withdrawn.v1", &body);
    input.key = Some(b"demo|taiwan-1".to_vec());
    let (_, outputs) = feed(&input);
    insta::assert_json_snapshot!("withdrawn", published(&outputs[0].1));
}

#[test]
fn the_headers_of_a_decision() {
    let (_, outputs) = feed(&scored(&card()));
    let headers: Vec<String> = outputs[0]
        .1
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
        .collect();
    insta::assert_snapshot!("headers", headers.join("\n"));
}

#[test]
fn every_published_example_of_a_score_event_is_answered_by_the_contract() {
    for example in schemas::catalogue::find("score.computed.v1").unwrap().examples {
        let body: Value = serde_json::from_str(example.text).unwrap();
        let (outcome, outputs) = feed(&scored(&body));
        assert!(matches!(outcome, RecordOutcome::Done(_)), "{}: {outcome:?}", example.name);
        let kept = outputs.iter().filter(|_| example.kind() != schemas::catalogue::Kind::Bad);
        kept.for_each(|(_, output)| drop(published(output)));
    }
}

#[test]
fn what_cannot_be_read_is_still_answered_by_the_contract() {
    for payload in [None, Some(b"?".to_vec()), Some(br#"{"product":"B OAT","jurisdiction":"us"}"#.to_vec())] {
        let mut input = scored(&card());
        input.payload = payload;
        let (_, outputs) = feed(&input);
        let decision = published(&outputs[0].1);
        assert_eq!((decision.product.as_str(), decision.jurisdiction.as_str()), ("unknown", "ZZ-ZZZ"));
    }
}
