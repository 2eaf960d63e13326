//! The refused rows of a file as they stand in it, to be corrected and sent again by the same mapping: the same delimiter, quotes and
//! encoding, the cells as they came. Before them stand columns of ours that say why; a mapping does not name them, so they do not exist.

use super::fault::no_formula;
use super::report::Verdict;
use super::rows::{Row, Table};
use crate::error::Error;
use crate::mapping::Mapping;
use crate::mapping::dialect::Dialect;
use csv::{ByteRecord, QuoteStyle, WriterBuilder};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What stands before the columns of the file.
const ADDED: [&str; 3] = ["rejected_line", "rejected_reason", "rejected_why"];

/// A file of rows to correct, under way.
pub(super) struct Corrections {
    path: PathBuf,
    file: BufWriter<File>,
    dialect: Dialect,
    has_header: bool,
    /// Rows that were cut, and so cannot be sent again.
    pub(super) left_out: u64,
}

impl Corrections {
    /// Begins it, for a file that begins with a byte order mark or does not.
    ///
    /// # Errors
    /// [`Error::Batch`] where the mapping counts rows, which would be others in this file; [`Error::File`].
    pub(super) fn create(path: &Path, mapping: Option<&Mapping>, marked: Option<Dialect>) -> Result<Self, Error> {
        if mapping.is_some_and(Mapping::counts_rows) {
            let why = "--to-correct: the mapping has a template with {row}, and a row has another number in another file: its ids would be those of other rows. Make ids of a column";
            return Err(Error::Batch(why.into()));
        }
        let failed = |source| Error::File { path: path.to_owned(), source };
        let mut file = BufWriter::new(File::create(path).map_err(failed)?);
        let dialect = match (&marked, mapping) {
            (Some(marked), _) => marked.clone(),
            (None, Some(mapping)) => mapping.dialect().clone(),
            (None, None) => Dialect::default(),
        };
        if marked.is_some() {
            file.write_all(&dialect.encoded("\u{feff}".as_bytes())).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), file, dialect, has_header: false, left_out: 0 })
    }

    /// Takes a row down where it is refused, or in conflict with one before it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn enter(&mut self, row: &Row, verdict: &Verdict) -> Result<(), Error> {
        let refused = verdict.refused.as_ref().map(|refused| refused.faults.as_slice());
        let Some(faults) = refused.or(verdict.conflict.as_ref().map(std::slice::from_ref)) else { return Ok(()) };
        if row.is_cut() {
            self.left_out += 1;
            return Ok(());
        }
        let Some(Table { header, cells }) = &row.table else {
            let line = [row.body.as_slice(), b"\n"].concat();
            return self.write(&line);
        };
        let ours = header.iter().zip(ADDED).take_while(|(name, added)| name == added).count();
        let ours = if ours == ADDED.len() { ours } else { 0 };
        if !self.has_header {
            self.has_header = true;
            let names = ADDED.iter().map(|name| name.as_bytes());
            let record: ByteRecord = names.chain(header.iter().skip(ours).map(str::as_bytes)).collect();
            self.write_record(&record)?;
        }
        let told = |fault: &super::fault::RowFault| match &fault.column {
            Some(column) => format!("{column}: {}", fault.why),
            None => fault.told(),
        };
        let why = faults.iter().map(told).collect::<Vec<_>>().join(", ");
        let reason = faults.first().map(|fault| fault.reason.as_str()).unwrap_or_default();
        let added = [row.line.to_string(), reason.to_owned(), self.cell(&why)];
        let record: ByteRecord = added.iter().map(String::as_bytes).chain(cells.iter().skip(ours)).collect();
        self.write_record(&record)
    }

    /// A text of ours as a cell. Where there are no quotes it holds nothing that would end it.
    fn cell(&self, text: &str) -> String {
        let text = no_formula(text);
        let ends = |c: char| c.is_control() || u8::try_from(c).is_ok_and(|byte| byte == self.dialect.delimiter);
        match self.dialect.quote {
            Some(_) => text.into_owned(),
            None => text.chars().map(|c| if ends(c) { ' ' } else { c }).collect(),
        }
    }

    fn write_record(&mut self, record: &ByteRecord) -> Result<(), Error> {
        let mut builder = WriterBuilder::new();
        builder.delimiter(self.dialect.delimiter).flexible(true);
        match self.dialect.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quote_style(QuoteStyle::Never),
        };
        let mut writer = builder.from_writer(Vec::new());
        let written = writer.write_byte_record(record).map_err(std::io::Error::other);
        let line = written.and_then(|()| writer.into_inner().map_err(csv::IntoInnerError::into_error));
        let line = line.map_err(|source| Error::File { path: self.path.clone(), source })?;
        self.write(&line)
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Error> {
        let bytes = self.dialect.encoded(line);
        self.file.write_all(&bytes).map_err(|source| Error::File { path: self.path.clone(), source })
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn finish(mut self) -> Result<u64, Error> {
        self.file.flush().map_err(|source| Error::File { path: self.path.clone(), source })?;
        Ok(self.left_out)
    }
}
