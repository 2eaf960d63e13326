//! Carries notes out of the database: to `credit.checkpoints.v1`, and to that of another cluster. At least once, under ids that
//! repeat.

use super::part::{Part, RETRY, stands_still};
use crate::error::Error;
use runtime::acked::AckedProducer;
use runtime::kafka::KafkaConfig;
use runtime::stream::{Output, Route};
use schemas::Topic;
use schemas::envelope::{Envelope, header};
use schemas::event_id::event_id;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Client;

/// `ce_type` of a published checkpoint.
pub const SIGNED: &str = "checkpoint.signed.v1";
/// Where this worker's events come from.
const SOURCE: &str = "/defaultx/audit-signer";
/// Media type of a note.
const TEXT: &[u8] = b"text/plain; charset=utf-8";
/// How long a publication may take.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(8);

/// A cluster that gets the notes.
pub(super) struct Target {
    topic: Arc<str>,
    /// What the table of publications calls it.
    name: String,
    kafka: KafkaConfig,
}

impl Target {
    /// The deployment's own cluster.
    pub fn own(kafka: &KafkaConfig) -> Self {
        let topic = Topic::Checkpoints.name(&kafka.topic_prefix);
        Self { name: topic.clone(), topic: topic.into(), kafka: kafka.clone() }
    }

    /// Another one, if it is configured.
    pub fn other(kafka: &KafkaConfig) -> Option<Self> {
        let topic = Topic::Checkpoints.name(&kafka.topic_prefix);
        let name = format!("{topic} at {}", kafka.bootstrap);
        (!kafka.bootstrap.is_empty()).then(|| Self { name, topic: topic.into(), kafka: kafka.clone() })
    }
}

/// Publishes to one cluster until shutdown, however the others do.
pub(super) async fn keep(target: Target, part: Part) -> Result<(), Error> {
    while !part.service.shutdown.is_cancelled() {
        if let Err(error) = round(&target, &part).await {
            stands_still(error, "publication")?;
        }
        part.pause(RETRY).await;
    }
    Ok(())
}

/// One connection's life.
async fn round(target: &Target, part: &Part) -> Result<(), Error> {
    let client = part.connect().await?;
    let producer = AckedProducer::new(&target.kafka, PUBLISH_TIMEOUT)?;
    while !part.service.shutdown.is_cancelled() {
        publish(&client, &producer, target).await?;
        part.pause(part.every).await;
    }
    Ok(())
}

/// Publishes what is not yet.
async fn publish(client: &Client, producer: &AckedProducer, target: &Target) -> Result<(), Error> {
    let query = "SELECT c.log, c.size, c.note FROM defaultx.audit_checkpoints c
                 LEFT JOIN defaultx.audit_publications p ON p.log = c.log AND p.target = $1
                 WHERE c.size > coalesce(p.size, -1) ORDER BY c.log, c.size LIMIT 1000";
    let rows = client.query(query, &[&target.name]).await?;
    let notes: Vec<_> = rows.iter().map(|row| Note { log: row.get(0), size: row.get(1), text: row.get(2) }).collect();
    if notes.is_empty() {
        return Ok(());
    }
    let records: Vec<Output> = notes.iter().map(|note| note.record(&target.topic)).collect();
    if producer.write(&records).await.contains(&false) {
        return Err(Error::NotPublished(target.name.clone()));
    }
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
        let epoch = audit_log::read_checkpoint(&self.text).map_or(0, |(_, head)| head.epoch);
        if epoch == 0 { self.size.to_string() } else { format!("{epoch}.{}", self.size) }
    }

    fn record(&self, topic: &Arc<str>) -> Output {
        let key = format!("audit|{}", self.log);
        let envelope = Envelope {
            id: event_id(SIGNED, "audit", &self.log.to_string(), 1, &self.ordinal()).to_string(),
            source: SOURCE.to_owned(),
            event_type: SIGNED.to_owned(),
            partition_key: Some(key.clone()),
            ..Envelope::default()
        };
        let mut headers = envelope.to_headers();
        let of_content = headers.iter_mut().filter(|(name, _)| *name == header::CONTENT_TYPE);
        of_content.for_each(|(_, value)| *value = TEXT.to_vec());
        let (key, payload) = (Some(key.into_bytes()), Some(self.text.clone().into_bytes()));
        Output { topic: topic.clone(), route: Route::ByKey, key, payload, headers }
    }
}
