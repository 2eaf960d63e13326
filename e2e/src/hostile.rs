//! Records as somebody would send them who means harm, or whose client is broken. Each is answered once like any other; none
//! stops anybody.

use crate::traffic::{Event, Traffic, headers_of};
use crate::wire::{Record, produce};
use anyhow::Result;
use domain::Digest;
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::control::ACTIVATED;
use schemas::envelope::header;
use serde_json::json;

/// Bytes of a header's name that no entry of the log can hold.
const LONG_NAME: usize = 70_000;
/// Bytes of a word that no index of the database can hold.
const LONG_WORD: usize = 12_000;
/// Bytes of a body just below what is parsed at all.
const MANY_NODES: usize = 1_000_000;

/// Writes one of each to a partition of a sender's topic, and gives their number. `round` makes their applications new ones.
///
/// # Errors
/// When the broker does not take one.
pub fn sprinkle(kafka: &KafkaConfig, topic: &str, partition: i32, traffic: &Traffic, round: usize) -> Result<usize> {
    let mut numbers = 100 * round..;
    let mut event = || {
        let number = numbers.next().unwrap_or_default();
        traffic.event("hostile", number, &clock::rfc3339(clock::now()))
    };
    let records = records([event()?, event()?, event()?, event()?]);
    for record in &records {
        produce(kafka, topic, partition, record)?;
    }
    Ok(records.len())
}

/// The first four are applications that are to be decided.
fn records([wild, long, early, keyed]: [Event; 4]) -> Vec<Record> {
    let extra = |name: &[u8], value: Option<&[u8]>| (name.to_vec(), value.map(<[u8]>::to_vec));
    let with = |event: Event, header| {
        let mut record = application(event);
        record.headers.insert(0, header);
        record
    };
    let typed = |event_type: &str, value: Vec<u8>| Record {
        value: Some(value),
        headers: vec![
            extra(header::SPECVERSION.as_bytes(), Some(b"1.0")),
            extra(header::ID.as_bytes(), Some(b"hostile")),
            extra(header::SOURCE.as_bytes(), Some(b"/los")),
            extra(header::TYPE.as_bytes(), Some(event_type.as_bytes())),
            extra(header::CONTENT_TYPE.as_bytes(), Some(b"application/json")),
        ],
        ..Record::default()
    };
    let forged = json!({
        // Nothing that a database could pack.
        "kind": (0..LONG_WORD / 64).map(|part: usize| Digest::of(&part.to_be_bytes()).to_string()).collect::<String>(),
        "name": "standard",
        "version": "9.9.9",
        "digest": "00".repeat(32),
        "activated_by": "nobody",
        "activated_at": "2026-01-01T00:00:00Z",
    });
    let nodes = format!("[{}{{}}]", "{},".repeat(MANY_NODES / 3));
    vec![
        with(wild, extra(b"\xff\xfe", Some(b"x"))),
        with(long, extra(&[b'n'; LONG_NAME], Some(b"x"))),
        Record { timestamp_ms: -5, ..application(early) },
        Record { key: Some(vec![0xff, 0x00, 0xfe]), ..application(keyed) },
        typed(ACTIVATED, forged.to_string().into_bytes()),
        typed(schemas::application::SUBMITTED, nodes.into_bytes()),
        typed(schemas::application::SUBMITTED, b"\0\0\0\0\x01{}".to_vec()),
        Record { headers: vec![extra(b"", None), extra(header::TYPE.as_bytes(), None)], ..Record::default() },
    ]
}

fn application(event: Event) -> Record {
    let headers = headers_of(&event).map(|(name, value)| (name.as_bytes().to_vec(), Some(value.to_vec())));
    Record { key: None, headers: headers.into(), value: Some(event.body), timestamp_ms: 0 }
}
