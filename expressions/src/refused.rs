//! Why the text of an expression is not taken, before anything is asked about its names.

use crate::{MAX_BYTES, MAX_COST, MAX_DEPTH, MAX_TOTAL_COST};

/// Why an expression is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It does not parse.
    #[error("not CEL: {message} (line {}, column {})", .at.0, .at.1)]
    Syntax {
        /// What the parser says.
        message: String,
        /// Line and column.
        at: (usize, usize),
    },
    /// Its text is longer than [`MAX_BYTES`].
    #[error("{0} bytes long, at most {MAX_BYTES} are allowed")]
    TooLong(usize),
    /// It is nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A regular expression that cannot be measured, or is too large.
    #[error("{0}")]
    Pattern(String),
    /// It costs more than [`MAX_COST`].
    #[error("costs up to {0} steps, at most {MAX_COST} are allowed: nest fewer loops, or loop over less")]
    TooCostly(u64),
    /// With those before it, it costs more than [`MAX_TOTAL_COST`].
    #[error("costs up to {0} steps, and with those before it {1}; all of a document may cost {MAX_TOTAL_COST}")]
    TooCostlyTogether(u64, u64),
}
