//! PURE. What is published to a hop: records in fixed partitions, in a fixed order, with fixed times. The first hop gets what senders
//! publish; each later one what the hop before it wrote, and the activations that an operator would have written in between.

use crate::record::{Bytes, Record};
use domain::Digest;
use schemas::Topic;
use schemas::control::{ACTIVATED, Activation};
use schemas::envelope::Envelope;
use schemas::event_id::event_id;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Partitions of every topic.
pub const PARTITIONS: i32 = 3;
/// When the first record came, milliseconds since 1970: 2 June 2025, 09:00 UTC.
const START_MS: i64 = 1_748_854_800_000;
const DAY_MS: i64 = 86_400_000;
/// Over so long the senders' records come, so that figures have several days.
const SENT_OVER_MS: i64 = 4 * DAY_MS;
/// From one record to the next in a partition of any other topic.
const STEP_MS: i64 = 100;
/// The first and last day of what is asked about.
pub const PERIOD: (&str, &str) = ("2025-06-01", "2025-07-01");

/// Records by the topic that they are published to.
pub type Inputs = BTreeMap<Topic, Vec<Record>>;

/// A document that is put in force.
#[derive(Debug, Clone)]
pub struct Put {
    /// `policy` or `route`.
    pub kind: &'static str,
    /// `name@version`.
    pub label: String,
    /// Its text.
    pub text: String,
}

/// The senders' records in partitions: by key, or in turns where there is none.
pub fn sent(records: Vec<Record>) -> Vec<Record> {
    let step_ms = SENT_OVER_MS / (records.len().max(1) as i64);
    let placed = records.into_iter().enumerate().map(|(number, record)| Record {
        partition: record.key.as_ref().map_or(number as i32 % PARTITIONS, |key| partition_of(&key.0)),
        timestamp_ms: Some(START_MS + number as i64 * step_ms),
        ..record
    });
    by_partition(placed.collect())
}

fn partition_of(key: &[u8]) -> i32 {
    i32::from(Sha256::digest(key)[0]) % PARTITIONS
}

/// What workers wrote, with times of its own, behind those of the senders.
pub fn written(topic: Topic, records: Vec<Record>) -> Vec<Record> {
    let rank = Topic::ALL.iter().position(|one| *one == topic).unwrap_or_default() as i64;
    let first_ms = START_MS + SENT_OVER_MS + DAY_MS + rank * 3_600_000;
    let mut places: BTreeMap<i32, i64> = BTreeMap::new();
    let mut records = by_partition(records);
    for record in &mut records {
        let place = places.entry(record.partition).or_default();
        record.timestamp_ms = Some(first_ms + *place * STEP_MS);
        *place += 1;
    }
    records
}

/// Partition by partition, in the order of each.
fn by_partition(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| record.partition);
    records
}

/// Puts documents in force among applications, in every partition: each behind another part of its records.
pub fn with_activations(records: Vec<Record>, documents: &[Put]) -> Vec<Record> {
    let mut partitions: BTreeMap<i32, Vec<Record>> = (0..PARTITIONS).map(|partition| (partition, Vec::new())).collect();
    for record in records {
        partitions.entry(record.partition).or_default().push(record);
    }
    for (partition, records) in &mut partitions {
        let part = records.len() / (documents.len() + 1);
        for (number, document) in documents.iter().enumerate().rev() {
            records.insert(part * (number + 1), activation(document, *partition));
        }
    }
    partitions.into_values().flatten().collect()
}

/// As `ingest::activate` writes it, at a fixed time.
fn activation(Put { kind, label, text }: &Put, partition: i32) -> Record {
    let (name, version) = label.split_once('@').unwrap_or((label, ""));
    let activation = Activation {
        kind: (*kind).to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        digest: Digest::of(text.as_bytes()).to_string(),
        activated_by: "recording".to_owned(),
        activated_at: crate::applications::SENT_AT.to_owned(),
        document: Some(text.as_str().into()),
        packages: None,
    };
    let ordinal = format!("{version}:{}:{}:{partition}", activation.digest, activation.activated_at);
    let envelope = Envelope {
        id: event_id(ACTIVATED, kind, name, 0, &ordinal).to_string(),
        source: "/defaultx/ingest".to_owned(),
        event_type: ACTIVATED.to_owned(),
        time: Some(activation.activated_at.clone()),
        ..Envelope::default()
    };
    let headers = envelope.to_headers().into_iter().map(|(name, value)| (Bytes(name.into()), Some(Bytes(value))));
    Record {
        partition,
        headers: headers.collect(),
        value: serde_json::to_vec(&activation).ok().map(Bytes),
        ..Record::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, value: &str) -> Record {
        Record { partition, value: Some(value.as_bytes().into()), ..Record::default() }
    }

    fn told(records: &[Record]) -> Vec<(i32, String)> {
        let value = |record: &Record| record.value.clone().map(|value| value.0).unwrap_or_default();
        records.iter().map(|record| (record.partition, String::from_utf8_lossy(&value(record)).into_owned())).collect()
    }

    #[test]
    fn records_keep_their_order_within_a_partition_and_times_rise() {
        let written = written(Topic::Risk, [(1, "a"), (0, "b"), (1, "c")].map(|(p, v)| record(p, v)).into());
        assert_eq!(told(&written), [(0, "b".into()), (1, "a".into()), (1, "c".into())]);
        let times: Vec<i64> = written.iter().filter_map(|record| record.timestamp_ms).collect();
        assert!(times[1] < times[2] && times[0] == times[1] && times[0] > START_MS + SENT_OVER_MS);
        let sent = sent(
            (0..300).map(|n| Record { key: (n % 4 > 0).then(|| vec![n as u8][..].into()), ..record(9, "x") }).collect(),
        );
        for partition in 0..PARTITIONS {
            let of_it: Vec<i64> = sent
                .iter()
                .filter(|record| record.partition == partition)
                .filter_map(|record| record.timestamp_ms)
                .collect();
            assert!(of_it.len() > 60 && of_it.is_sorted() && of_it.iter().all(|at| *at < START_MS + SENT_OVER_MS));
        }
    }

    #[test]
    fn documents_come_into_force_in_every_partition_one_behind_the_other() {
        let put = |kind, label: &str| Put { kind, label: label.to_owned(), text: "text".to_owned() };
        let records = (0..6).map(|n| record(n / 3, &n.to_string())).collect();
        let found = with_activations(records, &[put("route", "a@1.0.0"), put("policy", "b@1.0.0")]);
        let words: Vec<String> = told(&found)
            .into_iter()
            .map(|(partition, value)| match serde_json::from_str::<Activation>(&value) {
                Ok(activation) => format!("{partition}:{}", activation.kind),
                Err(_) => format!("{partition}:{value}"),
            })
            .collect();
        let expected = [
            "0:0", "0:route", "0:1", "0:policy", "0:2", "1:3", "1:route", "1:4", "1:policy", "1:5", "2:route",
            "2:policy",
        ];
        assert_eq!(words, expected);
    }
}
