//! Proposes a mapping for a file that nobody has described yet: what its bytes tell for certain, what its names and cells make likely,
//! and what a person has to decide, each with its reason in a comment.
//!
//! Of what the file holds a proposal shows the names of the columns, how cells are written, and the words of columns that have few of
//! them, none with less than three rows. It shows no word of a column that says whose row it is, and no number.
//!
//! Reading order: [`sample`] takes the beginning of a file apart, [`cells`] looks at a column, [`names`] and [`facts`] know what columns are
//! called, [`proposal`] writes.

mod cells;
mod facts;
mod known;
mod names;
mod proposal;
mod sample;
mod toml_text;

use super::rows::Source;
use crate::error::Error;
use crate::mapping::open_lines;
use crate::published::Published;
pub use known::Known;
use proposal::Proposal;
use std::path::Path;

/// A mapping file, and how many places of it a person has to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// The text of the mapping file.
    pub text: String,
    /// Its lines that say `DECIDE`.
    pub decisions: usize,
}

/// Proposes a mapping.
///
/// # Errors
/// [`Error::File`], or [`Error::Batch`] for a file that is no table.
pub fn propose(file: &Path, known: &Known<'_>) -> Result<Proposed, Error> {
    let failed = |source| Error::File { path: file.to_owned(), source };
    let source = Source::open(file)?;
    let Some(bytes) = source.table()? else {
        return Err(Error::Batch("a file of JSON documents needs no mapping".into()));
    };
    let sample = sample::sample(bytes).map_err(failed)?;
    let sample = sample.ok_or_else(|| Error::Batch("no delimiter (, ; | or a tab) makes a table of it".into()))?;
    let published = Published::new()?;
    let text = Proposal::of(&sample, known, &published).text();
    let decisions = open_lines(&text).len();
    Ok(Proposed { text, decisions })
}
