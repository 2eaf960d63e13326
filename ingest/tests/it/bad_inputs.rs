//! Every bad input has one named outcome and one reply, and the stream goes on.

use crate::corpus::{self, Case};
use crate::stack::Stack;
use ingest::refusal::Reason;
use runtime::stream::RecordOutcome;
use serde_json::Value;
use std::collections::BTreeSet;

fn check(stack: &mut Stack, case: &Case) {
    for record in &case.before {
        let outcome = stack.send(record);
        assert!(matches!(outcome.outcome, RecordOutcome::Done(_)), "{}: {:?}", case.name, outcome.outcome);
        assert_eq!(outcome.reply()["status"], "accepted", "{}", case.name);
    }
    let outcome = stack.send(&case.record);
    let reply = outcome.reply();
    let problem = &reply["problem"];
    let found = (reply["status"].as_str(), problem["type"].as_str());
    assert_eq!(found, (Some(case.status.as_str()), Some(case.reason.as_str())), "{}: {reply}", case.name);
    match &outcome.outcome {
        RecordOutcome::DeadLetter { reason, .. } | RecordOutcome::Refused { reason, .. } => {
            assert_eq!(*reason, case.reason, "{}", case.name);
        }
        RecordOutcome::Done(word) => {
            assert_eq!((*word, case.status.as_str()), ("superseded", "superseded"), "{}", case.name)
        }
    }
    if let Some(pointer) = case.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
        assert_eq!(problem["pointers"][0].as_str(), Some(pointer), "{}: {reply}", case.name);
    }
    if let Some(attribute) = &case.attribute {
        assert_eq!(problem["attributes"][0].as_str(), Some(attribute.as_str()), "{}: {reply}", case.name);
    }
    if case.is_answered_by_id {
        assert_eq!(reply["origin_id"].as_str(), Some(case.event_id.as_str()), "{}: {reply}", case.name);
    }
    if case.status != "superseded" {
        each_fault_is_told(case, problem);
    }
    assert!(outcome.on("t.credit.applications.v1").is_empty(), "{}", case.name);
    let text = reply.to_string();
    for value in ["Corpus Nameless", "Corpus Renamed", "CORPUS-ID-SYNTHETIC", "corpus-customer"] {
        assert!(!text.contains(value), "{}: a reply told a value: {text}", case.name);
    }
}

/// Each fault has a word of the list, a place and a sentence; the older members say the same in short.
fn each_fault_is_told(case: &Case, problem: &Value) {
    let faults = problem["faults"].as_array().unwrap_or_else(|| panic!("{}: no faults", case.name));
    assert_eq!(faults[0]["type"], problem["type"], "{}", case.name);
    let (mut pointers, mut attributes) = (BTreeSet::new(), BTreeSet::new());
    for fault in faults {
        let word = fault["type"].as_str().unwrap();
        assert!(Reason::ALL.iter().any(|reason| reason.as_str() == word), "{}: {word}", case.name);
        assert!(fault["pointer"].is_string() || fault["attribute"].is_string(), "{}: {fault}", case.name);
        assert!(fault["detail"].as_str().is_some_and(|text| text.len() > 10), "{}: {fault}", case.name);
        pointers.extend(fault["pointer"].as_str().filter(|pointer| !pointer.is_empty()));
        attributes.extend(fault["attribute"].as_str());
    }
    let list = |name: &str| problem[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!((pointers, attributes), (list("pointers"), list("attributes")), "{}: {problem}", case.name);
}

#[test]
fn every_bad_input_has_its_outcome_and_the_stream_goes_on() {
    let mut stack = Stack::new();
    let cases = corpus::cases("a");
    assert!(cases.len() >= 60, "{}", cases.len());
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "names are unique");
    for (index, case) in cases.iter().enumerate() {
        check(&mut stack, case);
        let after = stack.send(&corpus::good(&format!("after-{index}")).0);
        assert!(after.is_accepted(), "after {}: {:?}", case.name, after.outcome);
    }
}

#[test]
fn a_refusal_tells_everything_that_is_wrong_at_once() {
    let mut stack = Stack::new();
    let mut record = corpus::good("many").0;
    let text = String::from_utf8(record.body.unwrap()).unwrap();
    let text = text.replace(r#""product":"#, r#""produkt":"#).replace(r#""revision":1"#, r#""revision":"1""#);
    record.body = Some(text.into_bytes());
    let reply = stack.send(&record).reply();
    let pointers: BTreeSet<&str> =
        reply["problem"]["pointers"].as_array().unwrap().iter().map(|pointer| pointer.as_str().unwrap()).collect();
    assert_eq!(pointers, BTreeSet::from(["/product", "/produkt", "/revision"]));
    assert_eq!(reply["application_id"], "many");
}

#[test]
fn a_reply_names_the_record_that_it_answers() {
    let mut stack = Stack::new();
    stack.send(&corpus::good("first").0);
    let mut record = corpus::good("second").0;
    record.body = Some(b"{".to_vec());
    record.headers.push(("ce_correlationid".into(), b"thread-7".to_vec()));
    let outcome = stack.send(&record);
    let reply = outcome.reply();
    assert_eq!(reply["origin"], serde_json::json!({"topic": "loan.applications.v1", "partition": 3, "offset": 1}));
    assert_eq!((reply["origin_id"].as_str(), reply["tenant"].as_str()), (Some("second"), Some("demo")));
    let headers = &outcome.on("t.loan.replies.v1")[0];
    assert_eq!(crate::stack::header(headers, "ce_correlationid"), Some("thread-7"));
    assert_eq!(crate::stack::header(headers, "ce_causationid"), Some("second"));
}
