//! What read-api measures. Labels are routes as written in the code, never paths as asked.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};
use runtime::metrics::registered;

/// Requests by route and status.
pub const REQUESTS_TOTAL: &str = "defaultx_read_api_requests_total";
/// Seconds to the answer, by route.
pub const REQUEST_SECONDS: &str = "defaultx_read_api_request_seconds";
/// Requests being answered.
pub const IN_FLIGHT: &str = "defaultx_read_api_in_flight";
/// Times that an identity was shown, by role.
pub const IDENTITY_READS_TOTAL: &str = "defaultx_read_api_identity_reads_total";

/// Access records by outcome: `written`, or `failed` and to be tried again or refused.
pub const ACCESS_RECORDS_TOTAL: &str = "defaultx_read_api_access_records_total";

/// The handles.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // named as the constants above
pub struct Metrics {
    pub requests: IntCounterVec,
    pub seconds: HistogramVec,
    pub in_flight: IntGauge,
    pub identity_reads: IntCounterVec,
    pub access_records: IntCounterVec,
}

impl Metrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// When a name is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let buckets = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let seconds = HistogramOpts::new(REQUEST_SECONDS, "Seconds to the answer").buckets(buckets);
        let requests = Opts::new(REQUESTS_TOTAL, "Requests answered");
        let identity = Opts::new(IDENTITY_READS_TOTAL, "Times that an identity was shown");
        let access = Opts::new(ACCESS_RECORDS_TOTAL, "Access records written to Kafka, or not");
        Ok(Self {
            requests: registered(registry, IntCounterVec::new(requests, &["route", "status"])?)?,
            seconds: registered(registry, HistogramVec::new(seconds, &["route"])?)?,
            in_flight: registered(registry, IntGauge::new(IN_FLIGHT, "Requests being answered")?)?,
            identity_reads: registered(registry, IntCounterVec::new(identity, &["role"])?)?,
            access_records: registered(registry, IntCounterVec::new(access, &["outcome"])?)?,
        })
    }
}
