//! Holds parts of the projections against the log, one after another for ever: a part of the newest entries, whose rows are asked for most,
//! and a part of all of them. Which parts, nobody can know before. What differs is counted and named by its entry; the walk finds it too,
//! hours later where the log is long.

use super::metrics::SignerMetrics;
use super::part::{Part, RETRY, stands_still};
use crate::compare::{Finding, Wrong};
use crate::error::Error;
use crate::excerpt;
use crate::hold::{self, Range};
use crate::project::Projections;
use crate::snapshot;
use runtime::clock;
use std::time::Duration;
use tokio_postgres::{Client, Transaction};

/// The newest entries are these, in parts.
const NEWEST: u64 = 16;
/// The log that every deployment has, whether its head is there or not.
const FIRST: i32 = 0;

/// What to take, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Sampling {
    /// Pause between rounds.
    pub every: Duration,
    /// Entries of a part.
    pub entries: u64,
}

/// What became of a part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Table by table.
    pub tables: Vec<Sampled>,
    /// Entries that cannot be read: no row was held against them.
    pub unreadable: u64,
}

/// What became of a table in a part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// Its name.
    pub table: &'static str,
    /// Rows held against entries.
    pub rows: u64,
    /// Rows that are not what the log says, or are not there.
    pub mismatches: u64,
}

/// The parts to look at of a log of `size` entries: one that begins in its newest entries, one anywhere. From, to (not in it). `dice` gives a
/// number below the one that it is given.
fn parts(size: u64, entries: u64, mut dice: impl FnMut(u64) -> u64) -> [(u64, u64); 2] {
    let entries = entries.max(1);
    let newest = size.saturating_sub(entries.saturating_mul(NEWEST));
    [newest, 0].map(|first| {
        let from = first + dice((size - first).saturating_sub(entries - 1).max(1));
        (from, size.min(from.saturating_add(entries)))
    })
}

/// Samples until shutdown. `dice` gives a number below the one that it is given.
pub(super) async fn keep(sampling: Sampling, mut dice: impl FnMut(u64) -> u64 + Send, part: Part) -> Result<(), Error> {
    while !part.service.shutdown.is_cancelled() {
        if let Err(error) = round(sampling, &mut dice, &part).await {
            stands_still(error, "samples")?;
        }
        part.pause(RETRY).await;
    }
    Ok(())
}

/// One connection's life.
async fn round(sampling: Sampling, dice: &mut (impl FnMut(u64) -> u64 + Send), part: &Part) -> Result<(), Error> {
    // There before the first round is: where no round ever comes, that is known too.
    part.metrics.sampled_timestamp.with_label_values(&[&FIRST.to_string()]);
    let mut client = part.connect().await?;
    while !part.service.shutdown.is_cancelled() {
        sample_logs(&mut client, sampling, &mut *dice, &part.metrics).await?;
        part.pause(sampling.every).await;
    }
    Ok(())
}

/// A round: the parts of every log. A fault stays with its log, the others are sampled all the same; gives the logs that have one. `dice`
/// gives a number below the one that it is given.
///
/// # Errors
/// The database's, when it does not say which logs there are, or the session has ended.
pub async fn sample_logs(
    client: &mut Client,
    sampling: Sampling,
    mut dice: impl FnMut(u64) -> u64 + Send,
    metrics: &SignerMetrics,
) -> Result<Vec<i32>, Error> {
    let mut faulty = Vec::new();
    for (log, size) in logs(client).await? {
        let whole = metrics.sampled_timestamp.with_label_values(&[&log.to_string()]);
        match sample_log(client, (log, size), sampling, &mut dice, metrics).await {
            Ok(0) => whole.set(clock::now().timestamp()),
            Ok(unreadable) => {
                tracing::error!(log, unreadable, "entries of a sample cannot be read");
                faulty.push(log);
            }
            Err(error) if client.is_closed() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, log, "samples of a log stand still");
                faulty.push(log);
            }
        }
    }
    Ok(faulty)
}

/// Every log with its size; [`FIRST`] where nothing was written yet, or its head is gone.
async fn logs(client: &Client) -> Result<Vec<(i32, u64)>, Error> {
    let heads = client.query("SELECT log, size FROM defaultx.audit_logs ORDER BY log", &[]).await?;
    let heads: Vec<_> = heads.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect();
    let lacks_first = heads.first().is_none_or(|(log, _)| *log != FIRST);
    Ok(lacks_first.then_some((FIRST, 0)).into_iter().chain(heads).collect())
}

/// The parts of one log; gives how many of their entries cannot be read.
async fn sample_log(
    client: &mut Client,
    (log, size): (i32, u64),
    sampling: Sampling,
    dice: &mut (impl FnMut(u64) -> u64 + Send),
    metrics: &SignerMetrics,
) -> Result<u64, Error> {
    let mut unreadable = 0;
    for part in parts(size, sampling.entries, dice) {
        let sample = sample(client, log, part).await?;
        unreadable += sample.unreadable;
        for Sampled { table, rows, mismatches } in sample.tables {
            metrics.checked_rows.with_label_values(&[table]).inc_by(rows);
            metrics.mismatches.with_label_values(&[table]).inc_by(mismatches);
        }
    }
    Ok(unreadable)
}

/// Holds entries `from..to` of a log against every projection; the last part holds what names entries behind the log too.
///
/// # Errors
/// The database's.
pub async fn sample(client: &mut Client, log: i32, (from, to): (u64, u64)) -> Result<Sample, Error> {
    let tx = snapshot::reading(client).await?;
    let size = "SELECT size FROM defaultx.audit_logs WHERE log = $1";
    let size: i64 = tx.query_opt(size, &[&log]).await?.map_or(0, |row| row.get(0));
    if size == 0 {
        return Ok(Sample { tables: of_empty(&tx, log).await?, unreadable: 0 });
    }
    let prefix = excerpt::prefix(&tx).await?;
    let (first, end) = (from as i64, (to as i64).min(size));
    let said = excerpt::range(&tx, log, (first, end), &prefix).await?;
    let range =
        Range { log, from: if first == 0 { i64::MIN } else { first }, to: if end == size { i64::MAX } else { end } };
    let held = hold::hold(&tx, &said, range, &prefix, None).await?;
    tx.rollback().await?;
    let sampled = held.iter().map(|held| {
        let (table, findings) = (held.shape.name(), &held.judged.findings);
        findings.iter().for_each(|finding| tell(table, finding));
        Sampled { table, rows: held.rows, mismatches: findings.len() as u64 }
    });
    let unreadable = said.holes.iter().map(|(from, to)| to.abs_diff(*from)).sum();
    Ok(Sample { tables: sampled.collect(), unreadable })
}

/// Of a log without entries no row can be. One of a table stands for all that there are: an emptied log may have had millions.
async fn of_empty(tx: &Transaction<'_>, log: i32) -> Result<Vec<Sampled>, Error> {
    let mut sampled = Vec::new();
    for shape in Projections::default().tables().map(|rows| rows.shape) {
        let (table, rows) = (shape.name(), tx.query(&shape.any_of_log(), &[&log]).await?.len() as u64);
        if rows > 0 {
            tracing::error!(table, log, "rows are of a log that is empty");
        }
        sampled.push(Sampled { table, rows, mismatches: rows });
    }
    Ok(sampled)
}

/// Names table, columns and entry: no value of a row gets into a line of the log.
fn tell(table: &str, Finding { wrong, at, .. }: &Finding) {
    let (log, seq) = (at.log, at.seq);
    match wrong {
        Wrong::Changed(columns) => {
            let columns = columns.join(", ");
            tracing::error!(table, columns, log, seq, "row is not what its entry says");
        }
        Wrong::Missing => tracing::error!(table, log, seq, "row of an entry is missing"),
        Wrong::WithoutEntry => tracing::error!(table, log, seq, "row is of no entry"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_within_the_log_wherever_the_dice_fall() {
        let rows = [
            (1_000, 10, [(840, 850), (0, 10)], [(990, 1_000), (990, 1_000)]),
            (100, 10, [(0, 10), (0, 10)], [(90, 100), (90, 100)]),
            (10, 10, [(0, 10), (0, 10)], [(0, 10), (0, 10)]),
            (7, 10, [(0, 7), (0, 7)], [(0, 7), (0, 7)]),
            (3, 1, [(0, 1), (0, 1)], [(2, 3), (2, 3)]),
            (3, 0, [(0, 1), (0, 1)], [(2, 3), (2, 3)]),
        ];
        for (size, entries, lowest, highest) in rows {
            assert_eq!(parts(size, entries, |_| 0), lowest, "{size} by {entries}");
            assert_eq!(parts(size, entries, |below| below - 1), highest, "{size} by {entries}");
        }
    }
}
