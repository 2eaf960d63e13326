//! PURE. One record to publish: what is in it, who sends it, and what must become of it.

use super::applications::Document;
use ingest::refusal::Reason;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use schemas::application::SUBMITTED;
use schemas::{Envelope, envelope};
use serde_json::{Value, json};
use std::sync::Arc;

/// How a system chooses a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sender {
    /// Java's client: murmur2 of the key.
    Murmur2,
    /// librdkafka's default: CRC32 of the key.
    Crc32,
    /// Without a key.
    Keyless,
}

/// What must become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// One of the records of its application is accepted; the others, if any, are duplicates.
    Accepted,
    /// Another record of its application is accepted, or this one; the other is a conflict.
    Conflict,
    /// Refused with this reason.
    Refused(Reason),
}

/// One record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// The originator's id.
    pub application_id: String,
    /// Key, where the sender has one.
    pub key: Option<String>,
    /// Value.
    pub value: Arc<[u8]>,
    /// Headers.
    pub headers: Vec<(&'static str, Vec<u8>)>,
    /// Who sends it.
    pub sender: Sender,
    /// What must become of it.
    pub expected: Expected,
}

impl Shot {
    /// An application in CloudEvents' binary mode, with its key.
    pub fn of(document: &Document, event_id: &str) -> Self {
        Self {
            application_id: document.application_id.clone(),
            key: Some(document.key()),
            value: document.data.as_bytes().into(),
            headers: envelope_of(&document.application_id, event_id).to_headers(),
            sender: Sender::Murmur2,
            expected: Expected::Accepted,
        }
    }

    /// Chooses the system that sends it: half with Java's partitioner, a quarter with CRC32, a quarter without keys; one good
    /// record in ten in structured mode.
    pub(super) fn send_by(&mut self, rng: &mut ChaCha8Rng) {
        self.sender = match rng.random_range(0..4) {
            0 => Sender::Crc32,
            1 => Sender::Keyless,
            _ => Sender::Murmur2,
        };
        if self.sender == Sender::Keyless {
            self.key = None;
        }
        if rng.random_bool(0.1) && !matches!(self.expected, Expected::Refused(_)) {
            self.structure();
        }
    }

    fn structure(&mut self) {
        let Ok(data) = serde_json::from_slice::<Value>(&self.value) else { return };
        let mut event = json!({ "data": data });
        for (name, value) in &self.headers {
            let name = name.strip_prefix("ce_").unwrap_or("datacontenttype");
            event[name] = String::from_utf8_lossy(value).into();
        }
        self.value = event.to_string().into_bytes().into();
        self.headers = vec![(envelope::header::CONTENT_TYPE, b"application/cloudevents+json".to_vec())];
    }
}

/// The envelope of a submitted application.
pub fn envelope_of(application_id: &str, event_id: &str) -> Envelope {
    Envelope {
        id: event_id.to_owned(),
        source: "/origination/demo".to_owned(),
        event_type: SUBMITTED.to_owned(),
        subject: Some(application_id.to_owned()),
        correlation_id: Some(format!("c-{event_id}")),
        ..Envelope::default()
    }
}
