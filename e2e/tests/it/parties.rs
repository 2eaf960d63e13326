//! An application of two under a rule on all parties: scored by the scorer, decided by the decision worker, behind no broker. The
//! rule holds where the route has the other party carried, and is a person's affair where it has not.

use decision::DecisionHandler;
use e2e::stage::root;
use prometheus::Registry;
use runtime::stream::harness::Harness;
use runtime::stream::{Offset, OwnedInput};
use schemas::envelope::header;
use schemas::intake::{ACCEPTED, header as extension};
use scorer::handler::Outlets;
use scorer::{Library, Route, Routes, ScorerHandler};
use serde_json::{Value, json};

const ROUTE: &str = "name = 'r'\nversion = '1.0.0'\n[[entry]]\nid = 'instalment'\nproduct = 'consumer_instalment'\n\
                     champion = 'german-scorecard@1.0.0'\n";

/// A golden application of the scorecard, by two who owe and earn so much a month.
fn couple(debts: [i64; 2], incomes: [i64; 2]) -> Value {
    let golden = std::fs::read(root().join("models/german-scorecard/1.0.0/golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let mut data = golden["applications"][0]["data"].clone();
    let money = |amount: i64| json!({"amount_minor": amount, "currency": "DEM"});
    let primary = data["applicants"][0].as_object_mut().unwrap();
    primary.remove("customer_ref");
    primary.insert("subject".into(), json!({"key_id": "k1", "subject": "s1"}));
    let other =
        json!({"role": "co_applicant", "kind": "person", "subject": {"key_id": "k1", "subject": "s2"}, "facts": {}});
    data["applicants"].as_array_mut().unwrap().push(other);
    for (at, (debt, income)) in debts.into_iter().zip(incomes).enumerate() {
        let facts = &mut data["applicants"][at]["facts"];
        facts["debts"] = json!([{"kind": "car", "payment": money(debt), "period": "month", "evidence": "stated"}]);
        facts["income"] = json!([{"amount": money(income), "period": "month", "basis": "net", "evidence": "verified"}]);
    }
    data["application_id"] = json!("L-1");
    data["requested"]["amount"] = money(200_000);
    data["requested"]["term_months"] = json!(12);
    data
}

fn accepted(data: &Value) -> OwnedInput {
    let headers = [
        (header::SPECVERSION, "1.0"),
        (header::ID, "e-1"),
        (header::SOURCE, "/defaultx/ingest"),
        (header::TYPE, ACCEPTED),
        (header::CONTENT_TYPE, "application/json"),
        (header::SUBJECT, "L-1"),
        (header::CORRELATION, "c-1"),
        (header::PARTITION_KEY, "demo|L-1"),
        (extension::DATA_DIGEST, "aa"),
        (extension::RECEIVED_AT, "1795600000000"),
    ];
    OwnedInput {
        topic: "credit.applications.v1".into(),
        partition: 0,
        offset: Offset::default(),
        timestamp_ms: 1_795_600_000_500,
        key: Some(b"demo|L-1".to_vec()),
        payload: Some(serde_json::to_vec(data).unwrap()),
        headers: headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec()))).into(),
    }
}

#[test]
fn a_rule_on_all_parties_sees_them_or_a_person_does() {
    let library = Library::read(&root().join("models")).unwrap();
    let standard = std::fs::read_to_string(root().join("policies/standard/1.0.0.yaml")).unwrap();
    let zone = "zones:\n  - id: burdened\n    when: debt_to_income > 0.5\n    referral: burdened\n\ncutoffs:\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("standard")).unwrap();
    std::fs::write(folder.path().join("standard/1.0.0.yaml"), standard.replacen("cutoffs:\n", zone, 1)).unwrap();

    let referral = |parties: &str, application: &Value| {
        let routes = Routes::of(vec![Route::load(format!("{ROUTE}{parties}").as_bytes(), &library).unwrap()]);
        let metrics = scorer::metrics::Metrics::new(&Registry::new(), &routes).unwrap();
        let outlets = Outlets { risk: "credit.risk.v1".into(), shadow: "credit.shadow.v1".into() };
        let scorer = ScorerHandler::new(library.clone(), routes, outlets, 1, metrics).unwrap();
        let (_, scored) = Harness::new(scorer).feed(&[accepted(application)]).unwrap();
        let [(partition, scored)] = scored.as_slice() else { panic!("{scored:?}") };
        let owned = |(name, value): &(&'static str, Vec<u8>)| ((*name).to_owned(), Some(value.clone()));
        let risk = OwnedInput {
            topic: "credit.risk.v1".into(),
            partition: *partition,
            offset: Offset::default(),
            timestamp_ms: 1_795_600_000_900,
            key: scored.key.clone(),
            payload: scored.payload.clone(),
            headers: scored.headers.iter().map(owned).collect(),
        };
        let policies = decision::Library::read(folder.path(), "standard@1.0.0").unwrap();
        let metrics = decision::metrics::Metrics::new(&Registry::new()).unwrap();
        let decision = DecisionHandler::new(policies, "credit.decisions.v1".into(), runtime::clock::now, metrics);
        let (_, decided) = Harness::new(decision).feed(&[risk]).unwrap();
        let decided: Value = serde_json::from_slice(decided[0].1.payload.as_deref().unwrap()).unwrap();
        decided["referral"].as_str().unwrap_or("none").to_owned()
    };
    let light = couple([10_000, 10_000], [200_000, 200_000]);
    let heavy = couple([10_000, 500_000], [200_000, 200_000]);
    assert_eq!(referral("parties = true", &heavy), "burdened", "the other one's debts count");
    let told = referral("parties = true", &light);
    assert!(!["burdened", "rule_error"].contains(&told.as_str()), "{told}");
    for application in [&light, &heavy] {
        assert_eq!(referral("", application), "rule_error", "nobody takes the primary for both");
    }
}
