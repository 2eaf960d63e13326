//! Puts a policy, route or model in force: one activation record into every partition of `credit.applications.v1`, in one
//! transaction, with the document, so that from there on the version is a function of position and of the stream alone.

use crate::error::Error;
use crate::outputs::{SOURCE, Topics};
use runtime::kafka::KafkaConfig;
use runtime::stream::{Output, Route, Transactions};
use schemas::Envelope;
use schemas::control::{ACTIVATED, Activation};
use schemas::event_id::event_id;

/// Milliseconds that any call to the broker may take.
const TIMEOUT_MS: u64 = 10_000;

/// Writes the records; gives how many. The same activation gives the same event ids, so that a second try is recognisable.
///
/// # Errors
/// [`Error::Kafka`] or [`Error::Publish`]; nothing is in force then, unless the commit itself timed out.
pub fn run(kafka: &KafkaConfig, activation: &Activation) -> Result<usize, Error> {
    let topics = Topics::new(kafka);
    let mut producer = Transactions::connect(kafka, "ingest-activate", TIMEOUT_MS)?;
    let records: Vec<(Option<i32>, Output)> = (0..producer.partitions(&topics.applications)?)
        .map(|partition| (Some(partition), record(&topics, activation, partition)))
        .collect();
    producer.write(records.iter().map(|(partition, record)| (*partition, record)))?;
    tracing::info!(kind = activation.kind, name = activation.name, version = activation.version, "activated");
    Ok(records.len())
}

fn record(topics: &Topics, activation: &Activation, partition: i32) -> Output {
    let what = format!("{}:{}:{}:{partition}", activation.version, activation.digest, activation.activated_at);
    let envelope = Envelope {
        id: event_id(ACTIVATED, &activation.kind, &activation.name, 0, &what).to_string(),
        source: SOURCE.to_owned(),
        event_type: ACTIVATED.to_owned(),
        time: Some(activation.activated_at.clone()),
        ..Envelope::default()
    };
    Output {
        topic: topics.applications.clone(),
        route: Route::Same,
        key: None,
        payload: Some(serde_json::to_vec(activation).expect("an activation is plain data")),
        headers: envelope.to_headers(),
    }
}
