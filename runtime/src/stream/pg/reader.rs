//! The reading half: a thread that hands over the records of one shard's partitions, at most two batches ahead. Looks for new
//! topics and partitions while it reads; a topic that is not there is named, and the others are read on.

use super::super::meter::Meter;
use super::super::record::{Input, OwnedInput};
use super::PgSpec;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often topics and partitions are looked up.
const LOOK: Duration = Duration::from_secs(5);
/// How long the broker may take to tell.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the thread hands over.
pub(super) enum Read {
    /// Records, in the order of their partitions.
    Batch(Vec<OwnedInput>),
    /// What stands in the way of reading everything, in words; empty when nothing does. Told when it changes.
    Obstacles(String),
}

/// One shard's consumer and what it reads.
pub(super) struct Reader {
    pub consumer: BaseConsumer<StatsContext>,
    pub spec: Arc<PgSpec>,
    pub shard: u32,
    /// Next offsets as the database has them; a partition that it does not know is read from its beginning.
    pub next: BTreeMap<(String, i32), i64>,
    pub stop: CancellationToken,
    pub sender: mpsc::Sender<Result<Read, String>>,
}

impl Reader {
    /// Reads until it is told to stop or nobody listens.
    pub fn run(self) {
        if let Err(error) = self.read()
            && self.sender.blocking_send(Err(error.to_string())).is_err()
        {
            tracing::debug!("reader's owner is gone");
        }
    }

    fn read(&self) -> Result<(), KafkaError> {
        let mut held = BTreeSet::new();
        let mut told = self.look(&mut held)?;
        if !self.hand_over(Read::Obstacles(told.clone())) {
            return Ok(());
        }
        let mut looked = Instant::now();
        while !self.stop.is_cancelled() {
            let batch = collect(&self.consumer, &self.spec)?;
            if !batch.is_empty() && !self.hand_over(Read::Batch(batch)) {
                return Ok(());
            }
            if looked.elapsed() >= LOOK {
                let found =
                    self.look(&mut held).unwrap_or_else(|error| format!("Kafka does not tell its topics: {error}"));
                if found != told && !self.hand_over(Read::Obstacles(found.clone())) {
                    return Ok(());
                }
                (told, looked) = (found, Instant::now());
            }
        }
        Ok(())
    }

    fn hand_over(&self, read: Read) -> bool {
        self.sender.blocking_send(Ok(read)).is_ok()
    }

    /// Takes up partitions of this shard that are not held yet; tells what is missing.
    fn look(&self, held: &mut BTreeSet<(Arc<str>, i32)>) -> Result<String, KafkaError> {
        let (mut fresh, mut missing) = (BTreeSet::new(), Vec::new());
        for topic in &self.spec.topics {
            let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT)?;
            let found = metadata.topics().iter().find(|found| found.name() == &**topic);
            let error = found.and_then(|found| found.error()).map(RDKafkaErrorCode::from);
            let partitions = found.map(|found| found.partitions()).unwrap_or_default();
            match error {
                None if !partitions.is_empty() => {}
                None | Some(RDKafkaErrorCode::UnknownTopicOrPartition) => missing.push(format!("{topic} is not there")),
                Some(error) => missing.push(format!("{topic}: {error}")),
            }
            let ours = partitions.iter().filter(|partition| partition.id() as u32 % self.spec.shards == self.shard);
            fresh.extend(ours.map(|partition| (topic.clone(), partition.id())).filter(|place| !held.contains(place)));
        }
        if !fresh.is_empty() {
            let mut assignment = TopicPartitionList::new();
            for (topic, id) in &fresh {
                let next = self.next.get(&(topic.to_string(), *id));
                assignment.add_partition_offset(
                    topic,
                    *id,
                    next.map_or(Offset::Beginning, |at| Offset::Offset(*at)),
                )?;
            }
            self.consumer.incremental_assign(&assignment)?;
            tracing::info!(room = self.spec.room, shard = self.shard, partitions = fresh.len(), "partitions taken up");
            held.extend(fresh);
        }
        Ok(missing.join(", "))
    }
}

fn collect(consumer: &BaseConsumer<StatsContext>, spec: &PgSpec) -> Result<Vec<OwnedInput>, KafkaError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let mut until = Instant::now() + Duration::from_millis(100);
    while batch.len() < spec.batch_records && bytes < spec.batch_bytes {
        let wait = until.saturating_duration_since(Instant::now());
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                if batch.is_empty() {
                    until = Instant::now() + Duration::from_millis(spec.linger_ms);
                }
                let record = OwnedInput::from(&Input::of(&message));
                bytes += held_bytes(&record);
                batch.push(record);
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(error)) => tracing::debug!(%error, "poll"),
            None if wait.is_zero() => break,
            None => {}
        }
    }
    Ok(batch)
}

/// What a record holds in memory: a sender may put megabytes into its headers or its key.
fn held_bytes(record: &OwnedInput) -> usize {
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let headers =
        record.headers.iter().map(|(name, value)| size_of::<(String, Vec<u8>)>() + name.len() + length(value));
    size_of::<OwnedInput>() + length(&record.key) + length(&record.payload) + headers.sum::<usize>()
}

/// Passes the client's statistics on.
pub(super) struct StatsContext(pub Arc<Meter>);

impl rdkafka::ClientContext for StatsContext {
    fn stats(&self, statistics: rdkafka::Statistics) {
        self.0.statistics(&statistics);
    }
}

impl rdkafka::consumer::ConsumerContext for StatsContext {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_keys_count_against_the_bytes_of_a_batch() {
        let mib = vec![0; 1 << 20];
        let empty = OwnedInput::default();
        let rows = [
            OwnedInput { key: Some(mib.clone()), ..empty.clone() },
            OwnedInput { payload: Some(mib.clone()), ..empty.clone() },
            OwnedInput { headers: vec![("h".to_owned(), Some(mib))], ..empty.clone() },
            OwnedInput { headers: vec![("h".repeat(1 << 20), None)], ..empty.clone() },
            OwnedInput { headers: vec![(String::new(), None); 1 << 16], ..empty },
        ];
        for record in rows {
            assert!(held_bytes(&record) > 1 << 20, "{}", held_bytes(&record));
        }
    }
}
