//! Makes projections what the log says, while their writer and readers go on: a range of the log at a time, in a transaction of its own,
//! takes away the rows that no entry says and writes those that are missing. Rows that are right are not touched, so that a second run
//! does nothing; an emptied table is filled. Believes the log: walk it first.

use crate::compare::Finding;
use crate::error::Error;
use crate::excerpt;
use crate::hold::{self, Held, Range};
use crate::project::{Position, Projections, TableRows};
use crate::said::Said;
use crate::segment::Stored;
use crate::shape::Shape;
use crate::snapshot;
use runtime::pg::rows::{Rows, insert_what_fits};
use std::collections::BTreeMap;
use std::ops;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

/// The role that may take rows of projections away; nothing else may, and nobody logs in with it.
const ROLE: &str = "defaultx_rebuild";
/// Segments read at a time.
const SEGMENTS_AT_ONCE: i64 = 16;
/// Attempts at a range that another transaction comes in the way of.
const MOST_ATTEMPTS: u32 = 10;

/// What to rebuild.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// One table, by its name without schema; every projection without.
    pub table: Option<String>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What became of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Its name.
    pub table: &'static str,
    /// Rows held against the log.
    pub rows: u64,
    /// Rows taken away: changed ones, and those of no entry.
    pub removed: u64,
    /// Rows written.
    pub written: u64,
    /// Rows that the database refused.
    pub refused: u64,
    /// Rows left as they are, because their entries hold no record.
    pub unheld: u64,
}

/// The names of the projections.
pub fn projections() -> [&'static str; 8] {
    Projections::default().tables().map(|rows| rows.shape.name())
}

/// Rebuilds, and puts on record in `projection_rebuilds` what it did. `progress` hears how many entries are done, and of how many.
///
/// # Errors
/// [`Error::Config`] for a table that is no projection, [`Error::Broken`] where the log cannot be read; the database's. What was done until
/// then stays done.
pub async fn rebuild(
    client: &mut Client,
    asked: &Asked,
    mut progress: impl FnMut(u64, u64),
) -> Result<Vec<Rebuilt>, Error> {
    let only = asked.table.as_deref();
    if let Some(table) = only.filter(|table| !projections().contains(table)) {
        let known = projections().join(", ");
        return Err(Error::Config(format!("--table {table:?} is no projection; these are: {known}")));
    }
    client.batch_execute(&format!("SET ROLE {ROLE}")).await?;
    let heads = client.query("SELECT log, size FROM defaultx.audit_logs ORDER BY log", &[]).await?;
    let heads: Vec<(i32, i64)> = heads.iter().map(|row| (row.get(0), row.get(1))).collect();
    let total: u64 = heads.iter().map(|(_, size)| size.max(&0).unsigned_abs()).sum();
    let (mut tally, mut done) = (Tally::default(), 0);
    for (log, _) in &heads {
        let mut from = i64::MIN;
        while from < i64::MAX {
            let to = range(client, (*log, from), asked, &mut tally).await?;
            done += if to == i64::MAX { 0 } else { to.abs_diff(from.max(0)) };
            from = to;
            progress(done.min(total), total);
        }
    }
    let mut attempts = 1;
    loop {
        match finish(client, asked, tally.clone()).await {
            Err(Error::Database(error)) if is_in_the_way(&error) && attempts < MOST_ATTEMPTS => attempts += 1,
            other => return other,
        }
    }
}

/// Takes away the rows of no log that there is by now, and puts the rebuild on record.
async fn finish(client: &mut Client, asked: &Asked, mut tally: Tally) -> Result<Vec<Rebuilt>, Error> {
    let tx = snapshot::writing(client).await?;
    let logs = tx.query("SELECT log FROM defaultx.audit_logs", &[]).await?;
    let logs: Vec<i32> = logs.iter().map(|row| row.get(0)).collect();
    for (shape, findings) in hold::of_no_log(&tx, &logs, asked.table.as_deref()).await? {
        let removed = remove(&tx, shape, &findings).await?;
        tally.of(shape).removed += removed;
    }
    let rebuilt: Vec<Rebuilt> = tally.0.into_values().collect();
    for Rebuilt { table, rows, removed, written, .. } in &rebuilt {
        let record =
            "INSERT INTO defaultx.projection_rebuilds (projection, held, removed, written) VALUES ($1, $2, $3, $4)";
        tx.execute(record, &[table, &(*rows as i64), &(*removed as i64), &(*written as i64)]).await?;
    }
    end(tx, asked).await?;
    Ok(rebuilt)
}

#[derive(Default, Clone)]
struct Tally(BTreeMap<&'static str, Rebuilt>);

impl Tally {
    fn of(&mut self, shape: &Shape) -> &mut Rebuilt {
        let table = shape.name();
        self.0.entry(table).or_insert_with(|| Rebuilt { table, ..Rebuilt::default() })
    }

    fn add(&mut self, held: &Held, removed: u64, written: u64, refused: u64) {
        let of = self.of(held.shape);
        (of.rows, of.unheld) = (of.rows + held.rows, of.unheld + held.judged.unheld);
        (of.removed, of.written) = (of.removed + removed, of.written + written);
        of.refused += refused;
    }
}

async fn end(tx: Transaction<'_>, asked: &Asked) -> Result<(), Error> {
    if asked.dry_run {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(())
}

/// Rebuilds what a log says from `from` on, as much as is held at once; gives where it ended. A range that another transaction came in the
/// way of is done again.
async fn range(client: &mut Client, (log, from): (i32, i64), asked: &Asked, tally: &mut Tally) -> Result<i64, Error> {
    let mut attempts = 1;
    loop {
        match try_range(client, (log, from), asked, tally).await {
            Err(Error::Database(error)) if is_in_the_way(&error) && attempts < MOST_ATTEMPTS => {
                tracing::debug!(log, from, attempts, "range is done again");
                attempts += 1;
            }
            other => return other,
        }
    }
}

fn is_in_the_way(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
}

async fn try_range(
    client: &mut Client,
    (log, from): (i32, i64),
    asked: &Asked,
    tally: &mut Tally,
) -> Result<i64, Error> {
    let tx = snapshot::writing(client).await?;
    let prefix = excerpt::prefix(&tx).await?;
    let (said, to) = read(&tx, log, from, &prefix).await?;
    let held = hold::hold(&tx, &said, Range { log, from, to }, &prefix, asked.table.as_deref()).await?;
    let mut done = Vec::new();
    for held in held {
        let removed = remove(&tx, held.shape, &held.judged.findings).await?;
        let tables = said.projections.tables();
        let rows = tables.iter().find(|rows| rows.shape.table == held.shape.table);
        let (written, refused) = match rows {
            Some(rows) => write(&tx, log, rows, &held).await?,
            None => (0, 0),
        };
        done.push((held, removed, written, refused));
    }
    end(tx, asked).await?;
    done.iter().for_each(|(held, removed, written, refused)| tally.add(held, *removed, *written, *refused));
    Ok(to)
}

/// What the log says from `from` on, and where that ends: at the end of the log, behind everything.
async fn read(tx: &Transaction<'_>, log: i32, from: i64, prefix: &str) -> Result<(Said, i64), Error> {
    let query = format!(
        "SELECT {} FROM defaultx.audit_segments WHERE log = $1 AND first_seq >= $2 ORDER BY first_seq LIMIT $3",
        Stored::COLUMNS
    );
    let (mut said, mut next) = (Said::default(), from.max(0));
    loop {
        let rows = tx.query(&query, &[&log, &next, &SEGMENTS_AT_ONCE]).await?;
        if rows.is_empty() {
            let size = "SELECT size FROM defaultx.audit_logs WHERE log = $1";
            let size: i64 = tx.query_one(size, &[&log]).await?.get(0);
            return if size == next { Ok((said, i64::MAX)) } else { Err(broken(log, next)) };
        }
        for segment in rows.iter().map(Stored::of_row) {
            if segment.first_seq != next {
                return Err(broken(log, next));
            }
            excerpt::add(&mut said, log, &segment, prefix, |_| true);
            if !said.holes.is_empty() {
                return Err(broken(log, segment.first_seq));
            }
            next = segment.end().ok_or_else(|| broken(log, segment.first_seq))?;
            if said.is_full() {
                return Ok((said, next));
            }
        }
    }
}

fn broken(log: i32, seq: i64) -> Error {
    let why = format!("entry {seq} or the ones behind it cannot be read: `defaultx audit verify` says more");
    Error::Broken { log, why }
}

/// Takes rows away.
async fn remove(tx: &Transaction<'_>, shape: &Shape, findings: &[Finding]) -> Result<u64, Error> {
    let places: Vec<String> =
        findings.iter().filter_map(|finding| finding.remove.as_ref()).map(|place| format!("\"{place}\"")).collect();
    if places.is_empty() {
        return Ok(0);
    }
    let places = format!("{{{}}}", places.join(","));
    Ok(tx.execute(&shape.delete(), &[&places]).await?)
}

/// Writes the rows that should be there, those that were refused before among them; gives how many were written and how many the database
/// refuses.
async fn write(tx: &Transaction<'_>, log: i32, rows: &TableRows<'_>, held: &Held) -> Result<(u64, u64), Error> {
    let missing = held.judged.findings.iter().filter_map(|finding| finding.write);
    let mut numbers: Vec<i64> = missing.chain(held.refused.iter().copied()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let chosen = Chosen { rows, numbers };
    let inserted = insert_what_fits(tx, &chosen).await?;
    for (row, word) in &inserted.refused {
        let seq = chosen.numbers.get(*row).and_then(|n| rows.seqs.get((*n - 1).max(0) as usize));
        let Some(seq) = seq.copied() else { continue };
        crate::project::refuse(tx, rows.shape.name(), Position { log, seq }, word).await?;
    }
    Ok((inserted.written, inserted.refused.len() as u64))
}

/// Some rows of a table, by their numbers.
struct Chosen<'a> {
    rows: &'a TableRows<'a>,
    numbers: Vec<i64>,
}

impl Rows for Chosen<'_> {
    fn count(&self) -> usize {
        self.numbers.len()
    }

    async fn insert(&self, tx: &Transaction<'_>, rows: ops::Range<usize>) -> Result<u64, tokio_postgres::Error> {
        let numbers = self.numbers.get(rows).unwrap_or_default();
        let mut parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&numbers];
        parameters.extend(&self.rows.arrays);
        tx.execute(&self.rows.shape.insert_some(), &parameters).await
    }
}
