//! A transactional producer for what does not come out of a loop: a group of records becomes visible whole or not at all.

use crate::error::Error;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::kafka::KafkaConfig;
use runtime::stream::Output;
use std::time::{Duration, Instant};

/// Writes groups of records, each in a transaction of its own.
pub struct Transactions {
    producer: BaseProducer,
    timeout: Duration,
}

impl Transactions {
    /// Connects and takes over the transactional id: whoever ran under it before is fenced.
    ///
    /// # Errors
    /// [`Error::Kafka`] when the cluster does not answer within `timeout_ms`.
    pub fn connect(kafka: &KafkaConfig, id: &str, timeout_ms: u64) -> Result<Self, Error> {
        let mut config = kafka.client();
        config
            .set("transactional.id", kafka.topic(id).as_ref())
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "1")
            .set("retry.backoff.ms", "5")
            .set("transaction.timeout.ms", "10000")
            .set("message.timeout.ms", "9000")
            .set("queue.buffering.max.kbytes", "65536");
        let producer: BaseProducer = config.create()?;
        let timeout = Duration::from_millis(timeout_ms);
        producer.init_transactions(timeout)?;
        Ok(Self { producer, timeout })
    }

    /// Writes records in one transaction. A record without a partition goes where its key says.
    ///
    /// # Errors
    /// [`Error::Kafka`]. After an abort nothing is visible; when the commit itself timed out all of it may be, which is why
    /// every record has an id that a second try repeats.
    pub fn write<'o>(&self, records: impl IntoIterator<Item = (Option<i32>, &'o Output)>) -> Result<(), Error> {
        self.again(|| self.producer.begin_transaction())?;
        let mut sent = records.into_iter().try_for_each(|(partition, output)| self.send(partition, output));
        sent = sent.and_then(|()| self.producer.flush(self.timeout));
        match sent.and_then(|()| self.again(|| self.producer.commit_transaction(self.timeout))) {
            Ok(()) => Ok(()),
            Err(error) => {
                if let Err(second) = self.again(|| self.producer.abort_transaction(self.timeout)) {
                    tracing::warn!(error = %second, "abort failed");
                }
                Err(error.into())
            }
        }
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// [`Error::Kafka`] when the topic is not there.
    pub fn partitions(&self, topic: &str) -> Result<i32, Error> {
        let metadata = self.producer.client().fetch_metadata(Some(topic), self.timeout)?;
        let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        if count == 0 {
            return Err(Error::Publish(format!("topic {topic} is not there")));
        }
        i32::try_from(count).map_err(|_| Error::Publish(format!("topic {topic} has too many partitions")))
    }

    /// Whether the producer is of no more use.
    pub fn is_dead(&self) -> bool {
        self.producer.client().fatal_error().is_some()
    }

    fn send(&self, partition: Option<i32>, output: &Output) -> Result<(), KafkaError> {
        let until = Instant::now() + self.timeout;
        loop {
            match self.producer.send(record(partition, output)) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if Instant::now() < until => {
                    self.producer.poll(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Repeats a call that the client calls retriable, for as long as one call may take.
    fn again(&self, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        let until = Instant::now() + self.timeout;
        loop {
            match call() {
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                result => return result,
            }
        }
    }
}

fn record(partition: Option<i32>, output: &Output) -> BaseRecord<'_, [u8], [u8]> {
    let headers = OwnedHeaders::new_with_capacity(output.headers.len());
    let headers =
        output.headers.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
    let mut record = BaseRecord::to(&output.topic).headers(headers);
    if let Some(partition) = partition {
        record = record.partition(partition);
    }
    if let Some(key) = &output.key {
        record = record.key(key.as_slice());
    }
    match &output.payload {
        Some(payload) => record.payload(payload.as_slice()),
        None => record,
    }
}
