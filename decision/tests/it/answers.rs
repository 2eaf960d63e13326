//! Nobody goes unanswered: whatever a record of ours looks like, it gets a decision; only strangers are set aside.

use crate::fixture::{TOPIC, card, card_with, decision_of, feed, record, scored, standard, worker};
use decision::Library;
use domain::ModelRole;
use proptest::prelude::*;
use runtime::stream::{OwnedInput, RecordOutcome, Route, UNPRODUCIBLE};
use schemas::decision::Assignment;
use schemas::event_id::event_id;
use serde_json::json;

/// RecordOutcome, then `outcome referral revision product` of the decision.
fn told(input: &OwnedInput) -> (String, Option<String>) {
    let (outcome, outputs) = feed(input);
    let outcome = match outcome {
        RecordOutcome::Done(word) => word.to_owned(),
        RecordOutcome::DeadLetter { reason, .. } | RecordOutcome::Refused { reason, .. } => format!("dead {reason}"),
    };
    let decision = outputs.first().map(|(_, output)| decision_of(output));
    let words = decision.map(|d| {
        format!(
            "{} {} {} {}",
            d.outcome,
            d.referral.map(|word| word.to_string()).unwrap_or_default(),
            d.application.revision,
            d.product
        )
    });
    (outcome, words)
}

type Bend = fn(&mut OwnedInput);

fn drop_header(input: &mut OwnedInput, name: &str) {
    input.headers.retain(|(key, _)| key != name);
}

#[test]
fn a_decision_that_no_broker_takes_becomes_a_bare_referral() {
    let whole = scored(&card());
    let mut worker = worker(Library::of(standard())).0;
    let (outcomes, outputs) = worker.unproducible(&whole).unwrap();
    assert_eq!(outcomes, [RecordOutcome::Done("refer")]);
    let decision = decision_of(&outputs[0].1);
    assert_eq!((decision.outcome.as_str(), decision.application.revision), ("refer", 1));
    assert!(outputs[0].1.payload.as_ref().unwrap().len() < 2_000 && decision.requested.is_none());
    let stranger = OwnedInput { key: None, ..whole };
    let (outcomes, outputs) = worker.unproducible(&stranger).unwrap();
    assert_eq!(outcomes, [RecordOutcome::DeadLetter { reason: UNPRODUCIBLE, detail: String::new() }]);
    assert!(outputs.is_empty());
}

#[test]
fn every_record_of_ours_is_answered() {
    let good = Some("approve  1 credit_card");
    let bare = Some("refer rule_error 1 unknown");
    let rows: Vec<(&str, Bend, &str, Option<&str>)> = vec![
        ("as it should be", |_| {}, "approve", good),
        ("not JSON", |r| r.payload = Some(b"\x00\x00\x01".to_vec()), "refer", bare),
        ("no body", |r| r.payload = None, "refer", bare),
        ("an empty object", |r| r.payload = Some(b"{}".to_vec()), "refer", bare),
        ("cut short", |r| r.payload.as_mut().unwrap().truncate(900), "refer", bare),
        (
            "a field of another type",
            |r| r.payload = Some(serde_json::to_vec(&card_with(&[("/score", json!("high"))])).unwrap()),
            "refer",
            Some("refer rule_error 1 credit_card"),
        ),
        (
            "unreadable, but another revision",
            |r| {
                let body = card_with(&[("/score", json!([])), ("/application/revision", json!(4))]);
                r.payload = Some(serde_json::to_vec(&body).unwrap());
                drop_header(r, "ce_revision");
            },
            "refer",
            Some("refer rule_error 4 credit_card"),
        ),
        (
            "unreadable and score_only",
            |r| {
                let body = card_with(&[("/score", json!([])), ("/intent", json!("score_only"))]);
                r.payload = Some(serde_json::to_vec(&body).unwrap());
            },
            "score_only",
            None,
        ),
        (
            "a body about another application",
            |r| r.key = Some(b"demo|taiwan-2".to_vec()),
            "refer",
            Some("refer rule_error 1 credit_card"),
        ),
        ("no id", |r| drop_header(r, "ce_id"), "approve", good),
        ("a header that is no text", |r| r.headers.push(("ce_source".into(), Some(vec![0xff]))), "approve", good),
        (
            "body unreadable, no key, no revision",
            |r| {
                r.payload = Some(b"?".to_vec());
                r.key = None;
                drop_header(r, "ce_revision");
            },
            "dead unidentified",
            None,
        ),
        ("no type", |r| drop_header(r, "ce_type"), "dead bad_envelope", None),
        ("a stranger", |r| r.headers.clear(), "dead bad_envelope", None),
        ("a key that is none", |r| r.key = Some(b"x".to_vec()), "approve", good),
    ];
    for (name, bend, outcome, words) in rows {
        let mut input = scored(&card());
        bend(&mut input);
        assert_eq!(told(&input), (outcome.to_owned(), words.map(str::to_owned)), "{name}");
    }
}

#[test]
fn other_types_end_with_a_word() {
    let rows = [("score.shadow_computed.v1", "shadow_ignored"), ("loan.repaid.v1", "dead unknown_type")];
    for (event_type, expected) in rows {
        assert_eq!(told(&record(event_type, &card())), (expected.to_owned(), None), "{event_type}");
    }
}

#[test]
fn score_only_gets_a_score_and_nothing_else() {
    let input = scored(&card_with(&[("/intent", json!("score_only"))]));
    assert_eq!(told(&input), ("score_only".to_owned(), None));
}

#[test]
fn a_withdrawal_is_answered_from_its_key_alone() {
    let mut input = record("application.withdrawn.v1", &json!("?"));
    input.key = Some(b"demo|taiwan-1".to_vec());
    assert_eq!(told(&input), ("withdrawn".to_owned(), Some("withdrawn  1 unknown".to_owned())));
    input.key = None;
    assert_eq!(told(&input), ("dead unidentified".to_owned(), None));
}

#[test]
fn a_decision_keeps_partition_key_and_thread_and_has_the_contracts_id() {
    let input = scored(&card());
    let (_, outputs) = feed(&input);
    let (partition, output) = &outputs[0];
    assert_eq!((*partition, output.route, &*output.topic), (3, Route::Same, TOPIC));
    assert_eq!(output.key, input.key);
    let header = |name: &str| {
        output.headers.iter().find(|(key, _)| *key == name).map(|(_, v)| String::from_utf8_lossy(v).into_owned())
    };
    let id = event_id("decision.made.v1", "demo", "taiwan-1", 1, "1").to_string();
    assert_eq!(header("ce_id"), Some(id));
    assert_eq!(header("ce_causationid").as_deref(), Some("risk-event-1"));
    assert_eq!(header("ce_correlationid").as_deref(), Some("thread-7"));
    assert!(header("traceparent").is_some());
}

#[test]
fn a_decision_says_which_arm_decided_where_the_route_says_so() {
    let assignment = |event| decision_of(&feed(&scored(&event)).1[0].1).assignment;
    assert_eq!(assignment(card()), None);
    let challenged = card_with(&[("/route/arm", json!("challenger")), ("/route/holdout", json!(false))]);
    let expected = Assignment { arm: ModelRole::Challenger.into(), bucket: Some(4711), holdout: Some(false) };
    assert_eq!(assignment(challenged), Some(expected));
}

#[test]
fn metrics_count_by_product_outcome_and_step() {
    let (mut worker, registry) = worker(Library::of(standard()));
    let stranger = scored(&card_with(&[("/product", json!("boat"))]));
    worker.feed(&[scored(&card()), scored(&card()), stranger]).unwrap();
    let families = registry.gather();
    let counted = families.iter().find(|family| family.name() == "defaultx_decisions_total").unwrap();
    let mut rows: Vec<String> = counted
        .get_metric()
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric.get_label().iter().map(|label| label.value()).collect();
            format!("{} {}", labels.join(" "), metric.get_counter().get_value())
        })
        .collect();
    rows.sort();
    assert_eq!(rows, ["approve credit_card cutoff 2", "refer other fallback 1"]);
}

#[test]
fn the_wait_of_what_was_received_is_measured() {
    let (mut worker, registry) = worker(Library::of(standard()));
    let earlier = |received_at: &str| scored(&card_with(&[("/times/received_at", json!(received_at))]));
    let withdrawal = record("application.withdrawn.v1", &json!("?"));
    // Noon and a quarter of a second is now; a broker's clock may be ahead of ours.
    let inputs = [earlier("2026-11-02T11:59:55.250Z"), earlier("2026-11-02T12:00:09Z"), earlier("soon"), withdrawal];
    worker.feed(&inputs).unwrap();
    let families = registry.gather();
    let waits = families.iter().find(|family| family.name() == "defaultx_received_to_decided_seconds").unwrap();
    let waits = waits.get_metric()[0].get_histogram();
    assert_eq!((waits.get_sample_count(), waits.get_sample_sum()), (2, 5.0));
    let within = waits.get_bucket().iter().find(|bucket| bucket.upper_bound() == 5.0).unwrap();
    assert_eq!(within.cumulative_count(), 2, "what takes as long as the objective allows is within it");
}

proptest! {
    /// Whatever happens to the bytes of a score event, its application is answered; what cannot be read goes to people.
    #[test]
    fn damage_never_silences(at in 0usize..2000, byte in any::<u8>(), cut in any::<bool>()) {
        let body = card_with(&[("/score/score", json!(530)), ("/score/band", json!("D"))]);
        let mut input = scored(&body);
        let payload = input.payload.as_mut().unwrap();
        let at = at % payload.len();
        if cut { payload.truncate(at) } else { payload[at] = byte }
        let intent = b"score_only";
        prop_assume!(!payload.windows(intent.len()).any(|window| window == intent));
        let (outcome, outputs) = feed(&input);
        prop_assert!(matches!(outcome, RecordOutcome::Done(_)), "{:?}", outcome);
        prop_assert_eq!(outputs.len(), 1);
        let decision = decision_of(&outputs[0].1);
        let untouched = serde_json::from_slice::<serde_json::Value>(input.payload.as_deref().unwrap()).ok();
        let readable = untouched.is_some_and(|body| serde_json::from_value::<schemas::risk::RiskEvent>(body).is_ok());
        if !readable {
            prop_assert_eq!(decision.outcome.as_str(), "refer");
        }
    }

    /// Blocks are a matter of speed: the same records in any blocks give the same bytes.
    #[test]
    fn blocks_do_not_matter(scores in proptest::collection::vec(300i32..850, 1..20), split in 0usize..20) {
        let inputs: Vec<OwnedInput> = scores.iter().enumerate().map(|(at, points)| {
            let id = format!("L-{at}");
            scored(&card_with(&[("/score/score", json!(points)), ("/application/application_id", json!(id))]))
        }).collect();
        let (whole, _) = worker(Library::of(standard())).0.feed(&inputs).map(|(outcomes, outputs)| (outputs, outcomes)).unwrap();
        let (mut worker, _) = worker(Library::of(standard()));
        let (left, right) = inputs.split_at(split.min(inputs.len()));
        let mut parts = worker.feed(left).unwrap().1;
        parts.extend(worker.feed(right).unwrap().1);
        prop_assert_eq!(whole, parts);
    }
}

/// Nobody sent the bound that stands in place of a value outside its range, so it declines nobody.
#[test]
fn a_value_outside_its_range_refers_and_is_counted() {
    let rows = [
        ("in range", json!(null), 4.0, "decline ", 0),
        ("clamped", json!("clamped"), 9.0, "refer out_of_range", 1),
        ("clamped at the other end", json!("clamped"), -2.0, "refer out_of_range", 1),
    ];
    for (name, flag, value, expected, counted) in rows {
        let mut edits = vec![("/features/1/value", json!(value))];
        edits.extend((!flag.is_null()).then_some(("/features/1/flag", flag)));
        let (mut worker, registry) = worker(Library::of(standard()));
        let (_, outputs) = worker.feed(&[scored(&card_with(&edits))]).unwrap();
        let body: serde_json::Value = serde_json::from_slice(outputs[0].1.payload.as_deref().unwrap()).unwrap();
        let faults = schemas::catalogue::validator("decision.made.v1").unwrap().iter_errors(&body).count();
        let decision = decision_of(&outputs[0].1);
        let word = decision.referral.as_ref().map(|word| word.to_string()).unwrap_or_default();
        assert_eq!((format!("{} {word}", decision.outcome), faults), (expected.to_owned(), 0), "{name}");
        assert_eq!(decision.rules[0].comparisons[0].fact, "features.repayment_status_1", "{name}");
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let line = "defaultx_referrals_total{product=\"credit_card\",referral=\"out_of_range\"} 1";
        assert_eq!(text.matches(line).count(), counted, "{name}: {text}");
    }
}
