//! Plain `read_committed` consumers without a group: one that reads topics from their beginning to their present end, one that
//! follows them until told to stop. What people and the demonstration count with. Commits nothing.

use anyhow::{Context, Result, bail};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use runtime::kafka::{KafkaConfig, Plain, PlainConsumer};
use runtime::stream::Input;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

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

/// The header of that name, the last one, as text.
pub fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    Input::of(message).header_str(name)
}

fn assigned<'t>(
    kafka: &KafkaConfig,
    topics: impl IntoIterator<Item = &'t str>,
) -> Result<(PlainConsumer, BTreeSet<i32>)> {
    let mut config = kafka.client();
    config
        .set("group.id", "defaultx-reader") // librdkafka wants one; nothing is ever committed under it
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.wait.max.ms", "50")
        .set("queued.max.messages.kbytes", "16384");
    let consumer: PlainConsumer = config.create_with_context(Plain).context("Kafka client")?;
    let mut assignment = TopicPartitionList::new();
    let mut all = BTreeSet::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).with_context(|| format!("asking for {topic}"))?;
        let partitions: Vec<i32> = metadata.topics().iter().flat_map(|t| t.partitions()).map(|p| p.id()).collect();
        if partitions.is_empty() {
            bail!("topic {topic} does not exist: `defaultx topics apply` makes it");
        }
        for partition in partitions {
            assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
            all.insert(partition);
        }
    }
    consumer.assign(&assignment)?;
    Ok((consumer, all))
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
