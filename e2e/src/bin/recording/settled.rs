//! How far workers have read what was published: by what they commit, not by what they say of themselves. Knows no name of a worker, so
//! that none that changes is missed.

use crate::database::Database;
use crate::publish::Place;
use anyhow::Result;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use runtime::kafka::{Isolation, KafkaConfig, reader};
use schemas::Topic;
use std::collections::BTreeMap;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The groups that a broker knows, each with a client that may ask where it stands. None of them reads.
pub struct Groups {
    kafka: KafkaConfig,
    clients: BTreeMap<String, BaseConsumer>,
    asking: BaseConsumer,
}

impl Groups {
    /// Connects.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn connect(kafka: &KafkaConfig) -> Result<Self> {
        let asking = client(kafka, "recording")?;
        Ok(Self { kafka: kafka.clone(), clients: BTreeMap::new(), asking })
    }

    /// Whether a group has committed the end of a place, and each that has committed anything of it has.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn have_read(&mut self, place: &Place) -> Result<bool> {
        for group in self.asking.fetch_group_list(None, TIMEOUT)?.groups() {
            if !self.clients.contains_key(group.name()) {
                self.clients.insert(group.name().to_owned(), client(&self.kafka, group.name())?);
            }
        }
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&place.name, place.partition);
        let mut stands = Vec::new();
        for client in self.clients.values() {
            for element in client.committed_offsets(asked.clone(), TIMEOUT)?.elements() {
                if let Offset::Offset(next) = element.offset() {
                    stands.push(next);
                }
            }
        }
        Ok(!stands.is_empty() && stands.iter().all(|next| *next == place.end))
    }
}

fn client(kafka: &KafkaConfig, group: &str) -> Result<BaseConsumer> {
    // What a transaction has not committed yet is waited for.
    let config = reader(&kafka.client(), group, Isolation::Committed);
    Ok(config.create()?)
}

/// How many workers read a topic into the database: the log takes every audited one, and the identity store one of them.
fn readers(topic: Topic) -> i64 {
    if topic == Topic::Identities { 2 } else { 1 }
}

/// Whether every worker that keeps its offsets in the database stands at the end of a place.
///
/// # Errors
/// When the database does not answer.
pub fn rows_are_written(database: &Database, place: &Place) -> Result<bool> {
    let Place { topic, name, partition, end } = place;
    let at_end = database.number(&format!(
        "SELECT count(*) FROM defaultx.stream_offsets
         WHERE topic = '{name}' AND partition = {partition} AND next_offset = {end}"
    ))?;
    Ok(at_end == readers(*topic))
}
