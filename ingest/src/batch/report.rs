//! What became of a file: counts, and every refused row with its line. Names ids and pointers, never cells.

use super::rows::Trouble;
use crate::error::Error;
use crate::refusal::Refusal;
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

/// A refused row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRow {
    /// Line of the file, from 1.
    pub line: u64,
    /// Where it could be read.
    pub application_id: Option<String>,
    /// The word of the reply.
    pub reason: String,
    /// JSON pointers; for a row that the mapping cannot carry, the column.
    pub pointers: Vec<String>,
    /// Of a row that is no body: why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
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
                writer.write_record(["line", "application_id", "reason", "pointers", "detail"]).map_err(io)
            }
            Format::Json(writer) => writer.write_all(b"["),
        })?;
        Ok(report)
    }

    /// Counts a row.
    pub fn count(&mut self) {
        self.summary.rows += 1;
    }

    /// Lists a refused row.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn refused(&mut self, line: u64, refusal: &Refusal, trouble: Option<&Trouble>) -> Result<(), Error> {
        let row = RefusedRow {
            line,
            application_id: refusal.who.application_id.clone(),
            reason: refusal.reason.as_str().to_owned(),
            pointers: refusal.pointers.clone(),
            detail: trouble.map(Trouble::to_string),
        };
        let is_first = self.summary.refused == 0;
        self.summary.refused += 1;
        *self.summary.by_reason.entry(row.reason.clone()).or_default() += 1;
        self.write(|format| match format {
            Format::Csv(writer) => {
                let id = row.application_id.as_deref().unwrap_or_default();
                let (line, pointers) = (row.line.to_string(), row.pointers.join(" "));
                let detail = row.detail.as_deref().unwrap_or_default();
                writer.write_record([line.as_str(), id, row.reason.as_str(), pointers.as_str(), detail]).map_err(io)
            }
            Format::Json(writer) => {
                writer.write_all(if is_first { b"\n" } else { b",\n" })?;
                serde_json::to_writer(writer, &row).map_err(std::io::Error::from)
            }
        })?;
        if self.summary.first_refused.len() < SHOWN {
            self.summary.first_refused.push(row);
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
