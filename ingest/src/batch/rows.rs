//! Rows of a file as JSON bodies. NDJSON bodies keep their bytes, so that a repeated key is still seen; CSV rows go through the
//! mapping. Reads as it goes: a file of any size takes the memory of one row, and a row has a bound. A row that cannot be read is
//! a row all the same, with its [`Trouble`]; it never ends the file.

use super::bounded::{Lines, Piece, Quotes, Records};
use crate::error::Error;
use crate::mapping::dialect::Dialect;
use crate::mapping::{Mapping, RowRejected};
use crate::strict::{self, Node, canonical_bytes};
use csv::{ByteRecord, StringRecord};
use domain::Digest;
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Deeper bodies are left to `receive`, which refuses them.
const MAX_DEPTH: usize = 64;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// From 1, without header and blank lines.
    pub number: u64,
    /// Line of the file, from 1.
    pub line: u64,
    /// `data`; of a row in trouble what could be read of it, cells as CSV.
    pub body: Vec<u8>,
    /// Why it is refused before it is received.
    pub trouble: Option<Trouble>,
    /// Of a row in trouble: the application that it is about, as far as its cells tell.
    pub application_id: Option<String>,
    /// Places of `data`, each with the column that fills it; of NDJSON none.
    pub sources: Arc<[(String, String)]>,
    /// Of a row of a table: its cells as they came.
    pub(super) table: Option<Table>,
    /// Bytes of the file read so far, compressed as they are.
    pub read_bytes: u64,
}

impl Row {
    /// Whether only its beginning is here.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.trouble, Some(Trouble::TooLong { .. }))
    }
}

/// The cells of a row, with the names of the file's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) header: Arc<StringRecord>,
    pub(super) cells: ByteRecord,
}

/// Why a row is no body. Tells numbers and names of columns, never cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// More bytes than a body may have, or more cells than any file of ours.
    #[error("longer than {most} bytes; what follows them is left out{}", over(*lines))]
    TooLong {
        /// The bound.
        most: usize,
        /// Lines that the row goes over: more than one where a quote was opened.
        lines: u64,
    },
    /// A quote that is closed nowhere.
    #[error("a quote is opened and never closed: {lines} lines, to the end of the file, are in this row")]
    OpenQuote {
        /// Lines that the row goes over.
        lines: u64,
    },
    /// A quote that was opened in one line and is closed by one that opens a cell further down.
    #[error("a quote is closed in the middle of a cell; the row goes over {lines} lines, so one may be missing")]
    QuoteAstray {
        /// Lines that the row goes over.
        lines: u64,
    },
    /// Not one cell for each column.
    #[error("{cells} cells, where the header has {columns}{}", over(*lines))]
    Width {
        /// Cells of the row.
        cells: usize,
        /// Cells of the header.
        columns: usize,
        /// Lines that the row goes over: more than one where a quote was opened.
        lines: u64,
    },
    /// A cell whose bytes are no text.
    #[error("not {encoding}")]
    NotText {
        /// What the mapping says that the file is written in.
        encoding: &'static str,
    },
    /// Cells that their columns do not take.
    #[error(transparent)]
    Unmapped(#[from] RowRejected),
}

fn over(lines: u64) -> String {
    if lines > 1 { format!("; it goes over {lines} lines, so a quote may be open") } else { String::new() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Ndjson,
}

/// An opened file.
pub struct Source {
    path: PathBuf,
    format: Format,
    is_gzip: bool,
    digest: Digest,
    bytes: u64,
}

impl Source {
    /// Tells the format by the name and digests the file.
    ///
    /// # Errors
    /// [`Error::File`], or [`Error::Batch`] for a name that says nothing.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        // A name says nothing of a file that is not there.
        let mut file = File::open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Error::Batch(format!("{}: not a regular file; it is read more than once", path.display())));
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let (stem, is_gzip) = name.strip_suffix(".gz").map_or((name.as_str(), false), |stem| (stem, true));
        let format = match stem.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv" | "tsv" | "txt") => Format::Csv,
            Some("ndjson" | "jsonl") => Format::Ndjson,
            ending => return Err(Error::Batch(format!("{name}: {}", unread(ending.unwrap_or_default())))),
        };
        let mut hasher = Sha256::new();
        let bytes = std::io::copy(&mut file, &mut hasher).map_err(failed)?;
        Ok(Self { path: path.to_owned(), format, is_gzip, digest: Digest(hasher.finalize().into()), bytes })
    }

    /// SHA-256 of the file as it lies there.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its rows in order, each of at most `most` bytes.
    ///
    /// # Errors
    /// [`Error::Batch`] for CSV without a mapping, [`Error::Mapping`] when a column is not there.
    pub fn rows<'m>(
        &self,
        mapping: Option<&'m Mapping>,
        intent: Option<&'m str>,
        most: usize,
    ) -> Result<Box<dyn Iterator<Item = Result<Row, Error>> + 'm>, Error> {
        let (plain, read) = self.unpacked()?;
        let file = Opened { plain, path: self.path.clone(), most, read };
        match (self.format, mapping) {
            (Format::Ndjson, _) => Ok(Box::new(ndjson(file, intent))),
            (Format::Csv, Some(mapping)) => Ok(Box::new(csv_rows(file, mapping, intent)?)),
            (Format::Csv, None) => {
                Err(Error::Batch("a CSV file needs a mapping file: `defaultx batch inspect` proposes one".into()))
            }
        }
    }

    /// The bytes of a table of rows and columns, unpacked; none for a file of JSON documents.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn table(&self) -> Result<Option<Box<dyn Read>>, Error> {
        match self.format {
            Format::Csv => Ok(Some(self.unpacked()?.0)),
            Format::Ndjson => Ok(None),
        }
    }

    /// The dialect of a file that begins with a byte order mark; none of any other.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn marked(&self, mapping: Option<&Mapping>) -> Result<Option<Dialect>, Error> {
        let mut beginning = Vec::new();
        let read = self.unpacked()?.0.take(3).read_to_end(&mut beginning);
        read.map_err(|source| Error::File { path: self.path.clone(), source })?;
        Ok(mapping.map_or(&Dialect::default(), Mapping::dialect).marked(&beginning))
    }

    /// Its bytes, and how many of the file were read for them so far.
    fn unpacked(&self) -> Result<(Box<dyn Read>, Arc<AtomicU64>), Error> {
        let failed = |source| Error::File { path: self.path.clone(), source };
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: File::open(&self.path).map_err(failed)?, read: read.clone() };
        let plain: Box<dyn Read> =
            if self.is_gzip { Box::new(MultiGzDecoder::new(BufReader::new(counted))) } else { Box::new(counted) };
        Ok((plain, read))
    }
}

/// What to do with a file that is not read here.
fn unread(ending: &str) -> &'static str {
    match ending {
        "xlsx" | "xls" | "xlsm" | "xlsb" | "ods" | "numbers" => {
            "a workbook is not read: save the sheet as CSV, and send that. Its delimiter and encoding may be any"
        }
        "parquet" => "Parquet is not read here: export it as CSV, and send that",
        _ => "must end in .csv, .tsv, .txt, .ndjson or .jsonl, also with .gz",
    }
}

/// A file, unpacked as it is read.
struct Opened {
    plain: Box<dyn Read>,
    path: PathBuf,
    most: usize,
    read: Arc<AtomicU64>,
}

fn ndjson<'m>(file: Opened, intent: Option<&'m str>) -> impl Iterator<Item = Result<Row, Error>> + 'm {
    let Opened { plain, path, most, read } = file;
    let mut number = 0;
    let mut lines = Lines::new(Dialect::default().decoded(plain), most);
    let sources: Arc<[(String, String)]> = Arc::new([]);
    std::iter::from_fn(move || {
        loop {
            let Piece { line, content: mut body, is_cut, lines: over, .. } = match lines.next() {
                Ok(piece) => piece?,
                Err(source) => return Some(Err(Error::File { path: path.clone(), source })),
            };
            if !is_cut && body.trim_ascii().is_empty() {
                continue;
            }
            number += 1;
            let trouble = is_cut.then_some(Trouble::TooLong { most, lines: over });
            if let Some(with_intent) = intent.filter(|_| !is_cut).and_then(|intent| with_intent(&body, intent)) {
                body = with_intent;
            }
            let (sources, read_bytes) = (sources.clone(), read.load(Ordering::Relaxed));
            return Some(Ok(Row {
                number,
                line,
                body,
                trouble,
                application_id: None,
                sources,
                table: None,
                read_bytes,
            }));
        }
    })
}

/// The body with another intent; none where it is no object, which `receive` will say.
fn with_intent(body: &[u8], intent: &str) -> Option<Vec<u8>> {
    let mut node = strict::parse(body, MAX_DEPTH).ok()?;
    node.as_map_mut()?.insert("intent", Node::Text(Cow::Owned(intent.to_owned())));
    Some(canonical_bytes(&node))
}

fn csv_rows<'m>(
    file: Opened,
    mapping: &'m Mapping,
    intent: Option<&'m str>,
) -> Result<impl Iterator<Item = Result<Row, Error>> + 'm, Error> {
    let Opened { plain, path, most, read } = file;
    let failed = move |source| Error::File { path: path.clone(), source };
    let dialect = mapping.dialect();
    let mut records = Records::new(dialect.decoded(plain), most, dialect);
    let header = loop {
        match records.next().map_err(&failed)? {
            Some(Piece { is_cut: true, .. }) => {
                return Err(Error::Batch(format!("the header is longer than {most} bytes")));
            }
            Some(Piece { content, .. }) if names_separator(&content) => {}
            header => break header.map(|header| header.content).unwrap_or_default(),
        }
    };
    let is_damaged = dialect.is_damaged(header.iter());
    let header = StringRecord::from_byte_record(header).ok().filter(|_| !is_damaged);
    let header = header.ok_or_else(|| Error::Batch(format!("the header is not {}", dialect.encoding())))?;
    let bound = mapping.bind(&header)?;
    let columns = header.len();
    let sources: Arc<[(String, String)]> = bound.sources().into();
    let header = Arc::new(header);
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        let piece = loop {
            match records.next() {
                // A spreadsheet writes its empty rows too.
                Ok(Some(piece)) if !piece.is_cut && piece.quotes == Quotes::Closed && is_blank(&piece.content) => {}
                Ok(record) => break record?,
                Err(source) => return Some(Err(failed(source))),
            }
        };
        number += 1;
        let taken = cells(&piece, columns, most, dialect)
            .and_then(|record| bound.application(&record, number).map_err(Trouble::from));
        let Piece { line, content, .. } = piece;
        let (body, trouble) = match taken {
            Ok(data) => (with(data, intent), None),
            Err(trouble) => (as_csv(&content), Some(trouble)),
        };
        let cell = |place| content.get(place).and_then(|cell| std::str::from_utf8(cell).ok());
        let application_id = trouble.is_some().then(|| bound.application_id(cell, number)).flatten();
        let (sources, read_bytes) = (sources.clone(), read.load(Ordering::Relaxed));
        let table = Some(Table { header: header.clone(), cells: content });
        let row = body.map(|body| Row { number, line, body, trouble, application_id, sources, table, read_bytes });
        Some(row.map_err(|error| Error::Batch(format!("line {line}: {error}"))))
    }))
}

/// Whether a record holds nothing.
fn is_blank(record: &ByteRecord) -> bool {
    record.iter().all(|cell| std::str::from_utf8(cell).is_ok_and(|cell| cell.trim().is_empty()))
}

/// Whether a record is the line `sep=;` with which a spreadsheet tells itself the delimiter.
fn names_separator(record: &ByteRecord) -> bool {
    record.len() <= 2 && record.get(0).is_some_and(|cell| cell.starts_with(b"sep=") && cell.len() <= 5)
}

/// The cells of a record, one for each column. Blank cells behind the last column are none: many programs end each line so.
fn cells(piece: &Piece<ByteRecord>, columns: usize, most: usize, dialect: &Dialect) -> Result<StringRecord, Trouble> {
    let Piece { content: record, is_cut, lines, quotes, .. } = piece;
    let lines = *lines;
    if *is_cut {
        return Err(Trouble::TooLong { most, lines });
    }
    let is_wide = record.iter().skip(columns).any(|cell| !cell.trim_ascii().is_empty());
    if record.len() < columns || is_wide {
        return Err(Trouble::Width { cells: record.len(), columns, lines });
    }
    match quotes {
        Quotes::Open => return Err(Trouble::OpenQuote { lines }),
        // Within one line it can only be a quote of the text.
        Quotes::Astray if lines > 1 => return Err(Trouble::QuoteAstray { lines }),
        Quotes::Astray | Quotes::Closed => {}
    }
    let not_text = Trouble::NotText { encoding: dialect.encoding() };
    if dialect.is_damaged(record.iter()) {
        return Err(not_text);
    }
    StringRecord::from_byte_record(record.clone()).map_err(|_| not_text)
}

fn with(mut data: serde_json::Value, intent: Option<&str>) -> std::io::Result<Vec<u8>> {
    if let Some(intent) = intent {
        data["intent"] = intent.into();
    }
    Ok(serde_json::to_vec(&data)?)
}

fn as_csv(record: &ByteRecord) -> std::io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_byte_record(record)?;
    writer.into_inner().map_err(|error| error.into_error())
}

/// Counts the bytes that were read, for the progress bar.
struct Counted {
    inner: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
