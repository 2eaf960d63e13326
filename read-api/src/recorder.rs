//! Access records to Kafka: a look at an identity waits for its own, other looks are written when their minute is over. What cannot be
//! written is not shown, or waits.

use crate::access::{Gathered, Looks, Operation};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::problem::Problem;
use chrono::DateTime;
use runtime::acked::AckedProducer;
use runtime::auth::Claims;
use runtime::clock;
use runtime::service::ServiceContext;
use runtime::stream::{Output, Route};
use schemas::access::RECORDED;
use schemas::event_id::event_id;
use schemas::{Envelope, Topic};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `ce_source` of the records.
const SOURCE: &str = "/defaultx/read-api";
/// Between two looks for minutes that are over.
const LOOK: Duration = Duration::from_secs(1);

/// Writes who looked at what.
pub struct Recorder {
    producer: AckedProducer,
    topic: Arc<str>,
    /// This run of this instance, so that no two records have one id.
    run: String,
    gathered: Mutex<Gathered>,
    metrics: Metrics,
}

impl Recorder {
    /// A record is given up after `patience`.
    ///
    /// # Errors
    /// [`Error::Config`] without Kafka.
    pub fn new(service: &ServiceContext, patience: Duration, metrics: Metrics) -> Result<Self, Error> {
        if service.kafka.bootstrap.is_empty() {
            return Err(Error::Config("needs [kafka] bootstrap: who looked at what is recorded there".to_owned()));
        }
        let producer = AckedProducer::new(&service.kafka, patience);
        Ok(Self {
            producer: producer.map_err(|error| Error::Config(format!("access records: {error}")))?,
            topic: service.topic(Topic::Access.base_name()),
            run: format!("{}:{}", service.instance, clock::now_ms()),
            gathered: Mutex::default(),
            metrics,
        })
    }

    /// Returns once Kafka has the record of a look at an identity.
    ///
    /// # Errors
    /// 503 where it has not: then nothing may be shown.
    pub(crate) async fn before_identity(
        &self,
        claims: &Claims,
        tenant: &str,
        application: &str,
    ) -> Result<(), Problem> {
        let now_ms = clock::now_ms();
        let looks = self.lock().single(claims, tenant, Operation::Identity, application, now_ms);
        let record = self.record(&looks, Some(application));
        let taken = self.producer.write(std::slice::from_ref(&record)).await;
        self.count(&taken);
        if taken == [true] { Ok(()) } else { Err(Problem::unrecorded()) }
    }

    /// Notes any other look.
    ///
    /// # Errors
    /// 503 where more waits for Kafka than may.
    pub(crate) fn note(
        &self,
        claims: &Claims,
        tenant: &str,
        operation: Operation,
        application: Option<&str>,
    ) -> Result<(), Problem> {
        let added = self.lock().add(claims, tenant, operation, application, clock::now_ms());
        added.map_err(|_| Problem::unrecorded())
    }

    /// Writes what is due again and again until it is time to drain.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) -> Result<(), Infallible> {
        while tokio::time::timeout(LOOK, shutdown.cancelled()).await.is_err() {
            self.write(Some(clock::now_ms())).await;
        }
        Ok(())
    }

    /// Writes everything, once nobody asks any more.
    pub(crate) async fn finish(&self) {
        self.write(None).await;
        let left = self.lock().due(None).len();
        if left > 0 {
            tracing::error!(left, "access records were not written: Kafka is not reachable");
        }
    }

    async fn write(&self, now_ms: Option<i64>) {
        let due = self.lock().due(now_ms);
        if due.is_empty() {
            return;
        }
        let records: Vec<Output> = due.iter().map(|looks| self.record(looks, None)).collect();
        let taken = self.producer.write(&records).await;
        self.count(&taken);
        let mut gathered = self.lock();
        due.into_iter().zip(taken).filter(|(_, taken)| !taken).for_each(|(looks, _)| gathered.put_back(looks));
    }

    fn record(&self, looks: &Looks, subject: Option<&str>) -> Output {
        let body = looks.body(|ms| clock::rfc3339(DateTime::from_timestamp_millis(ms).unwrap_or_default()));
        let ordinal = format!("{}:{}", self.run, looks.number);
        let envelope = Envelope {
            id: event_id(RECORDED, &body.tenant, &body.token_id, 0, &ordinal).to_string(),
            source: SOURCE.to_owned(),
            event_type: RECORDED.to_owned(),
            subject: subject.map(str::to_owned),
            time: Some(body.last_at.clone()),
            ..Envelope::default()
        };
        Output {
            topic: self.topic.clone(),
            route: Route::ByKey,
            key: Some(format!("{}|{}", body.tenant, body.token_id).into_bytes()),
            payload: serde_json::to_vec(&body).ok(),
            headers: envelope.to_headers(),
        }
    }

    fn count(&self, taken: &[bool]) {
        for taken in taken {
            let outcome = if *taken { "written" } else { "failed" };
            self.metrics.access_records.with_label_values(&[outcome]).inc();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
