//! PURE. What a walk has checked and what it has not: no report says *whole* without saying of what.

use crate::report::{Report, TableReport};
use serde::Serialize;
use std::fmt;

/// What a log may be asked to promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Every entry, leaf, tile, run and the head belong together.
    Consistency,
    /// No coordinate twice, none out of order, none behind the consumer's offsets missing.
    Coordinates,
    /// Checkpoints in the database are of the log's signer.
    Signatures,
    /// The log is that of notes kept outside.
    KeptNotes,
    /// Witnesses saw it so.
    Witnesses,
    /// When the notes were signed.
    Times,
    /// Digests stand for the records that they are of.
    Digests,
    /// Every record of the topics is in the log.
    Completeness,
    /// Every row of the projections is what its entry says, and every entry has its row.
    Projections,
}

/// One promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// Which.
    pub promise: Word,
    /// Whether this walk checked it.
    pub checked: bool,
    /// What was held against what, or what is lacking.
    pub detail: String,
}

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
    let covered = |log: &crate::report::LogReport| {
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

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consistency => "consistency",
            Self::Coordinates => "coordinates",
            Self::Signatures => "signatures",
            Self::KeptNotes => "kept notes",
            Self::Witnesses => "witnesses",
            Self::Times => "times",
            Self::Digests => "digests",
            Self::Completeness => "completeness",
            Self::Projections => "projections",
        })
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.checked { "checked    " } else { "NOT CHECKED" };
        write!(f, "{word} {}: {}", self.promise, self.detail)
    }
}
