//! The forms in which a request may come to a running door: content codings, headers as CloudEvents has them, methods and paths.

use crate::cluster::{Cluster, header};
use crate::corpus::good;
use crate::door::open;
use crate::http::Running;
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::Config;
use serde_json::{Value, json};
use std::io::Write;

const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn body(id: &str) -> Vec<u8> {
    good(id).0.body.unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn packed_bodies_are_read_as_what_they_hold() {
    let cluster = Cluster::start();
    let door = Running::with(&open(), &cluster).await;
    let packed = gzip(&body("L-1"));
    let (first, second) = (gzip(&body("L-1")[..100]), gzip(&body("L-1")[100..]));
    // One key: each is the same request, however it is packed.
    let key = ("idempotency-key", "k-1");
    for (headers, sent) in [
        (&[JSON, GZIP, key][..], packed.clone()),
        (&[JSON, ("content-encoding", "X-GZIP"), key], [first, second].concat()),
        (&[JSON, ("content-encoding", "identity"), key], body("L-1")),
        (&[JSON, key], body("L-1")),
    ] {
        let answer = door.post(headers, &sent).await;
        assert_eq!(answer.status, 202, "{headers:?}: {answer:?}");
    }
    let lines = gzip(&[body("L-2"), body("L-3")].join(&b'\n'));
    assert_eq!(door.post(&[("content-type", "application/x-ndjson"), GZIP], &lines).await.status, 202);
    let withdraw = "/v1/applications/L-1/withdraw";
    assert_eq!(door.ask("POST", withdraw, &[GZIP], &gzip(br#"{"reason":"other_lender"}"#)).await.status, 202);
    assert_eq!(door.ask("POST", withdraw, &[GZIP], b"").await.status, 202, "no body is not packed");
    cluster.intake(8);
}

#[tokio::test]
async fn what_is_packed_otherwise_or_not_at_all_is_refused_with_what_is_read() {
    let door = Running::alone(&open()).await;
    for coding in ["deflate", "br", "zstd", "compress", "gzip, gzip", "br, gzip", "*"] {
        let answer = door.post(&[JSON, ("content-encoding", coding)], &gzip(&body("L-1"))).await;
        assert_eq!((answer.status, answer.word().as_str()), (415, "unsupported_content_coding"), "{coding}");
        assert_eq!((answer.header("accept-encoding"), answer.header("accept")), (Some("gzip"), None), "{coding}");
    }
    let answer = door.post(&[("content-type", "application/avro"), GZIP], &gzip(&body("L-1"))).await;
    assert_eq!((answer.status, answer.word().as_str()), (415, "unsupported_media_type"));
    assert_eq!(answer.header("accept-encoding"), None, "the coding was not what was wrong");
    assert!(answer.header("accept").unwrap().contains("application/cloudevents+json"));
    let packed = gzip(&body("L-1"));
    for (name, sent) in [("plain", body("L-1")), ("torn", packed[..packed.len() - 3].into()), ("nothing", vec![0x1f])] {
        let answer = door.post(&[JSON, GZIP], &sent).await;
        assert_eq!((answer.status, answer.word().as_str()), (400, "bad_content_coding"), "{name}");
    }
}

#[tokio::test]
async fn a_bomb_ends_at_the_limit_of_a_request_and_of_its_tenant() {
    let door = Running::alone(&Config { door_max_request_bytes: 1 << 20, ..open() }).await;
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let answer = door.post(&[JSON, GZIP], &bomb).await;
    assert_eq!((answer.status, answer.word().as_str()), (413, "body_too_large"));
    // Members that hold nothing: small when unpacked, and too much to read.
    let empty = gzip(b"").repeat((1 << 20) / 20 + 1);
    let answer = door.post(&[JSON, GZIP], &empty).await;
    assert_eq!(answer.status, 413);
    // The same tenant's share is whole again.
    assert_eq!(door.post(&[JSON, GZIP], &gzip(&body("L-1"))).await.word(), "unavailable");
}

#[tokio::test]
async fn attributes_come_as_the_binding_of_cloudevents_says() {
    let cluster = Cluster::start();
    let door = Running::with(&open(), &cluster).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        JSON,
        ("ce-specversion", "1.0"),
        ("ce-id", "7f%20%E2%82%AC"),
        ("ce-source", "\"/l\\\"os\""),
        ("ce-type", "application.submitted.v1"),
        ("ce-subject", "L%2D1"),
        ("ce-time", "2026-11-20T09:00:00Z"),
        ("ce-correlationid", "Zw%C3%B6lf"),
        ("ce-traceparent", trace),
    ];
    let answer = door.post(&headers, &body("L-1")).await;
    assert_eq!((answer.status, answer.json()["event_id"].as_str()), (202, Some("7f \u{20ac}")), "{answer:?}");
    let record = cluster.intake(1).remove(0);
    assert_eq!(header(&record, "ce_correlationid").as_deref(), Some("Zw\u{f6}lf"));
    assert_eq!(header(&record, "traceparent").as_deref(), Some(trace));

    let refused = [
        ("ce-id", "%C0%A0", "id"),
        ("ce-id", "a%00b", "id"),
        ("ce-source", "%0d%0aset-cookie:%20a", "source"),
        ("ce-correlationid", "%ff", "correlationid"),
        ("ce-time", "noon", "time"),
        ("ce-specversion", "0.3", "specversion"),
    ];
    for (name, value, attribute) in refused {
        let answer = door.post(&[JSON, (name, value)], &body("L-1")).await;
        assert_eq!((answer.status, answer.word().as_str()), (400, "bad_envelope"), "{name}: {value}");
        assert_eq!(answer.json()["attributes"], json!([attribute]), "{name}: {value}");
    }
    let answer = door.post(&[JSON, ("ce-subject", "L%2D2")], &body("L-1")).await;
    assert_eq!(answer.word(), "subject_mismatch");
}

#[tokio::test]
async fn an_event_comes_in_structured_mode_too() {
    let cluster = Cluster::start();
    let door = Running::with(&open(), &cluster).await;
    let data: Value = serde_json::from_slice(&body("L-1")).unwrap();
    let event = |data: Value| {
        let event = json!({
            "specversion": "1.0", "id": "e-1", "source": "/los", "type": "application.submitted.v1",
            "subject": "L-1", "correlationid": "thread-1", "data": data,
        });
        event.to_string().into_bytes()
    };
    for content_type in ["application/cloudevents+json", "Application/CloudEvents+JSON; charset=UTF-8"] {
        // A header says nothing of an event that says it itself.
        let headers = [("content-type", content_type), ("ce-id", "another"), ("idempotency-key", "k-1")];
        let answer = door.post(&headers, &event(data.clone())).await;
        assert_eq!((answer.status, answer.json()["event_id"].as_str()), (202, Some("e-1")), "{content_type}");
    }
    let structured = ("content-type", "application/cloudevents+json");
    let answer = door.post(&[structured], &event(json!({}))).await;
    assert_eq!((answer.status, answer.word().as_str()), (422, "missing_field"));
    assert_eq!(door.post(&[structured], &body("L-1")).await.word(), "bad_envelope");
    let batch = ("content-type", "application/cloudevents-batch+json");
    assert_eq!(door.post(&[batch], b"[]").await.word(), "unsupported_media_type");
    for record in cluster.intake(2) {
        assert_eq!(header(&record, "ce_correlationid").as_deref(), Some("thread-1"));
    }
}

#[tokio::test]
async fn a_header_that_says_two_things_is_refused() {
    let cluster = Cluster::start();
    let door = Running::with(&open(), &cluster).await;
    let withdraw = "/v1/applications/L-1/withdraw";
    for (path, sent, once) in [("/v1/applications", body("L-1"), "a"), (withdraw, Vec::new(), "c")] {
        for (name, attributes) in
            [("ce-id", json!(["id"])), ("idempotency-key", Value::Null), ("ce-source", json!(["source"]))]
        {
            let answer = door.ask("POST", path, &[JSON, (name, once), (name, "b")], &sent).await;
            assert_eq!((answer.status, answer.word().as_str()), (400, "ambiguous_header"), "{path} {name}");
            assert_eq!((&answer.json()["headers"], &answer.json()["attributes"]), (&json!([name]), &attributes));
            let same = door.ask("POST", path, &[JSON, (name, once), (name, once)], &sent).await;
            assert_eq!(same.status, 202, "{path} {name}: {same:?}");
        }
    }
    cluster.intake(6);
}

#[tokio::test]
async fn a_key_is_for_one_body() {
    let cluster = Cluster::start();
    let door = Running::with(&open(), &cluster).await;
    let keyed = [JSON, ("idempotency-key", "k-1")];
    assert_eq!(door.post(&keyed, &body("L-1")).await.status, 202);
    let answer = door.post(&keyed, &body("L-2")).await;
    assert_eq!((answer.status, answer.word().as_str()), (422, "idempotency_key_reused"));
    assert_eq!(door.post(&keyed, &body("L-1")).await.status, 202, "a repetition");
    assert_eq!(door.post(&[JSON, ("idempotency-key", "\"k-1\"")], &body("L-2")).await.word(), "idempotency_key_reused");
    let ids: Vec<_> = cluster.intake(2).iter().map(|record| header(record, "ce_id")).collect();
    assert_eq!(ids[0], ids[1], "one event");
}

#[tokio::test]
async fn whatever_is_not_there_says_so_in_a_problem() {
    let door = Running::alone(&open()).await;
    for (method, path) in [("GET", "/"), ("POST", "/v1/application"), ("GET", "/v1/applications/L-1"), ("POST", "//")] {
        let answer = door.ask(method, path, &[], b"").await;
        assert_eq!((answer.status, answer.word().as_str()), (404, "not_found"), "{method} {path}");
    }
    let allowed =
        [("/v1/applications", "POST"), ("/v1/applications/L-1/withdraw", "POST"), ("/openapi.json", "GET,HEAD")];
    for (path, allowed) in allowed {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let answer = door.ask(method, path, &[], b"").await;
            assert_eq!((answer.status, answer.word().as_str()), (405, "method_not_allowed"), "{method} {path}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    }
    for id in ["%FF", "%00", "a%2Fb", "%20"] {
        let answer = door.ask("POST", &format!("/v1/applications/{id}/withdraw"), &[], b"").await;
        assert_eq!((answer.status, answer.word().as_str()), (422, "bad_identifier"), "{id}");
        assert_eq!(answer.json()["pointers"], json!(["/application_id"]), "{id}");
    }
    // A head that no server of HTTP reads is answered before anything of ours sees it.
    let long = "x".repeat(1 << 20);
    for headers in [vec![("x-long", long.as_str())], vec![("x-many", "1"); 100]] {
        assert_eq!(door.ask("POST", "/v1/applications", &headers, b"").await.status, 431);
    }
}
