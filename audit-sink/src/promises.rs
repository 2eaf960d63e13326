//! PURE. What a log may be asked to promise, and what a report says of each: no report says *whole* without saying of what.

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
