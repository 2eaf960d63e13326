//! Publishes recorded records: each to its partition, at its time, in its order and without transactions, so that the offsets are the
//! same in every run. Whoever reads is waited for behind each partition: then what is read from several has one order too.

use crate::deployment::Deployment;
use crate::inputs::Inputs;
use crate::record::{Bytes, Record};
use crate::topics;
use anyhow::{Result, bail, ensure};
use e2e::wire;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::Topic;
use std::time::Duration;

/// The broker takes them within this.
const TAKEN_WITHIN: Duration = Duration::from_secs(120);
/// While the client's queue is full.
const BREATH: Duration = Duration::from_millis(10);

/// A partition in which everything stands.
#[derive(Debug, Clone)]
pub struct Place {
    /// The topic.
    pub topic: Topic,
    /// Its name under the prefix.
    pub name: String,
    /// The partition.
    pub partition: i32,
    /// Behind its last record.
    pub end: i64,
}

/// Publishes partition by partition, and hands each over once it is there.
///
/// # Errors
/// When the broker does not take a record as it is, or `behind` ends it.
pub fn publish(deployment: &Deployment, inputs: &Inputs, mut behind: impl FnMut(&Place) -> Result<()>) -> Result<()> {
    let producer: BaseProducer =
        deployment.kafka.client().set("enable.idempotence", "true").set("linger.ms", "5").create()?;
    for (topic, records) in inputs {
        for records in records.chunk_by(|one, next| one.partition == next.partition) {
            let partition = records.first().map_or(0, |record| record.partition);
            let place = Place { topic: *topic, name: deployment.name(*topic), partition, end: records.len() as i64 };
            fill(deployment, &producer, &place, records)?;
            behind(&place)?;
        }
        check(deployment, *topic, records)?;
    }
    Ok(())
}

fn fill(deployment: &Deployment, producer: &BaseProducer, place: &Place, records: &[Record]) -> Result<()> {
    for (offset, record) in (0..).zip(records) {
        if record.headers.iter().all(|(name, _)| !name.0.is_empty() && std::str::from_utf8(&name.0).is_ok()) {
            send(producer, &place.name, record)?;
            continue;
        }
        // No client library lets such a header through.
        producer.flush(TAKEN_WITHIN)?;
        let stands = wire::produce(&deployment.kafka, &place.name, place.partition, &by_hand(record))?;
        ensure!(stands == offset, "{}/{}: a record stands at {stands}, not {offset}", place.name, place.partition);
    }
    Ok(producer.flush(TAKEN_WITHIN)?)
}

fn send(producer: &BaseProducer, topic: &str, record: &Record) -> Result<()> {
    let headers = record.headers.iter().fold(OwnedHeaders::new(), |all, (name, value)| {
        let value = value.as_ref().map(|value| &value.0);
        all.insert(Header { key: &String::from_utf8_lossy(&name.0), value })
    });
    let mut outgoing = BaseRecord::<[u8], [u8]>::to(topic).partition(record.partition).headers(headers);
    outgoing.key = record.key.as_ref().map(|key| key.0.as_slice());
    outgoing.payload = record.value.as_ref().map(|value| value.0.as_slice());
    outgoing.timestamp = record.timestamp_ms;
    loop {
        match producer.send(outgoing) {
            Ok(()) => break,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                producer.poll(BREATH);
                outgoing = back;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
    producer.poll(Duration::ZERO);
    Ok(())
}

fn by_hand(record: &Record) -> wire::Record {
    let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.0.clone());
    wire::Record {
        key: bytes(&record.key),
        value: bytes(&record.value),
        headers: record.headers.iter().map(|(name, value)| (name.0.clone(), bytes(value))).collect(),
        timestamp_ms: record.timestamp_ms.unwrap_or_default(),
    }
}

/// What stands in the topic is what was to be published, times and offsets too: otherwise nothing behind it means anything.
fn check(deployment: &Deployment, topic: Topic, records: &[Record]) -> Result<()> {
    let found = topics::read(deployment, topic)?;
    let name = deployment.name(topic);
    ensure!(found.len() == records.len(), "{name}: {} of {} records stand there", found.len(), records.len());
    for (number, ((offset, found), record)) in (1..).zip(found.iter().zip(records)) {
        let same = (found.partition, found.timestamp_ms, &found.key, &found.value)
            == (record.partition, record.timestamp_ms, &record.key, &record.value);
        if !same {
            bail!(
                "{name}: record {number} of the recording does not stand as it was published, at {}/{offset}",
                found.partition
            );
        }
    }
    let is_next = |pair: &[(i64, Record)]| match pair {
        [(before, one), (behind, next)] if one.partition == next.partition => *behind == before + 1,
        [_, (behind, _)] => *behind == 0,
        _ => true,
    };
    ensure!(found.windows(2).all(is_next), "{name}: there are gaps between the offsets");
    Ok(())
}
