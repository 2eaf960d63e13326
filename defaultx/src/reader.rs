//! Plain `read_committed` consumers without a group: one that reads topics from their beginning to their present end, one that
//! follows them until told to stop. What people and the demonstration count with. Commits nothing.

use anyhow::{Context, Result, bail};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use runtime::kafka::{Isolation, KafkaConfig, Plain, PlainConsumer, reader};
use runtime::stream::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// What librdkafka calls a group; nothing is ever committed under it.
const GROUP: &str = "defaultx-reader";

/// How long an open transaction may keep somebody waiting who must read past it: one that its owner left open for the broker to
/// abort, with the usual timeout of a client and the time until the broker looks.
const OPEN_FOR: Duration = Duration::from_secs(120);

/// Reads every committed record of the topics that is there now, one topic after another, and gives their number. Blocks.
///
/// # Errors
/// When the cluster cannot be read, or `each` ends it.
pub fn read_to_end<'t>(
    kafka: &KafkaConfig,
    topics: impl IntoIterator<Item = &'t str>,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<u64> {
    let mut count = 0;
    for topic in topics {
        // One topic at a time, because the client tells the end of a partition without its topic.
        let (consumer, mut open) = assigned(kafka, [topic])?;
        while !open.is_empty() {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    each(&message)?;
                    count += 1;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(error)) => passing(error)?,
                None => {}
            }
        }
    }
    Ok(count)
}

/// Waits until every transaction of a topic that is open now has ended, so that [`read_to_end`] then gives whatever was committed
/// before this call. Without it a record that stands behind an open transaction is not seen. Blocks.
///
/// # Errors
/// When the cluster cannot be asked, or a transaction stays open.
pub fn wait_until_settled(kafka: &KafkaConfig, topic: &str) -> Result<()> {
    let client = |isolation| -> Result<PlainConsumer> {
        reader(&kafka.client(), GROUP, isolation).create_with_context(Plain).context("Kafka client")
    };
    let (uncommitted, committed) = (client(Isolation::Uncommitted)?, client(Isolation::Committed)?);
    let until = Instant::now() + OPEN_FOR;
    for partition in partitions_of(&uncommitted, topic)? {
        let high = end_of(&uncommitted, topic, partition, until)?;
        while end_of(&committed, topic, partition, until)? < high {
            if Instant::now() > until {
                bail!(
                    "a transaction stays open in partition {partition} of {topic}: docs/runbooks/DefaultXPartitionHeld.md"
                );
            }
            std::thread::sleep(POLL);
        }
    }
    Ok(())
}

/// The end of a partition for the client's isolation level. Where nobody leads it for the moment, somebody soon will.
fn end_of(client: &PlainConsumer, topic: &str, partition: i32, until: Instant) -> Result<i64> {
    loop {
        match client.fetch_watermarks(topic, partition, TIMEOUT) {
            Ok((_, end)) => return Ok(end),
            Err(error) if Instant::now() > until => return Err(error.into()),
            Err(error) => passing(error)?,
        }
        std::thread::sleep(POLL);
    }
}

/// Reads the topics from their beginning and goes on until the token is cancelled. Blocks.
///
/// # Errors
/// When the cluster cannot be read, or `each` ends it.
pub fn follow<'t>(
    kafka: &KafkaConfig,
    topics: impl IntoIterator<Item = &'t str>,
    stop: &CancellationToken,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let (consumer, _) = assigned(kafka, topics)?;
    while !stop.is_cancelled() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => each(&message)?,
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => passing(error)?,
        }
    }
    Ok(())
}

/// A place in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// With prefix.
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Where each partition of the topics ends now for a reader of committed records. Blocks.
///
/// # Errors
/// When the cluster cannot be asked.
pub(crate) fn ends<'t>(kafka: &KafkaConfig, topics: impl IntoIterator<Item = &'t str>) -> Result<Vec<Place>> {
    let config = reader(&kafka.client(), GROUP, Isolation::Committed);
    let client: PlainConsumer = config.create_with_context(Plain).context("Kafka client")?;
    let until = Instant::now() + OPEN_FOR;
    let mut places = Vec::new();
    for topic in topics {
        for partition in partitions_of(&client, topic)? {
            let offset = end_of(&client, topic, partition, until)?;
            places.push(Place { topic: topic.to_owned(), partition, offset });
        }
    }
    Ok(places)
}

/// Reads on from somewhere, for as long as it is asked.
pub(crate) struct Follower(PlainConsumer);

impl Follower {
    /// From these places on.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    pub(crate) fn from(kafka: &KafkaConfig, places: &[Place]) -> Result<Self> {
        let at = |place: &Place| (place.topic.clone(), place.partition, Offset::Offset(place.offset));
        Ok(Self(assigned_at(kafka, places.iter().map(at))?))
    }

    /// The next record; none where none came for a moment. Blocks for that long.
    ///
    /// # Errors
    /// When the cluster cannot be read.
    pub(crate) fn next(&self) -> Result<Option<BorrowedMessage<'_>>> {
        match self.0.poll(POLL) {
            Some(Ok(message)) => Ok(Some(message)),
            Some(Err(KafkaError::PartitionEOF(_))) | None => Ok(None),
            Some(Err(error)) => passing(error).map(|()| None),
        }
    }
}

/// Reads partitions of one topic from their beginning up to these places. Blocks.
///
/// # Errors
/// When the cluster cannot be read, or `each` ends it.
pub(crate) fn read_until(
    kafka: &KafkaConfig,
    places: &[Place],
    mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let mut open: BTreeMap<i32, i64> =
        places.iter().filter(|place| place.offset > 0).map(|place| (place.partition, place.offset)).collect();
    let at = |place: &Place| (place.topic.clone(), place.partition, Offset::Beginning);
    let consumer = assigned_at(kafka, places.iter().filter(|place| place.offset > 0).map(at))?;
    while !open.is_empty() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => match open.get(&message.partition()) {
                Some(end) if message.offset() < *end => each(&message)?,
                _ => {
                    open.remove(&message.partition());
                }
            },
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => passing(error)?,
            None => {}
        }
    }
    Ok(())
}

/// The header of that name, the last one, as text.
pub fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    Input::of(message).header_str(name)
}

fn assigned<'t>(
    kafka: &KafkaConfig,
    topics: impl IntoIterator<Item = &'t str>,
) -> Result<(PlainConsumer, BTreeSet<i32>)> {
    let consumer = connected(kafka)?;
    let mut assignment = TopicPartitionList::new();
    let mut all = BTreeSet::new();
    for topic in topics {
        for partition in partitions_of(&consumer, topic)? {
            assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
            all.insert(partition);
        }
    }
    consumer.assign(&assignment)?;
    Ok((consumer, all))
}

fn assigned_at(kafka: &KafkaConfig, places: impl IntoIterator<Item = (String, i32, Offset)>) -> Result<PlainConsumer> {
    let consumer = connected(kafka)?;
    let mut assignment = TopicPartitionList::new();
    for (topic, partition, offset) in places {
        assignment.add_partition_offset(&topic, partition, offset)?;
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

fn connected(kafka: &KafkaConfig) -> Result<PlainConsumer> {
    let mut config = reader(&kafka.client(), GROUP, Isolation::Committed);
    config
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.wait.max.ms", "50")
        .set("queued.max.messages.kbytes", "16384");
    config.create_with_context(Plain).context("Kafka client")
}

fn partitions_of(consumer: &PlainConsumer, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).with_context(|| format!("asking for {topic}"))?;
    let partitions: Vec<i32> = metadata.topics().iter().flat_map(|t| t.partitions()).map(|p| p.id()).collect();
    if partitions.is_empty() {
        let all = consumer.fetch_metadata(None, TIMEOUT).context("asking for the topics")?;
        let others = all.topics().iter().map(|topic| topic.name());
        bail!("topic {topic} does not exist: `defaultx topics apply` makes it{}", other_prefix(topic, others));
    }
    Ok(partitions)
}

/// Where the cluster has the topic under another prefix, how to name that; empty where it has not.
fn other_prefix<'n>(topic: &str, names: impl Iterator<Item = &'n str>) -> String {
    let base = ["credit.", "loan."].iter().filter_map(|root| topic.find(root)).min().map_or(topic, |at| &topic[at..]);
    let mut prefixes: Vec<&str> = names.filter_map(|name| name.strip_suffix(base)).collect();
    prefixes.sort_unstable();
    let told: Vec<String> = prefixes
        .iter()
        .take(4)
        .map(|prefix| if prefix.is_empty() { "without --prefix".to_owned() } else { format!("--prefix {prefix}") })
        .collect();
    if told.is_empty() { String::new() } else { format!(", or say where: this cluster has it {}", told.join(", ")) }
}

/// The client mends by itself what is not fatal, such as a broker that restarts.
fn passing(error: KafkaError) -> Result<()> {
    let is_denied = matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::UnknownTopicOrPartition)
    );
    if is_denied || matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Err(error.into());
    }
    tracing::debug!(%error, "poll");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_under_another_prefix_is_named() {
        let there = ["demo-credit.decision-state.v1", "credit.risk.v1", "t.credit.risk.v1"];
        let rows = [
            ("credit.decision-state.v1", ", or say where: this cluster has it --prefix demo-"),
            ("prod.credit.decision-state.v1", ", or say where: this cluster has it --prefix demo-"),
            ("x.credit.risk.v1", ", or say where: this cluster has it without --prefix, --prefix t."),
            ("loan.applications.v1", ""),
        ];
        for (topic, expected) in rows {
            assert_eq!(other_prefix(topic, there.into_iter()), expected, "{topic}");
        }
    }
}
