//! The second half: due rows are leased, posted and written down. Each subscription has three tasks in a row, so that a slow
//! receiver holds up nobody else and the database is asked in batches: claim → post → record.
//!
//! A row is posted only while its lease surely outlasts the attempt, so no two workers post the same lease at once. A crash
//! between post and record leaves the row to the next lease: posted again, under the same id.

use crate::deliver::{Attempt, Cause, Next, Schedule, classify};
use crate::error::Error;
use crate::metrics::Meter;
use crate::receipts::{Receipts, Told};
use crate::standing::Standing;
use crate::store::{Claimed, Late, Leased, Outcome, PURGE_ROWS, Store};
use crate::webhook::{Endpoint, Poster};
use chrono::{DateTime, Utc};
use domain::DeliveryStatus;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runtime::outage::DATABASE;
use runtime::{clock, task, warn_unless_away};
use schemas::Word;
use schemas::notification::Receipt;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Wait after a claim that did not fill up, and before results are written: small enough for people, large enough to batch.
const GATHER: Duration = Duration::from_millis(15);
/// Longest pause between tries while the database is away.
const MAX_BACKOFF: Duration = Duration::from_secs(5);
/// How long a draining process tries to write results to a database that is away.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// Numbers that the workers go by.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Rows leased at once.
    pub claim_rows: usize,
    /// Requests under way at once.
    pub concurrency: usize,
    /// For which a row is ours.
    pub lease: Duration,
    /// The longest that one attempt takes.
    pub attempt: Duration,
    /// Between looks at an empty queue.
    pub idle_poll: Duration,
    /// Between looks at late receipts and gauges.
    pub sweep: Duration,
    /// Days for which deliveries that ended are kept; 0 for ever.
    pub keep_days: u32,
    /// When to try again.
    pub schedule: Schedule,
}

/// Batches of old deliveries that one sweep deletes at most.
const PURGES_OF_A_SWEEP: usize = 20;

/// What all workers of a process share.
pub struct DeliveryWorker<R> {
    /// The queue.
    pub store: Store,
    /// The HTTP client.
    pub poster: Poster,
    /// Where receipts go.
    pub receipts: R,
    /// What is measured.
    pub meter: Meter,
    /// What is said of it.
    pub standing: Standing,
    /// The numbers.
    pub pace: Pace,
    /// Drawn for each wait, from 0 up to 1.
    pub chance: fn() -> f64,
    /// Told when rows were queued.
    pub wake: Arc<Notify>,
    /// Time to drain.
    pub shutdown: CancellationToken,
}

struct Job {
    row: Leased,
    /// Before its lease was asked for.
    asked_at: Instant,
    /// Not posted after this: the lease might end first.
    not_after: Instant,
}

enum Done {
    Posted {
        row: Leased,
        attempt: Attempt,
        at: DateTime<Utc>,
    },
    /// Draining: the lease is given back.
    Unused(Leased),
}

impl<R: Receipts> DeliveryWorker<R> {
    /// Works for one subscription until it is time to drain; then nothing new is claimed, what is under way is finished, and
    /// what was not begun is given back.
    ///
    /// # Errors
    /// When one of its tasks panicked.
    pub async fn work(self: Arc<Self>, endpoint: Endpoint) -> Result<(), Error> {
        let endpoint = Arc::new(endpoint);
        let (jobs, to_post) = mpsc::channel(self.pace.claim_rows * 2);
        let (results, to_record) = mpsc::channel(self.pace.claim_rows * 2);
        let tasks = [
            task::spawn("notifier-claim", self.clone().claim(endpoint.clone(), jobs)),
            task::spawn("notifier-post", self.clone().post(endpoint.clone(), to_post, results)),
            task::spawn("notifier-record", self.clone().record(endpoint.clone(), to_record)),
        ];
        for ended in tasks {
            ended.await.map_err(|source| Error::Ended { subscription: endpoint.subscription.clone(), source })?;
        }
        Ok(())
    }

    async fn claim(self: Arc<Self>, endpoint: Arc<Endpoint>, jobs: mpsc::Sender<Job>) {
        let Pace { claim_rows, lease, attempt, idle_poll, .. } = self.pace;
        let mut idle = GATHER;
        while !self.shutdown.is_cancelled() {
            let worker = tokio::select! {
                worker = jobs.reserve_many(claim_rows) => worker,
                () = self.shutdown.cancelled() => break,
            };
            let Ok(worker) = worker else { break };
            let woken = self.wake.notified();
            let asked_at = Instant::now();
            let claimed = self.store.claim(&endpoint.subscription, &endpoint.url_sha256, claim_rows, lease).await;
            match &claimed {
                Ok(claimed) => self.standing.read(&endpoint.subscription, *claimed == Claimed::Disabled),
                Err(error) => self.standing.unread(&error.to_string()),
            }
            let pause = match claimed {
                Ok(Claimed::Rows(rows)) if !rows.is_empty() => {
                    idle = GATHER;
                    let full = rows.len() == claim_rows;
                    // Counted from before the claim: the database's lease began later, and so ends later.
                    let not_after = asked_at + lease.saturating_sub(attempt);
                    worker.zip(rows).for_each(|(place, row)| place.send(Job { row, asked_at, not_after }));
                    if full { Duration::ZERO } else { GATHER }
                }
                Ok(Claimed::Rows(_)) => {
                    idle = (idle * 2).min(idle_poll);
                    self.wait(idle, Some(woken)).await;
                    GATHER
                }
                Ok(Claimed::Disabled) => {
                    self.retire(&endpoint).await;
                    idle_poll
                }
                Err(error) => {
                    warn_unless_away!(DATABASE, subscription = endpoint.subscription, %error, "queue cannot be read");
                    MAX_BACKOFF.min(idle_poll)
                }
            };
            self.wait(pause, None).await;
        }
    }

    async fn post(
        self: Arc<Self>,
        endpoint: Arc<Endpoint>,
        mut jobs: mpsc::Receiver<Job>,
        results: mpsc::Sender<Done>,
    ) {
        let mut under_way = FuturesUnordered::new();
        // What was claimed before is not posted any more. Later claims ask the table whether the endpoint is enabled.
        let mut gone_at: Option<Instant> = None;
        loop {
            let done = tokio::select! {
                biased;
                Some(done) = under_way.next(), if !under_way.is_empty() => done,
                job = jobs.recv(), if under_way.len() < self.pace.concurrency => match job {
                    Some(job) if self.shutdown.is_cancelled() || gone_at.is_some_and(|at| job.asked_at <= at) => {
                        Done::Unused(job.row)
                    }
                    Some(job) if Instant::now() > job.not_after => continue,
                    Some(job) => {
                        under_way.push(self.attempt(&endpoint, job.row));
                        continue;
                    }
                    None if under_way.is_empty() => break,
                    None => match under_way.next().await {
                        Some(done) => done,
                        None => break,
                    },
                },
            };
            if matches!(&done, Done::Posted { attempt, .. } if attempt.is_gone()) {
                gone_at = Some(Instant::now());
            }
            if results.send(done).await.is_err() {
                break;
            }
        }
    }

    async fn attempt(&self, endpoint: &Endpoint, row: Leased) -> Done {
        let started = Instant::now();
        let posting = self.poster.post(endpoint, row.id, row.traceparent.as_deref(), row.body.clone(), clock::now());
        let attempt = posting.await;
        self.meter.attempt(started.elapsed().as_secs_f64());
        Done::Posted { row, attempt, at: clock::now() }
    }

    async fn record(self: Arc<Self>, endpoint: Arc<Endpoint>, mut results: mpsc::Receiver<Done>) {
        let most = self.pace.claim_rows;
        let mut batch = Vec::with_capacity(most);
        while results.recv_many(&mut batch, most).await > 0 {
            if batch.len() < most {
                sleep(GATHER).await;
                while batch.len() < most
                    && let Ok(done) = results.try_recv()
                {
                    batch.push(done);
                }
            }
            self.write_down(&endpoint, batch.drain(..)).await;
        }
    }

    /// Tells Kafka of what ended, then the table of everything. The other way round a crash would lose a receipt.
    async fn write_down(&self, endpoint: &Endpoint, batch: impl Iterator<Item = Done>) {
        let (mut outcomes, mut told, mut unused) = (Vec::new(), Vec::new(), Vec::new());
        for done in batch {
            match done {
                Done::Unused(row) => unused.push((row.id, row.claims)),
                Done::Posted { row, attempt, at } => {
                    if row.resends > 0 && row.attempts == 0 {
                        self.meter.delivery("resent", 1);
                    }
                    let outcome = self.outcome(&row, attempt, at);
                    if let Some(ended) = outcome.ended {
                        let status = (ended.into(), outcome.http_status);
                        told.push((outcomes.len(), receipt(row, &endpoint.subscription, 1, status, at)));
                    }
                    outcomes.push(outcome);
                }
            }
        }
        let (places, told): (Vec<usize>, Vec<Told>) = told.into_iter().unzip();
        for (place, taken) in places.into_iter().zip(self.publish(told).await) {
            outcomes[place].receipt_due = !taken;
        }
        let disabled =
            outcomes.iter().find(|outcome| outcome.ended == Some(DeliveryStatus::Disabled)).map(|outcome| outcome.id);
        if let Some(delivery) = disabled {
            tracing::warn!(subscription = endpoint.subscription, "endpoint answered 410 Gone and is disabled");
            self.until_written(|| self.store.disable(&endpoint.subscription, &endpoint.url_sha256, delivery)).await;
        }
        if !unused.is_empty() {
            self.until_written(|| self.store.release(&unused)).await;
        }
        if !outcomes.is_empty()
            && let Some(counted) = self.until_written(|| self.store.finish(&outcomes)).await
        {
            self.count(&endpoint.subscription, &outcomes, counted);
        }
    }

    fn outcome(&self, row: &Leased, attempt: Attempt, at: DateTime<Utc>) -> Outcome {
        let attempts = u32::try_from(row.attempts).unwrap_or(0).saturating_add(1);
        let (ended, wait, cause) = match classify(attempt, attempts, &self.pace.schedule, (self.chance)()) {
            Next::Delivered => (Some(DeliveryStatus::Delivered), Duration::ZERO, None),
            Next::Retry(wait, cause) => (None, wait, Some(cause)),
            Next::Failed(cause) => (Some(DeliveryStatus::Failed), Duration::ZERO, Some(cause)),
            Next::DisableEndpoint => (Some(DeliveryStatus::Disabled), Duration::ZERO, Some(Cause::Gone)),
        };
        Outcome {
            id: row.id,
            claims: row.claims,
            ended,
            wait,
            http_status: attempt.status(),
            last_error: cause.map(Cause::as_str),
            receipt_due: ended.is_some(),
            at,
        }
    }

    fn count(&self, subscription: &str, outcomes: &[Outcome], counted: u64) {
        for Outcome { id, ended, last_error, http_status, .. } in outcomes {
            self.meter.delivery(ended.map_or("retried", DeliveryStatus::as_str), 1);
            let Some(reason) = *last_error else { continue };
            self.meter.failure(reason);
            if ended.is_some() {
                let words = match reason == Cause::Gone.as_str() {
                    true => "delivery is kept until its endpoint is enabled",
                    false => "delivery failed for good",
                };
                tracing::warn!(subscription, delivery = %id, reason, http_status, "{words}");
                self.meter.not_arrived(subscription, reason, 1);
            }
        }
        self.meter.delivery("stale", (outcomes.len() as u64).saturating_sub(counted));
    }

    async fn publish(&self, told: Vec<Told>) -> Vec<bool> {
        if told.is_empty() {
            return Vec::new();
        }
        let taken = self.receipts.publish(told).await;
        let count = taken.iter().filter(|taken| **taken).count();
        self.meter.receipts(count as u64, (taken.len() - count) as u64);
        taken
    }

    async fn retire(&self, endpoint: &Endpoint) {
        loop {
            match self.store.retire(&endpoint.subscription, &endpoint.url_sha256).await {
                Ok(0) => return,
                Ok(retired) => {
                    let subscription = &endpoint.subscription;
                    tracing::warn!(subscription, retired, "deliveries wait for their endpoint to be enabled");
                    self.meter.delivery(DeliveryStatus::Disabled.as_str(), retired);
                    self.meter.not_arrived(subscription, Cause::Gone.as_str(), retired);
                }
                Err(error) => {
                    warn_unless_away!(DATABASE, subscription = endpoint.subscription, %error, "queue cannot be retired");
                    return;
                }
            }
        }
    }

    /// Offers late receipts again, shows what waits and deletes what ended long ago, until it is time to drain. A database that is away
    /// is waited for.
    ///
    /// # Errors
    /// None.
    pub async fn sweep(self: Arc<Self>, endpoints: Vec<(String, [u8; 32])>) -> Result<(), Infallible> {
        while !self.shutdown.is_cancelled() {
            match self.sweep_once(&endpoints).await {
                Ok(()) => {}
                Err(error) => warn_unless_away!(DATABASE, %error, "queue cannot be swept"),
            }
            self.wait(self.pace.sweep, None).await;
        }
        Ok(())
    }

    async fn sweep_once(&self, endpoints: &[(String, [u8; 32])]) -> Result<(), Error> {
        self.meter.backlog(self.store.backlog(endpoints).await?);
        loop {
            let again = |late: Vec<Late>| self.publish(late.into_iter().map(late_receipt).collect());
            let (offered, taken) = self.store.late_receipts(again).await?;
            if offered == 0 || taken < offered {
                break;
            }
        }
        self.purge().await
    }

    /// Deletes what ended long ago, in small batches, a few of them at each sweep: nobody waits for it.
    async fn purge(&self) -> Result<(), Error> {
        for _ in 0..PURGES_OF_A_SWEEP {
            if self.pace.keep_days == 0 || self.shutdown.is_cancelled() {
                break;
            }
            let purged = self.store.purge(self.pace.keep_days).await?;
            self.meter.delivery("purged", purged);
            if purged < PURGE_ROWS as u64 {
                break;
            }
        }
        Ok(())
    }

    /// Tries until the database has it; `None` when a draining process has waited long enough. The lease then runs out and the
    /// delivery is made again, under the same id.
    async fn until_written<T, F>(&self, write: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut backoff = Duration::from_millis(50);
        let mut draining_since: Option<Instant> = None;
        loop {
            match write().await {
                Ok(written) => return Some(written),
                Err(error) => warn_unless_away!(DATABASE, %error, "results wait for the database"),
            }
            if self.shutdown.is_cancelled()
                && draining_since.get_or_insert_with(Instant::now).elapsed() > DRAIN_PATIENCE
            {
                return None;
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    /// Waits; ends early when rows were queued or it is time to drain.
    async fn wait(&self, pause: Duration, woken: Option<tokio::sync::futures::Notified<'_>>) {
        let early = async {
            match woken {
                Some(woken) => tokio::select! { () = woken => {}, () = self.shutdown.cancelled() => {} },
                None => self.shutdown.cancelled().await,
            }
        };
        if !pause.is_zero() && timeout(pause, early).await.is_err() {
            tracing::trace!("nothing happened");
        }
    }
}

fn receipt(
    row: Leased,
    subscription: &str,
    more_attempts: i32,
    (status, http_status): (Word<DeliveryStatus>, Option<u16>),
    at: DateTime<Utc>,
) -> Told {
    let receipt = Receipt {
        delivery_id: row.id.to_string(),
        subscription: subscription.to_owned(),
        event_id: row.event_id,
        tenant: row.tenant,
        application_id: row.application_id,
        revision: u32::try_from(row.revision).unwrap_or(0),
        status,
        attempts: u32::try_from(row.attempts.saturating_add(more_attempts)).unwrap_or(0),
        http_status,
        at: clock::rfc3339(at),
    };
    let resends = u32::try_from(row.resends).unwrap_or(0);
    Told { receipt, correlation_id: row.correlation_id, traceparent: row.traceparent, resends }
}

fn late_receipt(late: Late) -> Told {
    let http_status = late.http_status.and_then(|status| u16::try_from(status).ok());
    receipt(late.row, &late.subscription, 0, (late.status, http_status), late.ended_at)
}
