//! What audit-signer measures. Names never change: dashboards and alerts hold them.

use crate::rebuild::projections;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Entries that the newest checkpoint of each log covers.
pub(crate) const CHECKPOINT_SIZE: &str = "defaultx_audit_checkpoint_size";
/// When the newest checkpoint was made, seconds since 1970.
pub(crate) const CHECKPOINT_TIMESTAMP: &str = "defaultx_audit_checkpoint_timestamp_seconds";
/// 1 while a log is not the one that was signed: shorter, or another one. Nothing is signed of it then.
pub(crate) const NOT_THE_SAME: &str = "defaultx_audit_log_not_the_same";
/// Entries that the newest cosignature of each witness covers.
pub(crate) const COSIGNED_SIZE: &str = "defaultx_audit_cosigned_size";
/// When a walk last found every log whole, seconds since 1970.
pub(crate) const VERIFIED_TIMESTAMP: &str = "defaultx_audit_verified_timestamp_seconds";
/// Faults that the last walk found.
pub(crate) const VERIFY_FAULTS: &str = "defaultx_audit_verify_faults";
/// Rows of projections that samples held against the log, by table.
pub(crate) const CHECKED_ROWS_TOTAL: &str = "defaultx_projection_checked_rows_total";
/// Rows that samples found not to be what the log says, by table; each time that they were found.
pub(crate) const MISMATCHES_TOTAL: &str = "defaultx_projection_mismatches_total";
/// When samples last held their parts of a log whole, seconds since 1970, by log; 0 while they never did.
pub(crate) const SAMPLED_TIMESTAMP: &str = "defaultx_projection_sampled_timestamp_seconds";

/// The handles.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // named as the constants above
pub struct SignerMetrics {
    pub checkpoint_size: IntGaugeVec,
    pub checkpoint_timestamp: IntGauge,
    pub not_the_same: IntGaugeVec,
    pub cosigned_size: IntGaugeVec,
    pub verified_timestamp: IntGauge,
    pub verify_faults: IntGauge,
    pub checked_rows: IntCounterVec,
    pub mismatches: IntCounterVec,
    pub sampled_timestamp: IntGaugeVec,
}

impl SignerMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let of_log = |name, help| IntGaugeVec::new(Opts::new(name, help), &["log"]);
        let of_table = |name, help| IntCounterVec::new(Opts::new(name, help), &["table"]);
        let metrics = Self {
            checkpoint_size: of_log(CHECKPOINT_SIZE, "Entries under the newest checkpoint")?,
            checkpoint_timestamp: IntGauge::new(CHECKPOINT_TIMESTAMP, "When the newest checkpoint was made")?,
            not_the_same: of_log(NOT_THE_SAME, "1 while a log is not the one that was signed")?,
            cosigned_size: IntGaugeVec::new(
                Opts::new(COSIGNED_SIZE, "Entries under the newest cosignature of each witness"),
                &["log", "witness"],
            )?,
            verified_timestamp: IntGauge::new(VERIFIED_TIMESTAMP, "When a walk last found every log whole")?,
            verify_faults: IntGauge::new(VERIFY_FAULTS, "Faults that the last walk found")?,
            checked_rows: of_table(CHECKED_ROWS_TOTAL, "Rows of projections held against the log by samples")?,
            mismatches: of_table(MISMATCHES_TOTAL, "Rows that samples found not to be what the log says")?,
            sampled_timestamp: of_log(SAMPLED_TIMESTAMP, "When samples last held their parts of a log whole")?,
        };
        registry.register(Box::new(metrics.checkpoint_size.clone()))?;
        registry.register(Box::new(metrics.checkpoint_timestamp.clone()))?;
        registry.register(Box::new(metrics.not_the_same.clone()))?;
        registry.register(Box::new(metrics.cosigned_size.clone()))?;
        registry.register(Box::new(metrics.verified_timestamp.clone()))?;
        registry.register(Box::new(metrics.verify_faults.clone()))?;
        registry.register(Box::new(metrics.checked_rows.clone()))?;
        registry.register(Box::new(metrics.mismatches.clone()))?;
        registry.register(Box::new(metrics.sampled_timestamp.clone()))?;
        // There from the start, at zero: the first one is an increase too.
        for table in projections() {
            metrics.checked_rows.with_label_values(&[table]).inc_by(0);
            metrics.mismatches.with_label_values(&[table]).inc_by(0);
        }
        Ok(metrics)
    }
}
