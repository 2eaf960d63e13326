//! How each delivery ended, told to Kafka: at least once, always under the same id.

use crate::error::Error;
use runtime::acked::AckedProducer;
use runtime::kafka::KafkaConfig;
use runtime::stream::{Output, Route};
use schemas::Topic;
use schemas::envelope::Envelope;
use schemas::event_id::event_id;
use schemas::notification::{DELIVERED, Receipt};
use std::sync::Arc;
use std::time::Duration;

/// `ce_source` of receipts.
pub const SOURCE: &str = "/defaultx/notifier";

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
    producer: AckedProducer,
    topic: Arc<str>,
}

impl KafkaReceipts {
    /// A receipt is given up after `patience`.
    ///
    /// # Errors
    /// [`Error::Kafka`].
    pub fn new(kafka: &KafkaConfig, patience: Duration) -> Result<Self, Error> {
        let producer = AckedProducer::new(kafka, patience)?;
        Ok(Self { producer, topic: kafka.topic(Topic::Notifications.base_name()) })
    }

    fn record(&self, told: &Told) -> Output {
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
        Output {
            topic: self.topic.clone(),
            route: Route::ByKey,
            key: Some(key.into_bytes()),
            payload: serde_json::to_vec(&told.receipt).ok(),
            headers: envelope.to_headers(),
        }
    }
}

impl Receipts for KafkaReceipts {
    async fn publish(&self, receipts: Vec<Told>) -> Vec<bool> {
        let records: Vec<Output> = receipts.iter().map(|told| self.record(told)).collect();
        self.producer.write(&records).await
    }
}
