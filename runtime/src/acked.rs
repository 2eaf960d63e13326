//! Single records outside of any transaction, each with word on whether Kafka surely has it: at least once, so whoever writes them gives
//! each an id that a second try repeats.

use crate::kafka::KafkaConfig;
use crate::stream::Output;
use crate::task;
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, ProducerContext};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// What the client needs to give a record up after its time, in which it may be told.
const LAST_WORD: Duration = Duration::from_millis(500);

/// How long a poll goes on. The client waits for whole milliseconds and spins through the rest, so it is a little more than so many.
const POLL: Duration = Duration::from_micros(100_050);

/// An idempotent producer that gives a record up after a time.
pub struct AckedProducer {
    producer: Arc<BaseProducer<Acks>>,
    /// Ends the thread that hears the producer out.
    ended: Arc<AtomicBool>,
    patience: Duration,
}

impl AckedProducer {
    /// Connects when it first has something to write.
    ///
    /// # Errors
    /// When a setting is no good.
    pub fn new(kafka: &KafkaConfig, patience: Duration) -> Result<Self, KafkaError> {
        let mut config = kafka.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "5")
            .set("compression.type", "zstd")
            .set("queue.buffering.max.kbytes", "16384")
            .set("message.timeout.ms", patience.as_millis().to_string());
        let producer = Arc::new(BaseProducer::from_config_and_context(&config, Acks)?);
        let ended = Arc::new(AtomicBool::new(false));
        let (heard, until) = (producer.clone(), ended.clone());
        let body = move || {
            while !until.load(Ordering::Relaxed) {
                heard.poll(POLL);
            }
        };
        task::thread("acknowledgements", body).map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { producer, ended, patience })
    }

    /// Writes records where their keys say; tells of each, in order, whether it is surely there.
    pub async fn write(&self, records: &[Output]) -> Vec<bool> {
        // A record that times out in the client ends a moment later here, never the other way round.
        let until = Instant::now() + self.patience + LAST_WORD;
        let sent: Vec<_> = records.iter().map(|record| self.send(record)).collect();
        let mut taken = Vec::with_capacity(sent.len());
        for receiver in sent {
            taken.push(match receiver {
                Some(receiver) => matches!(timeout_at(until, receiver).await, Ok(Ok(true))),
                None => false,
            });
        }
        taken
    }

    /// Queues one; `None` when it could not even be queued.
    fn send(&self, output: &Output) -> Option<oneshot::Receiver<bool>> {
        let headers = OwnedHeaders::new_with_capacity(output.headers.len());
        let headers = output
            .headers
            .iter()
            .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let (sender, receiver) = oneshot::channel();
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(&output.topic, Box::new(sender)).headers(headers);
        record.key = output.key.as_deref();
        record.payload = output.payload.as_deref();
        match self.producer.send(record) {
            Ok(()) => Some(receiver),
            Err((error, _)) => {
                tracing::warn!(%error, topic = &*output.topic, "record was not queued");
                None
            }
        }
    }
}

impl Drop for AckedProducer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// Hands each acknowledgement to whoever waits for it.
struct Acks;

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<oneshot::Sender<bool>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        if let Err((error, _)) = result {
            tracing::warn!(%error, "record was not taken");
        }
        if waiting.send(result.is_ok()).is_err() {
            tracing::debug!("nobody waits for the record any more");
        }
    }
}
