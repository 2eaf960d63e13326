//! The writer of one log behind the loop: seals a batch on the reader's thread, appends it and writes its projections, all in the
//! loop's transaction. Never sets a record aside: what cannot be projected, or what the database refuses of it, is still in the log.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::project::{Position, Projected, Projections, Table};
use crate::seal::{DigestKey, Held, Placed, seal, side_by_side};
use crate::segment::Packer;
use crate::source::Sources;
use crate::store::{self, Addition, Ends};
use runtime::clock;
use runtime::stream::OwnedInput;
use runtime::stream::pg::{PgError, PgHandler, Preparer};
use schemas::audit_tree::Tree;
use std::borrow::Cow;
use std::collections::BTreeMap;
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
    /// The tree as it was read at the last reset.
    tree: Option<Tree>,
    /// The end of each partition in the index, as committed.
    ends: Ends,
    /// What the open transaction will have added.
    pending: Option<Pending>,
}

/// A batch on its way into the log.
pub struct Work {
    addition: Addition,
    projections: Projections,
    told: Told,
}

/// What is told of a batch once it is committed.
#[derive(Default)]
struct Told {
    entries: BTreeMap<(Cow<'static, str>, Held), u64>,
    oversized: Vec<Placed>,
    outcomes: [u64; 3],
    raw_bytes: u64,
    segment_bytes: u64,
    size: u64,
    newest_ms: i64,
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

    async fn write(&mut self, tx: &Transaction<'_>, work: Work) -> Result<(), Error> {
        tx.batch_execute("SET LOCAL ROLE defaultx_audit").await?;
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
            let (topic, partition, offset) = (&*entry.source.name, entry.partition, entry.offset);
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

/// Seals and packs a batch, and gathers what it says: all that needs no database.
fn prepare(
    mut batch: Vec<OwnedInput>,
    log: i32,
    settings: &Settings,
    tree: &mut Tree,
    packer: &mut Packer,
) -> Result<Work, Error> {
    side_by_side(&mut batch);
    let before = (tree.size(), tree.root());
    let sealed = seal(&batch, &settings.sources, &settings.key, settings.segment_bytes, std::mem::take(tree))?;
    let segments = sealed.segments.iter().map(|segment| packer.pack(segment)).collect::<Result<Vec<_>, _>>()?;
    let (mut projections, mut told) = (Projections::default(), Told::default());
    for (record, entry) in batch.iter().zip(&sealed.entries) {
        let outcome = projections.add(entry.source.topic, record, Position { log, seq: entry.seq as i64 });
        if outcome == Projected::Unreadable {
            let (topic, partition, offset) = (&*entry.source.name, entry.partition, entry.offset);
            tracing::warn!(topic, partition, offset, "record is in the log but not in the projections");
        }
        told.outcomes[outcome as usize] += 1;
        *told.entries.entry((entry.source.name.clone(), entry.held)).or_default() += 1;
        told.newest_ms = told.newest_ms.max(record.timestamp_ms);
    }
    told.oversized = sealed.entries.into_iter().filter(|entry| entry.held == Held::Oversized).collect();
    told.raw_bytes = sealed.segments.iter().map(|segment| segment.raw.len() as u64).sum();
    told.segment_bytes = segments.iter().map(|segment| segment.body.len() as u64).sum();
    told.size = sealed.tree.size();
    *tree = sealed.tree;
    let after = (tree.size(), tree.root());
    let addition = Addition { before, after, segments, runs: sealed.runs, tiles: sealed.tiles };
    Ok(Work { addition, projections, told })
}

impl PgHandler for AuditHandler {
    type Work = Work;

    fn preparer(&mut self) -> Preparer<Work> {
        let (log, settings, mut tree) = (self.log, self.settings.clone(), self.tree.take());
        let mut packer = Packer::new(settings.zstd_level);
        Box::new(move |batch| {
            let tree = tree.as_mut().ok_or(Error::HeadMoved(log))?;
            let packer = packer.as_mut().map_err(|error| PgError::Other(error.to_string()))?;
            Ok(prepare(batch, log, &settings, tree, packer)?)
        })
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
        store::begin_log(client, self.log, self.settings.shards).await?;
        let tree = store::load_tree(client, self.log).await?;
        self.metrics.log_size.with_label_values(&[&self.log.to_string()]).set(tree.size() as i64);
        self.tree = Some(tree);
        Ok(())
    }
}
