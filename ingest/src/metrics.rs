//! Metric names of ingest, and the only place that touches them. Labels are words of closed lists.

use crate::attributes::Kind;
use crate::id_form::Form;
use crate::receive::Received;
use domain::{Channel, ReplyStatus};
use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};
use std::sync::Arc;

/// Refused records by reason and channel (`kafka`, `http`, `batch`). Counted when handled: a batch that is tried again counts
/// again; the dead letters of the loop count exactly.
pub(crate) const REJECTS: &str = "defaultx_ingest_rejects_total";
/// Replies by status. Counted when handled.
pub(crate) const REPLIES: &str = "defaultx_ingest_replies_total";
/// Applications and withdrawals whose id looks like a person, by tenant and form (`national_id`, `email`, `phone`). Counted when
/// handled.
pub const PERSONAL_IDS: &str = "defaultx_ingest_personal_ids_total";
/// Places that no model reads as they were sent, in applications that are taken, by product and kind (`unknown_attribute`,
/// `attribute_wrong_type`, `attribute_unknown_word`, `attribute_out_of_range`, and beside attributes `unknown_word`). Counted when handled;
/// a file's are not.
pub const ATTRIBUTE_WARNINGS: &str = "defaultx_ingest_attribute_warnings_total";
/// Requests at the HTTP door by status code.
pub(crate) const DOOR_REQUESTS: &str = "defaultx_door_requests_total";
/// Seconds from a request's head to its answer.
pub(crate) const DOOR_SECONDS: &str = "defaultx_door_seconds";
/// Requests that the door did not let in, by tenant and by the limit that they met.
pub(crate) const DOOR_LIMITED: &str = "defaultx_door_limited_total";
/// Records in one transaction of the door.
pub(crate) const DOOR_GROUP_RECORDS: &str = "defaultx_door_group_records";

/// The label of what is none of a closed list.
pub const UNKNOWN: &str = "unknown";

/// The metrics, shared by the loops and the door.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    rejects: IntCounterVec,
    replies: IntCounterVec,
    personal_ids: IntCounterVec,
    attribute_warnings: IntCounterVec,
    door_requests: IntCounterVec,
    door_limited: IntCounterVec,
    door_seconds: Histogram,
    door_group_records: Histogram,
}

impl Metrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name, help, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let histogram = |name, help, edges: &[f64]| -> Result<Histogram, prometheus::Error> {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(edges.to_vec()))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
        let sizes = [1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0];
        Ok(Self {
            inner: Arc::new(Inner {
                rejects: counter(REJECTS, "Refused records by reason and channel.", &["reason", "source"])?,
                replies: counter(REPLIES, "Replies by status.", &["status"])?,
                personal_ids: counter(PERSONAL_IDS, "Ids that look like a person, by form.", &["tenant", "form"])?,
                attribute_warnings: counter(
                    ATTRIBUTE_WARNINGS,
                    "Attributes that no model reads as they were sent.",
                    &["product", "kind"],
                )?,
                door_requests: counter(DOOR_REQUESTS, "Requests at the HTTP door by status code.", &["code"])?,
                door_limited: counter(DOOR_LIMITED, "Requests over a limit of the door.", &["tenant", "limit"])?,
                door_seconds: histogram(DOOR_SECONDS, "Seconds from a request's head to its answer.", &seconds)?,
                door_group_records: histogram(DOOR_GROUP_RECORDS, "Records in one transaction of the door.", &sizes)?,
            }),
        })
    }

    /// Counts a refused record; none where nobody can tell how it came.
    pub fn rejected(&self, reason: &'static str, source: Option<Channel>) {
        let source = source.map_or(UNKNOWN, Channel::as_str);
        self.inner.rejects.with_label_values(&[reason, source]).inc();
    }

    /// Counts a reply.
    pub fn replied(&self, status: ReplyStatus) {
        self.inner.replies.with_label_values(&[status.as_str()]).inc();
    }

    /// Counts an id that looks like a person; `tenant` is one of the configured ones.
    pub(crate) fn id_like_a_person(&self, tenant: &str, form: Form) {
        self.inner.personal_ids.with_label_values(&[tenant, form.as_str()]).inc();
    }

    /// Counts what the sender of a record that is taken is warned of; its product is one of the configured ones.
    pub(crate) fn warned(&self, taken: &Received) {
        let Some(warnings) = &taken.warnings else { return };
        for (kind, count) in Kind::ALL.into_iter().zip(warnings.counts).filter(|(_, count)| *count > 0) {
            let labels = [warnings.product.as_str(), kind.as_str()];
            self.inner.attribute_warnings.with_label_values(&labels).inc_by(count);
        }
    }

    /// Counts and times a request.
    pub fn answered(&self, code: u16, seconds: f64) {
        self.inner.door_requests.with_label_values(&[code.to_string().as_str()]).inc();
        self.inner.door_seconds.observe(seconds);
    }

    /// Counts a request over a limit; `tenant` is one of the configured ones.
    pub(crate) fn limited(&self, tenant: &str, limit: &'static str) {
        self.inner.door_limited.with_label_values(&[tenant, limit]).inc();
    }

    /// Counts the records of a transaction.
    pub fn grouped(&self, records: usize) {
        self.inner.door_group_records.observe(records as f64);
    }
}
