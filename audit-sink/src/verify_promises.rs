//! PURE. What a walk has checked and what it has not: every promise of a report, out of what the walk found and what was brought along.

use crate::promises::{Promise, Word};
use crate::report::{LogReport, Report, TableReport};

/// What was brought along.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Brought {
    pub keys: usize,
    pub witnesses: usize,
    pub notes: usize,
    pub cosigned: usize,
    pub timed: usize,
    /// Openings of epochs in the database without a valid signature.
    pub disregarded: u64,
}

/// Every promise, in a fixed order.
pub(crate) fn promises(report: &Report, brought: Brought) -> Vec<Promise> {
    let stored: u64 = report.logs.iter().map(|log| log.checkpoints).sum();
    let disregarded = brought.disregarded + report.logs.iter().map(|log| log.disregarded).sum::<u64>();
    let of = |promise, checked, yes: String, no: &str| Promise {
        promise,
        checked,
        detail: if checked { yes } else { no.to_owned() },
    };
    let Brought { keys, witnesses, notes, cosigned, timed, .. } = brought;
    let covered = |log: &LogReport| {
        format!(
            "log {}: {} of {} entries, {} younger ones are not covered",
            log.log, log.covered, log.size, log.uncovered
        )
    };
    let covered = report.logs.iter().map(covered).collect::<Vec<_>>().join("; ");
    vec![
        of(Word::Consistency, true, "every entry against its leaf, tiles, runs and head".to_owned(), ""),
        of(Word::Coordinates, true, "unique, rising, up to the consumer's offsets".to_owned(), ""),
        of(
            Word::Signatures,
            keys > 0,
            format!("{stored} checkpoints are signed; {disregarded} rows without a valid signature count for nothing"),
            "no verifier key (--key): whoever writes the database can write its checkpoints",
        ),
        of(
            Word::KeptNotes,
            notes > 0,
            covered,
            "no note from outside (--checkpoint): a log emptied, cut or rewritten as a whole is not found",
        ),
        of(
            Word::Witnesses,
            cosigned > 0,
            format!("{cosigned} kept notes are cosigned"),
            if witnesses > 0 {
                "no kept note is cosigned by these witnesses"
            } else {
                "no witness's key (--witness-key)"
            },
        ),
        of(
            Word::Times,
            timed > 0 && keys + witnesses > 0,
            format!("{timed} notes say when they were signed"),
            "no note with a time and a key to check it with",
        ),
        of(Word::Digests, false, String::new(), "what only a digest stands for needs the record and the digest key"),
        of(
            Word::Completeness,
            false,
            String::new(),
            "whether every record of the topics came into the log, the topics know while they keep them",
        ),
        of(Word::Projections, true, projections(report), ""),
    ]
}

fn projections(report: &Report) -> String {
    let sum = |of: fn(&TableReport) -> u64| report.projections.iter().map(of).sum::<u64>();
    let (rows, refused, unheld) = (sum(|table| table.rows), sum(|table| table.refused), sum(|table| table.unheld));
    format!(
        "{rows} rows against their entries, column by column; {unheld} of entries that hold no record could not be; {refused} are absent \
         because the database refused them, on record"
    )
}
