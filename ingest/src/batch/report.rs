//! What became of a file: counts, and every refused row with its line. Names ids and pointers, never cells.

use super::rows::Trouble;
use crate::error::Error;
use crate::mapping::RowRejected;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Refused rows that the summary itself names; the report has all of them.
const SHOWN: usize = 20;

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows read.
    pub rows: u64,
    /// Rows that were published.
    pub published: u64,
    /// Rows that were refused.
    pub refused: u64,
    /// Refused rows by reason.
    pub by_reason: BTreeMap<String, u64>,
    /// The first refused rows.
    pub first_refused: Vec<RefusedRow>,
}

/// What became of one row before anybody answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Line of the file at which the row begins, from 1.
    pub line: u64,
    /// From 1, without header and blank lines: `offset` in the reply's `origin`.
    pub number: u64,
    /// Where it could be read.
    pub application_id: Option<String>,
    /// Where it could be read.
    pub revision: Option<u32>,
    /// Whether it is scored and not decided.
    pub is_only_scored: bool,
    /// Why it is not published; none where it is.
    pub refused: Option<RefusedRow>,
}

/// A refused row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// Line of the file, from 1.
    pub line: u64,
    /// Where it could be read.
    pub application_id: Option<String>,
    /// The word of the reply: that of the first fault.
    pub reason: String,
    /// JSON pointers into `data`, first fault first, without repetition.
    pub pointers: Vec<String>,
    /// Of a row that is no body: why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Everything that is wrong with it, at least one.
    pub faults: Vec<RowFault>,
}

/// One thing that is wrong with a row. Names ids, columns and pointers, never cells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RowFault {
    /// A word of the list of problems.
    pub reason: String,
    /// JSON pointer into `data`; empty for the whole.
    pub pointer: String,
    /// The column that fills the place, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Why, in a sentence.
    pub why: String,
}

impl RowFault {
    /// What is wrong with a row that is no body.
    pub(super) fn of_trouble(reason: &str, trouble: &Trouble) -> Vec<Self> {
        let fault = |pointer: &str, column: Option<&str>, why: String| Self {
            reason: reason.to_owned(),
            pointer: pointer.to_owned(),
            column: column.map(str::to_owned),
            why,
        };
        match trouble {
            Trouble::Unmapped(RowRejected { cells, .. }) => {
                cells.iter().map(|cell| fault(&cell.pointer, Some(&cell.column), cell.why.to_owned())).collect()
            }
            other => vec![fault("", None, other.to_string())],
        }
    }
}

/// Where the faults are, first fault first, without repetition.
pub(super) fn pointers(faults: &[RowFault]) -> Vec<String> {
    let mut pointers: Vec<String> = Vec::new();
    for fault in faults.iter().filter(|fault| !fault.pointer.is_empty()) {
        if !pointers.contains(&fault.pointer) {
            pointers.push(fault.pointer.clone());
        }
    }
    pointers
}

impl RefusedRow {
    /// With what is wrong, first fault first.
    pub(super) fn new(
        line: u64,
        application_id: Option<String>,
        faults: Vec<RowFault>,
        trouble: Option<&Trouble>,
    ) -> Self {
        let reason = faults.first().map(|fault| fault.reason.clone()).unwrap_or_default();
        let pointers = pointers(&faults);
        Self { line, application_id, reason, pointers, detail: trouble.map(Trouble::to_string), faults }
    }
}

/// A report under way.
pub struct Report {
    summary: Summary,
    out: Option<(PathBuf, Format)>,
}

enum Format {
    Csv(Box<csv::Writer<File>>),
    /// One array, written as it grows.
    Json(BufWriter<File>),
}

impl Report {
    /// Starts a report, in a file where one is wanted.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn create(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self { summary: Summary::default(), out: None }) };
        let file = File::create(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let format = if path.extension().is_some_and(|extension| extension == "json") {
            Format::Json(BufWriter::new(file))
        } else {
            Format::Csv(Box::new(csv::Writer::from_writer(file)))
        };
        let mut report = Self { summary: Summary::default(), out: Some((path.to_owned(), format)) };
        report.write(|format| match format {
            Format::Csv(writer) => {
                writer.write_record(["line", "application_id", "reason", "pointers", "detail", "column"]).map_err(io)
            }
            Format::Json(writer) => writer.write_all(b"["),
        })?;
        Ok(report)
    }

    /// Counts a row, and lists it where it is refused: in CSV a line for each fault.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn enter(&mut self, verdict: &Verdict) -> Result<(), Error> {
        self.summary.rows += 1;
        let Some(row) = &verdict.refused else { return Ok(()) };
        let is_first = self.summary.refused == 0;
        self.summary.refused += 1;
        *self.summary.by_reason.entry(row.reason.clone()).or_default() += 1;
        self.write(|format| match format {
            Format::Csv(writer) => {
                let (line, id) = (row.line.to_string(), row.application_id.as_deref().unwrap_or_default());
                row.faults.iter().try_for_each(|fault| {
                    let RowFault { reason, pointer, column, why } = fault;
                    let column = column.as_deref().unwrap_or_default();
                    writer
                        .write_record([line.as_str(), id, reason.as_str(), pointer.as_str(), why.as_str(), column])
                        .map_err(io)
                })
            }
            Format::Json(writer) => {
                writer.write_all(if is_first { b"\n" } else { b",\n" })?;
                serde_json::to_writer(writer, row).map_err(std::io::Error::from)
            }
        })?;
        if self.summary.first_refused.len() < SHOWN {
            self.summary.first_refused.push(row.clone());
        }
        Ok(())
    }

    /// Ends the report.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn finish(mut self) -> Result<Summary, Error> {
        self.write(|format| match format {
            Format::Csv(writer) => writer.flush(),
            Format::Json(writer) => writer.write_all(b"\n]\n").and_then(|()| writer.flush()),
        })?;
        self.summary.published = self.summary.rows - self.summary.refused;
        Ok(self.summary)
    }

    fn write(&mut self, step: impl FnOnce(&mut Format) -> std::io::Result<()>) -> Result<(), Error> {
        let Some((path, format)) = &mut self.out else { return Ok(()) };
        step(format).map_err(|source| Error::File { path: path.clone(), source })
    }
}

fn io(error: csv::Error) -> std::io::Error {
    std::io::Error::other(error)
}
