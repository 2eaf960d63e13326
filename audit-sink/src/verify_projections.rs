//! The walk's other half: every row of every projection against the entry that it names, and every entry against its row. Gathers what
//! the walk reads, a few megabytes at a time, and holds that against the tables; names at most so many rows of each, and counts the rest.

use crate::compare::{Finding, Wrong};
use crate::error::Error;
use crate::excerpt;
use crate::hold::{self, Range};
use crate::project::Position;
use crate::report::{Fault, TableReport};
use crate::said::Said;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Transaction;

/// Rows of a table that are named.
const MOST_NAMED: usize = 1_000;

/// Holds tables against the logs as they are walked.
pub(crate) struct Tables {
    prefix: String,
    said: Said,
    log: i32,
    /// Where what is gathered begins.
    from: i64,
    told: BTreeMap<&'static str, Told>,
}

/// What a table came to.
#[derive(Default)]
struct Told {
    report: TableReport,
    faults: Vec<Fault>,
    /// Rows that no entry says, by where the server keeps them; one of them may turn out to be a changed row.
    without_entry: BTreeMap<String, Fault>,
    changed: BTreeSet<String>,
    /// Keys of rows that are named as changed or missing: an event that came twice says its row twice.
    keys: BTreeSet<String>,
    more: u64,
}

impl Tables {
    /// Within a snapshot.
    pub async fn begin(tx: &Transaction<'_>) -> Result<Self, Error> {
        let prefix = excerpt::prefix(tx).await?;
        Ok(Self { prefix, said: Said::default(), log: 0, from: i64::MIN, told: BTreeMap::new() })
    }

    /// Another log begins.
    pub(crate) fn begin_log(&mut self, log: i32) {
        (self.said, self.log, self.from) = (Said::default(), log, i64::MIN);
    }

    /// The next entry.
    pub fn add(&mut self, seq: i64, bytes: &[u8]) {
        if self.said.add(Position { log: self.log, seq }, bytes, &self.prefix).is_err() {
            self.add_hole(seq, seq + 1);
        }
    }

    /// Entries `from..to` cannot be read.
    pub(crate) fn add_hole(&mut self, from: i64, to: i64) {
        if from < to {
            self.said.add_hole(from, to);
        }
    }

    /// Everything before `next` was added: holds it if that is much.
    pub async fn pass(&mut self, tx: &Transaction<'_>, next: i64) -> Result<(), Error> {
        if self.said.is_full() { self.hold(tx, next).await } else { Ok(()) }
    }

    /// Everything was added.
    pub(crate) async fn end_log(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        self.hold(tx, i64::MAX).await
    }

    /// What all of it came to; `logs` were walked.
    pub async fn finish(
        mut self,
        tx: &Transaction<'_>,
        logs: &[i32],
        faults: &mut Vec<Fault>,
    ) -> Result<Vec<TableReport>, Error> {
        for (shape, findings) in hold::of_no_log(tx, logs, None).await? {
            let told = self.told.entry(shape.name()).or_default();
            told.report.table = shape.name();
            told.report.rows += findings.len() as u64;
            findings.into_iter().for_each(|finding| told.add(shape.name(), finding));
        }
        let mut reports = Vec::new();
        for (table, told) in self.told {
            let Told { report, faults: named, without_entry, changed, more, .. } = told;
            faults.extend(named);
            faults.extend(
                without_entry.into_iter().filter(|(place, _)| !changed.contains(place)).map(|(_, fault)| fault),
            );
            faults.extend((more > 0).then_some(Fault::RowsBeyond { table, count: more }));
            reports.push(report);
        }
        Ok(reports)
    }

    async fn hold(&mut self, tx: &Transaction<'_>, to: i64) -> Result<(), Error> {
        let range = Range { log: self.log, from: self.from, to };
        let said = std::mem::take(&mut self.said);
        for held in hold::hold(tx, &said, range, &self.prefix, None).await? {
            let table = held.shape.name();
            let told = self.told.entry(table).or_default();
            let report = &mut told.report;
            report.table = table;
            report.rows += held.rows;
            report.refused += held.refused.len() as u64;
            report.unheld += held.judged.unheld;
            report.repeated += held.judged.repeated;
            held.judged.findings.into_iter().for_each(|finding| told.add(table, finding));
        }
        self.from = to;
        Ok(())
    }
}

impl Told {
    fn add(&mut self, table: &'static str, finding: Finding) {
        if self.keys.contains(&finding.key) && finding.write.is_some() {
            self.changed.extend(finding.remove);
            return;
        }
        if self.faults.len() + self.without_entry.len() >= MOST_NAMED {
            self.more += 1;
            return;
        }
        let Finding { wrong, key, at: Position { log, seq }, remove, write } = finding;
        if write.is_some() {
            self.keys.insert(key.clone());
        }
        match wrong {
            Wrong::Changed(columns) => {
                self.changed.extend(remove);
                self.faults.push(Fault::RowChanged { table, key, log, seq, columns });
            }
            Wrong::Missing => self.faults.push(Fault::RowMissing { table, key, log, seq }),
            Wrong::WithoutEntry => {
                let fault = Fault::RowWithoutEntry { table, key, log, seq };
                self.without_entry.insert(remove.unwrap_or_default(), fault);
            }
        }
    }
}
