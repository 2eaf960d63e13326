//! Applications as an origination system sends them: rows of the three data sets under ids of their own, as many as wanted, and
//! a plain producer that sends them.

use crate::stage::root;
use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use ingest::mapping::Mapping;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use schemas::application::SUBMITTED;
use schemas::envelope::header;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Whose applications the rows are.
pub const TENANT: &str = "demo";

/// Rows to send, in one shuffled order.
pub struct Traffic {
    rows: Vec<Value>,
}

/// One record to send.
pub struct Event {
    /// The application's id.
    pub application_id: String,
    /// CloudEvents id of the record.
    pub event_id: String,
    /// `data`.
    pub body: Vec<u8>,
    /// Whether `receive` strips protected facts of it into a record of their own.
    pub has_protected: bool,
}

impl Traffic {
    /// Loads all rows of the three sets.
    ///
    /// # Errors
    /// When a file is not there or a row does not map.
    pub fn load(seed: u64) -> Result<Self> {
        let sets = [("taiwan", "taiwan"), ("sba_national_22k", "sba_national_22k"), ("south_german", "south_german")];
        let mut rows = Vec::new();
        for (folder, file) in sets {
            let folder = root().join("training/data").join(folder);
            let mapping = Mapping::load(&folder.join("mapping.toml"))?;
            let bytes = std::fs::File::open(folder.join(format!("{file}.csv.gz"))).with_context(|| file.to_owned())?;
            let mut reader = csv::Reader::from_reader(GzDecoder::new(bytes));
            let header = reader.headers()?.clone();
            let bound = mapping.bind(header.iter())?;
            for (number, row) in reader.records().enumerate() {
                rows.push(bound.application(&row?, number as u64 + 1)?);
            }
        }
        rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        Ok(Self { rows })
    }

    /// The `number`-th application of a run, sent at `now` (RFC 3339).
    ///
    /// # Errors
    /// Never for rows that were loaded.
    pub fn event(&self, run: &str, number: usize, now: &str) -> Result<Event> {
        self.event_of(TENANT, &format!("{run}-{number}"), number, now)
    }

    /// An application of any tenant and id, with the content of a row.
    ///
    /// # Errors
    /// Never for rows that were loaded.
    pub fn event_of(&self, tenant: &str, application_id: &str, row: usize, now: &str) -> Result<Event> {
        let mut data = self.rows[row % self.rows.len()].clone();
        let application_id = application_id.to_owned();
        data["tenant"] = tenant.into();
        data["application_id"] = application_id.clone().into();
        data["submitted_at"] = now.into();
        data["completed_at"] = now.into();
        let has_protected = data["applicants"]
            .as_array()
            .is_some_and(|all| all.iter().any(|a| a["protected"].as_object().is_some_and(|p| !p.is_empty())));
        let (event_id, body) = (format!("{application_id}-1"), serde_json::to_vec(&data)?);
        Ok(Event { application_id, event_id, body, has_protected })
    }

    /// Many of them, made before they are sent.
    ///
    /// # Errors
    /// Never for rows that were loaded.
    pub fn events(&self, run: &str, numbers: std::ops::Range<usize>) -> Result<Vec<Event>> {
        let now = clock::rfc3339(clock::now());
        numbers.map(|number| self.event(run, number, &now)).collect()
    }
}

/// The headers of an application's record.
pub fn headers_of(event: &Event) -> [(&'static str, &[u8]); 6] {
    [
        (header::SPECVERSION, b"1.0"),
        (header::ID, event.event_id.as_bytes()),
        (header::SOURCE, b"/los"),
        (header::TYPE, SUBMITTED.as_bytes()),
        (header::SUBJECT, event.application_id.as_bytes()),
        (header::CONTENT_TYPE, b"application/json"),
    ]
}

/// What a sender has heard of its records.
#[derive(Default)]
struct Heard {
    delivered: AtomicU64,
    failed: AtomicU64,
    /// The first error of a delivery.
    why: Mutex<Option<String>>,
}

impl ClientContext for Heard {}

impl ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => self.delivered.fetch_add(1, Ordering::Relaxed),
            Err((error, _)) => {
                self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
                self.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

/// How many records the broker has acknowledged, and how many it has not: those it may have or not.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Acknowledged.
    pub acknowledged: u64,
    /// Given up by the client.
    pub failed: u64,
    /// Why the first one was.
    pub why: Option<String>,
}

/// A plain producer of an origination system.
pub struct Sender {
    producer: BaseProducer<Heard>,
    topic: String,
}

impl Sender {
    /// Connects. `partitioner` is librdkafka's word: `consistent_random` (CRC32) or `murmur2_random` (Java's).
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn connect(kafka: &KafkaConfig, partitioner: &str) -> Result<Self> {
        Self::to(kafka, Topic::LoanApplications.base_name(), partitioner)
    }

    /// Connects as a sender for whom each record is urgent: the client sends it at once.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn prompt(kafka: &KafkaConfig) -> Result<Self> {
        Self::lingering(kafka, Topic::LoanApplications.base_name(), "murmur2_random", 0)
    }

    /// Connects to send to another topic, named without prefix.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn to(kafka: &KafkaConfig, topic: &str, partitioner: &str) -> Result<Self> {
        Self::lingering(kafka, topic, partitioner, 5)
    }

    fn lingering(kafka: &KafkaConfig, topic: &str, partitioner: &str, linger_ms: u32) -> Result<Self> {
        let mut config = kafka.client();
        config.set("enable.idempotence", "true").set("partitioner", partitioner);
        config.set("linger.ms", linger_ms.to_string());
        config.set("queue.buffering.max.messages", "500000").set("message.timeout.ms", "120000");
        Ok(Self {
            producer: config.create_with_context(Heard::default())?,
            topic: kafka.topic(topic).as_ref().to_owned(),
        })
    }

    /// Sends one event; waits only when the queue is full.
    ///
    /// # Errors
    /// When the client refuses it.
    pub fn send(&self, event: &Event, key: Option<&str>) -> Result<()> {
        self.send_raw(&headers_of(event), key, Some(&event.body))
    }

    /// Sends any bytes; no body is a tombstone.
    ///
    /// # Errors
    /// When the client refuses them.
    pub fn send_raw(&self, headers: &[(&str, &[u8])], key: Option<&str>, body: Option<&[u8]>) -> Result<()> {
        let owned = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(*value) }));
        let mut record = BaseRecord::<str, [u8]>::to(&self.topic).headers(owned);
        record.key = key;
        record.payload = body;
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(10));
                    record = back;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    /// Waits until the broker has acknowledged everything.
    ///
    /// # Errors
    /// When it does not.
    pub fn flush(&self) -> Result<()> {
        Ok(self.producer.flush(Duration::from_secs(180))?)
    }

    /// What became of the records so far.
    pub fn delivered(&self) -> Delivered {
        let heard = self.producer.context();
        Delivered {
            acknowledged: heard.delivered.load(Ordering::Relaxed),
            failed: heard.failed.load(Ordering::Relaxed),
            why: heard.why.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
