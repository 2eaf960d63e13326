//! Single records outside of any transaction, each with word on whether Kafka surely has it: at least once, so whoever writes them gives
//! each an id that a second try repeats.

use crate::ffi::QueueSignal;
use crate::kafka::{self, KafkaConfig, writer};
use crate::stream::Output;
use crate::task;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// What the client needs to give a record up after its time, in which it may be told.
const LAST_WORD: Duration = Duration::from_millis(500);

/// The longest between two looks for what the client has to say. It signals when there is something.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// An idempotent producer that gives a record up after a time.
pub struct AckedProducer {
    shared: Arc<Shared>,
    patience: Duration,
}

/// What the thread that hears the producer out has too.
struct Shared {
    /// Dropped before the client.
    signal: QueueSignal,
    producer: BaseProducer<Acks>,
    has_ended: AtomicBool,
}

impl AckedProducer {
    /// Connects when it first has something to write.
    ///
    /// # Errors
    /// When a setting is no good.
    pub fn new(kafka: &KafkaConfig, patience: Duration) -> Result<Self, KafkaError> {
        let mut config = writer(&kafka.client());
        config
            .set("linger.ms", "5")
            .set("compression.type", "zstd")
            .set("queue.buffering.max.kbytes", "16384")
            .set("message.timeout.ms", patience.as_millis().to_string());
        let producer = BaseProducer::from_config_and_context(&config, Acks)?;
        let signal = QueueSignal::of(producer.client());
        let shared = Arc::new(Shared { signal, producer, has_ended: AtomicBool::new(false) });
        let heard = shared.clone();
        let body = move || {
            while !heard.has_ended.load(Ordering::Relaxed) {
                heard.signal.wait(LONGEST_REST);
                heard.producer.poll(Duration::ZERO);
            }
        };
        task::thread("acknowledgements", body).map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { shared, patience })
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
        match self.shared.producer.send(record) {
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
        self.shared.has_ended.store(true, Ordering::Relaxed);
        self.shared.signal.wake();
    }
}

/// Hands each acknowledgement to whoever waits for it.
struct Acks;

impl ClientContext for Acks {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        kafka::line("", level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        kafka::error("", &error, reason);
    }
}

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rdkafka::config::ClientConfig;

    #[test]
    fn a_report_gives_a_signal() {
        let mut config = ClientConfig::new();
        // Nobody listens there: the record's time runs out, and its report says so.
        config.set("bootstrap.servers", "127.0.0.1:1").set("message.timeout.ms", "10").set("linger.ms", "1");
        let producer: BaseProducer = config.create().unwrap();
        let signal = QueueSignal::of(producer.client());
        producer.send(BaseRecord::<(), str>::to("nowhere").payload("x")).unwrap();
        while producer.in_flight_count() > 0 {
            assert!(signal.wait(Duration::from_secs(60)), "no signal, and {} in flight", producer.in_flight_count());
            producer.poll(Duration::ZERO);
        }
        signal.wake();
        assert!(signal.wait(Duration::from_secs(60)));
    }
}
