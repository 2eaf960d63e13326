//! Which rows of a batch file were set aside by an earlier run of it, as their dead letters say.

use crate::reader::{read_to_end, wait_until_settled};
use anyhow::Result;
use runtime::kafka::KafkaConfig;
use runtime::stream::Input;
use schemas::Topic;
use std::collections::BTreeSet;

/// The numbers of the rows that have a dead letter. Reads the whole topic. Blocks.
///
/// # Errors
/// When Kafka cannot be read.
pub fn set_aside(kafka: &KafkaConfig, file: &str) -> Result<BTreeSet<u64>> {
    let letters = kafka.topic(Topic::DeadLetters.base_name());
    let mut rows = BTreeSet::new();
    wait_until_settled(kafka, &letters)?;
    read_to_end(kafka, [letters.as_ref()], |message| {
        rows.extend(ingest::batch::row_of(&Input::of(message), file));
        Ok(())
    })?;
    Ok(rows)
}
