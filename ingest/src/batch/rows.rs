//! Rows of a file as JSON bodies. NDJSON bodies keep their bytes, so that a repeated key is still seen; CSV rows go through the
//! mapping. Reads as it goes: a file of any size takes the memory of one row.

use crate::error::Error;
use crate::mapping::{Bound, Mapping, RowRejected};
use crate::strict::{self, Node, canonical_bytes};
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
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
    /// `data`; of a row that the mapping cannot carry, its cells as CSV.
    pub body: Vec<u8>,
    /// Why the mapping cannot carry it.
    pub unmapped: Option<RowRejected>,
    /// Bytes of the file read so far, compressed as they are.
    pub read_bytes: u64,
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
    digest: String,
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
        Ok(Self { path: path.to_owned(), format, is_gzip, digest: hex::encode(hasher.finalize()), bytes })
    }

    /// SHA-256 of the file as it lies there, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its rows in order.
    ///
    /// # Errors
    /// [`Error::Batch`] for CSV without a mapping, [`Error::Mapping`] when a column is not there.
    pub fn rows<'m>(
        &self,
        mapping: Option<&'m Mapping>,
        intent: Option<&'m str>,
    ) -> Result<Box<dyn Iterator<Item = Result<Row, Error>> + 'm>, Error> {
        let failed = |source| Error::File { path: self.path.clone(), source };
        let read = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: File::open(&self.path).map_err(failed)?, read: read.clone() };
        let plain: Box<dyn Read> =
            if self.is_gzip { Box::new(MultiGzDecoder::new(BufReader::new(counted))) } else { Box::new(counted) };
        match (self.format, mapping) {
            (Format::Ndjson, _) => Ok(Box::new(ndjson(plain, self.path.clone(), intent, read))),
            (Format::Csv, Some(mapping)) => Ok(Box::new(csv_rows(plain, mapping, intent, read)?)),
            (Format::Csv, None) => Err(Error::Batch("a CSV file needs a mapping file".into())),
        }
    }
}

fn ndjson<'m>(
    plain: Box<dyn Read>,
    path: PathBuf,
    intent: Option<&'m str>,
    read: Arc<AtomicU64>,
) -> impl Iterator<Item = Result<Row, Error>> + 'm {
    let (mut number, mut line) = (0, 0);
    let mut lines = BufReader::new(plain).split(b'\n');
    std::iter::from_fn(move || {
        loop {
            line += 1;
            let mut body = match lines.next()? {
                Ok(body) => body,
                Err(source) => return Some(Err(Error::File { path: path.clone(), source })),
            };
            if body.trim_ascii().is_empty() {
                continue;
            }
            number += 1;
            if let Some(with_intent) = intent.and_then(|intent| with_intent(&body, intent)) {
                body = with_intent;
            }
            return Some(Ok(Row { number, line, body, unmapped: None, read_bytes: read.load(Ordering::Relaxed) }));
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
    plain: Box<dyn Read>,
    mapping: &'m Mapping,
    intent: Option<&'m str>,
    read: Arc<AtomicU64>,
) -> Result<impl Iterator<Item = Result<Row, Error>> + 'm, Error> {
    let mut reader = csv::Reader::from_reader(plain);
    let header = reader.headers().map_err(|error| Error::Batch(error.to_string()))?.clone();
    let bound = mapping.bind(&header)?;
    let mut number = 0;
    Ok(reader.into_records().map(move |record| {
        let record = record.map_err(|error| Error::Batch(error.to_string()))?;
        number += 1;
        let line = record.position().map_or(0, csv::Position::line);
        let (body, unmapped) = mapped(&bound, &record, number, intent)?;
        Ok(Row { number, line, body, unmapped, read_bytes: read.load(Ordering::Relaxed) })
    }))
}

fn mapped(
    bound: &Bound<'_>,
    record: &csv::StringRecord,
    number: u64,
    intent: Option<&str>,
) -> Result<(Vec<u8>, Option<RowRejected>), Error> {
    let broken = |error: &dyn std::fmt::Display| Error::Batch(error.to_string());
    match bound.application(record, number) {
        Ok(mut data) => {
            if let Some(intent) = intent {
                data["intent"] = intent.into();
            }
            Ok((serde_json::to_vec(&data).map_err(|error| broken(&error))?, None))
        }
        Err(rejected) => {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(record).map_err(|error| broken(&error))?;
            Ok((writer.into_inner().map_err(|error| broken(&error))?, Some(rejected)))
        }
    }
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
