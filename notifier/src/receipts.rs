//! How each delivery ended, told to Kafka: at least once, always under the same id.

use crate::error::Error;
use runtime::acked::AckedProducer;
use runtime::kafka::KafkaConfig;
use runtime::stream::{Output, Route};
use schemas::Topic;
use schemas::envelope::Envelope;
use schemas::event_id::event_id;
use schemas::notification::{DELIVERED, Receipt};
use std::borrow::Cow;
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
    /// How often somebody had the delivery sent again before it ended: each end has a receipt, and each receipt an id of its own.
    pub resends: u32,
}

impl Told {
    /// The id of the receipt's event: the same whenever it is told.
    fn id(&self) -> String {
        let Receipt { tenant, application_id, revision, delivery_id, .. } = &self.receipt;
        let again = || format!("{delivery_id}\u{1f}{}", self.resends);
        let ordinal = if self.resends == 0 { Cow::from(delivery_id) } else { Cow::from(again()) };
        event_id(DELIVERED, tenant, application_id, *revision, &ordinal).to_string()
    }
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
        let Receipt { tenant, application_id, event_id: cause, at, .. } = &told.receipt;
        let key = format!("{tenant}|{application_id}");
        let envelope = Envelope {
            id: told.id(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_a_delivery_has_a_receipt_with_an_id_of_its_own_and_the_first_that_of_before() {
        let receipt = Receipt {
            delivery_id: "4f1cbb50-0d3b-5c8e-9a52-5f0b7b0f8a11".to_owned(),
            subscription: "los".to_owned(),
            event_id: "e-1".to_owned(),
            tenant: "demo".to_owned(),
            application_id: "L-1".to_owned(),
            revision: 1,
            status: domain::DeliveryStatus::Failed.into(),
            attempts: 7,
            http_status: Some(500),
            at: "2026-11-30T12:00:00.000Z".to_owned(),
        };
        let id = |resends| Told { receipt: receipt.clone(), correlation_id: None, traceparent: None, resends }.id();
        assert_eq!(id(0), event_id(DELIVERED, "demo", "L-1", 1, &receipt.delivery_id).to_string());
        assert!(id(0) != id(1) && id(1) != id(2) && id(1) == id(1));
    }
}
