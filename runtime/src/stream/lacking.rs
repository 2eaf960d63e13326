//! What an instance lacks of what is in force, asked before it joins its group.

use super::engine::Engine;
use super::handler::Handler;
use super::position::read_all_as;
use super::spec::LoopSpec;
use super::state::Stored;
use crate::service::ServiceContext;
use hashbrown::HashMap;
use rdkafka::error::KafkaError;
use std::time::Duration;

/// A broker that is up tells a changelog sooner. What one that is not keeps back, the restore waits for.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// What this instance lacks of what is in force in any partition, for people. A member that can serve nothing holds its partitions
/// all the same.
pub(super) fn lacking<H: Handler>(
    spec: &LoopSpec,
    service: &ServiceContext,
    engine: &mut Engine<H>,
) -> Result<Option<String>, KafkaError> {
    let Some(topic) = spec.changelog.as_deref().filter(|_| engine.is_demanding()) else { return Ok(None) };
    let mut table: HashMap<(i32, H::Key), H::Value> = HashMap::new();
    let group = format!("{topic}-restore");
    read_all_as(&service.kafka.client(), (topic, &group), TOLD_WITHIN, |record| {
        let Some(key) = H::Key::decode(record.key.unwrap_or_default()) else { return };
        let place = (record.partition, key);
        match record.payload.map(H::Value::decode) {
            Some(Some(value)) => drop(table.insert(place, value)),
            Some(None) => {} // the restore says so
            None => drop(table.remove(&place)),
        }
    })?;
    Ok(table.iter().find_map(|((_, key), value)| engine.lacks(key, value)))
}
