//! Nothing that leaves `receive`, by any way in, says what was stripped to an attacker who tries everything it can have been; neither
//! does what deduplication remembers.

use crate::corpus::good;
use crate::guesses::{Target, file_of, guesses};
use crate::stack::{NOW_MS, Stack, as_input, kafka};
use domain::Digest;
use ingest::Config;
use ingest::batch::report::Report;
use ingest::batch::rows::Source;
use ingest::batch::{Batch, Options};
use ingest::door::request::events;
use ingest::outputs::{Origin, Topics, received};
use ingest::receive::{Arrival, Channel, receive};
use ingest::rules::{Rules, Tenants};
use runtime::stream::Output;
use schemas::event_id::event_id;
use serde_json::{Value, json};

fn target() -> Target {
    Target::new(serde_json::from_slice(good("L-1").0.body.as_deref().unwrap()).unwrap(), "L-1")
}

/// What the roles that read events see of a record. Of the two topics of what was stripped they see nothing at all, of a dead
/// letter its headers.
fn seen_of(record: &Output) -> Vec<Vec<u8>> {
    if ["t.credit.identities.v1", "t.credit.protected.v1"].contains(&&*record.topic) {
        return Vec::new();
    }
    let is_letter = &*record.topic == "t.credit.dead-letters.v1";
    let headers = record.headers.iter().map(|header| header.1.clone());
    headers.chain(record.key.clone()).chain(record.payload.clone().filter(|_| !is_letter)).collect()
}

/// The application by each way in: what was written, and what is remembered.
fn seen(data: &Value) -> Vec<Vec<u8>> {
    let mut sent = good("L-1").0;
    sent.body = Some(data.to_string().into_bytes());
    let mut refused = sent.clone();
    refused.body = Some(data.to_string().replace("\"channel\"", "\"chanel\"").into_bytes());
    let mut stack = Stack::new();
    // Accepted, a duplicate, and refused.
    let mut written: Vec<Output> =
        [&sent, &sent, &refused].into_iter().flat_map(|record| stack.send(record).outputs).collect();
    for records in [by_http(data), by_file(data)] {
        assert!(records.iter().any(|record| &*record.topic == "t.credit.protected.v1"));
        for record in records {
            if &*record.topic == "t.credit.intake.v1" {
                written.extend(stack.admit_record(&as_input(&record, 0)).1);
            }
            written.push(record);
        }
    }
    let remembered = stack.remembered().into_iter().flat_map(|(_, key, value)| [key, value]);
    written.iter().flat_map(seen_of).chain(remembered).collect()
}

/// Through the door, by a client that names no id.
fn by_http(data: &Value) -> Vec<Output> {
    let config = Config::default();
    let (rules, tenants) = (Rules::new(&config).unwrap(), Tenants::new(&config, "t.").unwrap());
    let tenant = tenants.named("demo").unwrap();
    let text = data.to_string();
    let headers = [("content-type".parse().unwrap(), "application/json".parse().unwrap())].into_iter().collect();
    let found = events(&headers, text.as_bytes(), tenant, 1).unwrap();
    let header_of = |name: &str| found[0].1.header(name);
    let body = Some(text.as_bytes());
    let arrival = Arrival { channel: Channel::Http, at_ms: NOW_MS, header_of: &header_of, body, tenant };
    let taken = receive(&rules, &arrival).unwrap();
    received(
        taken,
        Origin { channel: Channel::Http, place: None, received_at_ms: None, token: None },
        &Topics::new(&kafka()),
    )
}

/// As the only row of a file.
fn by_file(data: &Value) -> Vec<Output> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.ndjson");
    std::fs::write(&file, file_of(data)).unwrap();
    let source = Source::open(&file).unwrap();
    let batch = Batch::new(&Options::default(), &Config::default(), &kafka(), source.digest(), || NOW_MS).unwrap();
    let mut report = Report::create(None).unwrap();
    let rows = source.rows(None, None, 1 << 20).unwrap().map(Result::unwrap);
    rows.flat_map(|row| batch.records(&row, &mut report).unwrap()).collect()
}

#[test]
fn no_guess_at_what_was_stripped_is_confirmed() {
    let target = target();
    let truth = json!({"sex": "female", "age": 47, "marital_status": "widowed"});
    assert!(guesses().any(|guess| guess == truth), "the attacker's list has it");
    let seen = seen(&target.with(&truth));
    assert_eq!(target.confirmed(seen.iter().map(Vec::as_slice)), Vec::<Value>::new());
}

/// The attack itself works: whatever an unkeyed digest stood in, it gives the one guess that is right.
#[test]
fn an_unkeyed_digest_would_be_found_in_any_form() {
    let target = target();
    let truth = json!({"sex": "male", "age": 30, "marital_status": "single"});
    let data = target.with(&truth);
    assert_eq!(serde_json_canonicalizer::to_vec(&data).unwrap(), data.to_string().into_bytes(), "the normal form");
    let digest = Digest::of(data.to_string().as_bytes());
    let of_event = |ordinal: &str| event_id("application.received.v1", "demo", "L-1", 1, ordinal).to_string();
    let file = Digest::of(file_of(&data).as_bytes()).to_string();
    let leaks = [
        digest.to_string().into_bytes(),
        digest.0[..15].to_vec(),
        format!("http:sha256:{digest}").into_bytes(),
        of_event(&format!("http:sha256:{digest}")).into_bytes(),
        format!("/batch/{}", &file[..16]).into_bytes(),
        of_event(&format!("batch:batch:{}:1", &file[..16])).into_bytes(),
    ];
    for leak in leaks {
        let found = target.confirmed([&b"before it"[..], leak.as_slice()]);
        assert_eq!(found, std::slice::from_ref(&truth), "{}", String::from_utf8_lossy(&leak));
    }
}
