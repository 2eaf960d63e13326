//! Origination systems: plain producers, each with its own way to choose a partition. Knows which records Kafka has
//! acknowledged, and where they stand.

use super::shot::{Sender, Shot};
use anyhow::{Context, Result, bail};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use runtime::kafka::KafkaConfig;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(120);

/// What Kafka has acknowledged. Shared with whoever shows progress.
#[derive(Debug, Default)]
pub struct Acks {
    count: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl Acks {
    /// Records acknowledged so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

struct Tell(Arc<Acks>);

impl ClientContext for Tell {}

impl ProducerContext for Tell {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.count.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, record)) => {
                let why = format!("a record of {} bytes was not acknowledged: {error}", record.payload_len());
                self.0.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
            }
        }
    }
}

/// The producers of one run.
pub struct Publisher {
    producers: BTreeMap<Sender, ThreadedProducer<Tell>>,
    topic: Arc<str>,
    acks: Arc<Acks>,
}

impl Publisher {
    /// Connects nothing yet; `topic` is with prefix.
    ///
    /// # Errors
    /// When the client's settings are refused.
    pub fn new(kafka: &KafkaConfig, topic: Arc<str>) -> Result<Self> {
        let acks = Arc::new(Acks::default());
        let mut producers = BTreeMap::new();
        for (sender, partitioner) in
            [(Sender::Murmur2, "murmur2_random"), (Sender::Crc32, "consistent_random"), (Sender::Keyless, "random")]
        {
            let mut config = kafka.client();
            config
                .set("client.id", "origination")
                .set("partitioner", partitioner)
                .set("acks", "all")
                // An acknowledged record stands on the topic once: what is counted is what was sent.
                .set("enable.idempotence", "true")
                .set("linger.ms", "2")
                .set("queue.buffering.max.kbytes", "32768");
            let producer = config.create_with_context(Tell(acks.clone())).context("Kafka client")?;
            producers.insert(sender, producer);
        }
        Ok(Self { producers, topic, acks })
    }

    /// What has been acknowledged.
    pub fn acks(&self) -> Arc<Acks> {
        self.acks.clone()
    }

    /// Sends one record, waiting for room in the client's queue.
    ///
    /// # Errors
    /// When the client refuses it.
    pub fn send(&self, shot: &Shot) -> Result<()> {
        let producer = &self.producers[&shot.sender];
        let started = Instant::now();
        loop {
            match producer.send(self.record(shot)) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if started.elapsed() < TIMEOUT => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Waits until everything sent is acknowledged, and gives how many records that is since the start.
    ///
    /// # Errors
    /// When one is not.
    pub fn finish(&self) -> Result<u64> {
        for producer in self.producers.values() {
            producer.flush(TIMEOUT).context("waiting for acknowledgements")?;
        }
        match self.acks.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(why) => bail!(why),
            None => Ok(self.acks.count()),
        }
    }

    fn record<'s>(&'s self, shot: &'s Shot) -> BaseRecord<'s, str, [u8]> {
        let headers = shot
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let record = BaseRecord::to(&self.topic).payload(&shot.value[..]).headers(headers);
        match &shot.key {
            Some(key) => record.key(key.as_str()),
            None => record,
        }
    }
}

/// Sends records at a steady pace; gives when each was due, which is from when a sender waits. Blocks.
///
/// # Errors
/// As [`Publisher::send`].
pub fn send_paced<'s>(
    publisher: &Publisher,
    shots: impl IntoIterator<Item = &'s Shot>,
    per_second: f64,
) -> Result<Vec<(String, Instant)>> {
    let start = Instant::now();
    let mut due = Vec::new();
    for (number, shot) in shots.into_iter().enumerate() {
        let at = start + Duration::from_secs_f64(number as f64 / per_second);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        publisher.send(shot)?;
        due.push((shot.application_id.clone(), at));
    }
    Ok(due)
}
