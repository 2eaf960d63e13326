//! The writer of one log behind the loop: appends what was prepared and writes its projections, all in the loop's transaction. Never sets a record aside: what cannot be projected, or what the database refuses of it, is still in the log.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::prepare::{Preparing, Told, Work};
use crate::project::Table;
use crate::store::{self, Ends};
use audit_log::Tree;
use runtime::clock;
use runtime::stream::pg::{PgError, PgHandler, Preparer};
use tokio_postgres::{Client, Transaction};

pub use crate::prepare::Settings;

/// The writer of one log.
pub struct AuditHandler {
    log: i32,
    settings: Settings,
    metrics: Metrics,
    /// The tree as it was read at the last reset.
    tree: Option<Tree>,
    /// The end of each partition in the index, as committed.
    ends: Ends,
    /// What the open transaction will have added.
    pending: Option<Pending>,
}

struct Pending {
    ends: Ends,
    tables: Vec<Table>,
    told: Told,
}

impl AuditHandler {
    /// The writer of log `log`; reads its tree when the loop resets it.
    pub fn new(log: u32, settings: Settings, metrics: Metrics) -> Self {
        Self { log: log as i32, settings, metrics, tree: None, ends: Ends::new(), pending: None }
    }

    async fn write(&mut self, tx: &Transaction<'_>, mut work: Work) -> Result<(), Error> {
        let ends = store::append(tx, self.log, &work.addition, &self.ends).await?;
        let tables = work.projections.insert(tx).await?;
        self.pending = Some(Pending { ends, tables, told: work.told });
        Ok(())
    }

    fn count(&self, Pending { tables, told, .. }: &Pending) {
        let metrics = &self.metrics;
        for ((topic, held), count) in &told.entries {
            metrics.entries.with_label_values(&[&**topic, held.as_str()]).inc_by(*count);
        }
        for entry in &told.oversized {
            let (topic, partition, offset) = (&*entry.source.name, entry.partition, entry.offset.get());
            tracing::warn!(topic, partition, offset, "record does not fit an entry: the log holds its digest");
        }
        for (outcome, count) in ["row", "log_only", "unreadable"].into_iter().zip(told.outcomes) {
            metrics.projected.with_label_values(&[outcome]).inc_by(count);
        }
        for table in tables {
            metrics.repeated_rows.with_label_values(&[table.name]).inc_by(table.repeated);
            metrics.projection_failures.with_label_values(&[table.name]).inc_by(table.refused);
        }
        metrics.segment_bytes.inc_by(told.segment_bytes);
        metrics.raw_bytes.inc_by(told.raw_bytes);
        metrics.log_size.with_label_values(&[&self.log.to_string()]).set(told.size as i64);
        metrics.lag_seconds.set(clock::now_ms().saturating_sub(told.newest_ms).max(0) as f64 / 1000.0);
    }
}

impl PgHandler for AuditHandler {
    type Work = Work;

    fn preparer(&mut self) -> Preparer<Work> {
        Box::new(Preparing::begin(self.log, self.settings.clone(), self.tree.take()))
    }

    async fn apply(&mut self, tx: &Transaction<'_>, work: Work) -> Result<(), PgError> {
        self.pending = None;
        Ok(self.write(tx, work).await?)
    }

    fn committed(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.count(&pending);
            self.ends.extend(pending.ends);
        }
    }

    async fn reset(&mut self, client: &Client) -> Result<(), PgError> {
        (self.pending, self.tree) = (None, None);
        self.ends.clear();
        store::check_deployment(client, &self.settings.sources.consumer()).await?;
        store::begin_log(client, self.log, self.settings.shards).await?;
        let tree = store::load_tree(client, self.log).await?;
        self.metrics.log_size.with_label_values(&[&self.log.to_string()]).set(tree.size() as i64);
        self.tree = Some(tree);
        Ok(())
    }
}
