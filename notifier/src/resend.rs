//! Sending again what did not arrive, under the same id, and enabling an endpoint that was gone. Each delivery that goes back into the
//! queue is on record with who asked and how it had ended; the workers of the queue do the rest.

use crate::error::Error;
use crate::listing::PENDING;
use chrono::{DateTime, Utc};
use domain::DeliveryStatus;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use uuid::Uuid;

/// Rows in one statement.
const BATCH: i64 = 1_000;
/// Between looks at deliveries whose receipt Kafka has yet to take.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Which deliveries.
#[derive(Debug, Clone)]
pub enum Which {
    /// These.
    Ids(Vec<Uuid>),
    /// All of a subscription, or those that were queued at a time or later.
    Of {
        /// Whom they are for.
        subscription: String,
        /// When they were queued, at the earliest.
        since: Option<DateTime<Utc>>,
    },
}

impl Which {
    /// As three conditions; what is `None` asks for nothing.
    fn parts(&self) -> (Option<&[Uuid]>, Option<&str>, Option<DateTime<Utc>>) {
        match self {
            Self::Ids(ids) => (Some(ids), None, None),
            Self::Of { subscription, since } => (None, Some(subscription), *since),
        }
    }
}

/// What is to be sent again.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Which deliveries.
    pub which: Which,
    /// Only what ended so.
    pub ended: &'a [DeliveryStatus],
    /// Who asks; recorded.
    pub by: &'a str,
    /// Why; recorded.
    pub why: Option<&'a str>,
    /// Only count.
    pub dry_run: bool,
    /// How long to wait for receipts that Kafka has yet to take: a delivery's end is told before it begins anew.
    pub patience: Duration,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resent {
    /// Deliveries that went back into the queue, or would.
    pub queued: u64,
    /// Those that stood in it already.
    pub pending: u64,
    /// Those of the ids that had ended in another way and were left.
    pub left: u64,
    /// Those whose receipt Kafka has not taken in time.
    pub held: u64,
    /// Ids that no delivery has.
    pub unknown: Vec<Uuid>,
}

/// Puts deliveries back into the queue, each once however often it is asked: what waits already is left. `progress` hears of how many of
/// how many.
///
/// # Errors
/// From the database; what went back before stays on record.
pub async fn resend(client: &Client, asked: &Asked<'_>, mut progress: impl FnMut(u64, u64)) -> Result<Resent, Error> {
    let ended: Vec<&str> = asked.ended.iter().map(|status| status.as_str()).collect();
    let mut resent = count(client, asked, &ended).await?;
    let total = resent.queued;
    if asked.dry_run {
        return Ok(resent);
    }
    let (command, started) = (Uuid::now_v7(), Instant::now());
    resent.queued = 0;
    loop {
        let mut after: Option<Uuid> = None;
        loop {
            let (queued, last) = batch(client, asked, &ended, (command, after)).await?;
            resent.queued += queued;
            progress(resent.queued, total.max(resent.queued));
            after = last;
            if queued < BATCH as u64 {
                break;
            }
        }
        resent.held = held(client, asked, &ended, command).await?;
        if resent.held == 0 || started.elapsed() >= asked.patience {
            return Ok(resent);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Enables whatever endpoint of a subscription had answered 410 Gone, on record; gives how many those were. What was kept is for
/// [`resend`].
///
/// # Errors
/// From the database.
pub async fn enable(client: &Client, subscription: &str, by: &str, why: Option<&str>) -> Result<u64, Error> {
    let enable = "WITH gone AS (DELETE FROM defaultx.disabled_endpoints WHERE subscription = $1 \
                  RETURNING subscription, url_sha256, disabled_at, delivery_id) \
                  INSERT INTO defaultx.endpoint_enablings (subscription, url_sha256, disabled_at, delivery_id, enabled_by, why) \
                  SELECT subscription, url_sha256, disabled_at, delivery_id, $2, $3 FROM gone";
    Ok(client.execute(enable, &[&subscription, &by, &why]).await?)
}

/// What there is of what is asked for.
async fn count(client: &Client, asked: &Asked<'_>, ended: &[&str]) -> Result<Resent, Error> {
    let (subscription, since) = match &asked.which {
        Which::Of { subscription, since } => (subscription, since),
        Which::Ids(ids) => return count_ids(client, ids, ended).await,
    };
    let query = "SELECT count(*) FILTER (WHERE status <> 'pending'), count(*) FILTER (WHERE status = 'pending') \
                 FROM defaultx.deliveries WHERE (status = ANY($1) OR status = 'pending') \
                 AND subscription = $2 AND ($3::timestamptz IS NULL OR created_at >= $3)";
    let row = client.query_one(query, &[&ended, subscription, since]).await?;
    let number = |at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
    Ok(Resent { queued: number(0), pending: number(1), ..Resent::default() })
}

async fn count_ids(client: &Client, ids: &[Uuid], ended: &[&str]) -> Result<Resent, Error> {
    let mut unknown: BTreeSet<Uuid> = ids.iter().copied().collect();
    let mut resent = Resent::default();
    let query = "SELECT id, status FROM defaultx.deliveries WHERE id = ANY($1)";
    for row in client.query(query, &[&ids]).await? {
        unknown.remove(&row.get(0));
        match row.get(1) {
            state if ended.contains(&state) => resent.queued += 1,
            PENDING => resent.pending += 1,
            _ => resent.left += 1,
        }
    }
    Ok(Resent { unknown: unknown.into_iter().collect(), ..resent })
}

/// Puts the next ones back, in the order of their ids, and gives how many and the last id. None goes back twice at one command, even if
/// it has failed again meanwhile.
async fn batch(
    client: &Client,
    asked: &Asked<'_>,
    ended: &[&str],
    (command, after): (Uuid, Option<Uuid>),
) -> Result<(u64, Option<Uuid>), Error> {
    // The lease of before counts no more: its result may still come.
    let again = "WITH chosen AS (\
                 SELECT id, subscription, status, attempts, http_status, last_error, ended_at FROM defaultx.deliveries d \
                 WHERE status = ANY($1) AND NOT receipt_due AND ($2::uuid[] IS NULL OR id = ANY($2)) \
                 AND ($3::text IS NULL OR subscription = $3) AND ($4::timestamptz IS NULL OR created_at >= $4) \
                 AND ($5::uuid IS NULL OR id > $5) \
                 AND NOT EXISTS (SELECT FROM defaultx.delivery_resends r WHERE r.delivery_id = d.id AND r.command = $6) \
                 ORDER BY id LIMIT $7 FOR UPDATE OF d SKIP LOCKED\
                 ), noted AS (\
                 INSERT INTO defaultx.delivery_resends \
                 (delivery_id, command, subscription, resent_by, why, was, attempts, http_status, last_error, ended_at) \
                 SELECT id, $6, subscription, $8, $9, status, attempts, http_status, last_error, ended_at FROM chosen) \
                 UPDATE defaultx.deliveries d SET status = 'pending', attempts = 0, resends = d.resends + 1, claims = d.claims + 1, \
                 next_at = now(), lease_until = NULL, http_status = NULL, last_error = NULL, ended_at = NULL \
                 FROM chosen WHERE d.id = chosen.id RETURNING d.id";
    let (ids, subscription, since) = asked.which.parts();
    let Asked { by, why, .. } = asked;
    let again = client.query(again, &[&ended, &ids, &subscription, &since, &after, &command, &BATCH, by, why]).await?;
    Ok((again.len() as u64, again.iter().map(|row| row.get(0)).max()))
}

/// How many still wait for Kafka to take the receipt of how they ended.
async fn held(client: &Client, asked: &Asked<'_>, ended: &[&str], command: Uuid) -> Result<u64, Error> {
    let held = "SELECT count(*) FROM defaultx.deliveries d WHERE status = ANY($1) AND ($2::uuid[] IS NULL OR id = ANY($2)) \
                AND ($3::text IS NULL OR subscription = $3) AND ($4::timestamptz IS NULL OR created_at >= $4) \
                AND NOT EXISTS (SELECT FROM defaultx.delivery_resends r WHERE r.delivery_id = d.id AND r.command = $5)";
    let (ids, subscription, since) = asked.which.parts();
    let row = client.query_one(held, &[&ended, &ids, &subscription, &since, &command]).await?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}
