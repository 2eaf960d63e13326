//! What notifier measures of deliveries. The loop that reads decisions has metrics of its own.

use crate::deliver::Cause;
use crate::store::Backlog;
use domain::DeliveryStatus;
use prometheus::core::Collector;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry};

/// Deliveries by result: `queued`, `delivered`, `retried`, `failed`, `disabled`, `stale` (the lease was lost), `unreadable` (a
/// decision that is not one, or that no row holds), `purged` (ended long ago and deleted), `resent` (begun anew at an operator's command).
pub(crate) const DELIVERIES: &str = "defaultx_deliveries_total";
/// Attempts that did not succeed, by cause.
pub(crate) const FAILURES: &str = "defaultx_delivery_failures_total";
/// Deliveries that will not be tried again and did not arrive, by subscription and reason (a cause; `gone` for those that wait for
/// their endpoint to be enabled).
pub(crate) const NOT_ARRIVED: &str = "defaultx_deliveries_failed_total";
/// Seconds of an attempt.
pub(crate) const ATTEMPT_SECONDS: &str = "defaultx_delivery_attempt_seconds";
/// Rows that wait or are under way. Every instance shows the same: take the maximum.
pub(crate) const BACKLOG: &str = "defaultx_deliveries_backlog";
/// Age of the oldest of them, in seconds.
pub(crate) const OLDEST_PENDING_SECONDS: &str = "defaultx_deliveries_oldest_pending_seconds";
/// Endpoints that answered 410.
pub(crate) const DISABLED_ENDPOINTS: &str = "defaultx_delivery_endpoints_disabled";
/// Receipts by result: `taken`, `late` (Kafka did not take it in time; it is offered again).
pub(crate) const RECEIPTS: &str = "defaultx_delivery_receipts_total";

/// The metrics of one process.
#[derive(Debug, Clone)]
pub struct Meter {
    deliveries: IntCounterVec,
    failures: IntCounterVec,
    not_arrived: IntCounterVec,
    receipts: IntCounterVec,
    attempt: Histogram,
    backlog: IntGauge,
    oldest: Gauge,
    disabled: IntGauge,
}

impl Meter {
    /// Registers all of them; every word is there from the start, at zero.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let edges = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0];
        let attempt = HistogramOpts::new(ATTEMPT_SECONDS, "Seconds of an attempt").buckets(edges);
        let meter = Self {
            deliveries: IntCounterVec::new(
                Opts::new(DELIVERIES, "Deliveries by result; resent: begun anew at an operator's command"),
                &["result"],
            )?,
            failures: IntCounterVec::new(Opts::new(FAILURES, "Attempts that did not succeed"), &["cause"])?,
            not_arrived: IntCounterVec::new(
                Opts::new(
                    NOT_ARRIVED,
                    "Deliveries that are not tried again unless somebody asks; those with the reason gone are kept until their endpoint is enabled",
                ),
                &["subscription", "reason"],
            )?,
            receipts: IntCounterVec::new(Opts::new(RECEIPTS, "Receipts by result"), &["result"])?,
            attempt: Histogram::with_opts(attempt)?,
            backlog: IntGauge::new(BACKLOG, "Deliveries that wait or are under way")?,
            oldest: Gauge::new(OLDEST_PENDING_SECONDS, "Age of the oldest delivery that waits")?,
            disabled: IntGauge::new(DISABLED_ENDPOINTS, "Endpoints that answered 410")?,
        };
        let all: [Box<dyn Collector>; 8] = [
            Box::new(meter.deliveries.clone()),
            Box::new(meter.failures.clone()),
            Box::new(meter.not_arrived.clone()),
            Box::new(meter.receipts.clone()),
            Box::new(meter.attempt.clone()),
            Box::new(meter.backlog.clone()),
            Box::new(meter.oldest.clone()),
            Box::new(meter.disabled.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))?;
        let ends = DeliveryStatus::ALL.iter().map(|status| status.as_str());
        let others = ["queued", "retried", "stale", "unreadable", "purged", "resent"];
        ends.chain(others).for_each(|word| meter.delivery(word, 0));
        Cause::ALL.iter().for_each(|cause| meter.failures.with_label_values(&[cause.as_str()]).inc_by(0));
        meter.receipts(0, 0);
        Ok(meter)
    }

    /// Counts deliveries.
    pub fn delivery(&self, result: &str, count: u64) {
        self.deliveries.with_label_values(&[result]).inc_by(count);
    }

    /// Counts an attempt that did not succeed.
    pub fn failure(&self, cause: &str) {
        self.failures.with_label_values(&[cause]).inc();
    }

    /// Shows every reason of a subscription from now on, at zero, so that the first failure is an increase.
    pub(crate) fn watch(&self, subscription: &str) {
        Cause::ALL.iter().for_each(|cause| self.not_arrived(subscription, cause.as_str(), 0));
    }

    /// Counts deliveries that failed for good.
    pub(crate) fn not_arrived(&self, subscription: &str, reason: &str, count: u64) {
        self.not_arrived.with_label_values(&[subscription, reason]).inc_by(count);
    }

    /// Measures an attempt, in seconds.
    pub fn attempt(&self, seconds: f64) {
        self.attempt.observe(seconds);
    }

    /// Counts receipts.
    pub fn receipts(&self, taken: u64, late: u64) {
        self.receipts.with_label_values(&["taken"]).inc_by(taken);
        self.receipts.with_label_values(&["late"]).inc_by(late);
    }

    /// Shows what waits.
    pub fn backlog(&self, backlog: Backlog) {
        self.backlog.set(backlog.rows);
        self.oldest.set(backlog.oldest_s);
        self.disabled.set(backlog.disabled_endpoints);
    }
}
