//! The delivery table: rows are added in the reader's transaction, leased, and ended. Leases run on the database's clock, so that
//! instances need not agree on theirs. Knows nothing of HTTP or Kafka.

use crate::deliver::Cause;
use crate::error::Error;
use crate::select::Delivery;
use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::DeliveryStatus;
use runtime::pg::Pool;
use runtime::pg::rows::Rows;
use schemas::Word;
use std::ops::Range;
use std::time::Duration;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

/// Rows given up to a disabled endpoint in one statement.
const RETIRE_ROWS: i64 = 1_000;
/// Rows deleted in one statement.
pub(crate) const PURGE_ROWS: i64 = 1_000;
/// Late receipts taken in one transaction.
const LATE_RECEIPTS: i64 = 500;

/// A row under lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Id of the delivery.
    pub id: Uuid,
    /// Which lease this is; a result counts only under the newest.
    pub claims: i32,
    /// Attempts that ended before.
    pub attempts: i32,
    /// Event that is told of.
    pub event_id: String,
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: i32,
    /// Echoed on.
    pub correlation_id: Option<String>,
    /// Carried on.
    pub traceparent: Option<String>,
    /// What to post.
    pub body: String,
    /// How often somebody had it sent again before.
    pub resends: i32,
}

/// What a claim gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Rows that nobody else has until the lease ends; none when nothing is due.
    Rows(Vec<Leased>),
    /// The endpoint is disabled: nothing is to be sent.
    Disabled,
}

/// What to write of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Which delivery.
    pub id: Uuid,
    /// Under which lease.
    pub claims: i32,
    /// How it ended; `None` when it is to be tried again.
    pub ended: Option<DeliveryStatus>,
    /// Until the next attempt.
    pub wait: Duration,
    /// HTTP status, where an answer came.
    pub http_status: Option<u16>,
    /// The word of the cause, where there is one.
    pub last_error: Option<&'static str>,
    /// Whether Kafka has yet to take the receipt.
    pub receipt_due: bool,
    /// When the attempt ended.
    pub at: DateTime<Utc>,
}

/// A delivery that ended and whose receipt Kafka has not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// As it was leased.
    pub row: Leased,
    /// Whom it was for.
    pub subscription: String,
    /// How it ended.
    pub status: Word<DeliveryStatus>,
    /// HTTP status of the last attempt.
    pub http_status: Option<i32>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

/// What the gauges show.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Backlog {
    /// Rows that wait or are under way.
    pub rows: i64,
    /// Age of the oldest of them, in seconds.
    pub oldest_s: f64,
    /// Endpoints of this configuration that are disabled.
    pub disabled_endpoints: i64,
}

/// Deliveries of one batch, to be added by [`insert_what_fits`](runtime::pg::rows::insert_what_fits) in the reader's transaction.
#[derive(Debug)]
pub struct Queued<'a>(pub &'a [Delivery]);

impl Rows for Queued<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    async fn insert(&self, tx: &Transaction<'_>, rows: Range<usize>) -> Result<u64, tokio_postgres::Error> {
        let deliveries = self.0.get(rows).unwrap_or_default();
        macro_rules! column {
            ($field:ident) => {
                deliveries.iter().map(|delivery| &delivery.$field).collect::<Vec<_>>()
            };
        }
        let insert = "INSERT INTO defaultx.deliveries (id, subscription, event_type, event_id, tenant, application_id, \
                      revision, correlation_id, traceparent, body) \
                      SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], \
                      $7::int[], $8::text[], $9::text[], $10::text[]) ON CONFLICT (id) DO NOTHING";
        tx.execute(
            insert,
            &[
                &column!(id),
                &column!(subscription),
                &column!(event_type),
                &column!(event_id),
                &column!(tenant),
                &column!(application_id),
                &column!(revision),
                &column!(correlation_id),
                &column!(traceparent),
                &column!(body),
            ],
        )
        .await
    }
}

/// The table, through a pool.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
}

impl Store {
    /// Over a pool.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// Leases due rows of a subscription, the longest due first, unless its endpoint is disabled.
    ///
    /// # Errors
    /// From the database.
    pub async fn claim(
        &self,
        subscription: &str,
        url_sha256: &[u8; 32],
        rows: usize,
        lease: Duration,
    ) -> Result<Claimed, Error> {
        let client = self.pool.get().await?;
        let disabled = "SELECT 1 FROM defaultx.disabled_endpoints WHERE subscription = $1 AND url_sha256 = $2";
        let disabled = client.prepare_cached(disabled).await?;
        if client.query_opt(&disabled, &[&subscription, &url_sha256.as_slice()]).await?.is_some() {
            return Ok(Claimed::Disabled);
        }
        // An array, not a join: whatever the planner believes of the table's size, it goes by the two indexes.
        let claim = "UPDATE defaultx.deliveries SET claims = claims + 1, lease_until = now() + $3 * interval '1 ms', \
                     next_at = now() + $3 * interval '1 ms' WHERE id = ANY(ARRAY(\
                     SELECT id FROM defaultx.deliveries WHERE subscription = $1 AND status = 'pending' AND next_at <= now() \
                     ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED)) \
                     RETURNING id, claims, attempts, event_id, tenant, application_id, revision, correlation_id, traceparent, \
                     body, resends";
        let claim = client.prepare_cached(claim).await?;
        let (limit, lease_ms) = (i64::try_from(rows).unwrap_or(i64::MAX), lease.as_secs_f64() * 1e3);
        let claimed = client.query(&claim, &[&subscription, &limit, &lease_ms]).await?;
        Ok(Claimed::Rows(claimed.iter().map(leased).collect()))
    }

    /// Writes what came of attempts; gives how many counted. The others had lost their lease.
    ///
    /// # Errors
    /// From the database; then nothing is written.
    pub async fn finish(&self, outcomes: &[Outcome]) -> Result<u64, Error> {
        let finish = "UPDATE defaultx.deliveries AS d SET status = coalesce(r.ended, 'pending'), attempts = d.attempts + 1, \
                      next_at = CASE WHEN r.ended IS NULL THEN now() + r.wait_ms * interval '1 ms' ELSE d.next_at END, \
                      lease_until = NULL, http_status = r.http_status, last_error = r.last_error, \
                      ended_at = CASE WHEN r.ended IS NULL THEN NULL ELSE r.at END, receipt_due = r.receipt_due \
                      FROM unnest($1::uuid[], $2::int[], $3::text[], $4::float8[], $5::int[], $6::text[], $7::bool[], \
                      $8::timestamptz[]) AS r(id, claims, ended, wait_ms, http_status, last_error, receipt_due, at) \
                      WHERE d.id = r.id AND d.claims = r.claims AND d.status = 'pending'";
        let each = |f: &dyn Fn(&Outcome) -> Option<&'static str>| outcomes.iter().map(f).collect::<Vec<_>>();
        let client = self.pool.get().await?;
        let finish = client.prepare_cached(finish).await?;
        let counted = client
            .execute(
                &finish,
                &[
                    &outcomes.iter().map(|o| o.id).collect::<Vec<_>>(),
                    &outcomes.iter().map(|o| o.claims).collect::<Vec<_>>(),
                    &each(&|o| o.ended.map(DeliveryStatus::as_str)),
                    &outcomes.iter().map(|o| o.wait.as_secs_f64() * 1e3).collect::<Vec<_>>(),
                    &outcomes.iter().map(|o| o.http_status.map(i32::from)).collect::<Vec<_>>(),
                    &each(&|o| o.last_error),
                    &outcomes.iter().map(|o| o.receipt_due).collect::<Vec<_>>(),
                    &outcomes.iter().map(|o| o.at).collect::<Vec<_>>(),
                ],
            )
            .await?;
        Ok(counted)
    }

    /// Gives leases back unused, so that others need not wait for their end.
    ///
    /// # Errors
    /// From the database.
    pub async fn release(&self, leases: &[(Uuid, i32)]) -> Result<(), Error> {
        let release = "UPDATE defaultx.deliveries AS d SET next_at = now(), lease_until = NULL \
                       FROM unnest($1::uuid[], $2::int[]) AS r(id, claims) \
                       WHERE d.id = r.id AND d.claims = r.claims AND d.status = 'pending'";
        let (ids, claims): (Vec<_>, Vec<_>) = leases.iter().copied().unzip();
        self.pool.get().await?.execute(release, &[&ids, &claims]).await?;
        Ok(())
    }

    /// Disables an endpoint. The row of the delivery that it refused is ended by [`Store::finish`], all others by
    /// [`Store::retire`].
    ///
    /// # Errors
    /// From the database.
    pub(crate) async fn disable(&self, subscription: &str, url_sha256: &[u8; 32], delivery: Uuid) -> Result<(), Error> {
        let disable = "INSERT INTO defaultx.disabled_endpoints (subscription, url_sha256, delivery_id) VALUES ($1, $2, $3) \
                       ON CONFLICT DO NOTHING";
        self.pool.get().await?.execute(disable, &[&subscription, &url_sha256.as_slice(), &delivery]).await?;
        Ok(())
    }

    /// Ends rows of an endpoint that nobody has under lease, unless it was enabled meanwhile; gives how many. They are kept, and sent
    /// once it is enabled, until [`Store::purge`] deletes them.
    ///
    /// # Errors
    /// From the database.
    pub async fn retire(&self, subscription: &str, url_sha256: &[u8; 32]) -> Result<u64, Error> {
        let retire = "UPDATE defaultx.deliveries SET status = $3, ended_at = now(), lease_until = NULL, \
                      last_error = $4, receipt_due = true WHERE id = ANY(ARRAY(\
                      SELECT id FROM defaultx.deliveries WHERE subscription = $1 AND status = 'pending' \
                      AND (lease_until IS NULL OR lease_until <= now()) \
                      AND EXISTS (SELECT FROM defaultx.disabled_endpoints WHERE subscription = $1 AND url_sha256 = $5) \
                      LIMIT $2 FOR UPDATE SKIP LOCKED))";
        let (status, cause) = (DeliveryStatus::Disabled.as_str(), Cause::Gone.as_str());
        let client = self.pool.get().await?;
        let url_sha256 = url_sha256.as_slice();
        Ok(client.execute(retire, &[&subscription, &RETIRE_ROWS, &status, &cause, &url_sha256]).await?)
    }

    /// Offers late receipts to `publish`, which says which of them were taken, and remembers those. Gives how many it offered
    /// and how many were taken. Rows are locked meanwhile: no other instance offers the same.
    ///
    /// # Errors
    /// From the database.
    pub(crate) async fn late_receipts<F>(&self, publish: impl FnOnce(Vec<Late>) -> F) -> Result<(usize, usize), Error>
    where
        F: Future<Output = Vec<bool>>,
    {
        let mut client = self.pool.get().await?;
        let tx = client.transaction().await?;
        let select = "SELECT id, claims, attempts, event_id, tenant, application_id, revision, correlation_id, traceparent, \
                      body, resends, subscription, status, http_status, ended_at FROM defaultx.deliveries WHERE receipt_due \
                      ORDER BY ended_at LIMIT $1 FOR UPDATE SKIP LOCKED";
        let late: Vec<Late> = tx.query(select, &[&LATE_RECEIPTS]).await?.iter().map(late).collect();
        if late.is_empty() {
            return Ok((0, 0));
        }
        let ids: Vec<Uuid> = late.iter().map(|late| late.row.id).collect();
        let taken = publish(late).await;
        let taken: Vec<Uuid> = ids.iter().zip(taken).filter_map(|(id, taken)| taken.then_some(*id)).collect();
        tx.execute("UPDATE defaultx.deliveries SET receipt_due = false WHERE id = ANY($1)", &[&taken]).await?;
        tx.commit().await?;
        Ok((ids.len(), taken.len()))
    }

    /// Deletes the oldest of those that ended more than so many days ago, a batch at a time; gives how many. What has a receipt
    /// due stays.
    ///
    /// # Errors
    /// From the database.
    pub async fn purge(&self, keep_days: u32) -> Result<u64, Error> {
        let purge = "DELETE FROM defaultx.deliveries WHERE id = ANY(ARRAY(\
                     SELECT id FROM defaultx.deliveries WHERE ended_at IS NOT NULL AND NOT receipt_due \
                     AND ended_at < now() - $1 * interval '1 day' ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
        Ok(self.pool.get().await?.execute(purge, &[&f64::from(keep_days), &PURGE_ROWS]).await?)
    }

    /// What waits, of the subscriptions given as (id, digest of the URL).
    ///
    /// # Errors
    /// From the database.
    pub async fn backlog(&self, endpoints: &[(String, [u8; 32])]) -> Result<Backlog, Error> {
        let (ids, urls): (Vec<&str>, Vec<&[u8]>) =
            endpoints.iter().map(|(id, url)| (id.as_str(), url.as_slice())).unzip();
        let client = self.pool.get().await?;
        let waiting = "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 \
                       FROM defaultx.deliveries WHERE status = 'pending' AND subscription = ANY($1)";
        let waiting = client.query_one(waiting, &[&ids]).await?;
        let disabled = "SELECT count(*) FROM defaultx.disabled_endpoints \
                        JOIN unnest($1::text[], $2::bytea[]) AS e(id, url) ON subscription = e.id AND url_sha256 = e.url";
        let disabled = client.query_one(disabled, &[&ids, &urls]).await?;
        Ok(Backlog {
            rows: waiting.get(0),
            oldest_s: waiting.get::<_, f64>(1).max(0.0),
            disabled_endpoints: disabled.get(0),
        })
    }
}

fn leased(row: &Row) -> Leased {
    Leased {
        id: row.get(0),
        claims: row.get(1),
        attempts: row.get(2),
        event_id: row.get(3),
        tenant: row.get(4),
        application_id: row.get(5),
        revision: row.get(6),
        correlation_id: row.get(7),
        traceparent: row.get(8),
        body: row.get(9),
        resends: row.get(10),
    }
}

fn late(row: &Row) -> Late {
    Late {
        row: leased(row),
        subscription: row.get(11),
        status: Word::parse(row.get(12)),
        http_status: row.get(13),
        ended_at: row.get(14),
    }
}
