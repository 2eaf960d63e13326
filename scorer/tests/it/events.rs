use crate::fixture::{
    STANDARD, Said, accepted, applications, deciding, document, entry, library, record, shadowing, worker, worker_of,
};
use domain::ModelRole;
use runtime::stream::{Output, OwnedInput, RecordOutcome, Route};
use schemas::application::{Facts, WITHDRAWN};
use schemas::event_id::event_id;
use schemas::risk::{ApplicationRef, COMPUTED, RiskEvent, SHADOW_COMPUTED};
use serde_json::{Value, json};

const PACKAGES: [&str; 3] = ["taiwan-lightgbm", "sba-lightgbm", "german-scorecard"];

fn mixed() -> Vec<OwnedInput> {
    let all: Vec<_> = PACKAGES.iter().map(|package| applications(package)).collect();
    let longest = all.iter().map(Vec::len).max().unwrap();
    let interleaved = (0..longest).flat_map(|at| all.iter().filter_map(move |of_one| of_one.get(at)));
    interleaved.enumerate().map(|(offset, data)| accepted(data, (offset % 3) as i32, offset as i64)).collect()
}

/// A champion for each product, this one for cards, and nothing beside it but what `more` says.
fn without_shadows(card: &str, more: &str) -> String {
    let entries = [
        entry("a", "credit_card", card, more),
        entry("b", "small_business_term", "sba-lightgbm", ""),
        entry("c", "consumer_instalment", "german-scorecard", ""),
    ];
    document("alone", "1.0.0", &entries.concat())
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn each_application_gets_one_event_with_its_golden_score() {
    let records = mixed();
    let (outcomes, outputs) = worker().feed(&records).unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == RecordOutcome::Done("scored")), "{outcomes:?}");
    let outputs = deciding(outputs);
    assert_eq!(outputs.len(), records.len());
    let mut golden = Vec::new();
    for package in PACKAGES {
        let path = crate::fixture::models().join(package).join("1.0.0/golden.json");
        golden.extend(value(&std::fs::read(path).unwrap())["applications"].as_array().unwrap().clone());
    }
    for (record, (partition, output)) in records.iter().zip(&outputs) {
        assert_eq!((*partition, output.route, &output.key), (record.partition, Route::Same, &record.key));
        let event: RiskEvent = serde_json::from_slice(output.payload.as_ref().unwrap()).unwrap();
        let data = value(record.payload.as_ref().unwrap());
        let same = |golden: &&Value| {
            golden["data"]["attributes"] == data["attributes"]
                && golden["data"]["application_id"] == data["application_id"]
                && golden["data"]["requested"] == data["requested"]
                && golden["data"]["applicants"][0].get("facts").unwrap_or(&json!({})) == &data["applicants"][0]["facts"]
        };
        let golden = golden.iter().find(same).unwrap();
        let score = event.score.as_ref().unwrap();
        assert_eq!(json!(score.score), golden["score"], "{}", event.application.application_id);
        assert_eq!(json!(score.pd), golden["pd"]);
        let values: Vec<_> = event.features.iter().map(|f| Some(f.value).filter(|value| !value.is_nan())).collect();
        assert_eq!(values, serde_json::from_value::<Vec<Option<f32>>>(golden["features"].clone()).unwrap());
    }
}

#[test]
fn what_is_written_is_the_published_event() {
    let (_, outputs) = worker().feed(&mixed()).unwrap();
    for (_, output) in outputs {
        let written = value(output.payload.as_ref().unwrap());
        let event: RiskEvent = serde_json::from_value(written.clone()).unwrap();
        let mut again = value(&serde_json::to_vec(&event).unwrap());
        // Facts travel as ingest wrote them: what was never asked stays absent.
        again["facts"] = written["facts"].clone();
        assert_eq!(keys(&written), keys(&again));
        assert_eq!(written, again);
    }
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn contributions_explain_the_margin_and_reasons_are_adverse() {
    let (_, outputs) = worker().feed(&mixed()).unwrap();
    for (_, output) in outputs {
        let event: RiskEvent = serde_json::from_slice(output.payload.as_ref().unwrap()).unwrap();
        let (explanation, score) = (event.explanation.unwrap(), event.score.unwrap());
        let explained = explanation.base + event.features.iter().map(|f| f.contribution).sum::<f64>();
        let rounding = 0.5e-6 * (event.features.len() as f64 + 1.0);
        assert!((f64::from(score.margin) - explained - explanation.residual).abs() <= rounding + 1e-9);
        assert!(explanation.residual.abs() <= 1e-5 && explanation.inexact.is_none());
        assert!(event.reasons.len() <= 4);
        for (at, reason) in event.reasons.iter().enumerate() {
            assert_eq!(reason.rank as usize, at + 1);
            assert!(reason.contribution > 0.0 && !reason.features.is_empty() && !reason.text.is_empty());
        }
    }
}

/// Shadows score what the champion scores, beside it, and change nothing of what it says.
#[test]
fn shadows_speak_on_their_own_topic_only() {
    let records = mixed();
    let (outcomes, outputs) = worker().feed(&records).unwrap();
    let alone = without_shadows("taiwan-lightgbm", "");
    let (outcomes_alone, outputs_alone) = worker_of(library(), &[&alone], 256).feed(&records).unwrap();
    assert_eq!(outcomes, outcomes_alone);
    let bare = |outputs: Vec<Said>| {
        let without_digest = |(partition, output): Said| {
            let mut body = value(output.payload.as_ref().unwrap());
            // Which document it is, and what it calls its entries.
            ["digest", "name", "entry"].into_iter().for_each(|key| body["route"][key] = json!(""));
            (partition, output.headers, body)
        };
        deciding(outputs).into_iter().map(without_digest).collect::<Vec<_>>()
    };
    assert_eq!(bare(outputs.clone()), bare(outputs_alone));
    let shadows = shadowing(outputs);
    let has_shadows =
        |record: &&OwnedInput| value(record.payload.as_ref().unwrap())["product"] != "consumer_instalment";
    let shadowed = records.iter().filter(has_shadows);
    assert_eq!(shadows.len(), 2 * shadowed.count());
    let mut ids = std::collections::HashSet::new();
    for (_, output) in &shadows {
        let event: RiskEvent = serde_json::from_slice(output.payload.as_ref().unwrap()).unwrap();
        let model = event.model.unwrap();
        assert_eq!((model.role.as_str(), event.status.as_str()), ("shadow", "scored"));
        let ApplicationRef { tenant, application_id, revision } = &event.application;
        let id = event_id(SHADOW_COMPUTED, tenant, application_id, *revision, &format!("shadow:{}", model.name));
        let header = |name: &str| &output.headers.iter().find(|(key, _)| *key == name).unwrap().1;
        assert_eq!(*header("ce_id"), id.to_string().into_bytes());
        assert_eq!(*header("ce_type"), SHADOW_COMPUTED.as_bytes());
        ids.insert((output.key.clone(), model.name));
    }
    assert!(
        ids.iter().any(|(_, name)| name == "taiwan-xgboost") && ids.iter().any(|(_, name)| name == "sba-scorecard")
    );
}

/// Models of one feature contract share their rows; what a shadow says is what it would say if it decided.
#[test]
fn a_shadow_says_what_it_would_say_as_champion() {
    let records = mixed();
    let spoken = |outputs: Vec<Said>| {
        let event = |(_, output): Said| value(output.payload.as_ref().unwrap());
        let of_model = |event: &Value| event["model"]["name"] == json!("taiwan-xgboost");
        let body = |event: Value| json!([event["score"], event["features"], event["explanation"], event["reasons"]]);
        outputs.into_iter().map(event).filter(of_model).map(body).collect::<Vec<_>>()
    };
    let (_, outputs) = worker().feed(&records).unwrap();
    let shadowed = spoken(shadowing(outputs));
    let alone = without_shadows("taiwan-xgboost", "");
    let (_, outputs) = worker_of(library(), &[&alone], 256).feed(&records).unwrap();
    assert!(!shadowed.is_empty());
    assert_eq!(shadowed, spoken(deciding(outputs)));
}

/// The assigned arm decides: by the customer, never by the application, and the other arm stays silent.
#[test]
fn a_challenger_decides_on_the_customers_that_are_its() {
    let arms = "challengers = [\n  { package = \"taiwan-scorecard@1.0.0\", buckets = 3_000 },\n  \
                { package = \"taiwan-xgboost@1.0.0\", buckets = 2_000 },\n]\nholdout = 1_000\n";
    let route = without_shadows("taiwan-lightgbm", arms);
    let mut data = applications("taiwan-lightgbm")[0].clone();
    let mut records = Vec::new();
    for customer in 0..40 {
        data["applicants"][0]["subject"]["subject"] = json!(format!("{customer:064x}"));
        for again in ["a", "b"] {
            data["application_id"] = json!(format!("{customer}{again}"));
            records.push(accepted(&data, 0, records.len() as i64));
        }
    }
    let (outcomes, outputs) = worker_of(library(), &[&route], 256).feed(&records).unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == RecordOutcome::Done("scored")));
    assert_eq!(outputs.len(), records.len());
    let said = outputs.iter().map(|(_, output)| {
        let event: RiskEvent = serde_json::from_slice(output.payload.as_ref().unwrap()).unwrap();
        let (role, name) = event.model.map(|model| (model.role, model.name)).unwrap();
        assert_eq!((event.route.arm.as_ref(), event.route.holdout), (Some(&role), Some(event.route.bucket >= 9_000)));
        (role, name, event.route.bucket)
    });
    let said: Vec<_> = said.collect();
    assert!(said.chunks(2).all(|pair| pair[0] == pair[1]), "applying again re-rolls nothing");
    for (role, name, bucket) in &said {
        let expected = match bucket {
            0..3_000 => ("challenger", "taiwan-scorecard"),
            3_000..5_000 => ("challenger", "taiwan-xgboost"),
            _ => ("champion", "taiwan-lightgbm"),
        };
        assert_eq!((role.as_str(), name.as_str()), expected);
    }
    let challenged = said.iter().filter(|(role, ..)| role.is(ModelRole::Challenger)).count();
    assert!((20..60).contains(&challenged), "{challenged} of 80");
}

#[test]
fn an_event_does_not_depend_on_its_company() {
    let records = mixed();
    let (_, together) = worker().feed(&records).unwrap();
    let mut alone = Vec::new();
    let mut lonely = worker_of(library(), &[STANDARD], 1);
    for record in &records {
        alone.extend(lonely.feed(std::slice::from_ref(record)).unwrap().1);
    }
    assert_eq!(together, alone);
    let (_, again) = worker_of(library(), &[STANDARD], 7).feed(&records).unwrap();
    assert_eq!(together, again);
}

#[test]
fn the_envelope_descends_from_the_application() {
    let data = &applications("taiwan-lightgbm")[0];
    let (_, outputs) = worker().feed(&[accepted(data, 2, 9)]).unwrap();
    let id = data["application_id"].as_str().unwrap();
    let expected = event_id(COMPUTED, "demo", id, 1, "champion:taiwan-lightgbm").to_string();
    let header = |name: &str| {
        let found = outputs[0].1.headers.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| String::from_utf8(value.clone()).unwrap())
    };
    for (name, wanted) in [
        ("ce_id", expected.as_str()),
        ("ce_type", COMPUTED),
        ("ce_source", "/defaultx/scorer"),
        ("ce_causationid", "e-9"),
        ("ce_correlationid", "c-1"),
        ("ce_subject", id),
        ("ce_specversion", "1.0"),
    ] {
        assert_eq!(header(name).as_deref(), Some(wanted), "{name}");
    }
    assert_eq!(header("traceparent").unwrap().len(), 55);
    let event: RiskEvent = serde_json::from_slice(outputs[0].1.payload.as_ref().unwrap()).unwrap();
    assert_eq!(
        (event.input.topic.as_str(), event.input.partition, event.input.offset),
        ("credit.applications.v1", 2, 9)
    );
    assert_eq!(event.times.received_at, "2026-11-25T09:46:40.000Z");
    assert!(event.route.bucket < 10_000);
}

/// Applications that cannot be scored are answered, with the reason.
#[test]
fn nobody_goes_unanswered() {
    let change = |pointer: &str, to: Value| {
        let mut data = applications("taiwan-lightgbm")[0].clone();
        *data.pointer_mut(pointer).unwrap() = to;
        data
    };
    let rows: [(Value, &[&str]); 5] = [
        (change("/product", json!("mortgage")), &["no_model:mortgage"]),
        (change("/requested/amount/currency", json!("USD")), &["wrong_currency:limit"]),
        (change("/attributes/repayment_status_1", json!(null)), &["missing:repayment_status_1"]),
        (
            change("/attributes/repayment_status_2", json!("late")),
            &["wrong_type:repayment_status_2", "expression_failed:months_late", "expression_failed:months_unused"],
        ),
        (change("/attributes/payment_amount_1/currency", json!("EUR")), &["wrong_currency:payment_amount_1"]),
    ];
    let records: Vec<_> = rows.iter().enumerate().map(|(at, row)| accepted(&row.0, 0, at as i64)).collect();
    let (outcomes, outputs) = worker().feed(&records).unwrap();
    let outputs = deciding(outputs);
    assert!(outcomes.iter().all(|outcome| *outcome == RecordOutcome::Done("unscorable")));
    for ((_, reasons), (_, output)) in rows.iter().zip(&outputs) {
        let event: RiskEvent = serde_json::from_slice(output.payload.as_ref().unwrap()).unwrap();
        assert_eq!((event.status.as_str(), event.unscorable.as_slice()), ("unscorable", &reasons.map_owned()[..]));
        assert!(event.score.is_none() && event.features.is_empty() && event.reasons.is_empty());
        assert_eq!(event.model.is_none(), reasons[0].starts_with("no_model"));
    }
}

#[test]
fn an_application_whose_event_no_broker_takes_is_answered_in_little() {
    let data = &applications("taiwan-lightgbm")[0];
    let whole = accepted(data, 0, 0);
    let (outcomes, outputs) = worker().unproducible(&whole).unwrap();
    assert_eq!(outcomes, [RecordOutcome::Done("unscorable")]);
    let outputs = deciding(outputs);
    let event: RiskEvent = serde_json::from_slice(outputs[0].1.payload.as_ref().unwrap()).unwrap();
    assert_eq!(
        (event.status.as_str(), event.unscorable.as_slice()),
        ("unscorable", &["event_too_large".to_owned()][..])
    );
    assert!(event.score.is_none() && event.features.is_empty() && event.facts == Facts::default());
    let id = |fed: Vec<Said>| outputs_id(&deciding(fed)[0].1);
    let scored = worker().feed(std::slice::from_ref(&whole)).unwrap().1;
    assert_eq!(id(scored), outputs_id(&outputs[0].1), "one event id for one application, whatever it says");
    let withdrawal = record(WITHDRAWN, "L-1", br#"{"tenant":"demo","application_id":"L-1"}"#.to_vec(), 1, 3);
    let (outcomes, outputs) = worker().unproducible(&withdrawal).unwrap();
    assert_eq!(
        (outcomes.as_slice(), outputs[0].1.payload.as_ref()),
        (&[RecordOutcome::Done("withdrawal_passed")][..], None)
    );
}

fn outputs_id(output: &Output) -> Vec<u8> {
    output.headers.iter().find(|header| header.0 == "ce_id").unwrap().1.clone()
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|word| (*word).to_owned()).collect()
    }
}

#[test]
fn what_is_not_an_application_has_a_name() {
    let withdrawal = record(WITHDRAWN, "L-1", br#"{"tenant":"demo","application_id":"L-1"}"#.to_vec(), 1, 3);
    let rows = [
        (withdrawal.clone(), RecordOutcome::Done("withdrawal_passed")),
        (record("application.accepted.v1", "L-2", b"{".to_vec(), 0, 0), dead("malformed_body", "line 1 column 1")),
        (record("application.accepted.v1", "L-2", b"{}".to_vec(), 0, 0), dead("malformed_body", "line 1 column 2")),
        (
            record("weather.v1", "L-3", b"{}".to_vec(), 0, 0),
            dead("unknown_type", "ce_type is none that this worker reads"),
        ),
    ];
    for (input, expected) in &rows {
        let (outcomes, outputs) = worker().feed(std::slice::from_ref(input)).unwrap();
        assert_eq!(outcomes, std::slice::from_ref(expected));
        assert_eq!(outputs.len(), usize::from(*expected == RecordOutcome::Done("withdrawal_passed")));
    }
    let (_, outputs) = worker().feed(std::slice::from_ref(&withdrawal)).unwrap();
    let (partition, output) = &outputs[0];
    assert_eq!((*partition, &output.key, &output.payload), (1, &withdrawal.key, &withdrawal.payload));
    let headers: Vec<_> = output.headers.iter().map(|(key, value)| ((*key).to_owned(), Some(value.clone()))).collect();
    assert_eq!(headers, withdrawal.headers);
}

fn dead(reason: &'static str, detail: &str) -> RecordOutcome {
    RecordOutcome::DeadLetter { reason, detail: detail.to_owned() }
}
