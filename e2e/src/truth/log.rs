//! The audit log in PostgreSQL against the records of the audited topics: both sides as leaves of the tree.

use super::Deployment;
use crate::oracle::Place;
use crate::oracle::log::{Leaf, Log};
use anyhow::{Context, Result};
use audit_sink::seal::{DigestKey, seal};
use audit_sink::source::Sources;
use audit_sink::tree::Tree;
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
            let leaf = sealed.index.first().context("a record without an index row")?.leaf;
            log.record(Place::new(&base, record[0].partition, record[0].offset), leaf);
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
    let row = client.query_one("SELECT count(*) FROM defaultx.audit_entries", &[]).await?;
    Ok(row.get::<_, i64>(0) as usize)
}

/// Adds the entries of the log.
///
/// # Errors
/// When the database cannot be asked.
pub async fn entries(from: &Deployment, log: &mut Log) -> Result<()> {
    let client = runtime::pg::connect(&super::database(from)).await?;
    let mut topics: HashMap<String, Arc<str>> = HashMap::new();
    let query = "SELECT topic, partition, \"offset\", leaf FROM defaultx.audit_entries";
    for row in client.query(query, &[]).await? {
        let (topic, partition, offset, leaf): (String, i32, i64, &[u8]) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let topic = topics.entry(topic).or_insert_with_key(|name| name.as_str().into());
        let leaf: Leaf = leaf.try_into().context("a leaf of another length")?;
        log.entry(Place::new(topic, partition, offset), leaf);
    }
    Ok(())
}
