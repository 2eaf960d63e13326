//! The writer of one log behind the loop: seals a batch, appends it, writes its projections, all in the loop's transaction.
//! Never sets a record aside: what cannot be projected, or what the database refuses of it, is still in the log.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::project::{Position, Projected, Projections, Table};
use crate::seal::{DigestKey, Held, Sealed, seal};
use crate::source::Sources;
use crate::store::{self, Written};
use crate::tree::Tree;
use runtime::clock;
use runtime::stream::OwnedInput;
use runtime::stream::pg::{PgError, PgHandler};
use tokio_postgres::{Client, Transaction};

/// What the writers of all logs share.
#[derive(Clone)]
pub struct Settings {
    /// Which topics are taken.
    pub sources: Sources,
    /// Key of digests.
    pub key: DigestKey,
    /// Bytes of a segment before compression.
    pub segment_bytes: usize,
    /// zstd level.
    pub zstd_level: i32,
    /// Number of logs.
    pub shards: i32,
}

/// The writer of one log.
pub struct AuditHandler {
    log: i32,
    settings: Settings,
    metrics: Metrics,
    /// The tree as committed; `None` until it is read.
    tree: Option<Tree>,
    /// What the open transaction will have added.
    pending: Option<Pending>,
}

struct Pending {
    sealed: Sealed,
    written: Written,
    outcomes: [u64; 3],
    tables: Vec<Table>,
    newest_ms: i64,
}

impl AuditHandler {
    /// The writer of log `log`; reads its tree when the loop resets it.
    pub fn new(log: u32, settings: Settings, metrics: Metrics) -> Self {
        Self { log: log as i32, settings, metrics, tree: None, pending: None }
    }

    async fn write(&mut self, tx: &Transaction<'_>, batch: &[OwnedInput]) -> Result<(), Error> {
        tx.batch_execute("SET LOCAL ROLE defaultx_audit").await?;
        let before = self.tree.as_ref().ok_or(Error::HeadMoved(self.log))?;
        let Settings { sources, key, segment_bytes, zstd_level, .. } = &self.settings;
        let sealed = seal(batch, sources, key, *segment_bytes, before.clone())?;
        let written = store::append(tx, self.log, before, &sealed, *zstd_level).await?;
        let (projections, outcomes) = self.project(batch, &sealed);
        let tables = projections.insert(tx).await?;
        let newest_ms = batch.iter().map(|record| record.timestamp_ms).max().unwrap_or_default();
        self.pending = Some(Pending { sealed, written, outcomes, tables, newest_ms });
        Ok(())
    }

    fn project(&self, batch: &[OwnedInput], sealed: &Sealed) -> (Projections, [u64; 3]) {
        let (mut projections, mut outcomes) = (Projections::default(), [0; 3]);
        for (record, row) in batch.iter().zip(&sealed.index) {
            let outcome = projections.add(row.source.topic, record, Position { log: self.log, seq: row.seq as i64 });
            if outcome == Projected::Unreadable {
                let (topic, partition, offset) = (&*row.source.name, row.partition, row.offset);
                tracing::warn!(topic, partition, offset, "record is in the log but not in the projections");
            }
            outcomes[outcome as usize] += 1;
        }
        (projections, outcomes)
    }

    fn count(&self, pending: &Pending) {
        let metrics = &self.metrics;
        for row in &pending.sealed.index {
            metrics.entries.with_label_values(&[&*row.source.name, row.held.as_str()]).inc();
            if row.held == Held::Oversized {
                let (topic, partition, offset) = (&*row.source.name, row.partition, row.offset);
                tracing::warn!(topic, partition, offset, "record does not fit an entry: the log holds its digest");
            }
        }
        for (outcome, count) in ["row", "log_only", "unreadable"].into_iter().zip(pending.outcomes) {
            metrics.projected.with_label_values(&[outcome]).inc_by(count);
        }
        for table in &pending.tables {
            metrics.repeated_rows.with_label_values(&[table.name]).inc_by(table.repeated);
            metrics.projection_failures.with_label_values(&[table.name]).inc_by(table.refused);
        }
        metrics.segment_bytes.inc_by(pending.written.segment_bytes);
        metrics.raw_bytes.inc_by(pending.written.raw_bytes);
        metrics.log_size.with_label_values(&[&self.log.to_string()]).set(pending.sealed.tree.size() as i64);
        metrics.lag_seconds.set(clock::now_ms().saturating_sub(pending.newest_ms).max(0) as f64 / 1000.0);
    }
}

impl PgHandler for AuditHandler {
    async fn apply(&mut self, tx: &Transaction<'_>, batch: &[OwnedInput]) -> Result<(), PgError> {
        self.pending = None;
        Ok(self.write(tx, batch).await?)
    }

    fn committed(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.count(&pending);
            self.tree = Some(pending.sealed.tree);
        }
    }

    async fn reset(&mut self, client: &Client) -> Result<(), PgError> {
        self.pending = None;
        self.tree = None;
        store::begin_log(client, self.log, self.settings.shards).await?;
        let tree = store::load_tree(client, self.log).await?;
        self.metrics.log_size.with_label_values(&[&self.log.to_string()]).set(tree.size() as i64);
        self.tree = Some(tree);
        Ok(())
    }
}
