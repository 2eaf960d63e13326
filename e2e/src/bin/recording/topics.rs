//! Topics as a plain `read_committed` reader finds them, and what a recording keeps of them.

use crate::deployment::Deployment;
use crate::hops::{Keep, Output};
use crate::record::{Bytes, Record};
use anyhow::Result;
use defaultx::reader;
use runtime::stream::position::STATE_POSITION;
use runtime::stream::{Input, OwnedInput, dead_letter_header};
use schemas::Topic;
use schemas::intake::header as intake;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every record of a topic with its offset, partition by partition.
///
/// # Errors
/// When the topic cannot be read.
pub fn read(deployment: &Deployment, topic: Topic) -> Result<Vec<(i64, Record)>> {
    let (kafka, name) = (&deployment.kafka, deployment.name(topic));
    reader::wait_until_settled(kafka, &name)?;
    let mut records = Vec::new();
    reader::read_to_end(kafka, [name.as_str()], |message| {
        let OwnedInput { partition, offset, timestamp_ms, key, payload, headers, .. } =
            OwnedInput::from(&Input::of(message));
        let headers = headers.into_iter().map(|(name, value)| (Bytes(name.into_bytes()), value.map(Bytes)));
        let (timestamp_ms, headers) = (Some(timestamp_ms), headers.collect());
        records.push((
            offset.get(),
            Record { partition, timestamp_ms, key: key.map(Bytes), headers, value: payload.map(Bytes) },
        ));
        Ok(())
    })?;
    records.sort_by_key(|(offset, record)| (record.partition, *offset));
    Ok(records)
}

/// What a recording keeps of a topic: without the broker's times and offsets, and masked.
///
/// # Errors
/// When a topic cannot be read.
pub fn kept(deployment: &Deployment, output: &Output) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = without_places(read(deployment, output.topic)?);
    match output.keep {
        Keep::All | Keep::Sorted => {}
        Keep::Table => records = table(records),
        Keep::OfReceive if output.topic == Topic::DeadLetters => {
            let sent = deployment.name(Topic::LoanApplications);
            records.retain(|record| record.header_text(dead_letter_header::TOPIC) == Some(&sent));
        }
        Keep::OfReceive => {
            let passed = passed(&without_places(read(deployment, Topic::Intake)?));
            records.retain(|record| origin(record).is_some_and(|origin| !passed.contains(&origin)));
        }
    }
    for record in &mut records {
        output.masks.iter().for_each(|mask| mask.in_record(record));
    }
    if output.keep == Keep::Sorted {
        records.sort_by_cached_key(|record| (record.partition, record.line().unwrap_or_default()));
    }
    Ok(records)
}

fn without_places(records: Vec<(i64, Record)>) -> Vec<Record> {
    records.into_iter().map(|(_, record)| Record { timestamp_ms: None, ..record }).collect()
}

/// What a worker restores of a changelog. How far its input is in it says the id of a topic, which is another one in each run.
fn table(records: Vec<Record>) -> Vec<Record> {
    let mut newest: BTreeMap<(i32, Vec<u8>), Record> = BTreeMap::new();
    for record in records {
        let key = record.key.as_ref().map(|key| key.0.clone()).unwrap_or_default();
        if key == STATE_POSITION {
            continue;
        }
        match record.value {
            Some(_) => drop(newest.insert((record.partition, key), record)),
            None => drop(newest.remove(&(record.partition, key))),
        }
    }
    newest.into_values().collect()
}

/// Where a sender's record stands: partition and offset.
type Origin = (i64, i64);

/// The senders' records that went on into intake.
fn passed(intake: &[Record]) -> BTreeSet<Origin> {
    let number = |record: &Record, name: &str| -> Option<i64> { record.header_text(name)?.parse().ok() };
    let origin =
        |record: &Record| Some((number(record, intake::ORIGIN_PARTITION)?, number(record, intake::ORIGIN_OFFSET)?));
    intake.iter().filter_map(origin).collect()
}

/// The sender's record that a reply answers; none where it came over HTTP, or stands in intake.
fn origin(reply: &Record) -> Option<Origin> {
    let reply: Value = serde_json::from_slice(&reply.value.as_ref()?.0).ok()?;
    let origin = &reply["origin"];
    let is_sent = origin["topic"] == Topic::LoanApplications.base_name();
    is_sent.then(|| Some((origin["partition"].as_i64()?, origin["offset"].as_i64()?)))?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(partition: i32, key: &[u8], value: Option<&str>) -> Record {
        Record { partition, key: Some(key.into()), value: value.map(|v| v.as_bytes().into()), ..Record::default() }
    }

    #[test]
    fn a_table_is_what_is_restored() {
        let records = [
            entry(0, b"a", Some("1")),
            entry(1, b"a", Some("2")),
            entry(0, STATE_POSITION, Some("17")),
            entry(0, b"a", Some("3")),
            entry(0, b"b", Some("4")),
            entry(0, b"b", None),
        ];
        assert_eq!(table(records.into()), [entry(0, b"a", Some("3")), entry(1, b"a", Some("2"))]);
    }

    #[test]
    fn a_reply_to_what_went_on_is_not_of_receive() {
        let text = |bytes: &str| Bytes(bytes.as_bytes().to_vec());
        let header = |name: &str, value: &str| (text(name), Some(text(value)));
        let intake = Record {
            headers: vec![header(intake::ORIGIN_PARTITION, "1"), header(intake::ORIGIN_OFFSET, "7")],
            ..Record::default()
        };
        let reply = |topic: &str, offset: i64| {
            let body = format!(r#"{{"origin":{{"topic":"{topic}","partition":1,"offset":{offset}}}}}"#);
            origin(&entry(0, b"k", Some(&body)))
        };
        let passed = passed(&[intake]);
        assert_eq!(passed, [(1, 7)].into());
        assert!(passed.contains(&reply("loan.applications.v1", 7).unwrap()));
        assert!(!passed.contains(&reply("loan.applications.v1", 8).unwrap()));
        assert_eq!((reply("credit.intake.v1", 7), reply("http", 7)), (None, None));
    }
}
