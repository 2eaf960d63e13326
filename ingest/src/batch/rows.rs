//! Rows of a file as JSON bodies. NDJSON bodies keep their bytes, so that a repeated key is still seen; CSV rows go through the
//! mapping. Reads as it goes: a file of any size takes the memory of one row, and a row has a bound. A row that cannot be read is
//! a row all the same, with its [`Trouble`]; it never ends the file.

use super::bounded::{Lines, Piece, Records};
use crate::error::Error;
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
    /// Bytes of the file read so far, compressed as they are.
    pub read_bytes: u64,
}

/// Why a row is no body. Tells numbers and names of columns, never cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// More bytes than a body may have, or more cells than any file of ours.
    #[error("longer than {most} bytes; what follows them is left out")]
    TooLong {
        /// The bound.
        most: usize,
    },
    /// Not one cell for each column.
    #[error("{cells} cells, where the header has {columns}")]
    Width {
        /// Cells of the row.
        cells: usize,
        /// Cells of the header.
        columns: usize,
    },
    /// A cell that is no UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A cell that its column does not take.
    #[error(transparent)]
    Unmapped(#[from] RowRejected),
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
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let (stem, is_gzip) = name.strip_suffix(".gz").map_or((name.as_str(), false), |stem| (stem, true));
        let format = match stem.rsplit_once('.').map(|(_, extension)| extension) {
            Some("csv") => Format::Csv,
            Some("ndjson" | "jsonl") => Format::Ndjson,
            _ => return Err(Error::Batch(format!("{name}: must end in .csv, .ndjson or .jsonl, also with .gz"))),
        };
        let failed = |source| Error::File { path: path.to_owned(), source };
        let mut hasher = Sha256::new();
        let bytes = std::io::copy(&mut File::open(path).map_err(failed)?, &mut hasher).map_err(failed)?;
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
        let failed = |source| Error::File { path: self.path.clone(), source };
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: File::open(&self.path).map_err(failed)?, read: read.clone() };
        let plain: Box<dyn Read> =
            if self.is_gzip { Box::new(MultiGzDecoder::new(BufReader::new(counted))) } else { Box::new(counted) };
        let file = Opened { plain, path: self.path.clone(), most, read };
        match (self.format, mapping) {
            (Format::Ndjson, _) => Ok(Box::new(ndjson(file, intent))),
            (Format::Csv, Some(mapping)) => Ok(Box::new(csv_rows(file, mapping, intent)?)),
            (Format::Csv, None) => Err(Error::Batch("a CSV file needs a mapping file".into())),
        }
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
    let mut lines = Lines::new(plain, most);
    std::iter::from_fn(move || {
        loop {
            let Piece { line, content: mut body, is_cut } = match lines.next() {
                Ok(piece) => piece?,
                Err(source) => return Some(Err(Error::File { path: path.clone(), source })),
            };
            if !is_cut && body.trim_ascii().is_empty() {
                continue;
            }
            number += 1;
            let trouble = is_cut.then_some(Trouble::TooLong { most });
            if let Some(with_intent) = intent.filter(|_| !is_cut).and_then(|intent| with_intent(&body, intent)) {
                body = with_intent;
            }
            return Some(Ok(Row { number, line, body, trouble, read_bytes: read.load(Ordering::Relaxed) }));
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
    let mut records = Records::new(plain, most);
    let header = match records.next().map_err(&failed)? {
        Some(Piece { is_cut: true, .. }) => {
            return Err(Error::Batch(format!("the header is longer than {most} bytes")));
        }
        header => header.map(|header| header.content).unwrap_or_default(),
    };
    let header = StringRecord::from_byte_record(header).map_err(|_| Error::Batch("the header is not UTF-8".into()))?;
    let bound = mapping.bind(&header)?;
    let columns = header.len();
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        let Piece { line, content, is_cut } = match records.next() {
            Ok(record) => record?,
            Err(source) => return Some(Err(failed(source))),
        };
        number += 1;
        let taken = cells(&content, is_cut, columns, most)
            .and_then(|record| bound.application(&record, number).map_err(Trouble::from));
        let (body, trouble) = match taken {
            Ok(data) => (with(data, intent), None),
            Err(trouble) => (as_csv(&content), Some(trouble)),
        };
        let row = body.map(|body| Row { number, line, body, trouble, read_bytes: read.load(Ordering::Relaxed) });
        Some(row.map_err(|error| Error::Batch(format!("line {line}: {error}"))))
    }))
}

/// The cells of a record, one for each column.
fn cells(record: &ByteRecord, is_cut: bool, columns: usize, most: usize) -> Result<StringRecord, Trouble> {
    if is_cut {
        return Err(Trouble::TooLong { most });
    }
    if record.len() != columns {
        return Err(Trouble::Width { cells: record.len(), columns });
    }
    StringRecord::from_byte_record(record.clone()).map_err(|_| Trouble::NotUtf8)
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
