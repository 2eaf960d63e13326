//! What a walk over the log found, for people and machines.

use crate::promises::Promise;
use audit_log::{Epoch, Hash, empty_root};
use runtime::clock;
use serde::Serialize;
use std::fmt;

/// Faults printed; all are counted.
const PRINTED: usize = 20;

/// Everything found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// One for each log.
    pub logs: Vec<LogReport>,
    /// What does not hold.
    pub faults: Vec<Fault>,
    /// One for each projection, by name.
    pub projections: Vec<TableReport>,
    /// What was checked, and what was not.
    pub promises: Vec<Promise>,
    /// How long the walk took, milliseconds.
    pub took_ms: u64,
}

/// What was walked.
#[derive(Debug, Clone, Serialize)]
pub struct LogReport {
    /// The log.
    pub log: i32,
    /// Entries of the tree as computed.
    pub size: u64,
    /// Root as computed.
    #[serde(serialize_with = "as_hex")]
    pub root: Hash,
    /// Entries read.
    pub entries: u64,
    /// Segments read.
    pub segments: u64,
    /// Their compressed bytes.
    pub segment_bytes: u64,
    /// Their bytes unpacked.
    pub raw_bytes: u64,
    /// Complete tiles recomputed.
    pub tiles: u64,
    /// Checkpoints held against the tree, those of the database and those from outside.
    pub checkpoints: u64,
    /// Checkpoints in the database without a valid signature of the keys given: they count for nothing.
    pub disregarded: u64,
    /// Entries under the largest note from outside that holds.
    pub covered: u64,
    /// When that note was signed, where it says so and a key was given.
    pub covered_at: Option<String>,
    /// Entries younger than that note: nothing from outside speaks of them.
    pub uncovered: u64,
    /// Epochs that were opened after a restore.
    pub epochs: Vec<EpochReport>,
    /// Offsets without an entry between two with one: transaction markers.
    pub skipped_offsets: u64,
    /// Digests in place of records that no entry could hold, on topics whose bodies are logged.
    pub oversized: u64,
}

impl Default for LogReport {
    fn default() -> Self {
        Self {
            log: 0,
            size: 0,
            root: empty_root(),
            entries: 0,
            segments: 0,
            segment_bytes: 0,
            raw_bytes: 0,
            tiles: 0,
            checkpoints: 0,
            disregarded: 0,
            covered: 0,
            covered_at: None,
            uncovered: 0,
            epochs: Vec::new(),
            skipped_offsets: 0,
            oversized: 0,
        }
    }
}

/// A projection that was held against the logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its name.
    pub table: &'static str,
    /// Rows held against the entries that they name.
    pub rows: u64,
    /// Entries whose row an earlier entry of the same key made: events that came twice.
    pub repeated: u64,
    /// Rows that the database refused, on record in `projection_refusals`: absent, and no fault.
    pub refused: u64,
    /// Rows of entries that hold a digest in place of the record, or cannot be read: nothing to hold them against.
    pub unheld: u64,
}

/// A restore that somebody signed for.
#[derive(Debug, Clone, Serialize)]
pub struct EpochReport {
    /// Its number.
    pub epoch: u32,
    /// When it was opened.
    pub opened_at: String,
    /// Who opened it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Entries of the newest note of the epoch before.
    pub old_size: u64,
    /// Entries from which the log went on.
    pub from_size: u64,
    /// Notes that speak of what came between: not checked, and no fault.
    pub superseded: u64,
}

fn as_hex<S: serde::Serializer>(root: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(root))
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[allow(missing_docs)] // the messages say it
pub enum Fault {
    #[error("log {log}: rows without a head")]
    NoHead { log: i32 },
    #[error("log {log}: no segment holds entries {from} to {}", .to - 1)]
    Missing { log: i32, from: i64, to: i64 },
    #[error("log {log}: the segment at {first_seq} overlaps the one before")]
    Overlap { log: i32, first_seq: i64 },
    #[error("log {log}: segment at {first_seq}: {why}")]
    Segment { log: i32, first_seq: i64, why: String },
    #[error("log {log}: entry {seq}: {why}")]
    Entry { log: i32, seq: i64, why: String },
    #[error("log {log}: run at {first_seq}: {why}")]
    Run { log: i32, first_seq: i64, why: String },
    #[error("log {log}: tile {index} of level {level} is {}", if *.missing { "missing" } else { "not that of the entries" })]
    Tile { log: i32, level: i16, index: i64, missing: bool },
    #[error("log {log}: {count} {what} more than its segments account for")]
    Beyond { log: i32, what: &'static str, count: i64 },
    #[error("log {log}: head: {why}")]
    Head { log: i32, why: String },
    #[error("log {log}: checkpoint at {size}: {why}")]
    Checkpoint { log: i32, size: i64, why: String },
    #[error("note {number} of those kept elsewhere: {why}")]
    Kept { number: usize, why: String },
    #[error("log {log}: epoch {epoch}: {why}")]
    Epoch { log: i32, epoch: u32, why: String },
    #[error("table {table}: row {key}: {} {} not what entry {seq} of log {log} says", .columns.join(", "), if .columns.len() == 1 { "is" } else { "are" })]
    RowChanged { table: &'static str, key: String, log: i32, seq: i64, columns: Vec<String> },
    #[error("table {table}: row {key} is missing, entry {seq} of log {log} says it")]
    RowMissing { table: &'static str, key: String, log: i32, seq: i64 },
    #[error("table {table}: row {key} is of no entry; it names entry {seq} of log {log}")]
    RowWithoutEntry { table: &'static str, key: String, log: i32, seq: i64 },
    #[error("table {table}: {count} more rows are not what the log says")]
    RowsBeyond { table: &'static str, count: u64 },
    #[error("table {table}: {why}: what is shown of it may be other rows than those that were held against the log")]
    NotATable { table: &'static str, why: String },
    #[error("log {log}: {topic}/{partition} was read up to offset {next}, the newest entry is {newest:?}")]
    Offsets { log: i32, topic: String, partition: i32, next: i64, newest: Option<i64> },
}

impl Report {
    /// Whether everything holds.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }

    /// Entries over all logs.
    pub fn entries(&self) -> u64 {
        self.logs.iter().map(|log| log.size).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for log in &self.logs {
            let LogReport { segments, tiles, checkpoints, skipped_offsets, oversized, .. } = log;
            writeln!(f, "log {}: {} entries, root {}", log.log, log.size, hex::encode(log.root))?;
            writeln!(
                f,
                "  recomputed from {segments} segments ({}, {} unpacked)",
                Bytes(log.segment_bytes),
                Bytes(log.raw_bytes)
            )?;
            writeln!(
                f,
                "  compared with every run of the index, {tiles} complete tiles, the head and {checkpoints} checkpoints"
            )?;
            writeln!(
                f,
                "  coordinates unique and rising; {skipped_offsets} offsets between them hold transaction markers"
            )?;
            if *oversized > 0 {
                writeln!(f, "  {oversized} records too large for an entry: the log holds their digests")?;
            }
            if log.covered > 0 {
                let at = log.covered_at.as_ref().map_or_else(String::new, |at| format!(", signed at {at}"));
                writeln!(
                    f,
                    "  {} entries are those of a note from outside{at}; {} are younger",
                    log.covered, log.uncovered
                )?;
            }
            for epoch in &log.epochs {
                writeln!(f, "  {epoch}")?;
            }
        }
        for fault in self.faults.iter().take(PRINTED) {
            writeln!(f, "FAULT {fault}")?;
        }
        if self.faults.len() > PRINTED {
            writeln!(f, "… and {} more", self.faults.len() - PRINTED)?;
        }
        for promise in &self.promises {
            writeln!(f, "{promise}")?;
        }
        let seconds = self.took_ms as f64 / 1000.0;
        match self.faults.len() {
            0 => write!(f, "whole, as far as checked: {} entries verified in {seconds:.1} s", self.entries()),
            faults => write!(f, "NOT WHOLE: {faults} faults in {} entries, found in {seconds:.1} s", self.entries()),
        }
    }
}

impl EpochReport {
    pub(crate) fn of(epoch: &Epoch) -> Self {
        let opened_at = time(epoch.at).unwrap_or_default();
        let (by, why) = (epoch.by.clone(), epoch.why.clone());
        Self { epoch: epoch.epoch, opened_at, by, why, old_size: epoch.old.0, from_size: epoch.from.0, superseded: 0 }
    }
}

impl fmt::Display for EpochReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, opened_at, by, why, old_size, from_size, superseded } = self;
        write!(f, "epoch {epoch} opened at {opened_at} by {by}: {why}; entries {from_size} to {old_size} of before")?;
        write!(f, " may stand elsewhere or not at all: {superseded} notes of them were not held against the log")
    }
}

/// Seconds since 1970 as RFC 3339.
pub(crate) fn time(seconds: i64) -> Option<String> {
    chrono::DateTime::from_timestamp(seconds, 0).map(clock::rfc3339)
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB", self.0 as f64 / 1e6)
    }
}
