//! What an operator asks of a group of workers, running or not: its gaps, its members, and to begin where a topic is empty.

use super::{Gap, LEADER_CATCHES_UP_WITHIN, Question, STATE_POSITION, find, partitions_of, read_all, read_on};
use crate::ffi;
use crate::kafka::{Isolation, KafkaConfig, Plain, PlainConsumer, reader};
use crate::stream::offset::NextOffset;
use crate::stream::producer::TransactionError;
use crate::stream::record::Input;
use crate::stream::transactions::Transactions;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A group of workers, names with prefix.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// What it reads.
    pub inputs: Vec<Arc<str>>,
    /// Where it keeps its state, if it has any.
    pub changelog: Option<Arc<str>>,
    /// Whether what it reads is written in transactions alone.
    pub in_transactions: bool,
}

impl Group {
    fn question(&self, timeout: Duration) -> Question<'_> {
        let changelog = self.changelog.as_deref();
        let patience = LEADER_CATCHES_UP_WITHIN;
        Question { group: &self.name, changelog, in_transactions: self.in_transactions, patience, timeout }
    }
}

/// The gaps of a group that nobody has accepted. Reads its changelog whole.
///
/// # Errors
/// When the cluster does not answer in time, or a topic is not there.
pub fn open_gaps(kafka: &KafkaConfig, group: &Group, gaps: &str, timeout: Duration) -> Result<Vec<Gap>, KafkaError> {
    let (consumer, committed) = offsets_of(kafka, group, timeout)?;
    let mut found = find(&consumer, &committed, group.question(timeout))?;
    if let Some(changelog) = &group.changelog {
        let mut positions = BTreeMap::new();
        read_all(&kafka.client(), changelog, timeout, |record| {
            if record.key == Some(STATE_POSITION) {
                positions.insert(record.partition, record.payload.and_then(NextOffset::from_changelog));
            }
        })?;
        for element in committed.elements() {
            let (place, partition) = ((element.topic().to_owned(), element.partition()), element.partition());
            found.hold_state(&group.name, &place, changelog, positions.get(&partition).copied().flatten());
        }
    }
    found.unaccepted(&kafka.client(), &group.name, gaps, timeout)
}

/// Commits offset 0 for a group in every partition that is empty and has none, so that no offset is always a gap from then on.
/// Gives how many there were. Members of the group may be running: a transaction's offsets are taken all the same.
///
/// # Errors
/// When the cluster does not answer in time, or a topic is not there.
pub fn begin_at_zero(kafka: &KafkaConfig, group: &Group, timeout: Duration) -> Result<usize, KafkaError> {
    let (consumer, committed) = offsets_of(kafka, group, timeout)?;
    let mut found = find(&consumer, &committed, Question { changelog: None, ..group.question(timeout) })?;
    let left = &found.left;
    found.moved.retain(|place| left.get(place).is_some_and(|left| left.offset.is_none()));
    if found.moved.is_empty() {
        return Ok(0);
    }
    let zeros = found.moved()?;
    let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let member = consumer.group_metadata().ok_or(KafkaError::Global(RDKafkaErrorCode::UnknownGroup))?;
    let producer = Transactions::connect(kafka, "topics-apply", milliseconds);
    let written = producer.and_then(|mut producer| producer.offsets(&zeros, &member));
    written.map_err(TransactionError::into_source)?;
    Ok(found.moved.len())
}

/// Hands over every committed record that a group of one input has not handled yet, in no order between partitions.
///
/// # Errors
/// When the cluster does not answer in time, or a topic is not there.
pub fn unhandled(
    kafka: &KafkaConfig,
    group: &Group,
    timeout: Duration,
    mut each: impl FnMut(Input<'_>),
) -> Result<(), KafkaError> {
    let (consumer, committed) = offsets_of(kafka, group, timeout)?;
    let mut places = TopicPartitionList::new();
    for element in committed.elements() {
        let from = NextOffset::from_kafka(element.offset()).map_or(Offset::Beginning, NextOffset::to_kafka);
        places.add_partition_offset(element.topic(), element.partition(), from)?;
    }
    read_on(&consumer, &places, timeout, &mut each)
}

/// Who is in a group now: the ids that its members keep over a restart, `<worker>-<instance>` of ours.
///
/// # Errors
/// When the cluster does not answer in time, or does not tell.
pub fn members(kafka: &KafkaConfig, group: &str, timeout: Duration) -> Result<Vec<String>, KafkaError> {
    let client: PlainConsumer = kafka.client().create_with_context(Plain)?;
    ffi::members(client.client(), group, timeout)
}

fn offsets_of(
    kafka: &KafkaConfig,
    group: &Group,
    timeout: Duration,
) -> Result<(PlainConsumer, TopicPartitionList), KafkaError> {
    let mut config = reader(&kafka.client(), &group.name, Isolation::Committed);
    config.set("enable.partition.eof", "true").set("auto.offset.reset", "earliest").set("fetch.wait.max.ms", "10");
    let consumer: PlainConsumer = config.create_with_context(Plain)?;
    let mut all = TopicPartitionList::new();
    for topic in &group.inputs {
        all.add_partition_range(topic, 0, partitions_of(&consumer, topic, timeout)? - 1);
    }
    let committed = consumer.committed_offsets(all, timeout)?;
    Ok((consumer, committed))
}
