//! Histories of one application and the reply to each record of them.

use crate::corpus::{Record, good};
use crate::stack::{DAY_MS, NOW_MS, Stack, as_input, header, kafka};
use ingest::{AdmitHandler, Config, Metrics};
use runtime::stream::harness::Harness;
use runtime::stream::{Handler as _, Offset, OwnedInput, RecordOutcome};
use serde_json::Value;

/// A good application with a revision and an amount.
fn app(revision: u32, amount: u32) -> Record {
    let mut record = good("L-1").0;
    let mut data: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
    data["revision"] = revision.into();
    data["requested"]["amount"]["amount_minor"] = amount.into();
    record.body = Some(data.to_string().into_bytes());
    record
}

#[test]
fn every_status_is_given_where_it_belongs() {
    let end = good("L-1").1;
    let rows: &[(&str, Vec<Record>, &str, Option<&str>)] = &[
        ("new", vec![app(1, 5)], "accepted", None),
        ("again", vec![app(1, 5), app(1, 5)], "duplicate", None),
        ("changed", vec![app(1, 5), app(1, 6)], "conflict", Some("conflict")),
        ("revised", vec![app(1, 5), app(2, 6)], "accepted", None),
        ("late", vec![app(2, 5), app(1, 5)], "superseded", Some("superseded")),
        ("withdrawn", vec![app(1, 5), end.clone()], "accepted", None),
        ("withdrawn twice", vec![app(1, 5), end.clone(), end.clone()], "duplicate", None),
        ("too late", vec![app(1, 5), end.clone(), app(2, 5)], "rejected", Some("withdrawn")),
        ("never came", vec![end.clone()], "accepted", None),
        ("broken", vec![Record { body: Some(b"{".to_vec()), ..app(1, 5) }], "rejected", Some("not_json")),
    ];
    for (name, records, status, problem) in rows {
        let mut stack = Stack::new();
        let outcomes: Vec<_> = records.iter().map(|record| stack.send(record)).collect();
        let reply = outcomes.last().unwrap().reply();
        assert_eq!((reply["status"].as_str(), reply["problem"]["type"].as_str()), (Some(*status), *problem), "{name}");
    }
}

#[test]
fn an_accepted_record_carries_what_the_scorer_needs() {
    let mut stack = Stack::new();
    let mut record = app(4, 5);
    record.headers.push(("ce_correlationid".into(), b"thread-7".to_vec()));
    record.headers.push(("traceparent".into(), b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_vec()));
    let outcome = stack.send(&record);
    let (intake, accepted) = (outcome.on("t.credit.intake.v1")[0], outcome.on("t.credit.applications.v1")[0]);
    assert_eq!(accepted.payload, intake.payload, "admit does not touch the body");
    assert_eq!(accepted.key.as_deref(), Some(&b"demo|L-1"[..]));
    let expected = [
        ("ce_type", "application.accepted.v1"),
        ("ce_subject", "L-1"),
        ("ce_tenant", "demo"),
        ("ce_revision", "4"),
        ("ce_partitionkey", "demo|L-1"),
        ("ce_correlationid", "thread-7"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("ce_receivedat", &stack.now_ms.to_string()),
        ("ce_originid", "L-1"),
        ("ce_originchannel", "kafka"),
        ("ce_origintopic", "loan.applications.v1"),
        ("ce_originpartition", "3"),
        ("ce_originoffset", "0"),
        ("ce_causationid", header(intake, "ce_id").unwrap()),
    ];
    for (name, value) in expected {
        assert_eq!(header(accepted, name), Some(value), "{name}");
    }
    assert_eq!(header(accepted, "ce_datadigest").map(str::len), Some(64));
    let names: std::collections::BTreeSet<_> = accepted.headers.iter().map(|header| header.0).collect();
    assert_eq!(names.len(), accepted.headers.len(), "no header twice");
}

#[test]
fn a_withdrawal_goes_on_with_the_revision_that_it_ends() {
    let mut stack = Stack::new();
    stack.send(&app(7, 5));
    let outcome = stack.send(&good("L-1").1);
    let on = outcome.on("t.credit.applications.v1");
    assert_eq!(on.len(), 1);
    assert_eq!((header(on[0], "ce_type"), header(on[0], "ce_revision")), (Some("application.withdrawn.v1"), Some("7")));
    assert!(Stack::new().send(&good("L-1").1).on("t.credit.applications.v1").is_empty(), "nothing to end yet");
}

#[test]
fn event_ids_are_the_same_when_everything_runs_again() {
    let ids = || -> Vec<String> {
        let mut stack = Stack::new();
        let outcome = stack.send(&app(1, 5));
        outcome.outputs.iter().map(|output| header(output, "ce_id").unwrap().to_owned()).collect()
    };
    let first = ids();
    assert_eq!(first, ids());
    assert_eq!(first.iter().collect::<std::collections::BTreeSet<_>>().len(), first.len());
}

#[test]
fn what_is_older_than_the_window_is_stale_and_what_is_forgotten_is_new() {
    let mut stack = Stack::new();
    let first = stack.send(&app(1, 5));
    let intake = as_input(first.on("t.credit.intake.v1")[0], 0);
    stack.now_ms += 29 * DAY_MS;
    assert_eq!(stack.admit_record(&intake).0, RecordOutcome::Done("duplicate"), "still remembered");
    stack.now_ms += 2 * DAY_MS;
    let (outcome, outputs) = stack.admit_record(&intake);
    assert_eq!(outcome, RecordOutcome::Refused { reason: "stale", detail: String::new() });
    let reply: Value = serde_json::from_slice(outputs[0].payload.as_deref().unwrap()).unwrap();
    assert_eq!((reply["status"].as_str(), reply["problem"]["type"].as_str()), (Some("rejected"), Some("stale")));
    assert_eq!(outputs.len(), 1, "a stale record goes nowhere");
}

/// An application, or its withdrawal, as `receive` passes it on, of any tenant.
fn intake(stack: &mut Stack, tenant: &str, id: &str, is_withdrawal: bool) -> OwnedInput {
    let (application, end) = good(id);
    let outcome = stack.send(if is_withdrawal { &end } else { &application });
    let mut record = as_input(outcome.on("t.credit.intake.v1")[0], 0);
    record.key = Some(format!("{tenant}|{id}").into_bytes());
    record
}

#[test]
fn a_tenant_over_its_quota_is_told_and_nobody_else_is_held_up() {
    let mut writer = Stack::new();
    let mut stack = Stack::with(&Config { tenant_quota_per_day: 2, ..Config::default() });
    let mut answers = |stack: &mut Stack, tenant: &str, id: &str, is_withdrawal: bool| {
        let record = intake(&mut writer, tenant, id, is_withdrawal);
        let (_, outputs) = stack.admit_record(&record);
        let reply = outputs.iter().find(|output| &*output.topic == "t.loan.replies.v1").unwrap();
        let reply: Value = serde_json::from_slice(reply.payload.as_deref().unwrap()).unwrap();
        let problem = reply["problem"]["type"].as_str().map(str::to_owned);
        (reply["status"].as_str().unwrap().to_owned(), problem, outputs.len())
    };
    let accepted = ("accepted".to_owned(), None, 2);
    let noted = ("accepted".to_owned(), None, 1);
    let over = ("rejected".to_owned(), Some("tenant_quota".to_owned()), 1);
    assert_eq!(answers(&mut stack, "greedy", "L-1", false), accepted);
    assert_eq!(answers(&mut stack, "greedy", "L-2", true), noted, "what is noted is remembered too, and counts");
    assert_eq!(answers(&mut stack, "greedy", "L-3", false), over);
    assert_eq!(answers(&mut stack, "greedy", "L-4", true), over);
    assert_eq!(answers(&mut stack, "greedy", "L-1", false).0, "duplicate", "what is known is answered as ever");
    assert_eq!(answers(&mut stack, "greedy", "L-1", true), accepted, "and may be withdrawn");
    assert_eq!(answers(&mut stack, "honest", "L-3", false), accepted);
    stack.now_ms += DAY_MS;
    assert_eq!(answers(&mut stack, "greedy", "L-3", false), accepted, "what was refused was not remembered");
}

#[test]
fn a_quota_is_the_same_in_one_batch_and_in_many() {
    let config = Config { tenant_quota_per_day: 3, ..Config::default() };
    let mut writer = Stack::new();
    let records: Vec<OwnedInput> = (0..8)
        .map(|n| {
            let record = intake(&mut writer, "bank", &format!("L-{}", n % 5), n == 2);
            OwnedInput { offset: Offset::new(n), timestamp_ms: NOW_MS, ..record }
        })
        .collect();
    let outcomes = |blocks: usize| -> Vec<RecordOutcome> {
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let mut admit = Harness::new(AdmitHandler::new(&config, &kafka(), metrics).unwrap());
        records.chunks(blocks).flat_map(|block| admit.feed(block).unwrap().0).collect()
    };
    assert_eq!(outcomes(8), outcomes(1));
    assert_eq!(outcomes(8), outcomes(3));
    let over = RecordOutcome::Refused { reason: "tenant_quota", detail: String::new() };
    let refused = outcomes(8).into_iter().filter(|outcome| *outcome == over).count();
    assert_eq!(refused, 2, "the fourth and the fifth new one; the other three are known. None counts towards a pause");
}

#[test]
fn each_partition_takes_its_share_of_a_quota() {
    let config = Config { tenant_quota_per_day: 5, ..Config::default() };
    let mut writer = Stack::new();
    let records: Vec<OwnedInput> = (0..10)
        .map(|n| {
            let record = intake(&mut writer, "bank", &format!("L-{n}"), false);
            OwnedInput { partition: (n % 2) as i32, offset: Offset::new(n / 2), timestamp_ms: NOW_MS, ..record }
        })
        .collect();
    let accepted = |partitions: i32| {
        let mut handler =
            AdmitHandler::new(&config, &kafka(), Metrics::new(&prometheus::Registry::new()).unwrap()).unwrap();
        handler.spread_over(partitions);
        let (outcomes, _) = Harness::new(handler).feed(&records).unwrap();
        [0, 1].map(|partition| {
            let taken = outcomes.iter().skip(partition).step_by(2);
            taken.filter(|outcome| **outcome == RecordOutcome::Done("accepted")).count()
        })
    };
    assert_eq!(accepted(1), [5, 5], "what a partition of one takes is the whole of it");
    assert_eq!(accepted(2), [3, 3], "half of five, rounded up");
    assert_eq!(accepted(5), [1, 1]);
    assert_eq!(accepted(100), [1, 1], "never nothing");
}

#[test]
fn what_no_topic_takes_is_answered_and_not_remembered() {
    let mut stack = Stack::new();
    let first = stack.send(&app(1, 5));
    let intake = as_input(first.on("t.credit.intake.v1")[0], 0);
    let mut stack = Stack::new();
    let sent = runtime::stream::OwnedInput { topic: "t.loan.applications.v1".to_owned(), ..intake.clone() };
    for outcome in [stack.receive_unproducible(&sent), stack.admit_unproducible(&intake)] {
        let problem = outcome.reply()["problem"]["type"].clone();
        assert_eq!((outcome.reply()["status"].as_str(), problem.as_str()), (Some("rejected"), Some("body_too_large")));
        assert_eq!(outcome.outputs.len(), 1, "an answer and nothing else");
        assert_eq!(outcome.outcome, RecordOutcome::DeadLetter { reason: "body_too_large", detail: String::new() });
    }
    assert_eq!(stack.admit_record(&intake).0, RecordOutcome::Done("accepted"), "it may come again, smaller");
}

#[test]
fn what_receive_did_not_write_is_set_aside_with_an_answer() {
    let mut stack = Stack::new();
    let good = as_input(stack.send(&app(1, 5)).on("t.credit.intake.v1")[0], 0);
    let without = |name: &str| {
        let mut record = good.clone();
        record.headers.retain(|header| header.0 != name);
        record
    };
    let rows = [
        without("ce_datadigest"),
        without("ce_revision"),
        without("ce_type"),
        runtime::stream::OwnedInput { key: None, ..good.clone() },
        runtime::stream::OwnedInput { key: Some(b"no bar".to_vec()), ..good.clone() },
        runtime::stream::OwnedInput { payload: None, ..good.clone() },
    ];
    for record in &rows {
        let (outcome, outputs) = stack.admit_record(record);
        assert_eq!(outcome, RecordOutcome::DeadLetter { reason: "malformed_intake", detail: String::new() });
        assert_eq!(outputs.len(), 1, "one reply");
    }
}

#[test]
fn an_id_that_looks_like_a_person_is_a_warning_and_nothing_more() {
    let registry = prometheus::Registry::new();
    let mut stack = Stack::counted(&Config::default(), &registry);
    let sent = |id: &str| good(id).0;
    let refused = |id: &str| Record { body: Some(b"{}".to_vec()), ..sent(id) };
    let rows = [
        ("L-1", None),
        ("123-45-6789", Some("application_id_like_national_id")),
        ("anna.svensson_at_example.com", Some("application_id_like_email")),
        ("202-555-0143", Some("application_id_like_phone")),
    ];
    for (id, warning) in rows {
        for status in ["accepted", "duplicate"] {
            let reply = stack.send(&sent(id)).reply();
            assert_eq!((reply["status"].as_str(), reply["warnings"][0].as_str()), (Some(status), warning), "{id}");
            assert_eq!(reply.get("warnings").is_none(), warning.is_none(), "{id}");
        }
        assert_eq!(stack.send(&good(id).1).reply()["warnings"][0].as_str(), warning, "{id}, withdrawn");
    }
    assert_eq!(stack.send(&refused("202-555-0143")).reply().get("warnings"), None, "nobody knows its id");
    let unknown = String::from_utf8(sent("202-555-0143").body.unwrap()).unwrap().replace("\"channel\"", "\"chanel\"");
    let reply = stack.send(&Record { body: Some(unknown.into_bytes()), ..sent("202-555-0143") }).reply();
    assert_eq!((reply["status"].as_str(), reply["warnings"][0].as_str()), (Some("rejected"), rows[3].1));
    let counted = registry.gather().into_iter().find(|family| family.name() == ingest::metrics::PERSONAL_IDS).unwrap();
    let counts: Vec<_> = counted.get_metric().iter().map(|metric| metric.get_counter().get_value()).collect();
    assert_eq!(counts, [3.0, 3.0, 3.0], "each form: sent, sent again, withdrawn");
}
