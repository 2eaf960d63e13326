//! What a walk over the log found, for people and machines.

use schemas::audit_tree::{Hash, empty_root};
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
    /// Checkpoints held against the tree.
    pub checkpoints: u64,
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
            skipped_offsets: 0,
            oversized: 0,
        }
    }
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
        }
        for fault in self.faults.iter().take(PRINTED) {
            writeln!(f, "FAULT {fault}")?;
        }
        if self.faults.len() > PRINTED {
            writeln!(f, "… and {} more", self.faults.len() - PRINTED)?;
        }
        let seconds = self.took_ms as f64 / 1000.0;
        match self.faults.len() {
            0 => write!(f, "whole: {} entries verified in {seconds:.1} s", self.entries()),
            faults => write!(f, "NOT WHOLE: {faults} faults in {} entries, found in {seconds:.1} s", self.entries()),
        }
    }
}

struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB", self.0 as f64 / 1e6)
    }
}
