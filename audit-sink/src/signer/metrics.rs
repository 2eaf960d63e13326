//! What audit-signer measures. Names never change: dashboards and alerts hold them.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

/// Entries that the newest checkpoint of each log covers.
pub const CHECKPOINT_SIZE: &str = "defaultx_audit_checkpoint_size";
/// When the newest checkpoint was made, seconds since 1970.
pub const CHECKPOINT_TIMESTAMP: &str = "defaultx_audit_checkpoint_timestamp_seconds";
/// 1 while a log is not the one that was signed: shorter, or another one. Nothing is signed of it then.
pub const NOT_THE_SAME: &str = "defaultx_audit_log_not_the_same";
/// Entries that the newest cosignature of each witness covers.
pub const COSIGNED_SIZE: &str = "defaultx_audit_cosigned_size";
/// When a walk last found every log whole, seconds since 1970.
pub const VERIFIED_TIMESTAMP: &str = "defaultx_audit_verified_timestamp_seconds";
/// Faults that the last walk found.
pub const VERIFY_FAULTS: &str = "defaultx_audit_verify_faults";

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
}

impl SignerMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let of_log = |name, help| IntGaugeVec::new(Opts::new(name, help), &["log"]);
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
        };
        registry.register(Box::new(metrics.checkpoint_size.clone()))?;
        registry.register(Box::new(metrics.checkpoint_timestamp.clone()))?;
        registry.register(Box::new(metrics.not_the_same.clone()))?;
        registry.register(Box::new(metrics.cosigned_size.clone()))?;
        registry.register(Box::new(metrics.verified_timestamp.clone()))?;
        registry.register(Box::new(metrics.verify_faults.clone()))?;
        Ok(metrics)
    }
}
