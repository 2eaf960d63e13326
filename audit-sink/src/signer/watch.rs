//! Walks the whole log from time to time, signs what it found, and tells the metrics when it last was whole. A row of
//! `audit_verifications` counts for its signature alone: what anybody else wrote there neither starts nor stops a walk.

use super::metrics::SignerMetrics;
use super::part::{Part, stands_still};
use crate::error::Error;
use crate::report::Report;
use crate::verify::{self, Options};
use audit_log::{NoteVerifier, Signer, Verification};
use runtime::clock;
use runtime::pg::{DatabaseConfig, connect};
use std::time::Duration;
use tokio_postgres::Client;

/// How often the result of others' walks is looked up.
const LOOK: Duration = Duration::from_secs(10);
/// Rows that are looked at.
const ROWS_LOOKED_AT: i64 = 200;
/// Seconds by which another signer's clock may be ahead of this one.
const AHEAD: i64 = 60;

/// When walks ended, seconds since 1970, and what the newest one found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Walks {
    newest: Option<(i64, u64)>,
    newest_whole: Option<i64>,
}

impl Walks {
    fn add(&mut self, at: i64, faults: u64) {
        self.newest = self.newest.max(Some((at, faults)));
        self.newest_whole = self.newest_whole.max((faults == 0).then_some(at));
    }
}

/// Watches until shutdown.
pub(super) async fn keep(signer: Option<Signer>, keys: Vec<String>, every: Duration, part: Part) -> Result<(), Error> {
    let mut own = Walks::default();
    while !part.service.shutdown.is_cancelled() {
        if let Err(error) = round(signer.as_ref(), &keys, every, &part, &mut own).await {
            stands_still(error, "verification")?;
        }
        part.pause(LOOK).await;
    }
    Ok(())
}

async fn round(
    signer: Option<&Signer>,
    keys: &[String],
    every: Duration,
    part: &Part,
    own: &mut Walks,
) -> Result<(), Error> {
    let verifiers: Vec<_> = keys.iter().map(|key| NoteVerifier::parse(key)).collect::<Result<_, _>>()?;
    let options = Options { keys: keys.to_vec(), ..Options::default() };
    let client = part.connect().await?;
    while !part.service.shutdown.is_cancelled() {
        let now = clock::now().timestamp();
        let walks = walks(&client, &verifiers, *own, now).await?;
        show(&part.metrics, &walks);
        let is_due = walks.newest.is_none_or(|(at, _)| now - at >= every.as_secs() as i64);
        if !every.is_zero() && is_due {
            let report = unhurried(part).await?;
            let report = walk(report, &options).await?;
            let at = clock::now().timestamp();
            record(&client, &report, signer, at).await?;
            own.add(at, report.faults.len() as u64);
        } else {
            part.pause(LOOK).await;
        }
    }
    Ok(())
}

/// A session in which a long log takes as long as it takes.
async fn unhurried(part: &Part) -> Result<Client, Error> {
    let config = part.service.database.clone().unwrap_or_default();
    let config = DatabaseConfig { statement_timeout_ms: 0, ..config };
    Ok(connect(&config).await?)
}

async fn walk(mut client: Client, options: &Options) -> Result<Report, Error> {
    let report = verify::walk(&mut client, options).await?;
    for fault in report.faults.iter().take(10) {
        tracing::error!(%fault, "the audit log is not whole");
    }
    Ok(report)
}

/// Writes down what a walk found, signed if there is a key.
///
/// # Errors
/// The database's.
pub async fn record(client: &Client, report: &Report, signer: Option<&Signer>, at: i64) -> Result<(), Error> {
    let insert = "INSERT INTO defaultx.audit_verifications (log, size, root, faults, took_ms, note) VALUES ($1, $2, $3, $4, $5, $6)";
    for log in &report.logs {
        let faults = report.faults.len() as u64;
        let statement = Verification { log: log.log, size: log.size, root: log.root, faults, at };
        let note = signer.map(|signer| statement.sign(signer));
        let (size, took, faults) = (log.size as i64, report.took_ms as i64, i32::try_from(faults).unwrap_or(i32::MAX));
        client.execute(insert, &[&log.log, &size, &log.root.as_slice(), &faults, &took, &note]).await?;
    }
    Ok(())
}

/// The newest walks that these keys vouch for, and those of this process.
async fn walks(client: &Client, verifiers: &[NoteVerifier], own: Walks, now: i64) -> Result<Walks, Error> {
    let query = "SELECT note FROM defaultx.audit_verifications WHERE note IS NOT NULL ORDER BY at DESC LIMIT $1";
    let mut walks = own;
    for row in client.query(query, &[&ROWS_LOOKED_AT]).await? {
        let Some(Verification { at, faults, .. }) = Verification::open(row.get(0), verifiers) else { continue };
        if at <= now + AHEAD {
            walks.add(at, faults);
        }
    }
    Ok(walks)
}

fn show(metrics: &SignerMetrics, walks: &Walks) {
    if let Some(whole) = walks.newest_whole {
        metrics.verified_timestamp.set(whole);
    }
    metrics.verify_faults.set(walks.newest.map_or(0, |(_, faults)| faults as i64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_walk_counts_and_the_newest_whole_one() {
        let mut walks = Walks::default();
        for (at, faults) in [(5, 0), (9, 2), (7, 0)] {
            walks.add(at, faults);
        }
        assert_eq!(walks, Walks { newest: Some((9, 2)), newest_whole: Some(7) });
    }
}
