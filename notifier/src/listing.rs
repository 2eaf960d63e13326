//! What operators are shown of the queue: deliveries without their bodies, and how each subscription stands. Changes nothing.

use crate::config::Subscription;
use crate::error::Error;
use chrono::{DateTime, Utc};
use domain::DeliveryStatus;
use runtime::clock::rfc3339;
use serde::Serialize;
use std::collections::BTreeMap;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

/// State of a delivery that has not ended, beside the words of [`DeliveryStatus`].
pub(crate) const PENDING: &str = "pending";

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// `pending`, or how they ended; empty is all.
    pub states: Vec<String>,
    /// Only of this one.
    pub subscription: Option<String>,
    /// Only those that were queued at this time or later.
    pub since: Option<DateTime<Utc>>,
}

/// A delivery as operators see it: ids and words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id, which the receiver sees as `webhook-id`.
    pub id: String,
    /// Whom it is for.
    pub subscription: String,
    /// `pending`, or how it ended.
    pub state: String,
    /// Attempts that ended, since it was sent again.
    pub attempts: i32,
    /// How often somebody had it sent again.
    pub resends: i32,
    /// HTTP status of the last attempt, where an answer came.
    pub http_status: Option<i32>,
    /// Why the last attempt did not succeed, a word.
    pub reason: Option<String>,
    /// Tenant.
    pub tenant: String,
    /// The originator's id.
    pub application_id: String,
    /// From 1.
    pub revision: i32,
    /// Event that is told of.
    pub event_id: String,
    /// RFC 3339.
    pub queued_at: String,
    /// The next attempt, RFC 3339, while it is pending.
    pub next_at: Option<String>,
    /// When it ended, RFC 3339.
    pub ended_at: Option<String>,
    /// When it was last sent again, RFC 3339.
    pub resent_at: Option<String>,
    /// Who had it sent again last.
    pub resent_by: Option<String>,
    /// Why, as they said.
    pub resent_why: Option<String>,
}

/// What stands between a subscription and its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Nothing: what is due is sent.
    Enabled,
    /// It answered 410 Gone: what comes is kept.
    Disabled,
    /// The configuration says `enabled = false`: nothing is queued, and what is queued waits.
    Off,
    /// This configuration does not name it.
    NotConfigured,
}

/// How a subscription stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its id.
    pub subscription: String,
    /// Whether it is sent to.
    pub endpoint: EndpointState,
    /// Since when it is disabled, RFC 3339.
    pub disabled_at: Option<String>,
    /// Deliveries that wait or are under way.
    pub pending: i64,
    /// When the oldest of them was queued, RFC 3339.
    pub oldest_pending_at: Option<String>,
    /// Deliveries that failed, and were not sent again.
    pub failed: i64,
    /// Deliveries that are kept until the endpoint is enabled.
    pub kept: i64,
}

/// The newest deliveries of a selection, `most` of them, the newest last.
///
/// # Errors
/// From the database.
pub async fn deliveries(client: &Client, selection: &Selection, most: i64) -> Result<Vec<Listed>, Error> {
    let query = "SELECT d.*, r.resent_at, r.resent_by, r.why FROM (\
                 SELECT id, subscription, status, attempts, resends, http_status, last_error, tenant, application_id, \
                 revision, event_id, created_at, next_at, ended_at FROM defaultx.deliveries \
                 WHERE (cardinality($1::text[]) = 0 OR status = ANY($1)) AND ($2::text IS NULL OR subscription = $2) \
                 AND ($3::timestamptz IS NULL OR created_at >= $3) ORDER BY created_at DESC, id LIMIT $4) d \
                 LEFT JOIN LATERAL (SELECT resent_at, resent_by, why FROM defaultx.delivery_resends \
                 WHERE delivery_id = d.id ORDER BY resent_at DESC LIMIT 1) r ON true ORDER BY created_at, id";
    let Selection { states, subscription, since } = selection;
    let rows = client.query(query, &[states, subscription, since, &most]).await?;
    Ok(rows.iter().map(listed).collect())
}

fn listed(row: &Row) -> Listed {
    let time = |at: usize| row.get::<_, Option<DateTime<Utc>>>(at).map(rfc3339);
    let state: String = row.get(2);
    Listed {
        id: row.get::<_, Uuid>(0).to_string(),
        subscription: row.get(1),
        attempts: row.get(3),
        resends: row.get(4),
        http_status: row.get(5),
        reason: row.get(6),
        tenant: row.get(7),
        application_id: row.get(8),
        revision: row.get(9),
        event_id: row.get(10),
        queued_at: rfc3339(row.get(11)),
        next_at: time(12).filter(|_| state == PENDING),
        ended_at: time(13),
        resent_at: time(14),
        resent_by: row.get(15),
        resent_why: row.get(16),
        state,
    }
}

/// How each subscription stands, of those that are configured and those that the queue knows, by id.
///
/// # Errors
/// From the database.
pub async fn endpoints(client: &Client, configured: &[Subscription]) -> Result<Vec<Standing>, Error> {
    let mut found: BTreeMap<String, Standing> = BTreeMap::new();
    for subscription in configured {
        let endpoint = if subscription.enabled { EndpointState::Enabled } else { EndpointState::Off };
        found.insert(subscription.id.clone(), Standing::new(&subscription.id, endpoint));
    }
    let waiting = "SELECT subscription, status, count(*), min(created_at) FROM defaultx.deliveries \
                   WHERE status IN ('pending', 'failed', 'disabled') GROUP BY subscription, status";
    for row in client.query(waiting, &[]).await? {
        let standing = of(&mut found, row.get(0));
        let (state, count): (&str, i64) = (row.get(1), row.get(2));
        match DeliveryStatus::parse(state) {
            Some(DeliveryStatus::Failed) => standing.failed = count,
            Some(DeliveryStatus::Disabled) => standing.kept = count,
            Some(DeliveryStatus::Delivered) => {}
            None => (standing.pending, standing.oldest_pending_at) = (count, Some(rfc3339(row.get(3)))),
        }
    }
    let disabled = "SELECT subscription, url_sha256, disabled_at FROM defaultx.disabled_endpoints ORDER BY disabled_at";
    for row in client.query(disabled, &[]).await? {
        let (id, url): (String, &[u8]) = (row.get(0), row.get(1));
        let configured = configured.iter().find(|subscription| subscription.id == id);
        // Another URL than the one that was gone starts afresh.
        if configured.is_none_or(|subscription| subscription.url_sha256() == *url) {
            let standing = of(&mut found, id);
            (standing.endpoint, standing.disabled_at) = (EndpointState::Disabled, Some(rfc3339(row.get(2))));
        }
    }
    Ok(found.into_values().collect())
}

/// Every subscription that has a delivery, whatever became of it.
///
/// # Errors
/// From the database.
pub async fn subscriptions(client: &Client) -> Result<Vec<String>, Error> {
    let query = "SELECT DISTINCT subscription FROM defaultx.deliveries ORDER BY subscription";
    Ok(client.query(query, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Whom deliveries are for.
///
/// # Errors
/// From the database.
pub async fn subscriptions_of(client: &Client, ids: &[Uuid]) -> Result<Vec<String>, Error> {
    let query = "SELECT DISTINCT subscription FROM defaultx.deliveries WHERE id = ANY($1) ORDER BY subscription";
    Ok(client.query(query, &[&ids]).await?.iter().map(|row| row.get(0)).collect())
}

fn of(found: &mut BTreeMap<String, Standing>, id: String) -> &mut Standing {
    let new = Standing::new(&id, EndpointState::NotConfigured);
    found.entry(id).or_insert(new)
}

impl Standing {
    /// Of a subscription that this configuration does not name and that has nothing left to send.
    pub fn unknown(subscription: &str) -> Self {
        Self::new(subscription, EndpointState::NotConfigured)
    }

    fn new(subscription: &str, endpoint: EndpointState) -> Self {
        let subscription = subscription.to_owned();
        Self { subscription, endpoint, disabled_at: None, pending: 0, oldest_pending_at: None, failed: 0, kept: 0 }
    }
}
