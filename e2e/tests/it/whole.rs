//! What outsiders rely on, seen from outside.

use crate::corpus;
use crate::insight;
use crate::stack::{Whole, is_of, wait, whole};
use domain::ReplyStatus;
use schemas::Topic;
use schemas::reply::Reply;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Bodies of decisions on applications whose id starts so.
fn decisions(whole: &Whole, prefix: &str) -> Vec<Value> {
    let all = whole.records(Topic::Decisions).into_iter().map(|(_, _, value)| serde_json::from_slice(&value).unwrap());
    all.filter(|decision: &Value| {
        decision["application"]["application_id"].as_str().is_some_and(|id| id.starts_with(prefix))
    })
    .collect()
}

#[test]
fn one_application_by_four_ways_is_accepted_once_and_answered_four_times() {
    let whole = whole();
    let event = whole.event("fourways", 0);
    let java = whole.sender("murmur2_random");
    let native = whole.sender("consistent_random");
    java.send(&event, Some(&format!("demo|{}", event.application_id))).unwrap();
    native.send(&event, Some(&event.application_id)).unwrap();
    native.send(&event, None).unwrap();
    java.flush().unwrap();
    native.flush().unwrap();
    let (status, answer) = whole.post("/v1/applications", "fourways-http", &event.body);
    assert_eq!(status, 202, "{answer}");
    assert!(answer.contains(&event.application_id), "{answer}");

    let replies = whole.wait_replies(|reply| is_of(reply, "fourways-"), 4);
    let mut statuses: Vec<&str> = replies.iter().map(|reply| reply.status.as_str()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["accepted", "duplicate", "duplicate", "duplicate"]);
    let decided = wait("the decision", || Some(decisions(whole, "fourways-")).filter(|all| !all.is_empty()));
    assert_eq!(decided.len(), 1);
}

#[test]
fn a_revision_replaces_and_a_withdrawal_ends() {
    let whole = whole();
    let sender = whole.sender("murmur2_random");
    let mut body: Value = serde_json::from_slice(&whole.event("revised", 1).body).unwrap();
    let send = |body: &Value, id: &str| {
        let event = e2e::traffic::Event {
            application_id: "revised-1".into(),
            event_id: id.into(),
            body: serde_json::to_vec(body).unwrap(),
            has_protected: true,
        };
        sender.send(&event, Some("revised-1")).unwrap();
        sender.flush().unwrap();
    };
    let told = |count| whole.wait_replies(|reply| is_of(reply, "revised-"), count);
    send(&body, "r1");
    told(1);
    body["revision"] = 2.into();
    body["channel"] = "branch".into();
    send(&body, "r2");
    told(2);
    body["revision"] = 1.into();
    send(&body, "r1-late");
    told(3);
    body["revision"] = 2.into();
    body["channel"] = "online".into();
    send(&body, "r2-other");
    let statuses = |replies: &[schemas::reply::Reply]| -> Vec<String> {
        let mut all: Vec<_> = replies.iter().map(|r| format!("{}:{}", r.revision.unwrap_or(0), r.status)).collect();
        all.sort();
        all
    };
    assert_eq!(statuses(&told(4)), ["1:accepted", "1:superseded", "2:accepted", "2:conflict"]);

    let withdrawal = br#"{"tenant":"demo","application_id":"revised-1","withdrawn_at":"2026-11-20T10:00:00Z"}"#;
    let headers: [(&str, &[u8]); 5] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"w1"),
        ("ce_source", b"/los"),
        ("ce_type", b"application.withdrawn.v1"),
        ("content-type", b"application/json"),
    ];
    sender.send_raw(&headers, None, Some(withdrawal)).unwrap();
    sender.flush().unwrap();
    let decided = wait("three decisions", || Some(decisions(whole, "revised-")).filter(|all| all.len() >= 3));
    let mut seen: Vec<_> = decided
        .iter()
        .map(|d| format!("{}.{} {}", d["application"]["revision"], d["decision_number"], d["outcome"] == "withdrawn"))
        .collect();
    seen.sort();
    assert_eq!(seen, ["1.1 false", "2.1 false", "2.2 true"]);
}

#[test]
fn every_bad_input_is_answered_by_its_name_and_the_stream_goes_on() {
    let whole = whole();
    let sender = whole.sender("consistent_random");
    let send = |record: &corpus::Record| {
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        // One key for all, so that what must come first does. A tombstone needs a null, which `None` is.
        sender.send_raw(&headers, Some("corpus"), record.body.as_deref()).unwrap();
    };
    let cases = corpus::cases("e2e");
    for record in cases.iter().flat_map(|case| &case.before).chain(cases.iter().map(|case| &case.record)) {
        send(record);
    }
    send(&corpus::good("corpus-last").0);
    sender.flush().unwrap();
    whole.wait_replies(|reply| is_of(reply, "corpus-last"), 1);

    let replies: Vec<Reply> = whole.wait_replies(|_| true, 1);
    // The door and a batch have no coordinates: `http`, and `batch` with the number of a row, which each run counts anew.
    let topic = Topic::LoanApplications.base_name();
    let records: Vec<_> = replies.iter().filter(|reply| reply.origin.topic == topic).collect();
    let places: BTreeSet<_> = records.iter().map(|reply| (reply.origin.partition, reply.origin.offset)).collect();
    assert!(!records.is_empty());
    assert_eq!(places.len(), records.len(), "one reply for each record");
    let word = |reply: &Reply| {
        let problem = reply.problem.as_ref().map(|problem| problem.kind.as_str());
        format!("{} {}", reply.status, problem.unwrap_or("-"))
    };
    let mut by_id: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for reply in &replies {
        by_id.entry(reply.origin_id.as_deref().unwrap_or("")).or_default().push(word(reply));
    }
    for case in &cases {
        let expected = format!("{} {}", case.status, case.reason);
        // A record whose id is not in its headers, or not readable, is answered under another id or under its coordinates.
        let found = by_id.get(case.event_id.as_str());
        let is_named = match found {
            Some(words) => words.contains(&expected),
            None if case.is_answered_by_id => false,
            None => by_id.values().flatten().any(|word| *word == expected),
        };
        assert!(is_named, "{}: {expected} in {found:?}", case.name);
    }
}

#[test]
fn what_other_peoples_clients_send_is_accepted() {
    let whole = whole();
    let sender = whole.sender("consistent_random");
    let habits = corpus::habits("e2e");
    for (_, record) in &habits {
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        sender.send_raw(&headers, None, record.body.as_deref()).unwrap();
    }
    sender.flush().unwrap();
    let replies = whole.wait_replies(|reply| is_of(reply, "habit-e2e-"), habits.len());
    for (index, (name, _)) in habits.iter().enumerate() {
        let id = format!("habit-e2e-{index}");
        let reply = replies.iter().find(|reply| reply.application_id.as_ref() == Some(&id));
        assert!(reply.is_some_and(|reply| reply.status.is(ReplyStatus::Accepted)), "{name}: {reply:?}");
    }
}

#[test]
fn every_panel_and_every_rule_has_an_answer() {
    let whole = whole();
    let sender = whole.sender("murmur2_random");
    sender.send_raw(&[("ce_specversion", b"1.0")], None, Some(b"not an event")).unwrap();
    sender.flush().unwrap();
    whole.wait_replies(|reply| reply.status.is(ReplyStatus::Rejected), 1);
    wait("projections", || {
        (whole.number("SELECT count(*) FROM defaultx.decisions") >= crate::stack::APPLICATIONS as i64).then_some(())
    });
    let dir = tempfile::tempdir().unwrap();
    let config =
        insight::write_prometheus_config(dir.path(), std::slice::from_ref(&whole.stage.settings.process.ops_listen));
    let prometheus = local::start_prometheus(&config, &dir.path().join("data")).unwrap();
    insight::every_query_answers(&prometheus.url(), whole.stage.settings.database.url.expose());
    prometheus.stop().unwrap();
}

#[test]
fn every_worker_is_in_the_database_as_itself() {
    let whole = whole();
    let database = &whole.stage.settings.database;
    for name in ["audit-sink", "identity-store", "audit-signer", "notifier", "read-api", "read-api-log"] {
        assert!(database.of(name).has_login(), "{name}");
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'", database.user_of(name));
        wait(name, || (whole.number(&sessions) > 0).then_some(()));
    }
}

#[test]
fn personal_data_is_where_it_may_be_and_nowhere_else() {
    let whole = whole();
    // Values of `identity` carry the row's own name; those of `protected` are looked for as they stand in JSON.
    let secret: Vec<Vec<u8>> = identities(whole);
    assert!(secret.len() > 1_000, "{} values to look for", secret.len());
    let finder = Finder::new(&secret);
    let may_hold = [Topic::LoanApplications, Topic::Identities, Topic::Protected, Topic::DeadLetters];
    for topic in Topic::ALL.iter().filter(|topic| !may_hold.contains(topic)) {
        for (key, headers, value) in whole.records(*topic) {
            let texts = headers.iter().map(|h| h.1.as_slice()).chain([key.as_slice(), value.as_slice()]);
            for text in texts {
                assert!(finder.find(text).is_none(), "{topic:?} holds {:?}", finder.find(text));
            }
        }
    }
    // And it is found where it belongs: the search can find.
    assert!(whole.records(Topic::Identities).iter().any(|(_, _, value)| finder.find(value).is_some()));

    for (table, bytes) in tables(whole) {
        if !table.starts_with("identity.") {
            assert!(finder.find(&bytes).is_none(), "{table} holds {:?}", finder.find(&bytes));
        }
    }
}

/// The values of every `identity` and the multi-word values of every `protected` that were sent.
fn identities(whole: &Whole) -> Vec<Vec<u8>> {
    let mut values = BTreeSet::new();
    for (_, _, body) in whole.records(Topic::LoanApplications) {
        let Ok(data) = serde_json::from_slice::<Value>(&body) else { continue };
        for applicant in data["applicants"].as_array().into_iter().flatten() {
            for (name, value) in applicant["identity"].as_object().into_iter().flatten() {
                if let Some(text) = value.as_str().filter(|text| text.len() >= 8) {
                    values.insert(text.to_owned());
                }
                assert!(!name.is_empty());
            }
            for (name, value) in applicant["protected"].as_object().into_iter().flatten() {
                values.insert(format!("\"{name}\":{value}"));
            }
            values.extend(applicant["customer_ref"].as_str().map(|text| format!("\"{text}\"")));
        }
    }
    values.into_iter().map(String::into_bytes).collect()
}

/// Every table as text, the log's segments unpacked.
fn tables(whole: &Whole) -> Vec<(String, Vec<u8>)> {
    whole.runtime.block_on(async {
        let client = whole.stage.unhurried().await.unwrap();
        let names = "SELECT table_schema || '.' || table_name FROM information_schema.tables
                     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')";
        let mut all = Vec::new();
        for row in client.query(names, &[]).await.unwrap() {
            let name: String = row.get(0);
            let rows = client.query(&format!("SELECT t::text FROM {name} t"), &[]).await.unwrap();
            let mut bytes: Vec<u8> = rows.iter().flat_map(|row| row.get::<_, String>(0).into_bytes()).collect();
            bytes.extend(unpacked(&client, &name).await);
            all.push((name, bytes));
        }
        all
    })
}

/// The bodies of compressed columns: anything in a bytea that is a zstd frame.
async fn unpacked(client: &tokio_postgres::Client, table: &str) -> Vec<u8> {
    let (schema, name) = table.split_once('.').unwrap();
    let columns = "SELECT column_name FROM information_schema.columns
                   WHERE table_schema = $1 AND table_name = $2 AND data_type = 'bytea'";
    let mut bytes = Vec::new();
    for column in client.query(columns, &[&schema, &name]).await.unwrap() {
        let column: String = column.get(0);
        let query = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
        for row in client.query(&query, &[]).await.unwrap() {
            let stored: Vec<u8> = row.get(0);
            bytes.extend(zstd::decode_all(stored.as_slice()).unwrap_or(stored));
        }
    }
    bytes
}

/// Looks for many needles at once: every window of eight bytes is looked up among the needles' first eight.
struct Finder<'n> {
    by_start: std::collections::HashMap<&'n [u8], Vec<&'n [u8]>>,
}

impl<'n> Finder<'n> {
    fn new(needles: &'n [Vec<u8>]) -> Self {
        let mut by_start: std::collections::HashMap<&[u8], Vec<&[u8]>> = std::collections::HashMap::new();
        for needle in needles.iter().filter(|needle| needle.len() >= 8) {
            by_start.entry(&needle[..8]).or_default().push(needle);
        }
        Self { by_start }
    }

    fn find(&self, text: &[u8]) -> Option<String> {
        for (at, window) in text.windows(8).enumerate() {
            let needles = self.by_start.get(window).into_iter().flatten();
            if let Some(needle) = needles.copied().find(|needle| text[at..].starts_with(needle)) {
                return Some(String::from_utf8_lossy(needle).into_owned());
            }
        }
        None
    }
}

/// Header names are bytes on the wire. One that is not UTF-8 must neither end a worker nor cost the record its decision.
#[test]
fn a_header_name_that_is_no_text_stops_nobody() {
    let whole = whole();
    let event = whole.event("wildname", 2);
    let named = [
        ("ce_specversion", "1.0"),
        ("ce_id", "wildname-1"),
        ("ce_source", "/los"),
        ("ce_type", "application.submitted.v1"),
        ("content-type", "application/json"),
    ];
    let mut headers = vec![(vec![0xff, 0xfe], Some(b"x".to_vec()))];
    headers.extend(named.map(|(name, value)| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()))));
    let kafka = &whole.stage.settings.kafka;
    let topic = Topic::LoanApplications.name(&kafka.topic_prefix);
    let record = e2e::wire::Record { key: None, value: Some(event.body), headers, timestamp_ms: -5 };
    e2e::wire::produce(kafka, &topic, 0, &record).unwrap();
    let replies = whole.wait_replies(|reply| is_of(reply, "wildname-"), 1);
    assert!(replies[0].status.is(ReplyStatus::Accepted), "{:?}", replies[0]);
    let decided = wait("the decision", || Some(decisions(whole, "wildname-")).filter(|all| !all.is_empty()));
    assert_eq!(decided.len(), 1);
}
