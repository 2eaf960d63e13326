//! Holds what a range of a log says against the tables, within one snapshot: the server compares, column by column and with its own types,
//! and tells what differs; `compare` judges it.

use crate::compare::{Differing, Expected, Finding, Grounds, Judged, Kept, Row, judge, without_entry};
use crate::error::Error;
use crate::excerpt;
use crate::project::{Position, Projections, TableRows};
use crate::said::Said;
use crate::shape::Shape;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

/// A part of a log: entries `from..to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub log: i32,
    pub from: i64,
    pub to: i64,
}

/// What became of a table's part of a range.
pub(crate) struct Held {
    pub shape: &'static Shape,
    /// Rows of the table that name an entry of the range.
    pub rows: u64,
    /// Numbers of the rows that the log says and the database refused, on record.
    pub refused: Vec<i64>,
    pub judged: Judged,
}

/// Holds a range against the tables, or against one of them by its name without schema.
///
/// # Errors
/// The database's.
pub(crate) async fn hold(
    tx: &Transaction<'_>,
    said: &Said,
    range: Range,
    prefix: &str,
    only: Option<&str>,
) -> Result<Vec<Held>, Error> {
    let mut refused = refusals(tx, range).await?;
    let (mut held, mut named) = (Vec::new(), BTreeSet::<Position>::new());
    for (index, rows) in said.projections.tables().iter().enumerate() {
        if only.is_some_and(|only| only != rows.shape.name()) {
            continue;
        }
        let refused = refused.remove(rows.shape.name()).unwrap_or_default();
        let left_out = absent(tx, rows, range.log, refused).await?;
        let differing = differing(tx, rows, range, &left_out).await?;
        let is_key = |column: &str| rows.shape.is_key(column);
        let alone = |pair: &&Differing| pair.row.is_none() || pair.columns.iter().any(|column| is_key(column));
        let wanted = differing.iter().filter(alone).filter_map(|pair| Some(pair.said.as_ref()?.n));
        let wanted: BTreeSet<i64> = wanted.collect();
        let kept = with_keys(tx, rows, &wanted).await?;
        let founded = founded(tx, (index, rows.shape.name()), &kept, prefix).await?;
        let grounds = Grounds { is_key: &is_key, founded: &founded, holes: &said.holes };
        let mut may_have_rows = said.bodiless_of(rows.shape.name());
        may_have_rows.retain(|at| !named.contains(at));
        let mut unnamed = may_have_rows.clone();
        let judged = judge(&differing, &kept, &mut unnamed, &grounds);
        named.extend(may_have_rows.difference(&unnamed));
        let missing = differing.iter().filter(|pair| pair.row.is_none()).count();
        let beside = differing.iter().filter(|pair| pair.said.is_none()).count();
        let rows_held = rows.seqs.len().saturating_sub(left_out.len() + missing) + beside;
        held.push(Held { shape: rows.shape, rows: rows_held as u64, refused: left_out, judged });
    }
    Ok(held)
}

/// Rows that name none of these logs, of every table or of one.
///
/// # Errors
/// The database's.
pub(crate) async fn of_no_log(
    tx: &Transaction<'_>,
    logs: &[i32],
    only: Option<&str>,
) -> Result<Vec<(&'static Shape, Vec<Finding>)>, Error> {
    let mut found = Vec::new();
    let shapes = Projections::default().tables().map(|rows| rows.shape);
    for shape in shapes.into_iter().filter(|shape| only.is_none_or(|only| only == shape.name())) {
        let rows = tx.query(&shape.of_no_log(), &[&logs]).await?;
        let finding = |row: &tokio_postgres::Row| {
            let at = Position { log: number(row.try_get(2)?), seq: number(row.try_get(3)?) };
            Ok::<_, Error>(without_entry(&Row { place: row.try_get(0)?, key: row.try_get(1)?, at }))
        };
        found.push((shape, rows.iter().map(finding).collect::<Result<_, _>>()?));
    }
    Ok(found)
}

/// A place that a row does not name is none.
fn number<T: From<i8>>(told: Option<T>) -> T {
    told.unwrap_or_else(|| T::from(-1))
}

/// Numbers of the rows that were refused and are not there: a rebuild may have written one since.
async fn absent(
    tx: &Transaction<'_>,
    rows: &TableRows<'_>,
    log: i32,
    mut refused: BTreeSet<i64>,
) -> Result<Vec<i64>, Error> {
    if !refused.is_empty() {
        let seqs: Vec<i64> = refused.iter().copied().collect();
        for row in tx.query(&rows.shape.named(), &[&log, &seqs]).await? {
            refused.remove(&row.get::<_, i64>(0));
        }
    }
    let numbered = (1_i64..).zip(rows.seqs);
    Ok(numbered.filter(|(_, seq)| refused.contains(seq)).map(|(n, _)| n).collect())
}

/// Rows that the database refused, by table.
async fn refusals(tx: &Transaction<'_>, range: Range) -> Result<BTreeMap<String, BTreeSet<i64>>, Error> {
    let query = "SELECT projection, seq FROM defaultx.projection_refusals WHERE log = $1 AND seq >= $2 AND seq < $3";
    let mut found: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for row in tx.query(query, &[&range.log, &range.from, &range.to]).await? {
        found.entry(row.get(0)).or_default().insert(row.get(1));
    }
    Ok(found)
}

async fn differing(
    tx: &Transaction<'_>,
    rows: &TableRows<'_>,
    range: Range,
    left_out: &[i64],
) -> Result<Vec<Differing>, Error> {
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&range.log, &range.from, &range.to, &left_out];
    parameters.extend(&rows.arrays);
    let told = tx.query(&rows.shape.differing(), &parameters).await?;
    let read = |row: &tokio_postgres::Row| {
        let there: Option<String> = row.try_get(0)?;
        let at = |first: usize| Ok::<_, Error>(Position { log: row.try_get(first)?, seq: row.try_get(first + 1)? });
        let of_table = |place| Ok::<_, Error>(Row { place, key: row.try_get(1)?, at: at(2)? });
        let of_log = |n| Ok::<_, Error>(Expected { n, key: row.try_get(6)?, at: at(7)? });
        Ok(Differing {
            row: there.map(of_table).transpose()?,
            is_copy: row.try_get::<_, Option<bool>>(4)?.unwrap_or(false),
            said: row.try_get::<_, Option<i64>>(5)?.map(of_log).transpose()?,
            columns: row.try_get(9)?,
        })
    };
    told.iter().map(read).collect()
}

async fn with_keys(tx: &Transaction<'_>, rows: &TableRows<'_>, wanted: &BTreeSet<i64>) -> Result<Vec<Kept>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<i64> = wanted.iter().copied().collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&wanted];
    parameters.extend(&rows.arrays);
    let told = tx.query(&rows.shape.with_keys(), &parameters).await?;
    let read = |row: &tokio_postgres::Row| {
        let at = Position { log: row.try_get(3)?, seq: row.try_get(4)? };
        let of_table = Row { place: row.try_get(1)?, key: row.try_get(2)?, at };
        Ok(Kept { n: row.try_get(0)?, row: of_table, columns: row.try_get(5)? })
    };
    told.iter().map(read).collect()
}

/// Those of `kept` rows that name an entry which says a row of their key, by where the server keeps them; `index` is the table's among all.
/// Where the entry holds a digest, nobody can tell that it does not.
async fn founded(
    tx: &Transaction<'_>,
    (index, table): (usize, &str),
    kept: &[Kept],
    prefix: &str,
) -> Result<BTreeSet<String>, Error> {
    let named: BTreeSet<Position> = kept.iter().map(|kept| kept.row.at).collect();
    if named.is_empty() {
        return Ok(BTreeSet::new());
    }
    let theirs = excerpt::entries_at(tx, &named, prefix).await?;
    let bodiless = theirs.bodiless_of(table);
    let untold = kept.iter().filter(|kept| bodiless.contains(&kept.row.at));
    let mut founded: BTreeSet<String> = untold.map(|kept| kept.row.place.clone()).collect();
    if let Some(said) = theirs.projections.tables().get(index) {
        let all = (1..=said.seqs.len() as i64).collect();
        let same_place = |kept: &Kept| !kept.columns.iter().any(|column| column == "log" || column == "seq");
        let agreeing = with_keys(tx, said, &all).await?;
        founded.extend(agreeing.into_iter().filter(same_place).map(|kept| kept.row.place));
    }
    Ok(founded)
}
