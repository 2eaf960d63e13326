//! What a refusal says: every fault with its word, its place, its sentence and what the contract takes there, and never a value.

use crate::corpus::{self, Record, good};
use crate::stack::Stack;
use ingest::refusal::Reason;
use schemas::catalogue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn data() -> Value {
    serde_json::from_slice(good("L-1").0.body.as_deref().unwrap()).unwrap()
}

fn with(data: &Value) -> Record {
    Record { body: Some(data.to_string().into_bytes()), ..good("L-1").0 }
}

fn problem(record: &Record) -> Value {
    Stack::new().send(record).reply()["problem"].clone()
}

fn faults(record: &Record) -> Vec<Value> {
    problem(record)["faults"].as_array().cloned().unwrap_or_default()
}

#[test]
fn the_published_example_is_what_is_answered() {
    let mut body = data();
    body["requested"] = json!({"amount": body["requested"]["amount"], "term_month": 24, "purpose": "To buy a car"});
    body["intent"] = "approve".into();
    body.as_object_mut().unwrap().remove("jurisdiction");
    let examples = catalogue::find("application.replied.v1").unwrap().examples;
    let example = examples.iter().find(|example| example.name == "good-rejected-with-faults").unwrap();
    let example: Value = serde_json::from_str(example.text).unwrap();
    assert_eq!(problem(&with(&body)), example["problem"]);
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md")).unwrap();
    let shown = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(shown).unwrap(), example, "docs/faults.md shows it");
}

#[test]
fn a_fault_of_shape_hides_no_other() {
    // Whatever a case of the corpus is refused for in a body that is read is told beside a field that is not known.
    let mut compared = 0;
    for case in corpus::cases("shape").iter().filter(|case| case.status == "rejected" && case.before.is_empty()) {
        let Ok(mut body) = serde_json::from_slice::<Value>(case.record.body.as_deref().unwrap_or_default()) else {
            continue;
        };
        let alone = problem(&case.record);
        let is_structured = case.record.headers.iter().any(|header| header.1.starts_with(b"application/cloudevents"));
        if !body.is_object() || is_structured || !alone["attributes"].is_null() || alone["faults"].as_array().is_none()
        {
            continue;
        }
        body["zzzzzz"] = 1.into();
        let record = Record { body: Some(body.to_string().into_bytes()), ..case.record.clone() };
        let beside = problem(&record)["faults"].as_array().cloned().unwrap();
        let reason = Reason::ALL.iter().find(|reason| alone["type"] == reason.as_str()).unwrap();
        if ![403, 422].contains(&reason.http_status()) {
            continue; // It could not be read, and only its first fault is known.
        }
        for fault in alone["faults"].as_array().unwrap() {
            assert!(beside.contains(fault), "{}: {fault} is not in {beside:?}", case.name);
        }
        assert!(beside.iter().any(|fault| fault["pointer"] == "/zzzzzz"), "{}: {beside:?}", case.name);
        assert!(beside.len() <= alone["faults"].as_array().unwrap().len() + 1, "{}: {beside:?}", case.name);
        compared += 1;
    }
    assert!(compared >= 60, "{compared}");
}

#[test]
fn a_fault_says_what_its_place_takes() {
    let rows = [
        (
            "/intent",
            json!("approve"),
            "unknown_word",
            json!({"types": ["string"], "words": ["decide", "prequalify", "score_only"]}),
        ),
        (
            "/revision",
            json!(0),
            "bad_identifier",
            json!({"types": ["integer"], "minimum": 1, "maximum": 2_147_483_647}),
        ),
        ("/channel", json!(7), "wrong_type", json!({"types": ["string"], "pattern": "^[a-z_]{1,64}$"})),
        (
            "/product",
            json!("moon_mortgage"),
            "unknown_product",
            json!({"words": ["consumer_instalment", "credit_card", "small_business_term"]}),
        ),
        ("/tenant", json!("rival"), "tenant_mismatch", json!({"words": ["demo"]})),
        (
            "/submitted_at",
            json!("1970-01-01T00:00:00Z"),
            "ancient_time",
            json!({"types": ["string"], "earliest": "2016-11-12T00:00:00.000Z", "latest": "2026-11-20T00:05:00.000Z"}),
        ),
        (
            "/as_of",
            json!("2999-01-01"),
            "future_time",
            json!({"types": ["string"], "earliest": "1900-01-01", "latest": "2026-11-21"}),
        ),
        (
            "/applicants/0/customer_ref",
            json!(""),
            "bad_value",
            json!({
                "types": ["string"], "min_length": 1, "max_length": 256,
                "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
            }),
        ),
    ];
    for (pointer, value, word, expected) in rows {
        let mut body = data();
        *body.pointer_mut(pointer).unwrap() = value;
        let found = faults(&with(&body));
        assert_eq!(found.len(), 1, "{pointer}: {found:?}");
        assert_eq!((&found[0]["type"], &found[0]["pointer"]), (&json!(word), &json!(pointer)));
        assert_eq!(found[0]["expected"], expected, "{pointer}");
    }
}

#[test]
fn all_attributes_are_told_at_once_with_what_each_takes() {
    let mut record = good("L-1").0;
    record.headers =
        vec![("ce_time".into(), b"noon".to_vec()), ("ce_type".into(), b"application.submitted.v1".to_vec())];
    let told = problem(&record);
    assert_eq!(told["type"], "bad_envelope");
    assert_eq!(told["attributes"], json!(["specversion", "id", "source", "time"]));
    let details: Vec<_> =
        told["faults"].as_array().unwrap().iter().map(|fault| fault["detail"].as_str().unwrap()).collect();
    let title = "A CloudEvents attribute is missing or malformed";
    assert_eq!(
        details,
        [
            format!("{title}: it is missing; expected is 1.0"),
            format!("{title}: it is missing; expected is text of 1 to 256 characters"),
            format!("{title}: it is missing; expected is text of 1 to 256 characters"),
            format!("{title}: it is no time; expected is a time as RFC 3339 has it"),
        ]
    );
    record.headers.clear();
    let types = faults(&record).into_iter().find(|fault| fault["attribute"] == "type").unwrap();
    assert_eq!(types["expected"]["words"], json!(["application.submitted.v1", "application.withdrawn.v1"]));
    let mut unknown = good("L-1").0;
    unknown.headers.retain(|header| header.0 != "ce_type");
    unknown.headers.push(("ce_type".into(), b"com.example.order".to_vec()));
    let words = &faults(&unknown)[0]["expected"]["words"];
    assert_eq!(*words, json!(["application.submitted.v1", "application.withdrawn.v1"]));
}

#[test]
fn no_value_and_no_personal_key_is_told() {
    let secret = "Anna-Svensson-19850101";
    let mut body = data();
    for pointer in ["/tenant", "/product", "/intent", "/channel", "/jurisdiction", "/as_of", "/submitted_at"] {
        *body.pointer_mut(pointer).unwrap() = secret.into();
    }
    body["applicants"][0]["identity"] = secret.into();
    body["applicants"][0]["protected"] = json!([secret]);
    body["applicants"][0]["Identity"] = json!({secret: secret});
    body["applicants"][0]["facts"]["employment"]["status"] = secret.into();
    body["applicants"][0]["reports"][0]["range"] = secret.into();
    body["requested"]["amount"]["currency"] = secret.into();
    let outcome = Stack::new().send(&with(&body));
    let reply = outcome.reply();
    assert!(reply["problem"]["faults"].as_array().unwrap().len() >= 12, "{reply}");
    assert!(!reply.to_string().contains("Anna"), "{reply}");
    assert!(!format!("{:?}", outcome.outcome).contains("Anna"));
}

/// A key that stands twice is found by the parser, which knows no contract; below a place that the contract does not have it may be
/// a person.
#[test]
fn no_key_below_an_unknown_place_is_told() {
    let twice = r#"{"Anna-Svensson":1,"Anna-Svensson":2}"#;
    let rows = [
        (r#""applicant":[KEY]"#, "/applicant"),
        (r#""Applicants":[KEY]"#, "/Applicants"),
        (r#""borrower":KEY"#, "/borrower"),
        (r#""applicants":[{"facts":{"nam":KEY}}]"#, "/applicants/0/facts/nam"),
        (r#""tenant":KEY"#, "/tenant"),
        (r#""attributes":{"free":{"a":1,"a":2}}"#, "/attributes/free/a"),
    ];
    for (body, pointer) in rows {
        let mut record = good("keys").0;
        record.body = Some(format!("{{{}}}", body.replace("KEY", twice)).into_bytes());
        let reply = Stack::new().send(&record).reply();
        let fault = &reply["problem"]["faults"][0];
        assert_eq!((&fault["type"], &fault["pointer"]), (&json!("duplicate_key"), &json!(pointer)));
        assert!(!reply.to_string().contains("Anna"), "{reply}");
    }
}

/// Pointers are into `data`, and JSON pointers wherever they are cut.
#[test]
fn a_pointer_is_a_json_pointer() {
    let event = |rest: &str| {
        format!(r#"{{"specversion":"1.0","id":"e","source":"/s","type":"application.submitted.v1",{rest}}}"#)
    };
    let long = "/~".repeat(400);
    let escaped = long.replace('~', "~0").replace('/', "~1");
    let rows = [
        (event(r#""dataschema":"x\u0000","data":{}"#), String::new()),
        (event(r#""data_base64":"a\u0000""#), String::new()),
        (event(r#""dataX":{"a":1,"a":2},"data":{}"#), String::new()),
        (event(r#""data":{"tenant":1,"tenant":2}"#), "/tenant".to_owned()),
        (event(&format!(r#""data":{{"{long}":1,"{long}":2}}"#)), escaped),
    ];
    for (text, whole) in rows {
        let mut record = good("pointers").0;
        record.headers = vec![("content-type".to_owned(), b"application/cloudevents+json".to_vec())];
        record.body = Some(text.into_bytes());
        let reply = Stack::new().send(&record).reply();
        let pointer = reply["problem"]["faults"][0]["pointer"].as_str().unwrap_or_default();
        let is_one =
            pointer.split('/').skip(1).all(|step| step.replace("~0", "").replace("~1", "").find('~').is_none());
        assert!(is_one && (pointer.is_empty() || pointer.starts_with('/')), "{reply}");
        assert!(
            if whole.len() > 256 { pointer.len() > 250 } else { pointer == whole },
            "{pointer} for {whole}: {reply}"
        );
    }
}

/// An id that can be read is given back, wherever it stands.
#[test]
fn an_id_comes_back_from_beside_one_that_is_none() {
    let rows: [&[(&str, &[u8])]; 4] = [
        (&[("ce_id", b"A"), ("ce_id", b"")]),
        (&[("ce_id", b""), ("ce-id", b"A")]),
        (&[("ce_id", b"\xff"), ("ce-id", b"A")]),
        (&[("ce-id", b"\n"), ("CE_ID", b"A")]),
    ];
    for ids in rows {
        let mut record = good("ids").0;
        record.headers.retain(|(name, _)| name != "ce_id");
        record.headers.extend(ids.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())));
        let reply = Stack::new().send(&record).reply();
        assert_eq!((&reply["status"], &reply["origin_id"]), (&json!("rejected"), &json!("A")), "{ids:?}");
    }
    let mut record = good("ids").0;
    record.headers.retain(|(name, _)| name == "ce_id");
    record.headers[0].1 = b"A".to_vec();
    let event = r#"{"specversion":"1.0","id":null,"source":"/s","type":"application.submitted.v1","data":{}}"#;
    record.body = Some(event.into());
    assert_eq!(Stack::new().send(&record).reply()["origin_id"], "A", "a body without its content type");
}

#[test]
fn the_page_has_every_word_with_its_status_and_sentence() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md")).unwrap();
    let rows: BTreeSet<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 5).collect();
    for reason in Reason::ALL {
        let begins = format!("| `{}` | {} | {} | ", reason.as_str(), reason.http_status(), reason.title());
        assert!(rows.iter().any(|row| row.starts_with(&begins)), "docs/faults.md has no row {begins:?}");
    }
    assert_eq!(rows.len(), Reason::ALL.len(), "docs/faults.md has a word that is none");
}
