//! How each delivery ended, told to Kafka: at least once, always under the same id.

use crate::error::Error;
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, ProducerContext};
use runtime::kafka::KafkaConfig;
use runtime::task;
use schemas::Topic;
use schemas::envelope::Envelope;
use schemas::event_id::event_id;
use schemas::notification::{DELIVERED, Receipt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// `ce_source` of receipts.
pub const SOURCE: &str = "/defaultx/notifier";

/// How long a poll goes on. The client waits for whole milliseconds and spins through the rest, so it is a little more than so many.
const POLL: Duration = Duration::from_micros(100_050);

/// A receipt with what its envelope echoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The body.
    pub receipt: Receipt,
    /// Of the event that was told of.
    pub correlation_id: Option<String>,
    /// Of the event that was told of.
    pub traceparent: Option<String>,
}

/// Where receipts go.
pub trait Receipts: Send + Sync + 'static {
    /// Publishes; says of each, in order, whether it is surely there.
    fn publish(&self, receipts: Vec<Told>) -> impl Future<Output = Vec<bool>> + Send;
}

/// To `credit.notifications.v1`, keyed as the application is.
pub struct KafkaReceipts {
    producer: Arc<BaseProducer<Acks>>,
    /// Ends the thread that hears the producer out.
    ended: Arc<AtomicBool>,
    topic: Arc<str>,
    patience: Duration,
}

impl KafkaReceipts {
    /// An idempotent producer that gives up a record after `patience`.
    ///
    /// # Errors
    /// [`Error::Kafka`].
    pub fn new(kafka: &KafkaConfig, patience: Duration) -> Result<Self, Error> {
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
        task::thread("receipts", body).map_err(Error::Thread)?;
        Ok(Self { producer, ended, topic: kafka.topic(Topic::Notifications.base_name()), patience })
    }

    /// Queues one; `None` when it could not even be queued.
    fn send(&self, told: &Told) -> Option<oneshot::Receiver<bool>> {
        let Receipt { tenant, application_id, revision, delivery_id, event_id: cause, at, .. } = &told.receipt;
        let key = format!("{tenant}|{application_id}");
        let envelope = Envelope {
            id: event_id(DELIVERED, tenant, application_id, *revision, delivery_id).to_string(),
            source: SOURCE.to_owned(),
            event_type: DELIVERED.to_owned(),
            subject: Some(application_id.clone()),
            time: Some(at.clone()),
            correlation_id: told.correlation_id.clone(),
            causation_id: Some(cause.clone()),
            partition_key: Some(key.clone()),
            traceparent: told.traceparent.clone(),
        };
        let headers = envelope.to_headers();
        let headers = headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let body = serde_json::to_vec(&told.receipt).ok()?;
        let (sender, receiver) = oneshot::channel();
        let record =
            BaseRecord::with_opaque_to(&self.topic, Box::new(sender)).key(&key).payload(&body).headers(headers);
        match self.producer.send(record) {
            Ok(()) => Some(receiver),
            Err((error, _)) => {
                tracing::warn!(%error, "receipt was not queued");
                None
            }
        }
    }
}

impl Drop for KafkaReceipts {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

impl Receipts for KafkaReceipts {
    async fn publish(&self, receipts: Vec<Told>) -> Vec<bool> {
        // A record that times out in the client ends a moment later here, never the other way round.
        let until = Instant::now() + self.patience + Duration::from_millis(500);
        let sent: Vec<_> = receipts.iter().map(|told| self.send(told)).collect();
        let mut taken = Vec::with_capacity(sent.len());
        for receiver in sent {
            taken.push(match receiver {
                Some(receiver) => matches!(timeout_at(until, receiver).await, Ok(Ok(true))),
                None => false,
            });
        }
        taken
    }
}

/// Hands each acknowledgement to whoever waits for it.
struct Acks;

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = Box<oneshot::Sender<bool>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        if let Err((error, _)) = result {
            tracing::warn!(%error, "receipt was not taken");
        }
        if waiting.send(result.is_ok()).is_err() {
            tracing::debug!("nobody waits for the receipt any more");
        }
    }
}
