//! The audit log in PostgreSQL against the records of the audited topics: both sides as leaves of the tree.

use super::deployment::Deployment;
use crate::oracle::Place;
use crate::oracle::log::Log;
use anyhow::{Context, Result};
use audit_log::{DigestKey, Entry, Tree, leaf_hash, unpack};
use audit_sink::seal::seal;
use audit_sink::source::Sources;
use defaultx::reader;
use runtime::stream::{Input, OwnedInput};
use std::collections::HashMap;
use std::sync::Arc;

/// Every committed record of an audited topic that is there now.
///
/// # Errors
/// When Kafka cannot be read.
pub fn records(from: &Deployment, key: &DigestKey) -> Result<Log> {
    let (mut log, sources) = (Log::default(), Sources::new(&from.kafka.topic_prefix, &from.senders));
    for name in sources.names() {
        let base: Arc<str> = sources.of(&name).context("a topic that is not taken")?.name.as_ref().into();
        reader::read_to_end(&from.kafka, [name.as_ref()], |message| {
            let record = [OwnedInput::from(&Input::of(message))];
            let sealed = seal(&record, &sources, key, 1, Tree::default())?;
            let leaf = sealed.entries.first().context("a record without an entry")?.leaf;
            log.record(Place::new(&base, record[0].partition, record[0].offset.get()), leaf);
            Ok(())
        })?;
    }
    Ok(log)
}

/// How many entries the log has.
///
/// # Errors
/// When the database cannot be asked.
pub async fn size(from: &Deployment) -> Result<usize> {
    let client = runtime::pg::connect(&super::database(from)).await?;
    let row = client.query_one("SELECT coalesce(sum(size), 0)::bigint FROM defaultx.audit_logs", &[]).await?;
    Ok(row.get::<_, i64>(0) as usize)
}

/// Adds the entries of the log, out of its segments.
///
/// # Errors
/// When the database cannot be asked, or a segment holds what is no entry.
pub async fn entries(from: &Deployment, log: &mut Log) -> Result<()> {
    let client = runtime::pg::connect(&super::database(from)).await?;
    let mut topics: HashMap<String, Arc<str>> = HashMap::new();
    let query = "SELECT raw_bytes, body FROM defaultx.audit_segments";
    for row in client.query(query, &[]).await? {
        let raw = unpack(row.get(1), row.get(0))?;
        for bytes in audit_log::entries(&raw) {
            let bytes = bytes?;
            let Entry { topic, partition, offset, .. } = Entry::decode(bytes)?;
            let topic = topics.entry(topic.to_owned()).or_insert_with(|| topic.into());
            log.entry(Place::new(topic, partition, offset), leaf_hash(bytes));
        }
    }
    Ok(())
}
