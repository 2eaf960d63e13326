//! Kafka → PostgreSQL, exactly once: the next offsets stand in the same database transaction as the rows, conditional on the
//! ones expected. A shard (partition mod shards) has one writer: whoever holds its advisory lock.

use super::meter::Meter;
use super::record::{Input, OwnedInput};
use crate::pg::{DatabaseConfig, connect, offsets};
use crate::shell::Shell;
use crate::task::{self, RoomHandle};
use crate::{clock, health};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_postgres::{Client, Transaction};
use tokio_util::sync::CancellationToken;

/// A failure of an apply. The batch is rolled back and read again after a pause.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// From the database.
    #[error("database: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// Anything else that stands in the way.
    #[error("{0}")]
    Other(String),
}

/// A room that turns records into rows.
pub trait PgHandler: Send + 'static {
    /// Writes a batch's rows in `tx`. Offsets and commit are the loop's.
    fn apply(&mut self, tx: &Transaction<'_>, batch: &[OwnedInput])
    -> impl Future<Output = Result<(), PgError>> + Send;

    /// Called after the commit of the last applied batch: for heads kept in memory and for metrics.
    fn committed(&mut self) {}

    /// Called when the last apply was rolled back, or before the first after taking a shard over: drop what is only in memory.
    fn reset(&mut self, client: &Client) -> impl Future<Output = Result<(), PgError>> + Send;
}

/// What a room tells the loop.
#[derive(Debug, Clone)]
pub struct PgSpec {
    /// Names the metrics' label and the rows of `stream_offsets`.
    pub room: &'static str,
    /// Input topics, with prefix.
    pub topics: Vec<Arc<str>>,
    /// Shards; a partition belongs to shard (partition mod shards). Fixed for the life of a prefix.
    pub shards: u32,
    /// High half of the advisory lock's key; the shard is the low half. One for each room.
    pub lock_space: i32,
    /// Most records in a transaction.
    pub batch_records: usize,
    /// Most bytes of records in a transaction, headers and keys included.
    pub batch_bytes: usize,
    /// Milliseconds to wait for more records once there is one.
    pub linger_ms: u64,
}

/// Starts one task for each shard. `handler` makes the handler of a shard.
///
/// # Errors
/// When the shell has no database, or metrics are registered twice.
pub fn spawn_pg_loop<H: PgHandler>(
    spec: PgSpec,
    shell: &Shell,
    mut handler: impl FnMut(u32) -> H,
) -> Result<Vec<RoomHandle>, String> {
    let database =
        shell.database.clone().ok_or_else(|| format!("{} needs a database: set [database] url", spec.room))?;
    let meter = Arc::new(Meter::new(&shell.registry, spec.room).map_err(|e| e.to_string())?);
    let spec = Arc::new(spec);
    let handles = (0..spec.shards).map(|shard| {
        let shard =
            Shard { spec: spec.clone(), shell: shell.clone(), database: database.clone(), meter: meter.clone(), shard };
        let handler = handler(shard.shard);
        RoomHandle::task(spec.room, task::spawn(spec.room, shard.supervise(handler)))
    });
    Ok(handles.collect())
}

struct Shard {
    spec: Arc<PgSpec>,
    shell: Shell,
    database: DatabaseConfig,
    meter: Arc<Meter>,
    shard: u32,
}

impl Shard {
    async fn supervise<H: PgHandler>(self, mut handler: H) -> Result<(), String> {
        let component = self.shell.health.component(self.spec.room);
        let mut backoff = Duration::from_millis(100);
        while !self.shell.shutdown.is_cancelled() {
            let started = Instant::now();
            match self.live(&mut handler, &component).await {
                Ok(()) => break,
                Err(why) => {
                    self.meter.restarts.inc();
                    component.set_ready(false, "restarting");
                    tracing::warn!(room = self.spec.room, shard = self.shard, %why, "room starts again");
                }
            }
            if started.elapsed() > Duration::from_secs(30) {
                backoff = Duration::from_millis(100);
            }
            let stop = self.shell.shutdown.cancelled();
            if tokio::time::timeout(backoff, stop).await.is_ok() {
                break;
            }
            backoff = (backoff * 2).min(Duration::from_secs(5));
        }
        component.set_ready(false, "stopped");
        Ok(())
    }

    /// From taking the shard's lock to losing it.
    async fn live<H: PgHandler>(&self, handler: &mut H, component: &health::Component) -> Result<(), PgError> {
        let mut client = connect(&self.database).await.map_err(|e| PgError::Other(e.to_string()))?;
        if !self.wait_for_lock(&client, component).await? {
            return Ok(());
        }
        handler.reset(&client).await?;
        let next = offsets::load(&client, &self.consumer_name()).await?;
        let stop = self.shell.shutdown.child_token();
        let _guard = stop.clone().drop_guard();
        let mut batches = self.start_reader(next.clone(), stop)?;
        component.set_ready(true, "reading");
        let mut expected = next;
        while let Some(batch) = batches.recv().await {
            let batch = batch.map_err(PgError::Other)?;
            let started = Instant::now();
            if let Err(error) = self.write(&mut client, handler, &batch, &mut expected).await {
                self.meter.ended("aborted", started.elapsed());
                handler.reset(&client).await?;
                return Err(error);
            }
            handler.committed();
            self.meter.ended("committed", started.elapsed());
            self.meter.handled(batch.len(), started.elapsed());
            self.meter.record("written", batch.len() as u64);
            self.meter.age(batch.last().map_or(0, |r| r.timestamp_ms), clock::now_ms());
        }
        Ok(())
    }

    /// True once the lock is held; false at shutdown.
    async fn wait_for_lock(&self, client: &Client, component: &health::Component) -> Result<bool, PgError> {
        loop {
            let shard = self.shard as i32;
            let row = client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&self.spec.lock_space, &shard]).await?;
            if row.get(0) {
                return Ok(true);
            }
            component.set_ready(true, "standing by: another instance writes this shard");
            if tokio::time::timeout(Duration::from_secs(1), self.shell.shutdown.cancelled()).await.is_ok() {
                return Ok(false);
            }
        }
    }

    async fn write<H: PgHandler>(
        &self,
        client: &mut Client,
        handler: &mut H,
        batch: &[OwnedInput],
        expected: &mut BTreeMap<(String, i32), i64>,
    ) -> Result<(), PgError> {
        let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
        for record in batch {
            next.insert((record.topic.clone(), record.partition), record.offset + 1);
        }
        let tx = client.transaction().await?;
        handler.apply(&tx, batch).await?;
        for (place, new) in &next {
            let old = expected.get(place).copied();
            if !offsets::advance(&tx, &self.consumer_name(), place, old, *new).await? {
                return Err(PgError::Other(format!("another writer moved {place:?}: this one is a zombie")));
            }
        }
        tx.commit().await?;
        expected.extend(next);
        Ok(())
    }

    fn consumer_name(&self) -> String {
        self.shell.kafka.topic(self.spec.room).to_string()
    }

    /// Reads this shard's partitions on a thread, at most two batches ahead.
    fn start_reader(
        &self,
        next: BTreeMap<(String, i32), i64>,
        stop: CancellationToken,
    ) -> Result<mpsc::Receiver<Result<Vec<OwnedInput>, String>>, PgError> {
        let mut config = self.shell.kafka.client();
        config
            .set("group.id", self.consumer_name())
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50")
            .set("queued.max.messages.kbytes", "16384")
            .set("statistics.interval.ms", "2000");
        let consumer: BaseConsumer<StatsContext> = config
            .create_with_context(StatsContext(self.meter.clone()))
            .map_err(|error| PgError::Other(error.to_string()))?;
        let (sender, receiver) = mpsc::channel(2);
        let (spec, shard) = (self.spec.clone(), self.shard);
        let body = move || {
            if let Err(error) = read(&consumer, &spec, shard, &next, &stop, &sender)
                && sender.blocking_send(Err(error.to_string())).is_err()
            {
                tracing::debug!("reader's owner is gone");
            }
        };
        task::thread(&format!("{}-read", self.spec.room), body).map_err(|error| PgError::Other(error.to_string()))?;
        Ok(receiver)
    }
}

fn read(
    consumer: &BaseConsumer<StatsContext>,
    spec: &PgSpec,
    shard: u32,
    next: &BTreeMap<(String, i32), i64>,
    stop: &CancellationToken,
    sender: &mpsc::Sender<Result<Vec<OwnedInput>, String>>,
) -> Result<(), KafkaError> {
    let mut assignment = TopicPartitionList::new();
    for topic in &spec.topics {
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10))?;
        let partitions = metadata.topics().iter().flat_map(|t| t.partitions()).map(|p| p.id());
        for partition in partitions.filter(|id| *id as u32 % spec.shards == shard) {
            let offset = next.get(&(topic.to_string(), partition)).map_or(Offset::Beginning, |at| Offset::Offset(*at));
            assignment.add_partition_offset(topic, partition, offset)?;
        }
    }
    consumer.assign(&assignment)?;
    while !stop.is_cancelled() {
        let batch = collect(consumer, spec)?;
        if !batch.is_empty() && sender.blocking_send(Ok(batch)).is_err() {
            return Ok(());
        }
    }
    Ok(())
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

struct StatsContext(Arc<Meter>);

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
