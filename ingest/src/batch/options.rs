//! What a run of a batch is asked for.

use crate::error::Error;
use crate::mapping::{Mapping, Spelling};
use std::path::PathBuf;

/// What to publish and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `*.csv`, `*.tsv`, `*.txt`, `*.ndjson` or `*.jsonl`, each also with `.gz`.
    pub file: PathBuf,
    /// Mapping file; required for CSV.
    pub mapping: Option<PathBuf>,
    /// The tenant that the file is from; `demo` when absent.
    pub tenant: Option<String>,
    /// Replaces `intent` of every row, such as `score_only` for a portfolio of existing loans.
    pub intent: Option<String>,
    /// Where refused rows are listed: CSV, or JSON when it ends in `.json`. None lists them nowhere.
    pub report: Option<PathBuf>,
    /// Where refused rows are written as they stand in the file, to be corrected and sent again. None writes them nowhere.
    pub corrections: Option<PathBuf>,
    /// Writes lists with comma and point, whatever the file is written with.
    pub plain: bool,
    /// Correlation id of whatever comes of this run, so that its replies are told from those of another run of the file.
    pub run: Option<String>,
    /// Rows of one transaction; 0 takes 1000.
    pub group_rows: usize,
    /// Shows no progress.
    pub quiet: bool,
}

impl Options {
    /// How lists of the file's rows are written: as its own spreadsheet takes them, unless plain ones are asked for.
    ///
    /// # Errors
    /// [`Error`] when the mapping file cannot be read.
    pub fn spelling(&self) -> Result<Spelling, Error> {
        let mapping = self.mapping.as_deref().filter(|_| !self.plain).map(Mapping::load).transpose()?;
        Ok(mapping.map(|mapping| mapping.spelling()).unwrap_or_default())
    }
}
