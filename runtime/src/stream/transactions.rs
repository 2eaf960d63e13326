//! Groups of records in one transaction each, for what does not come out of a loop: the door, a batch, an activation, a redrive, the
//! first offsets of a group.

use super::producer::{Outgoing, Producer, TransactionError, headers, settings};
use super::record::{Output, OwnedInput};
use crate::kafka::KafkaConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use std::time::Duration;

/// Writes groups of records for what does not come out of a loop: each group becomes visible whole or not at all. Keeps no
/// state of its own, so it replaces a producer that is lost in place.
pub struct Transactions {
    kafka: KafkaConfig,
    id: String,
    timeout: Duration,
    producer: Option<Producer>,
    /// Whether a producer that is lost or fenced stays so.
    once: bool,
}

impl Transactions {
    /// Connects under the transactional id `id`, which gets the deployment's prefix: whoever ran under it before is fenced.
    ///
    /// # Errors
    /// When the cluster does not answer within `timeout_ms`, the longest that any call may take.
    pub fn connect(kafka: &KafkaConfig, id: &str, timeout_ms: u64) -> Result<Self, TransactionError> {
        let mut this = Self::new(kafka, id, timeout_ms);
        this.reconnect()?;
        Ok(this)
    }

    /// The same, but connects with the first call that needs it.
    pub fn new(kafka: &KafkaConfig, id: &str, timeout_ms: u64) -> Self {
        let timeout = Duration::from_millis(timeout_ms);
        Self { kafka: kafka.clone(), id: kafka.topic(id).to_string(), timeout, producer: None, once: false }
    }

    /// Connects, and never again: for an owner whose knowledge of what was written holds only as long as nobody else takes the id.
    ///
    /// # Errors
    /// When the cluster does not answer within `timeout_ms`, the longest that any call may take.
    pub fn connect_once(kafka: &KafkaConfig, id: &str, timeout_ms: u64) -> Result<Self, TransactionError> {
        Ok(Self { once: true, ..Self::connect(kafka, id, timeout_ms)? })
    }

    /// Connects unless it is connected.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn reconnect(&mut self) -> Result<(), TransactionError> {
        self.connected().map(drop)
    }

    /// Whether a broker answers now, asked about a topic of ours; false without a connection.
    pub fn reaches_brokers(&self, topic: &str, timeout: Duration) -> bool {
        self.producer.as_ref().is_some_and(|producer| producer.reaches_brokers(topic, timeout))
    }

    /// Writes records in one transaction. A record without a partition goes where its key says.
    ///
    /// # Errors
    /// [`TransactionError`]. When it is `Lost` all of it may be visible, or none: every record should have an id that a second
    /// try repeats. The next call connects anew then, and first waits out what was left open.
    pub fn write<'o>(
        &mut self,
        records: impl IntoIterator<Item = (Option<i32>, &'o Output)>,
    ) -> Result<(), TransactionError> {
        self.transact(records.into_iter().map(|(partition, output)| {
            let (key, payload) = (output.key.as_deref(), output.payload.as_deref());
            let all = output.headers.iter().map(|(name, value)| (*name, Some(value.as_slice())));
            (Outgoing { topic: &output.topic, partition, key, payload }, headers(all))
        }))
    }

    /// Writes records that were read before in one transaction, each to its topic and partition.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn repeat(&mut self, records: &[OwnedInput]) -> Result<(), TransactionError> {
        self.transact(records.iter().map(|record| {
            let (key, payload) = (record.key.as_deref(), record.payload.as_deref());
            let all = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
            (Outgoing { topic: &record.topic, partition: Some(record.partition), key, payload }, headers(all))
        }))
    }

    fn transact<'o>(
        &mut self,
        records: impl Iterator<Item = (Outgoing<'o>, Option<OwnedHeaders>)>,
    ) -> Result<(), TransactionError> {
        let written = transact(self.connected()?, records);
        if let Err(TransactionError::Lost(_) | TransactionError::Fenced(_)) = &written {
            self.producer = None;
        }
        written
    }

    /// Commits offsets for a group, whatever its members do: as a transaction's, which need not come from a member.
    pub(crate) fn offsets(
        &mut self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        let producer = self.connected()?;
        producer.begin()?;
        let sent = producer.send_offsets(offsets, group).and_then(|()| producer.commit());
        sent.map_err(|error| producer.give_up(error))
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// When the topic is not there, or nobody answers.
    pub fn partitions(&mut self, topic: &str) -> Result<i32, TransactionError> {
        self.connected()?.partitions(topic).map_err(TransactionError::of)
    }

    fn connected(&mut self) -> Result<&Producer, TransactionError> {
        let usable = self.producer.take().filter(Producer::is_usable);
        let producer = match usable {
            Some(producer) => producer,
            None if self.once => {
                return Err(TransactionError::Lost(KafkaError::Global(RDKafkaErrorCode::Fatal)));
            }
            None => {
                let mut settings = settings(&self.kafka);
                settings.set("compression.type", "lz4"); // whole bodies, up to a thousand in a group
                Producer::connect(settings, &self.id, self.timeout).map_err(TransactionError::of)?
            }
        };
        Ok(self.producer.insert(producer))
    }
}

fn transact<'o>(
    producer: &Producer,
    mut records: impl Iterator<Item = (Outgoing<'o>, Option<OwnedHeaders>)>,
) -> Result<(), TransactionError> {
    producer.begin()?;
    let sent = records.try_for_each(|(record, headers)| producer.send(record, headers));
    let sent = sent.and_then(|()| producer.flush());
    sent.and_then(|()| producer.commit()).map_err(|error| producer.give_up(error))
}
