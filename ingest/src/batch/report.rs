//! What became of a file: counts, and every refused row with its line. Names ids and pointers, never cells.

use super::causes::Causes;
use super::fault::{RowFault, no_formula, pointers};
use super::rows::Trouble;
use crate::error::Error;
use crate::mapping::Spelling;
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
    /// Rows that were published, of which an earlier row has the same id and revision with other content.
    pub conflicts: u64,
    /// What is wrong with rows that are refused or in conflict.
    pub faults: Causes,
    /// What senders should look at in rows that are taken.
    pub warnings: Causes,
    /// Lines of the mapping that leave something to a person, from 1.
    pub open_lines: Vec<usize>,
    /// Rows behind which ids were not compared any more.
    pub compared: Option<u64>,
    /// Refused rows that were too long to be written out for correction.
    pub left_out: u64,
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
    /// What its sender should look at although it is taken.
    pub warnings: Vec<RowFault>,
    /// The earlier row of the file that it contradicts.
    pub conflict: Option<RowFault>,
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
    pub(super) summary: Summary,
    /// Rows that are in the list.
    listed: u64,
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
        Self::spelt(path, Spelling::default())
    }

    /// The same, for the spreadsheet that wrote the file.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn spelt(path: Option<&Path>, spelling: Spelling) -> Result<Self, Error> {
        let (summary, listed) = (Summary::default(), 0);
        let Some(path) = path else { return Ok(Self { summary, listed, out: None }) };
        let failed = |source| Error::File { path: path.to_owned(), source };
        let mut file = File::create(path).map_err(failed)?;
        let format = if path.extension().is_some_and(|extension| extension == "json") {
            Format::Json(BufWriter::new(file))
        } else {
            if spelling.is_marked {
                file.write_all("\u{feff}".as_bytes()).map_err(failed)?;
            }
            Format::Csv(Box::new(csv::WriterBuilder::new().delimiter(spelling.delimiter).from_writer(file)))
        };
        let mut report = Self { summary, listed, out: Some((path.to_owned(), format)) };
        report.write(|format| match format {
            Format::Csv(writer) => {
                writer.write_record(["line", "application_id", "reason", "pointers", "detail", "column"]).map_err(io)
            }
            Format::Json(writer) => writer.write_all(b"["),
        })?;
        Ok(report)
    }

    /// Counts a row, and lists it where it is refused or in conflict: in CSV a line for each fault.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn enter(&mut self, verdict: &Verdict) -> Result<(), Error> {
        let Verdict { line, application_id, .. } = verdict;
        let id = application_id.as_deref();
        self.summary.rows += 1;
        verdict.warnings.iter().for_each(|warning| self.summary.warnings.add(warning, *line, id));
        if let Some(row) = &verdict.refused {
            self.summary.refused += 1;
            *self.summary.by_reason.entry(row.reason.clone()).or_default() += 1;
            if self.summary.first_refused.len() < SHOWN {
                self.summary.first_refused.push(row.clone());
            }
            return self.list(row);
        }
        if let Some(conflict) = &verdict.conflict {
            self.summary.conflicts += 1;
            return self.list(&RefusedRow::new(*line, application_id.clone(), vec![conflict.clone()], None));
        }
        Ok(())
    }

    fn list(&mut self, row: &RefusedRow) -> Result<(), Error> {
        let id = row.application_id.as_deref();
        row.faults.iter().for_each(|fault| self.summary.faults.add(fault, row.line, id));
        let is_first = self.listed == 0;
        self.listed += 1;
        self.write(|format| match format {
            Format::Csv(writer) => {
                let line = row.line.to_string();
                row.faults.iter().try_for_each(|fault| {
                    let RowFault { reason, pointer, column, why } = fault;
                    let column = column.as_deref().unwrap_or_default();
                    let cells = [&line, id.unwrap_or_default(), reason, pointer, why, column];
                    writer.write_record(cells.map(no_formula).iter().map(AsRef::as_ref)).map_err(io)
                })
            }
            Format::Json(writer) => {
                writer.write_all(if is_first { b"\n" } else { b",\n" })?;
                serde_json::to_writer(writer, row).map_err(std::io::Error::from)
            }
        })
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
