//! Personal data leaves for its own topics and nowhere else.

use crate::corpus::{Record, good};
use crate::stack::{Stack, header};
use domain::{FieldClass, FieldClasses, Free};
use ingest::Config;
use proptest::prelude::*;
use schemas::intake::{Identities, Protecteds, Received};
use serde_json::{Value, json};

const APART: [&str; 2] = ["t.credit.identities.v1", "t.credit.protected.v1"];

fn with(identity: Value, protected: Value) -> Record {
    let mut record = good("L-1").0;
    let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    data["applicants"][0]["customer_ref"] = "REF-needle".into();
    data["applicants"][0]["identity"] = identity;
    data["applicants"][0]["protected"] = protected;
    record.body = Some(data.to_string().into_bytes());
    record
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_byte_of_it_is_in_any_other_record(name in "[A-Za-z\"\\\\ äñ€😀]{0,12}", deep in 0u8..4) {
        let mut identity = json!({"full_name": format!("NEEDLE{name}"), "national_id": "N33DLE-1"});
        for _ in 0..deep {
            identity = json!({"inner": identity, "list": [{"phone": "N33DLE-2"}]});
        }
        let mut stack = Stack::new();
        let record = with(identity, json!({"sex": "N33DLE-3", "age": 77_777_777}));
        // Accepted, duplicate, conflict and refused: what is written for any of them.
        let mut conflict = record.clone();
        let text = String::from_utf8(conflict.body.clone().unwrap()).unwrap();
        conflict.body = Some(text.replace("2000000", "2000001").into_bytes());
        let mut refused = record.clone();
        refused.body = Some(text.replace("\"channel\"", "\"chanel\"").into_bytes());
        for record in [&record, &record, &conflict, &refused] {
            for output in stack.send(record).outputs.iter().filter(|output| !APART.contains(&&*output.topic)) {
                let headers = output.headers.iter().map(|header| header.1.as_slice());
                for bytes in headers.chain(output.key.as_deref()).chain(output.payload.as_deref()) {
                    for needle in ["NEEDLE", "N33DLE", "77777777", "REF-needle"] {
                        prop_assert!(!holds(bytes, needle), "{} on {}", needle, output.topic);
                    }
                }
            }
        }
    }
}

/// A key can itself be a value, and whatever is wrong with a body is told by keys.
#[test]
fn no_key_below_a_personal_object_is_told_to_anybody() {
    let faults: [(&str, fn(&str) -> String); 6] = [
        ("nul_character", |object| format!(r#""{object}":{{"N33DLE-K":"a\u0000b"}}"#)),
        ("duplicate_key", |object| format!(r#""{object}":{{"x":{{"N33DLE-K":1,"N33DLE-K":2}}}}"#)),
        ("number_out_of_range", |object| format!(r#""{object}":{{"N33DLE-K":1e400}}"#)),
        ("not_json", |object| format!(r#""{object}":{{"N33DLE-K":NaN}}"#)),
        ("too_deep", |object| format!(r#""{object}":{{"N33DLE-K":{}1{}}}"#, "[".repeat(40), "]".repeat(40))),
        ("wrong_type", |object| format!(r#""{object}":[{{"N33DLE-K":1}}]"#)),
    ];
    let (record, _) = good("L-1");
    let text = String::from_utf8(record.body.clone().unwrap()).unwrap();
    for object in ["identity", "protected", "Identity"] {
        for (reason, fault) in faults {
            let expected = if object == "Identity" && reason == "wrong_type" { "unknown_field" } else { reason };
            let member = format!(r#""role":"primary",{}"#, fault(object));
            let mut body: Value = serde_json::from_str(&text).unwrap();
            body["applicants"][0]
                .as_object_mut()
                .unwrap()
                .retain(|key, _| !["identity", "protected"].contains(&key.as_str()));
            let data = body.to_string().replacen(r#""role":"primary""#, &member, 1);
            let outcome = Stack::new().send(&Record { body: Some(data.into_bytes()), ..record.clone() });
            let (found, detail) = outcome.outcome.set_aside().unwrap();
            assert_eq!(found, expected, "{object}");
            let pointer = format!("/applicants/0/{object}");
            assert_eq!(detail.split(' ').next(), Some(pointer.as_str()), "{reason} in {object}");
            let reply = outcome.reply().to_string();
            assert!(!detail.contains("N33DLE") && !reply.contains("N33DLE"), "{reason} in {object}: {detail} {reply}");
        }
    }
}

#[test]
fn what_was_stripped_arrives_whole_under_the_same_pseudonym() {
    let mut stack = Stack::new();
    let outcome = stack.send(&with(json!({"full_name": "Nameless"}), json!({"age": 40})));
    let body = |topic: &str| outcome.on(topic)[0].payload.clone().unwrap();
    let received: Received = serde_json::from_slice(&body("t.credit.intake.v1")).unwrap();
    let identities: Identities = serde_json::from_slice(&body(APART[0])).unwrap();
    let protected: Protecteds = serde_json::from_slice(&body(APART[1])).unwrap();
    let subject = &received.applicants[0].subject;
    assert_eq!(subject.subject.len(), 64);
    let identity = &identities.applicants[0];
    assert_eq!((&identity.subject.subject, &identity.subject.key_id), (&subject.subject, &subject.key_id));
    assert_eq!(Value::Object(identity.identity.clone()), json!({"full_name": "Nameless"}));
    assert_eq!(identity.customer_ref, "REF-needle");
    assert_eq!(protected.applicants[0].subject.subject, subject.subject);
    assert_eq!(Value::Object(protected.applicants[0].protected.clone()), json!({"age": 40}));
    assert_eq!(identities.data_digest, protected.data_digest);
    assert_eq!(
        (identities.data_digest_key.as_deref(), protected.data_digest_key.as_deref()),
        (Some("demo-1"), Some("demo-1"))
    );
}

#[test]
fn nothing_protected_writes_nothing() {
    let mut stack = Stack::new();
    let outcome = stack.send(&with(json!({}), json!({})));
    assert!(outcome.is_accepted());
    assert_eq!((outcome.on(APART[0]).len(), outcome.on(APART[1]).len()), (1, 0));
}

#[test]
fn the_pseudonym_depends_on_tenant_key_and_reference_only() {
    let subject = |identity: Value| {
        let outcome = Stack::new().send(&with(identity, json!({})));
        let body = outcome.on("t.credit.intake.v1")[0].payload.clone().unwrap();
        let received: Received = serde_json::from_slice(&body).unwrap();
        received.applicants[0].subject.clone()
    };
    assert_eq!(subject(json!({"a": 1})), subject(json!({"b": 2})));
}

#[test]
fn absent_null_and_zero_stay_three_things() {
    let mut record = good("L-1").0;
    let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    data["applicants"][0]["facts"] = json!({"dependants": 0, "telephone": null});
    for list in ["collateral", "documents"] {
        data.as_object_mut().unwrap().remove(list);
    }
    record.body = Some(data.to_string().into_bytes());
    let outcome = Stack::new().send(&record);
    let body = outcome.on("t.credit.intake.v1")[0].payload.clone().unwrap();
    let normal: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(normal["applicants"][0]["facts"], json!({"dependants": 0, "telephone": null}));
    assert_eq!((&normal["collateral"], &normal["documents"]), (&json!([]), &json!([])));
}

#[test]
fn what_a_contract_calls_personal_goes_where_the_identity_goes() {
    let mut classes = FieldClasses::default();
    classes.said(Free::Attribute, "contact", FieldClass::Personal);
    classes.said(Free::ReportField, "name_on_file", FieldClass::Personal);
    classes.said(Free::Attribute, "branch", FieldClass::Restricted);
    let mut record = good("L-1").0;
    let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    data["attributes"]["contact"] = json!({"name": "N33DLE-A"});
    data["attributes"]["branch"] = 7.into();
    data["applicants"][0]["reports"][0]["fields"]["name_on_file"] = "N33DLE-R".into();
    record.body = Some(data.to_string().into_bytes());
    let outcome = Stack::with(&Config { classes, ..Config::default() }).send(&record);
    assert!(outcome.is_accepted());
    for output in outcome.outputs.iter().filter(|output| !APART.contains(&&*output.topic)) {
        assert!(!holds(output.payload.as_deref().unwrap(), "N33DLE"), "{}", output.topic);
    }
    let body = |topic: &str| outcome.on(topic)[0].payload.clone().unwrap();
    let received: Received = serde_json::from_slice(&body("t.credit.intake.v1")).unwrap();
    assert_eq!(received.attributes.get("branch"), Some(&7.into()), "what is restricted stays");
    assert_eq!(received.applicants[0].reports[0].fields.len(), 1, "and so does the other field of the report");
    let identities: Identities = serde_json::from_slice(&body(APART[0])).unwrap();
    assert_eq!(Value::Object(identities.attributes), json!({"contact": {"name": "N33DLE-A"}}));
    let report = &identities.applicants[0].reports[0];
    assert_eq!((report.source.as_str(), report.report_id.as_str()), ("bureau-a", "r-1"));
    assert_eq!(Value::Object(report.fields.clone()), json!({"name_on_file": "N33DLE-R"}));
    let whole = Stack::new().send(&record);
    assert_eq!(header(outcome.on(APART[0])[0], "ce_datadigest"), header(whole.on(APART[0])[0], "ce_datadigest"));
}

/// What it says is not known, and the log keeps what it is given: nothing goes there that no other contract names.
#[test]
fn where_a_contract_cannot_be_read_only_what_others_name_stays() {
    let mut classes = FieldClasses::default();
    classes.used(Free::Attribute, "branch");
    classes.cannot_read_one();
    let mut record = good("L-1").0;
    let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    data["attributes"] = json!({"branch": 7, "contact": "N33DLE-A"});
    data["applicants"][0]["reports"][0]["fields"]["name_on_file"] = "N33DLE-R".into();
    record.body = Some(data.to_string().into_bytes());
    let outcome = Stack::with(&Config { classes, ..Config::default() }).send(&record);
    assert!(outcome.is_accepted(), "the stream goes on");
    let body = |topic: &str| outcome.on(topic)[0].payload.clone().unwrap();
    let received: Received = serde_json::from_slice(&body("t.credit.intake.v1")).unwrap();
    assert_eq!(received.attributes.len(), 1, "what another contract reads");
    assert_eq!(received.attributes.get("branch"), Some(&7.into()));
    assert!(received.applicants[0].reports[0].fields.is_empty());
    let identities: Identities = serde_json::from_slice(&body(APART[0])).unwrap();
    assert_eq!(Value::Object(identities.attributes), json!({"contact": "N33DLE-A"}), "nothing is lost");
    assert_eq!(identities.applicants[0].reports[0].fields["name_on_file"], "N33DLE-R");
}
