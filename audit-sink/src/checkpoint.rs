//! Signs the head of each log while it grows, keeps the notes and publishes them: what leaves the database is what makes a
//! rewritten log show. Publishes at least once, under ids that repeat.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::note::{Head, Signer};
use crate::store::hash;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, Message};
use runtime::clock;
use runtime::pg::connect;
use runtime::shell::Shell;
use schemas::Topic;
use schemas::envelope::{Envelope, header};
use schemas::event_id::event_id;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_postgres::Client;

/// `ce_type` of a published checkpoint.
pub const SIGNED: &str = "checkpoint.signed.v1";
/// Where this room's events come from.
const SOURCE: &str = "/defaultx/audit-sink";
/// Media type of a note.
const TEXT: &[u8] = b"text/plain; charset=utf-8";
/// How long a publication may take.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Makes checkpoints until shutdown.
pub async fn keep(signer: Signer, every: Duration, shell: Shell, metrics: Metrics) -> Result<(), String> {
    while !shell.shutdown.is_cancelled() {
        if let Err(error) = round(&signer, every, &shell, &metrics).await {
            tracing::warn!(%error, "checkpoints stand still");
        }
        if tokio::time::timeout(RETRY, shell.shutdown.cancelled()).await.is_ok() {
            break;
        }
    }
    Ok(())
}

/// One connection's life.
async fn round(signer: &Signer, every: Duration, shell: &Shell, metrics: &Metrics) -> Result<(), Error> {
    let config = shell.database.as_ref().ok_or_else(|| Error::Config("checkpoints need a database".to_owned()))?;
    let client = connect(config).await.map_err(|error| Error::Connect(error.to_string()))?;
    client.batch_execute("SET ROLE defaultx_audit").await?;
    let producer = Arc::new(Publisher::new(shell)?);
    loop {
        for head in due(&client).await? {
            insert(&client, signer, &head, metrics).await?;
        }
        publish(&client, &producer, shell).await?;
        if tokio::time::timeout(every, shell.shutdown.cancelled()).await.is_ok() {
            return Ok(());
        }
    }
}

/// Heads that have grown since their newest checkpoint.
///
/// # Errors
/// The database's.
pub async fn due(client: &Client) -> Result<Vec<Head>, Error> {
    let query = "SELECT log, size, root FROM defaultx.audit_logs l
                 WHERE size > coalesce((SELECT max(size) FROM defaultx.audit_checkpoints c WHERE c.log = l.log), 0)";
    let rows = client.query(query, &[]).await?;
    let head = |row: &tokio_postgres::Row| {
        let (log, size, root): (i32, i64, &[u8]) = (row.get(0), row.get(1), row.get(2));
        hash(root).map(|root| Head { log, size: size as u64, root })
    };
    Ok(rows.iter().filter_map(head).collect())
}

/// Signs a head and keeps the note.
///
/// # Errors
/// The database's.
pub async fn insert(client: &Client, signer: &Signer, head: &Head, metrics: &Metrics) -> Result<(), Error> {
    let insert = "INSERT INTO defaultx.audit_checkpoints (log, size, root, note, created_at)
                  VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let (size, now) = (head.size as i64, clock::now());
    client.execute(insert, &[&head.log, &size, &head.root.as_slice(), &signer.sign(head), &now]).await?;
    metrics.checkpoint_size.with_label_values(&[&head.log.to_string()]).set(size);
    metrics.checkpoint_timestamp.set(now.timestamp());
    Ok(())
}

/// Publishes what is not yet; how far each log's notes are out stands beside the offsets.
async fn publish(client: &Client, publisher: &Arc<Publisher>, shell: &Shell) -> Result<(), Error> {
    let (consumer, topic) = (shell.topic("audit-checkpoints").to_string(), shell.topic(Topic::Checkpoints.base_name()));
    let query = "SELECT c.log, c.size, c.note FROM defaultx.audit_checkpoints c
                 LEFT JOIN defaultx.stream_offsets o ON o.consumer = $1 AND o.topic = $2 AND o.partition = c.log
                 WHERE c.size >= coalesce(o.next_offset, 0) ORDER BY c.log, c.size LIMIT 1000";
    let rows = client.query(query, &[&consumer, &topic.as_ref()]).await?;
    let notes: Vec<_> = rows.iter().map(|row| Note { log: row.get(0), size: row.get(1), text: row.get(2) }).collect();
    if notes.is_empty() {
        return Ok(());
    }
    let (publisher, to) = (publisher.clone(), topic.clone());
    let published = tokio::task::spawn_blocking(move || publisher.send(&to, &notes).map(|()| notes)).await;
    let notes = published.map_err(|error| Error::Start(error.to_string()))??;
    let upsert = "INSERT INTO defaultx.stream_offsets (consumer, topic, partition, next_offset) VALUES ($1, $2, $3, $4)
                  ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset";
    for note in &notes {
        client.execute(upsert, &[&consumer, &topic.as_ref(), &note.log, &(note.size + 1)]).await?;
    }
    Ok(())
}

struct Note {
    log: i32,
    size: i64,
    text: String,
}

/// A producer that says whether everything arrived.
struct Publisher(BaseProducer<Acks>);

impl Publisher {
    fn new(shell: &Shell) -> Result<Self, Error> {
        let mut config = shell.kafka.client();
        config.set("enable.idempotence", "true").set("linger.ms", "5").set("message.timeout.ms", "8000");
        Ok(Self(config.create_with_context(Acks::default())?))
    }

    fn send(&self, topic: &str, notes: &[Note]) -> Result<(), Error> {
        for Note { log, size, text } in notes {
            let key = format!("audit|{log}");
            let id = event_id(SIGNED, "audit", &log.to_string(), 1, &size.to_string());
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
            let record = BaseRecord::to(topic).key(&key).payload(text).headers(headers);
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
