//! What audit-sink measures beyond the loop. Names never change: dashboards and alerts hold them.

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Entries written, by topic and whether their body is in the log (`plain`, `digest_only`; `oversized` is a digest
/// because no entry can hold the record).
pub(crate) const ENTRIES_TOTAL: &str = "defaultx_audit_entries_total";
/// Entries of each log.
pub(crate) const LOG_SIZE: &str = "defaultx_audit_log_size";
/// Compressed bytes of segments written.
pub(crate) const SEGMENT_BYTES_TOTAL: &str = "defaultx_audit_segment_bytes_total";
/// Bytes of entries written, before compression.
pub(crate) const RAW_BYTES_TOTAL: &str = "defaultx_audit_raw_bytes_total";
/// Age of the newest record of the last batch when its transaction committed, seconds.
pub const LAG_SECONDS: &str = "defaultx_audit_lag_seconds";
/// Records by what became of them in the projections: `row`, `log_only`, `unreadable`.
pub(crate) const PROJECTED_TOTAL: &str = "defaultx_audit_projected_total";
/// Rows that a record would have made and that were there already, by table: an event that came twice.
pub(crate) const REPEATED_ROWS_TOTAL: &str = "defaultx_audit_repeated_rows_total";
/// Rows that the database refuses, by table: the log (for identities, the topic) has the record, the table has not.
pub(crate) const PROJECTION_FAILURES_TOTAL: &str = "defaultx_projection_failures_total";
/// Identities stored.
pub(crate) const IDENTITIES_TOTAL: &str = "defaultx_audit_identities_total";

/// Tables whose rows may be refused.
const TABLES: [&str; 9] = [
    "applications",
    "withdrawals",
    "scores",
    "decisions",
    "replies",
    "receipts",
    "dead_letters",
    "activations",
    "identities",
];

/// The handles.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // named as the constants above
pub struct Metrics {
    pub entries: IntCounterVec,
    pub log_size: IntGaugeVec,
    pub segment_bytes: IntCounter,
    pub raw_bytes: IntCounter,
    pub lag_seconds: Gauge,
    pub projected: IntCounterVec,
    pub repeated_rows: IntCounterVec,
    pub projection_failures: IntCounterVec,
    pub identities: IntCounterVec,
}

impl Metrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            entries: IntCounterVec::new(
                Opts::new(ENTRIES_TOTAL, "Entries written to the audit log"),
                &["topic", "codec"],
            )?,
            log_size: IntGaugeVec::new(Opts::new(LOG_SIZE, "Entries of each audit log"), &["log"])?,
            segment_bytes: IntCounter::new(SEGMENT_BYTES_TOTAL, "Compressed bytes of segments written")?,
            raw_bytes: IntCounter::new(RAW_BYTES_TOTAL, "Bytes of entries before compression")?,
            lag_seconds: Gauge::new(LAG_SECONDS, "Age of the newest record of the last batch at its commit")?,
            projected: IntCounterVec::new(
                Opts::new(PROJECTED_TOTAL, "Records by what the projections made of them"),
                &["outcome"],
            )?,
            repeated_rows: IntCounterVec::new(
                Opts::new(REPEATED_ROWS_TOTAL, "Rows that were there already"),
                &["table"],
            )?,
            projection_failures: IntCounterVec::new(
                Opts::new(PROJECTION_FAILURES_TOTAL, "Rows that the database refuses"),
                &["table"],
            )?,
            identities: IntCounterVec::new(
                Opts::new(IDENTITIES_TOTAL, "Records for the identity store"),
                &["outcome"],
            )?,
        };
        registry.register(Box::new(metrics.entries.clone()))?;
        registry.register(Box::new(metrics.log_size.clone()))?;
        registry.register(Box::new(metrics.segment_bytes.clone()))?;
        registry.register(Box::new(metrics.raw_bytes.clone()))?;
        registry.register(Box::new(metrics.lag_seconds.clone()))?;
        registry.register(Box::new(metrics.projected.clone()))?;
        registry.register(Box::new(metrics.repeated_rows.clone()))?;
        registry.register(Box::new(metrics.projection_failures.clone()))?;
        registry.register(Box::new(metrics.identities.clone()))?;
        // There from the start, at zero: the first one is an increase too.
        for table in TABLES {
            metrics.projection_failures.with_label_values(&[table]).inc_by(0);
        }
        for (counter, words) in
            [(&metrics.projected, ["row", "unreadable"]), (&metrics.identities, ["stored", "unreadable"])]
        {
            words.iter().for_each(|word| counter.with_label_values(&[word]).inc_by(0));
        }
        Ok(metrics)
    }
}
