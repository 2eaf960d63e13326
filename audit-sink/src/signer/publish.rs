//! Carries notes out of the database: to `credit.checkpoints.v1`, and to that of another cluster. At least once, under ids that
//! repeat.

use super::{Part, RETRY};
use crate::error::Error;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::envelope::{Envelope, header};
use schemas::event_id::event_id;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_postgres::Client;

/// `ce_type` of a published checkpoint.
pub const SIGNED: &str = "checkpoint.signed.v1";
/// Where this worker's events come from.
const SOURCE: &str = "/defaultx/audit-signer";
/// Media type of a note.
const TEXT: &[u8] = b"text/plain; charset=utf-8";
/// How long a publication may take.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// A cluster that gets the notes.
pub(super) struct Target {
    topic: String,
    /// What the table of publications calls it.
    name: String,
    kafka: KafkaConfig,
}

impl Target {
    /// The deployment's own cluster.
    pub fn own(kafka: &KafkaConfig) -> Self {
        let topic = Topic::Checkpoints.name(&kafka.topic_prefix);
        Self { name: topic.clone(), topic, kafka: kafka.clone() }
    }

    /// Another one, if it is configured.
    pub fn other(kafka: &KafkaConfig) -> Option<Self> {
        let topic = Topic::Checkpoints.name(&kafka.topic_prefix);
        let name = format!("{topic} at {}", kafka.bootstrap);
        (!kafka.bootstrap.is_empty()).then(|| Self { name, topic, kafka: kafka.clone() })
    }
}

/// Publishes to one cluster until shutdown, however the others do.
pub(super) async fn keep(target: Target, part: Part) -> Result<(), String> {
    while !part.shell.shutdown.is_cancelled() {
        if let Err(error) = round(&target, &part).await {
            tracing::warn!(%error, target = target.name, "checkpoints are not published");
        }
        part.pause(RETRY).await;
    }
    Ok(())
}

/// One connection's life.
async fn round(target: &Target, part: &Part) -> Result<(), Error> {
    let client = part.connect().await?;
    let publisher = Arc::new(Publisher::new(&target.kafka)?);
    while !part.shell.shutdown.is_cancelled() {
        publish(&client, &publisher, target).await?;
        part.pause(part.every).await;
    }
    Ok(())
}

/// Publishes what is not yet.
async fn publish(client: &Client, publisher: &Arc<Publisher>, target: &Target) -> Result<(), Error> {
    let query = "SELECT c.log, c.size, c.note FROM defaultx.audit_checkpoints c
                 LEFT JOIN defaultx.audit_publications p ON p.log = c.log AND p.target = $1
                 WHERE c.size > coalesce(p.size, -1) ORDER BY c.log, c.size LIMIT 1000";
    let rows = client.query(query, &[&target.name]).await?;
    let notes: Vec<_> = rows.iter().map(|row| Note { log: row.get(0), size: row.get(1), text: row.get(2) }).collect();
    if notes.is_empty() {
        return Ok(());
    }
    let (publisher, topic) = (publisher.clone(), target.topic.clone());
    let published = tokio::task::spawn_blocking(move || publisher.send(&topic, &notes).map(|()| notes)).await;
    let notes = published.map_err(|error| Error::Start(error.to_string()))??;
    let upsert = "INSERT INTO defaultx.audit_publications (log, target, size) VALUES ($1, $2, $3)
                  ON CONFLICT (log, target) DO UPDATE SET size = excluded.size";
    for note in &notes {
        client.execute(upsert, &[&note.log, &target.name, &note.size]).await?;
    }
    Ok(())
}

struct Note {
    log: i32,
    size: i64,
    text: String,
}

impl Note {
    /// Heads of different epochs have different ids.
    fn ordinal(&self) -> String {
        let epoch = crate::note::read(&self.text).map_or(0, |(_, head)| head.epoch);
        if epoch == 0 { self.size.to_string() } else { format!("{epoch}.{}", self.size) }
    }
}

/// A producer that says whether everything arrived.
struct Publisher(BaseProducer<Acks>);

impl Publisher {
    fn new(kafka: &KafkaConfig) -> Result<Self, Error> {
        let mut config = kafka.client();
        config.set("enable.idempotence", "true").set("linger.ms", "5").set("message.timeout.ms", "8000");
        Ok(Self(config.create_with_context(Acks::default())?))
    }

    fn send(&self, topic: &str, notes: &[Note]) -> Result<(), Error> {
        for note in notes {
            let key = format!("audit|{}", note.log);
            let id = event_id(SIGNED, "audit", &note.log.to_string(), 1, &note.ordinal());
            let envelope = Envelope {
                id: id.to_string(),
                source: SOURCE.to_owned(),
                event_type: SIGNED.to_owned(),
                partition_key: Some(key.clone()),
                ..Envelope::default()
            };
            let headers = envelope.to_headers().into_iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
                let value = if name == header::CONTENT_TYPE { TEXT } else { &value };
                headers.insert(Header { key: name, value: Some(value) })
            });
            let record = BaseRecord::to(topic).key(&key).payload(&note.text).headers(headers);
            self.0.send(record).map_err(|(error, _)| error)?;
        }
        self.0.flush(PUBLISH_TIMEOUT)?;
        match self.0.context().take() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// Remembers the first failed delivery.
#[derive(Default)]
struct Acks(Mutex<Option<KafkaError>>);

impl Acks {
    fn take(&self) -> Option<KafkaError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            tracing::warn!(%error, topic = message.topic(), "checkpoint was not taken");
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
    }
}
