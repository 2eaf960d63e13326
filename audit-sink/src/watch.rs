//! Walks the whole log from time to time and tells the metrics when it last was whole, whoever did the walking.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::verify::{self, Options};
use chrono::{DateTime, Utc};
use runtime::clock;
use runtime::pg::connect;
use runtime::shell::Shell;
use std::time::Duration;
use tokio_postgres::Client;

/// How often the result of others' walks is looked up.
const LOOK: Duration = Duration::from_secs(10);

/// Watches until shutdown.
pub async fn keep(options: Options, every: Duration, shell: Shell, metrics: Metrics) -> Result<(), String> {
    while !shell.shutdown.is_cancelled() {
        if let Err(error) = round(&options, every, &shell, &metrics).await {
            tracing::warn!(%error, "verification stands still");
        }
        if tokio::time::timeout(LOOK, shell.shutdown.cancelled()).await.is_ok() {
            break;
        }
    }
    Ok(())
}

async fn round(options: &Options, every: Duration, shell: &Shell, metrics: &Metrics) -> Result<(), Error> {
    let config = shell.database.as_ref().ok_or_else(|| Error::Config("verification needs a database".to_owned()))?;
    let mut client = connect(config).await.map_err(|error| Error::Connect(error.to_string()))?;
    loop {
        let last = show(&client, metrics).await?;
        let age = last.map(|at| (clock::now() - at).num_seconds().max(0) as u64);
        if !every.is_zero() && age.is_none_or(|age| age >= every.as_secs()) {
            let report = verify::walk(&mut client, options).await?;
            for fault in report.faults.iter().take(10) {
                tracing::error!(%fault, "the audit log is not whole");
            }
            show(&client, metrics).await?;
        }
        if tokio::time::timeout(LOOK, shell.shutdown.cancelled()).await.is_ok() {
            return Ok(());
        }
    }
}

/// Sets the metrics from the newest walks; gives when the last one was.
async fn show(client: &Client, metrics: &Metrics) -> Result<Option<DateTime<Utc>>, Error> {
    let query = "SELECT max(at), max(at) FILTER (WHERE faults = 0),
                        (SELECT faults FROM defaultx.audit_verifications ORDER BY at DESC LIMIT 1)
                 FROM defaultx.audit_verifications";
    let row = client.query_one(query, &[]).await?;
    let (last, whole, faults): (Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<i32>) =
        (row.get(0), row.get(1), row.get(2));
    if let Some(whole) = whole {
        metrics.verified_timestamp.set(whole.timestamp());
    }
    metrics.verify_faults.set(i64::from(faults.unwrap_or(0)));
    Ok(last)
}
