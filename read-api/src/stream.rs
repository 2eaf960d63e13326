//! How the stream is doing: how old the newest decision is, whether the audit log is whole; for who runs the deployment also
//! how far each consumer has come and what was set aside.

use crate::access::Operation;
use crate::app::App;
use crate::caller::{Caller, Params};
use crate::log::{Checkpoint, Verification, verification};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use runtime::clock::{self, rfc3339};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio_postgres::Transaction;
use utoipa::{IntoParams, ToSchema};

/// Whose stream.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamParams {
    /// For a token that opens several tenants: which one.
    pub tenant: Option<String>,
}

/// The health of the stream.
#[derive(Debug, Serialize, ToSchema)]
pub struct StreamHealth {
    /// Tenant.
    pub tenant: String,
    /// When this was looked up.
    #[schema(format = DateTime)]
    pub at: String,
    /// The newest of the tenant's decisions.
    pub newest_decision: Option<Newest>,
    /// The newest of the tenant's applications.
    pub newest_application: Option<Newest>,
    /// The audit log of the whole deployment.
    pub audit: Vec<LogHealth>,
    /// How far each consumer has come; Admin only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumers: Option<Vec<Consumer>>,
    /// What was set aside in the last 24 hours; Admin only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<Vec<SetAside>>,
}

/// The newest of a kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct Newest {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Seconds since.
    pub age_s: i64,
}

/// One audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogHealth {
    /// The log.
    pub log: i32,
    /// When it last grew.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Its newest signed head.
    pub checkpoint: Option<Checkpoint>,
    /// Its newest walk.
    pub verification: Option<Verification>,
}

/// How far a consumer has come in a partition.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consumer {
    /// Consumer.
    pub consumer: String,
    /// Topic, with the deployment's prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Where it reads on.
    pub next_offset: i64,
}

/// Records that were set aside.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetAside {
    /// Worker.
    #[serde(rename = "room")]
    pub worker: String,
    /// Reason, as a word.
    pub reason: String,
    /// Records.
    pub count: i64,
}

/// How the stream is doing.
///
/// The newest application and decision of the tenant, and the state of the audit log; for Admin also how far each consumer has come
/// and what was set aside in the last 24 hours.
#[utoipa::path(get, path = "/v1/stream", tag = "stream", params(StreamParams), responses(
    (status = 200, description = "Its health", body = StreamHealth),
    (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Failed", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn look(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<StreamParams>,
) -> Result<Json<StreamHealth>, Problem> {
    let tenant = caller.tenant(params.tenant.as_deref())?;
    let now = clock::now();
    let mut session = app.store.session().await?;
    let tx = app.store.snapshot(&mut session, Some(&tenant)).await?;
    // One row of an index each, however long ago the tenant's last was.
    let decision = "SELECT decided_at FROM defaultx.decisions WHERE tenant = $1 ORDER BY decided_at DESC LIMIT 1";
    let application =
        "SELECT received_at FROM defaultx.applications WHERE tenant = $1 ORDER BY received_at DESC LIMIT 1";
    let newest_decision = newest(&tx, decision, &tenant, now).await?;
    let newest_application = newest(&tx, application, &tenant, now).await?;
    let audit = logs(&tx).await?;
    // Offsets and counts of the whole deployment tell how busy other tenants are.
    let (consumers, dead_letters) = match caller.is_admin() {
        true => (Some(consumers(&tx).await?), Some(set_aside(&tx, now).await?)),
        false => (None, None),
    };
    app.recorder.note(caller.claims(), &tenant, Operation::Stream, None)?;
    let at = rfc3339(now);
    Ok(Json(StreamHealth { tenant, at, newest_decision, newest_application, audit, consumers, dead_letters }))
}

async fn newest(
    tx: &Transaction<'_>,
    query: &str,
    tenant: &str,
    now: DateTime<Utc>,
) -> Result<Option<Newest>, Problem> {
    let Some(row) = tx.query_opt(query, &[&tenant]).await? else {
        return Ok(None);
    };
    let at: DateTime<Utc> = row.try_get(0)?;
    Ok(Some(Newest { at: rfc3339(at), age_s: (now - at).num_seconds().max(0) }))
}

async fn logs(tx: &Transaction<'_>) -> Result<Vec<LogHealth>, Problem> {
    let query =
        "SELECT l.log, l.updated_at, c.size, c.root, c.created_at, v.at, v.size, v.faults FROM defaultx.audit_logs l
                 LEFT JOIN LATERAL (
                     SELECT size, root, created_at FROM defaultx.audit_checkpoints x WHERE x.log = l.log AND x.size <= l.size ORDER BY x.size DESC LIMIT 1
                 ) c ON true
                 LEFT JOIN LATERAL (
                     SELECT at, size, faults FROM defaultx.audit_verifications x WHERE x.log = l.log AND x.at <= now() ORDER BY x.at DESC LIMIT 1
                 ) v ON true ORDER BY l.log";
    let rows = tx.query(query, &[]).await?;
    let logs = rows.iter().map(|row| {
        let signed = row.try_get::<_, Option<i64>>(2)?;
        let walked = row.try_get::<_, Option<DateTime<Utc>>>(5)?;
        let checkpoint = signed.map(|size| Checkpoint::new(size, row.try_get(3), row.try_get(4))).transpose()?;
        let verification = walked.map(|at| verification(at, row.try_get(6), row.try_get(7))).transpose()?;
        Ok(LogHealth { log: row.try_get(0)?, updated_at: rfc3339(row.try_get(1)?), checkpoint, verification })
    });
    logs.collect()
}

async fn consumers(tx: &Transaction<'_>) -> Result<Vec<Consumer>, Problem> {
    let query = "SELECT consumer, topic, partition, next_offset FROM defaultx.stream_offsets ORDER BY 1, 2, 3";
    let rows = tx.query(query, &[]).await?;
    let consumers = rows.iter().map(|row| {
        Ok(Consumer {
            consumer: row.try_get(0)?,
            topic: row.try_get(1)?,
            partition: row.try_get(2)?,
            next_offset: row.try_get(3)?,
        })
    });
    consumers.collect()
}

async fn set_aside(tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<Vec<SetAside>, Problem> {
    let query =
        "SELECT room, reason, count(*) FROM defaultx.dead_letters WHERE set_aside_at > $1 GROUP BY 1, 2 ORDER BY 1, 2";
    let rows = tx.query(query, &[&(now - chrono::Duration::days(1))]).await?;
    let groups = rows
        .iter()
        .map(|row| Ok(SetAside { worker: row.try_get(0)?, reason: row.try_get(1)?, count: row.try_get(2)? }));
    groups.collect()
}
