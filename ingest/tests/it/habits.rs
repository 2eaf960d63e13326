//! Other people's clients: what they send in their own way is taken where the standards say so, and otherwise refused with a word that
//! says how to mend it.

use crate::corpus::{self, Record, good};
use crate::stack::{Stack, header};
use ingest::Config;
use schemas::catalogue;
use serde_json::{Value, json};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn what_other_clients_send_is_accepted() {
    let habits = corpus::habits("a");
    assert!(habits.len() >= 12);
    for (name, record) in &habits {
        let mut stack = Stack::new();
        let outcome = stack.send(record);
        assert!(outcome.is_accepted(), "{name}: {}", outcome.reply());
        let accepted = outcome.on("t.credit.applications.v1")[0];
        let trace = name.contains("extension attribute").then_some(TRACE);
        assert_eq!(header(accepted, "traceparent"), trace, "{name}");
        // However it is wrapped, it is the same application.
        let mut plain = good("plain").0;
        let id = outcome.reply()["application_id"].as_str().unwrap().to_owned();
        let text = String::from_utf8(plain.body.unwrap()).unwrap().replace("\"plain\"", &format!("{id:?}"));
        plain.body = Some(text.into_bytes());
        assert_eq!(stack.send(&plain).reply()["status"], "duplicate", "{name}");
    }
}

#[test]
fn the_published_schema_takes_what_structured_mode_takes() {
    let document = catalogue::documents().find(|document| document.file == "structured.v1.json").unwrap();
    let schema = catalogue::compile(document).unwrap();
    let is_structured =
        |record: &Record| record.headers.iter().any(|(_, value)| value.starts_with(b"application/cloudevents+json"));
    let valid = |record: &Record| {
        let body = serde_json::from_slice(record.body.as_deref().unwrap_or_default());
        body.is_ok_and(|body: Value| schema.is_valid(&body))
    };
    let taken: Vec<_> = corpus::habits("s").into_iter().filter(|(_, record)| is_structured(record)).collect();
    assert!(taken.len() >= 4);
    for (name, record) in taken {
        assert!(valid(&record), "{name}");
    }
    // What stands in Base64 and who may write "twice" is beyond a schema.
    let refused = ["structured without data", "structured with a numeric id", "structured with XML in it"];
    for case in corpus::cases("s").into_iter().filter(|case| refused.contains(&case.name.as_str())) {
        assert!(!valid(&case.record), "{}", case.name);
    }
}

#[test]
fn a_reply_finds_its_event_however_that_is_spelt() {
    for (prefix, is_upper) in [("ce-", false), ("CE_", true), ("cloudEvents:", false), ("cloudEvents_", false)] {
        let mut record = good("L-1").0;
        record.headers.push(("ce_correlationid".into(), b"thread-7".to_vec()));
        let spelt = |rest: &str| if is_upper { rest.to_uppercase() } else { rest.to_owned() };
        for header in &mut record.headers {
            if let Some(rest) = header.0.strip_prefix("ce_") {
                header.0 = format!("{prefix}{}", spelt(rest));
            }
        }
        let outcome = Stack::new().send(&record);
        let reply = outcome.reply();
        assert_eq!(
            (reply["origin_id"].as_str(), reply["application_id"].as_str()),
            (Some("L-1"), Some("L-1")),
            "{reply}"
        );
        let headers = outcome.on("t.loan.replies.v1")[0];
        assert_eq!(header(headers, "ce_correlationid"), Some("thread-7"), "{prefix}");
        assert_eq!(header(headers, "ce_causationid"), Some("L-1"), "{prefix}");
        let faults = reply["problem"]["faults"].as_array().unwrap();
        assert_eq!(faults.len(), 5, "{prefix}: {faults:?}");
        for fault in faults {
            let name = format!("ce_{}", fault["attribute"].as_str().unwrap());
            assert_eq!(
                (fault["type"].as_str(), &fault["expected"]),
                (Some("header_spelling"), &json!({"names": [name]}))
            );
            assert!(fault["detail"].as_str().unwrap().ends_with(&format!("expected is the header {name}")));
        }
    }
}

#[test]
fn a_structured_event_without_its_content_type_is_told_what_to_send() {
    let data = String::from_utf8(good("L-1").0.body.unwrap()).unwrap();
    let event = format!(
        r#"{{"specversion":"1.0","id":"e-9","source":"/los","type":"application.submitted.v1","correlationid":"thread-7","data":{data}}}"#
    );
    for headers in [vec![], vec![("content-type".to_owned(), b"application/json".to_vec())]] {
        let outcome = Stack::new().send(&Record { headers, body: Some(event.clone().into_bytes()) });
        let reply = outcome.reply();
        assert_eq!((reply["origin_id"].as_str(), reply["application_id"].as_str()), (Some("e-9"), Some("L-1")));
        assert_eq!(header(outcome.on("t.loan.replies.v1")[0], "ce_correlationid"), Some("thread-7"));
        let expected = json!({"names": ["content-type"], "words": ["application/cloudevents+json"]});
        assert_eq!(reply["problem"]["faults"].as_array().unwrap().len(), 1, "{reply}");
        assert_eq!(reply["problem"]["faults"][0]["expected"], expected);
    }
}

#[test]
fn bytes_that_are_called_no_json_are_not_read_as_such() {
    let event = |members: &str| Record {
        headers: vec![("content-type".into(), b"application/cloudevents+json".to_vec())],
        body: Some(
            format!(r#"{{"id":"e-9","source":"/los","type":"application.submitted.v1",{members}}}"#).into_bytes(),
        ),
    };
    let told = |record: &Record| {
        let reply = Stack::new().send(record).reply();
        assert_eq!(reply["origin_id"], "e-9");
        reply["problem"]["attributes"].clone()
    };
    let xml = event(r#""specversion":"1.0","datacontenttype":"application/xml","data_base64":"PGEvPg==""#);
    assert_eq!(told(&xml), json!(["datacontenttype"]));
    assert_eq!(Stack::new().send(&xml).reply()["problem"]["faults"].as_array().map(Vec::len), Some(1));
    assert_eq!(told(&event(r#""data_base64":"***""#)), json!(["specversion", "data_base64"]), "all at once");
}

#[test]
fn a_batch_of_events_is_told_that_it_is_one() {
    let mut record = good("L-1").0;
    record.headers.retain(|header| header.0 != "content-type");
    record.headers.push(("content-type".into(), b"application/cloudevents-batch+json; charset=utf-8".to_vec()));
    let reply = Stack::new().send(&record).reply();
    assert_eq!(reply["problem"]["type"], "unsupported_media_type");
    let detail = reply["problem"]["faults"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("a batch of events is not read, each event is a record or a request of its own"),
        "{detail}"
    );
    assert_eq!(reply["origin_id"], "L-1");
}

#[test]
fn framing_of_a_schema_registry_is_taken_off_where_the_operator_says_so() {
    let config = Config { accept_schema_registry_framing: true, ..Config::default() };
    let framed = |body: &[u8]| {
        let record = good("L-1").0;
        Record { body: Some([&[0, 0, 0, 0, 42], body].concat()), ..record }
    };
    let body = good("L-1").0.body.unwrap();
    let refused = Stack::new().send(&framed(&body)).reply();
    assert_eq!(refused["problem"]["type"], "schema_registry_framing", "nobody asked for it");
    let mut stack = Stack::with(&config);
    assert!(stack.send(&framed(&body)).is_accepted());
    assert_eq!(stack.send(&good("L-1").0).reply()["status"], "duplicate", "the same application without it");
    let event = format!(
        r#"{{"specversion":"1.0","id":"e-9","source":"/los","type":"application.submitted.v1","data":{}}}"#,
        String::from_utf8(body.clone()).unwrap()
    );
    let mut structured = framed(event.as_bytes());
    structured.headers = vec![("content-type".into(), b"application/cloudevents+json".to_vec())];
    assert_eq!(stack.send(&structured).reply()["status"], "duplicate", "in both modes");
    let rows: [(&[u8], &str); 6] = [
        (b"", "schema_registry_framing"),
        (b"\x02\x0eavro", "schema_registry_framing"),
        (b"\x00\x0a\x03abc", "schema_registry_framing"),
        (b"\x00\x00\x00\x00\x2a{}", "schema_registry_framing"),
        (b"{", "not_json"),
        (b"{}", "missing_field"),
    ];
    for (bytes, word) in rows {
        assert_eq!(stack.send(&framed(bytes)).reply()["problem"]["type"], *word, "{bytes:?}");
    }
    let short = Record { body: Some(b"\x00\x00\x00".to_vec()), ..good("L-1").0 };
    assert_eq!(stack.send(&short).reply()["problem"]["type"], "schema_registry_framing");
}
