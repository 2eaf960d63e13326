//! What every loop measures about itself. Names are constants here and nowhere else.

use super::offset::NextOffset;
use super::watermarks::{Ends, Watermarks};
use crate::kafka::Reach;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use rdkafka::statistics::{Partition, Statistics};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Records by worker and named outcome.
pub(crate) const RECORDS: &str = "defaultx_records_total";
/// Dead letters by worker and reason.
pub(crate) const DEAD_LETTERS: &str = "defaultx_dead_letters_total";
/// Records in a transaction.
pub(crate) const BATCH_RECORDS: &str = "defaultx_batch_records";
/// Seconds to handle a batch.
pub(crate) const HANDLE_SECONDS: &str = "defaultx_handle_seconds";
/// Seconds from begin to commit.
pub(crate) const COMMIT_SECONDS: &str = "defaultx_commit_seconds";
/// Partitions that a transaction wrote to.
pub(crate) const TRANSACTION_PARTITIONS: &str = "defaultx_transaction_partitions";
/// Transactions by how they ended.
pub(crate) const COMMITS: &str = "defaultx_commits_total";
/// Rebalances.
pub(crate) const REBALANCES: &str = "defaultx_rebalances_total";
/// Seconds of the last restore.
pub(crate) const RESTORE_SECONDS: &str = "defaultx_restore_seconds";
/// Records up to the high watermark of an input that were not read, by topic and partition.
pub const LAG_RECORDS: &str = "defaultx_lag_records";
/// Age of the last record handled while behind, or how long records have waited behind an open transaction; 0 when at the end.
pub const LAG_SECONDS: &str = "defaultx_lag_seconds";
/// Seconds since the last stable offset of an input last moved while records wait beyond it, by topic and partition.
pub const STABLE_OFFSET_STUCK_SECONDS: &str = "defaultx_stable_offset_stuck_seconds";
/// High watermark minus last stable offset of the inputs.
pub(crate) const UNSTABLE_RECORDS: &str = "defaultx_unstable_records";
/// Age of the open transaction.
pub(crate) const OPEN_TRANSACTION_SECONDS: &str = "defaultx_open_transaction_seconds";
/// Entries of keyed state.
pub(crate) const STATE_ENTRIES: &str = "defaultx_state_entries";
/// 1 while the state's cap holds intake back.
pub(crate) const STATE_PAUSED: &str = "defaultx_state_paused";
/// 1 once the dead-letter limit has paused an input topic.
pub(crate) const DEAD_LETTER_LIMIT_STOPPED: &str = "defaultx_dead_letter_limit_stopped";
/// Times that another instance took this one's id.
pub(crate) const FENCED: &str = "defaultx_fenced_total";
/// Times that a worker was started again with new clients.
pub(crate) const WORKER_RESTARTS: &str = "defaultx_worker_restarts_total";

const COUNTS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
const BY_PARTITION: [&str; 2] = ["topic", "partition"];

/// One worker's share of the metrics.
pub(crate) struct Meter {
    worker: &'static str,
    records: IntCounterVec,
    dead_letters: IntCounterVec,
    commits: IntCounterVec,
    batch: Histogram,
    handle: Histogram,
    commit: Histogram,
    partitions: Histogram,
    rebalances: IntCounter,
    restore: Gauge,
    watermarks: Mutex<Watermarks>,
    lag: IntGaugeVec,
    stuck: GaugeVec,
    lag_seconds: Gauge,
    unstable: IntGauge,
    pub open_transaction: Gauge,
    pub state_entries: IntGauge,
    pub state_paused: IntGauge,
    dead_letter_limit_stopped: IntGaugeVec,
    reach: Reach,
    pub fenced: IntCounter,
    pub restarts: IntCounter,
}

impl Meter {
    /// Registers a worker's metrics, each with the constant label `worker`.
    pub fn new(registry: &Registry, worker: &'static str) -> Result<Self, prometheus::Error> {
        let options = |name: &str, help: &str| Opts::new(name, help).const_label("worker", worker);
        let counters = |name: &str, help: &str, label: &str| -> Result<IntCounterVec, prometheus::Error> {
            registered(registry, IntCounterVec::new(options(name, help), &[label])?)
        };
        let counter = |name: &str, help: &str| registered(registry, IntCounter::with_opts(options(name, help))?);
        let gauge = |name: &str, help: &str| registered(registry, Gauge::with_opts(options(name, help))?);
        let whole = |name: &str, help: &str| registered(registry, IntGauge::with_opts(options(name, help))?);
        let histogram = |name: &str, help: &str, edges: &[f64]| {
            let options = HistogramOpts::from(options(name, help)).buckets(edges.to_vec());
            registered(registry, Histogram::with_opts(options)?)
        };
        let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
        let sizes = [1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0];
        Ok(Self {
            worker,
            records: counters(RECORDS, "Records by named outcome", "outcome")?,
            dead_letters: counters(DEAD_LETTERS, "Dead letters by reason", "reason")?,
            commits: counters(COMMITS, "Transactions by how they ended", "result")?,
            batch: histogram(BATCH_RECORDS, "Records in a transaction", &sizes)?,
            handle: histogram(HANDLE_SECONDS, "Seconds to handle a batch", &seconds)?,
            commit: histogram(COMMIT_SECONDS, "Seconds from begin to commit", &seconds)?,
            partitions: histogram(TRANSACTION_PARTITIONS, "Partitions that a transaction wrote to", &COUNTS)?,
            rebalances: counter(REBALANCES, "Rebalances")?,
            restore: gauge(RESTORE_SECONDS, "Seconds of the last restore")?,
            watermarks: Mutex::default(),
            lag: registered(
                registry,
                IntGaugeVec::new(options(LAG_RECORDS, "Records of an input that were not read"), &BY_PARTITION)?,
            )?,
            stuck: registered(
                registry,
                GaugeVec::new(options(STABLE_OFFSET_STUCK_SECONDS, "Age of what holds an input up"), &BY_PARTITION)?,
            )?,
            lag_seconds: gauge(
                LAG_SECONDS,
                "Age of the last record handled, or of what holds an input up, while behind",
            )?,
            unstable: whole(UNSTABLE_RECORDS, "High watermark minus last stable offset of the inputs")?,
            open_transaction: gauge(OPEN_TRANSACTION_SECONDS, "Age of the open transaction")?,
            state_entries: whole(STATE_ENTRIES, "Entries of keyed state")?,
            state_paused: whole(STATE_PAUSED, "1 while the state's cap holds intake back")?,
            dead_letter_limit_stopped: registered(
                registry,
                IntGaugeVec::new(
                    options(DEAD_LETTER_LIMIT_STOPPED, "1 once the dead-letter limit has paused the topic"),
                    &["topic"],
                )?,
            )?,
            reach: Reach::default(),
            fenced: counter(FENCED, "Times that another instance took this one's id")?,
            restarts: counter(WORKER_RESTARTS, "Times that the worker was started again with new clients")?,
        })
    }

    pub fn worker(&self) -> &'static str {
        self.worker
    }

    pub fn record(&self, outcome: &str, count: u64) {
        self.records.with_label_values(&[outcome]).inc_by(count);
    }

    /// Says that the topic may be paused and is not: a series from the start, so that nobody takes none for zero.
    pub(crate) fn dead_letter_limit_watched(&self, topic: &str) {
        self.dead_letter_limit_stopped.with_label_values(&[topic]).set(0);
    }

    pub(crate) fn dead_letter_limit_stopped(&self, topic: &str) {
        self.dead_letter_limit_stopped.with_label_values(&[topic]).set(1);
    }

    pub fn dead_letter(&self, reason: &str) {
        self.dead_letters.with_label_values(&[reason]).inc();
    }

    pub fn handled(&self, records: usize, took: Duration) {
        self.batch.observe(records as f64);
        self.handle.observe(took.as_secs_f64());
    }

    pub fn ended(&self, result: &str, took: Duration) {
        self.commits.with_label_values(&[result]).inc();
        self.commit.observe(took.as_secs_f64());
    }

    pub fn wrote(&self, partitions: usize) {
        self.partitions.observe(partitions as f64);
    }

    pub(crate) fn rebalanced(&self) {
        self.rebalances.inc();
    }

    pub fn restored(&self, took: Duration) {
        self.restore.set(took.as_secs_f64());
    }

    pub fn age(&self, last_record_ms: i64, now_ms: i64) {
        let (lag, held) = self.watermarks.lock().unwrap_or_else(PoisonError::into_inner).total(Instant::now());
        let age = (now_ms - last_record_ms).max(0) as f64 / 1000.0;
        self.lag_seconds.set(if lag > 0 { age.max(held.as_secs_f64()) } else { 0.0 });
    }

    /// Whether no broker has been up for some seconds.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.reach.is_cut_off()
    }

    /// Takes what a client tells of its partitions. A worker may have several clients; each tells of its own.
    pub(crate) fn statistics(&self, statistics: &Statistics) {
        self.reach.tell(statistics);
        let now = Instant::now();
        let mut watermarks = self.watermarks.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, told) in &statistics.topics {
            for told in told.partitions.values().filter(|p| p.partition >= 0 && p.desired && p.hi_offset >= 0) {
                let place = (topic.clone(), told.partition);
                watermarks.tell(place.clone(), ends(told), now);
                let partition = told.partition.to_string();
                let labels = [topic.as_str(), partition.as_str()];
                self.lag.with_label_values(&labels).set(watermarks.lag(&place));
                self.stuck.with_label_values(&labels).set(watermarks.held(&place, now).as_secs_f64());
            }
        }
        for (topic, partition) in watermarks.forget(now) {
            let labels = [topic.as_str(), &partition.to_string()];
            // An error says that it is gone already.
            drop((self.lag.remove_label_values(&labels), self.stuck.remove_label_values(&labels)));
        }
        self.unstable.set(watermarks.unstable());
        let (lag, held) = watermarks.total(now);
        if lag == 0 {
            self.lag_seconds.set(0.0);
        } else {
            self.lag_seconds.set(self.lag_seconds.get().max(held.as_secs_f64()));
        }
    }
}

/// The client counts the end of a transaction as read once it has passed it, so that a reader at the end has no lag. Before it
/// has handed anything out, what it has fetched and not handed out lies before its next fetch.
fn ends(told: &Partition) -> Ends {
    let position = if told.app_offset >= 0 { told.app_offset } else { told.next_offset - told.fetchq_cnt };
    let position = Some(position).filter(|at| *at >= 0).map(NextOffset::new);
    Ends { position, stable: NextOffset::new(told.ls_offset), high: NextOffset::new(told.hi_offset) }
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
