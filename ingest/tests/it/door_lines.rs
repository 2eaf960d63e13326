//! Lines of NDJSON at a running door: all or none, or each alone where the sender prefers that, and what sending them again does.

use crate::cluster::{Cluster, header};
use crate::corpus::good;
use crate::door::open;
use crate::http::{Answer, Running};
use ingest::Config;
use rdkafka::message::Message;
use serde_json::{Value, json};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const LENIENT: (&str, &str) = ("prefer", "handling=lenient");

fn body(id: &str) -> String {
    String::from_utf8(good(id).0.body.unwrap()).unwrap()
}

/// Two good lines, three that are not, a blank one.
fn mixed() -> Vec<u8> {
    let unreadable = "{";
    let wrong = body("L-3").replace("\"revision\":1", "\"revision\":0");
    let foreign = body("L-4").replace("\"demo\"", "\"rival\"");
    [&body("L-1"), "", unreadable, &wrong, &body("L-5"), &foreign].join("\n").into_bytes()
}

fn told(answer: &Answer, list: &str) -> Vec<(u64, String)> {
    let lines = answer.json()[list].as_array().cloned().unwrap_or_default();
    let text = |line: &Value| line["application_id"].as_str().or(line["type"].as_str()).unwrap().to_owned();
    lines.iter().map(|line| (line["line"].as_u64().unwrap(), text(line))).collect()
}

#[tokio::test]
async fn lines_are_published_alone_where_the_sender_prefers_it() {
    let cluster = Cluster::start();
    let door = Running::with(&open(), &cluster).await;
    let key = ("idempotency-key", "batch-1");
    let answer = door.post(&[NDJSON, LENIENT, key], &mixed()).await;
    assert_eq!((answer.status, answer.header("content-type")), (207, Some("application/json")), "{answer:?}");
    assert_eq!(answer.header("preference-applied"), Some("handling=lenient"));
    let taken = |list: &[(u64, &str)]| -> Vec<_> { list.iter().map(|(line, id)| (*line, (*id).to_owned())).collect() };
    assert_eq!(told(&answer, "accepted"), taken(&[(1, "L-1"), (5, "L-5")]));
    let refused = [(3, "not_json"), (4, "bad_identifier"), (6, "tenant_mismatch")];
    let refused = refused.map(|(line, word)| (line, format!("urn:defaultx:problem:{word}")));
    assert_eq!(told(&answer, "refused"), refused);
    assert_eq!(answer.json()["refused"][1]["pointers"], json!(["/revision"]));
    assert_eq!(answer.json()["accepted"][1]["event_id"], "batch-1:5");

    // The same request once more: the same answer, and the same events.
    let again = door.post(&[NDJSON, LENIENT, key], &mixed()).await;
    assert_eq!((again.status, again.json()), (207, answer.json()));
    let records = cluster.intake(4);
    let mut ids: Vec<_> = records.iter().map(|record| header(record, "ce_id").unwrap()).collect();
    ids.sort();
    assert!(ids[0] == ids[1] && ids[2] == ids[3] && ids[1] != ids[2], "{ids:?}");

    // Mended, it is another request: the key says so, a new one is taken.
    let mended = [body("L-1"), body("L-3")].join("\n").into_bytes();
    assert_eq!(door.post(&[NDJSON, LENIENT, key], &mended).await.word(), "idempotency_key_reused");
    let answer = door.post(&[NDJSON, LENIENT, ("idempotency-key", "batch-2")], &mended).await;
    assert_eq!((answer.status, told(&answer, "accepted").len(), answer.json().get("refused")), (202, 2, None));
    assert_eq!(answer.header("preference-applied"), Some("handling=lenient"));
    cluster.intake(6);
}

#[tokio::test]
async fn lines_are_one_whole_otherwise() {
    let cluster = Cluster::start();
    let door = Running::with(&open(), &cluster).await;
    let strict = ("prefer", "handling=strict");
    for headers in [&[NDJSON][..], &[NDJSON, strict], &[NDJSON, strict, LENIENT], &[NDJSON, ("prefer", "wait=5")]] {
        let answer = door.post(headers, &mixed()).await;
        assert_eq!((answer.status, answer.word().as_str()), (422, "refused_lines"), "{headers:?}");
        assert_eq!(answer.header("preference-applied"), None);
        let lines: Vec<_> = told(&answer, "lines").into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [3, 4, 6], "{headers:?}");
    }
    let none = [&b"{\n"[..], b"[]"].concat();
    let answer = door.post(&[NDJSON, LENIENT], &none).await;
    assert_eq!(
        (answer.status, answer.word().as_str()),
        (422, "refused_lines"),
        "where no line is good nothing is mixed"
    );
    let one = door.post(&[("content-type", "application/json"), LENIENT], b"{").await;
    assert_eq!((one.status, one.word().as_str()), (400, "not_json"), "one event is no line");
    let answer = door.post(&[NDJSON], [body("L-1"), body("L-2")].join("\n\n").as_bytes()).await;
    assert_eq!((answer.status, told(&answer, "accepted").last().unwrap().0), (202, 3), "{answer:?}");
    let ids: Vec<_> = cluster.intake(2).iter().map(|record| header(record, "ce_subject").unwrap()).collect();
    assert!(ids.contains(&"L-1".to_owned()) && ids.contains(&"L-2".to_owned()), "{ids:?}");
}

#[tokio::test]
async fn what_holds_for_a_request_holds_for_its_lines() {
    let cluster = Cluster::start();
    let door = Running::with(&Config { door_max_lines: 3, ..open() }, &cluster).await;
    let four = ["{"; 4].join("\n");
    assert_eq!(door.post(&[NDJSON, LENIENT], four.as_bytes()).await.word(), "too_many");
    assert_eq!(door.post(&[NDJSON, LENIENT], b"\n\n").await.word(), "empty");
    let away = Running::alone(&open()).await;
    let answer = away.post(&[NDJSON, LENIENT], &mixed()).await;
    assert_eq!((answer.status, answer.word().as_str()), (503, "unavailable"), "Kafka has none of it");
    let answer = door.post(&[NDJSON, LENIENT], [&body("L-1"), "{"].join("\n").as_bytes()).await;
    assert_eq!(answer.status, 207);
    let payload: Value = serde_json::from_slice(cluster.intake(1)[0].payload().unwrap()).unwrap();
    assert_eq!(payload["application_id"], "L-1");
}
