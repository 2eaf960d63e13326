//! Kafka → PostgreSQL, exactly once: the next offsets stand in the same database transaction as the rows, conditional on the
//! ones expected. A shard (partition mod shards) has one writer: whoever holds its [lease](crate::pg::lease).

mod error;
mod places;
mod prepare;
mod reader;
mod spec;

use super::meter::Meter;
use super::offset::NextOffset;
use super::session::CUT_OFF;
use crate::kafka::{Isolation, reader};
use crate::outage::{DATABASE, KAFKA};
use crate::pg::lease::{BEAT, Candidate, Lease, Standing};
use crate::pg::offsets::{self, Place, Stand};
use crate::pg::{DatabaseConfig, connect};
use crate::service::ServiceContext;
use crate::task::{self, SpawnError, WorkerHandle};
use crate::warn_unless_away;
use crate::{clock, health};
pub use error::PgError;
pub use places::{PgGroup, open_gaps};
pub use prepare::{Prepare, Preparer};
use rdkafka::consumer::BaseConsumer;
use reader::{Batch, Read, Reader, StatsContext};
pub use spec::PgSpec;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_postgres::{Client, Transaction};
use tokio_util::sync::CancellationToken;

/// A worker that turns records into rows.
pub trait PgHandler: Send + 'static {
    /// What a batch is before the database is asked.
    type Work: Send + 'static;

    /// Makes what turns records into work, beginning where the handler stands after a reset. It runs on the reader's thread and
    /// ahead of what is written; what it made of batches that were not written is dropped with it.
    fn preparer(&mut self) -> Preparer<Self::Work>;

    /// Writes a batch's rows in `tx`. Offsets and commit are the loop's.
    fn apply(&mut self, tx: &Transaction<'_>, work: Self::Work) -> impl Future<Output = Result<(), PgError>> + Send;

    /// Called after the commit of the last applied batch: for heads kept in memory and for metrics.
    fn committed(&mut self) {}

    /// Called when the last apply was rolled back, or before the first after taking a shard over: drop what is only in memory.
    fn reset(&mut self, client: &Client) -> impl Future<Output = Result<(), PgError>> + Send;
}

/// Starts one task for each shard. `handler` makes the handler of a shard.
///
/// # Errors
/// [`SpawnError`] when the service layer has no database, or metrics are registered twice.
pub fn spawn_pg_loop<H: PgHandler>(
    spec: PgSpec,
    service: &ServiceContext,
    mut handler: impl FnMut(u32) -> H,
) -> Result<Vec<WorkerHandle>, SpawnError> {
    let database = service.database.clone().ok_or(SpawnError::NoDatabase(spec.worker))?;
    let meter = Arc::new(Meter::new(&service.registry, spec.worker)?);
    let spec = Arc::new(spec);
    let handles = (0..spec.shards).map(|shard| {
        let shard = Shard {
            spec: spec.clone(),
            service: service.clone(),
            database: database.clone(),
            meter: meter.clone(),
            shard,
        };
        let handler = handler(shard.shard);
        WorkerHandle::task(spec.worker, shard.supervise(handler))
    });
    Ok(handles.collect())
}

/// A session that is frozen inside a transaction is ended by the server, and gives up what it has locked.
const IDLE_TRANSACTION: &str = "SET idle_in_transaction_session_timeout = '30s'";

/// For which the broker keeps a question of who lingers, bytes: it is woken for many records at once.
const ENOUGH_BYTES: &str = "262144";
/// From here on a worker lingers, milliseconds.
const LINGERS_MS: u64 = 500;

fn lost(candidate: &mut Candidate) -> PgError {
    candidate.lost();
    PgError::Lost
}

struct Shard {
    spec: Arc<PgSpec>,
    service: ServiceContext,
    database: DatabaseConfig,
    meter: Arc<Meter>,
    shard: u32,
}

impl Shard {
    async fn supervise<H: PgHandler>(self, mut handler: H) -> Result<(), PgError> {
        let component = self.service.health.component(&self.component_name());
        let mut candidate = Candidate::new(&self.consumer_name(), self.shard as i32, &self.service.instance);
        let mut backoff = Duration::from_millis(100);
        while !self.service.shutdown.is_cancelled() {
            let started = Instant::now();
            match self.live(&mut handler, &mut candidate, &component).await {
                Ok(()) => break,
                Err(error) if !error.is_transient() => {
                    component.set_ready(false, error.to_string());
                    return Err(error);
                }
                Err(why) => {
                    self.meter.restarts.inc();
                    component.set_ready(false, format!("restarting: {why}"));
                    let away = if DATABASE.lasts() { &DATABASE } else { &KAFKA };
                    warn_unless_away!(away, worker = self.spec.worker, shard = self.shard, %why, "worker starts again");
                }
            }
            if started.elapsed() > Duration::from_secs(30) {
                backoff = Duration::from_millis(100);
            }
            let stop = self.service.shutdown.cancelled();
            if tokio::time::timeout(backoff, stop).await.is_ok() {
                break;
            }
            backoff = (backoff * 2).min(Duration::from_secs(5));
        }
        component.set_ready(false, "stopped");
        Ok(())
    }

    /// From taking the shard's lease to losing it.
    async fn live<H: PgHandler>(
        &self,
        handler: &mut H,
        candidate: &mut Candidate,
        component: &health::Component,
    ) -> Result<(), PgError> {
        let mut client = connect(&self.database).await?;
        client.batch_execute(IDLE_TRANSACTION).await?;
        let Some(lease) = self.wait_for_lease(&client, candidate, component).await? else { return Ok(()) };
        handler.reset(&client).await?;
        let stood = offsets::load(&client, &self.consumer_name()).await?;
        let stop = self.service.shutdown.child_token();
        let _guard = stop.clone().drop_guard();
        let mut expected = stood.iter().map(|(place, stand)| (place.clone(), stand.next)).collect();
        let mut reads = self.start_reader(stood, stop, handler.preparer())?;
        let mut obstacles: Option<String> = None;
        loop {
            let read = match tokio::time::timeout(BEAT, reads.recv()).await {
                Ok(Some(read)) => Some(read?),
                Ok(None) if self.service.shutdown.is_cancelled() => break,
                Ok(None) => return Err(PgError::ReaderEnded),
                Err(_) if lease.renew(&client).await? => None,
                Err(_) => return Err(lost(candidate)),
            };
            if let Some(Read::Obstacles(words)) = &read {
                obstacles = Some(words.clone());
            }
            if let Some(words) = &obstacles {
                match words.as_str() {
                    _ if self.meter.is_cut_off() => component.set_ready(false, CUT_OFF),
                    "" => component.set_ready(true, "reading"),
                    words => component.set_ready(false, format!("cannot read everything: {words}")),
                }
            }
            let Some(read) = read else { continue };
            let batch = match read {
                Read::Batch(batch) => batch,
                Read::Passed(place, stand) => {
                    let (stood, new) = ([(place.clone(), stand.next)].into(), [(place.clone(), stand)].into());
                    if !offsets::advance(&client, &self.consumer_name(), &stood, &new).await? {
                        tracing::info!(?place, "no row of it yet: the first record behind the gap makes one");
                    }
                    continue;
                }
                Read::Obstacles(_) => continue,
            };
            let (started, records, newest_ms) = (Instant::now(), batch.records, batch.newest_ms);
            match self.write(&mut client, handler, &lease, batch, &mut expected).await {
                Ok(true) => {}
                failed => {
                    self.meter.ended("aborted", started.elapsed());
                    handler.reset(&client).await?;
                    return Err(failed.err().unwrap_or_else(|| lost(candidate)));
                }
            }
            handler.committed();
            self.meter.ended("committed", started.elapsed());
            self.meter.handled(records, started.elapsed());
            self.meter.record("written", records as u64);
            self.meter.age(newest_ms, clock::now_ms());
        }
        lease.release(&client).await?;
        Ok(())
    }

    /// The lease, once it is this one's; `None` at shutdown. Standing by is ready only behind a writer that is seen to move.
    async fn wait_for_lease(
        &self,
        client: &Client,
        candidate: &mut Candidate,
        component: &health::Component,
    ) -> Result<Option<Lease>, PgError> {
        loop {
            match candidate.stand(client, Instant::now()).await? {
                Standing::Writes(lease) => return Ok(Some(lease)),
                Standing::Behind => component.set_ready(true, "standing by: another instance writes this shard"),
                Standing::Unsure => {
                    component.set_ready(false, "standing by: the writer of this shard has not been seen to move");
                }
            }
            if tokio::time::timeout(BEAT, self.service.shutdown.cancelled()).await.is_ok() {
                return Ok(None);
            }
        }
    }

    /// False: the lease is another's, and nothing was written.
    async fn write<H: PgHandler>(
        &self,
        client: &mut Client,
        handler: &mut H,
        lease: &Lease,
        batch: Batch<H::Work>,
        expected: &mut BTreeMap<Place, NextOffset>,
    ) -> Result<bool, PgError> {
        let tx = client.transaction().await?;
        if !lease.renew(&tx).await? {
            return Ok(false);
        }
        handler.apply(&tx, batch.work).await?;
        if !offsets::advance(&tx, &self.consumer_name(), expected, &batch.ends).await? {
            return Err(PgError::Zombie);
        }
        tx.commit().await?;
        expected.extend(batch.ends.into_iter().map(|(place, stand)| (place, stand.next)));
        Ok(true)
    }

    /// One for each shard, so that none speaks for another.
    fn component_name(&self) -> String {
        match self.spec.shards {
            1 => self.spec.worker.to_owned(),
            _ => format!("{}-{}", self.spec.worker, self.shard),
        }
    }

    fn consumer_name(&self) -> String {
        self.service.kafka.topic(self.spec.worker).to_string()
    }

    /// Reads this shard's partitions on a thread, at most two batches ahead.
    fn start_reader<W: Send + 'static>(
        &self,
        stood: BTreeMap<Place, Stand>,
        stop: CancellationToken,
        prepare: Preparer<W>,
    ) -> Result<mpsc::Receiver<Result<Read<W>, PgError>>, PgError> {
        let mut config = reader(&self.service.kafka.client(), &self.consumer_name(), Isolation::Committed);
        config
            // A place that is lost is a gap, and never made good by reading on somewhere else (ADR 15).
            .set("auto.offset.reset", "error")
            .set("fetch.queue.backoff.ms", "10")
            // Where one byte is enough records come at once all the same; the cluster is asked through `ServiceContext::asking` meanwhile.
            .set("fetch.wait.max.ms", "500")
            .set("fetch.min.bytes", if self.spec.linger_ms >= LINGERS_MS { ENOUGH_BYTES } else { "1" })
            .set("queued.max.messages.kbytes", "16384")
            .set("statistics.interval.ms", "2000");
        let consumer: BaseConsumer<StatsContext> = config.create_with_context(StatsContext(self.meter.clone()))?;
        let (sender, receiver) = mpsc::channel(2);
        let (group, client, spec) = (self.consumer_name(), self.service.kafka.client(), self.spec.clone());
        let asking = self.service.asking()?;
        let reader = Reader { consumer, asking, client, group, spec, shard: self.shard, stood, stop, prepare, sender };
        let name = format!("{}-read", self.spec.worker);
        task::thread(&name, move || reader.run())?;
        Ok(receiver)
    }
}
