//! A table of rows in a file, CSV or Parquet, which its first bytes tell. Rows come one by one, so that memory does not grow
//! with the file. Knows what a cell is, not what it is for.
//!
//! Reading order: [`Rows`] → [`parquet`] → [`columns`] → [`pages`] (what a Parquet file may make this process hold) → [`guarded`].

mod columns;
mod guarded;
mod pages;
mod parquet;

use self::parquet::Parquet;
use crate::cells::{Cell, Misfit, Written};
use crate::error::{Context, Error, Result, bail, ensure};
use crate::reporter::{Progress, Reporter};
use csv::{Position, ReaderBuilder, StringRecord};
use flate2::read::MultiGzDecoder;
use std::cell::Cell as Slot;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// The first bytes of a Parquet file; of one that is encrypted.
const MAGIC: [&[u8]; 2] = [b"PAR1", b"PARE"];
/// Rows between two words of progress.
const STEP: u64 = 8_192;
/// pandas calls the columns so that it keeps its index in.
const INDEX: &str = "__index_level_";

/// The rows of a file, read from its first to its last.
pub struct Rows {
    file: String,
    header: Vec<String>,
    source: Source,
    progress: Box<dyn Progress>,
    /// Rows so far.
    count: u64,
}

enum Source {
    /// With the bytes that were taken of the file.
    Csv(csv::Reader<Box<dyn Read>>, StringRecord, Rc<Slot<u64>>),
    Parquet(Box<Parquet>),
}

/// Counts the bytes that are taken of a file.
struct Counted<R> {
    bytes: R,
    taken: Rc<Slot<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.bytes.read(into)?;
        self.taken.set(self.taken.get() + length as u64);
        Ok(length)
    }
}

impl Rows {
    /// Reads the names of the columns; `reporter` shows from then on how far the file is read.
    ///
    /// # Errors
    /// A file that cannot be read or is neither.
    pub fn open(path: &Path, written: &Written, reporter: &dyn Reporter) -> Result<Self> {
        let file = path.display().to_string();
        let reading = || format!("reading {file}");
        let opened = File::open(path).with_context(reading)?;
        let length = opened.metadata().with_context(reading)?.len();
        let mut bytes = BufReader::new(opened);
        let is_parquet = begins_as_parquet(&mut bytes).with_context(reading)?;
        let ending = path.extension().unwrap_or_default();
        ensure!(is_parquet || ending != "parquet", "{file}: is no Parquet file, which begins with PAR1");
        if is_parquet {
            let parquet = Parquet::open(bytes.into_inner()).with_context(|| file.clone())?;
            let header = parquet.header();
            let progress = reporter.reading(parquet.rows());
            return Ok(Self { file, header, source: Source::Parquet(Box::new(parquet)), progress, count: 0 });
        }
        let progress = reporter.reading(length);
        let taken = Rc::new(Slot::new(0));
        let bytes = Counted { bytes, taken: taken.clone() };
        let unpacked: Box<dyn Read> = match ending == "gz" {
            true => {
                let mut unpacked = BufReader::new(MultiGzDecoder::new(bytes));
                ensure!(
                    !begins_as_parquet(&mut unpacked).with_context(reading)?,
                    "{file}: is a Parquet file that was packed once more: unpack it first"
                );
                Box::new(unpacked)
            }
            false => Box::new(bytes),
        };
        let mut csv = ReaderBuilder::new().flexible(false).delimiter(written.delimiter).from_reader(unpacked);
        let names = csv.headers().with_context(|| file.clone())?;
        let header: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
        let is_other = |character: char| character as u8 != written.delimiter;
        if let [name] = header.as_slice()
            && let Some(other) =
                [';', '\t', '|', ','].into_iter().find(|other| is_other(*other) && name.contains(*other))
        {
            let said = if other == '\t' { "$'\\t'".to_owned() } else { format!("'{other}'") };
            bail!("{file}: has one column, called {name:?}: say --delimiter {said} if that is several, else rename it");
        }
        Ok(Self { file, header, source: Source::Csv(csv, StringRecord::new(), taken), progress, count: 0 })
    }

    /// Names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The columns that hold something of a row: all but an index of pandas.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        let is_index = |name: &String| matches!(self.source, Source::Parquet(_)) && name.starts_with(INDEX);
        (0..self.header.len()).filter(move |at| !is_index(&self.header[*at]))
    }

    /// Says which columns will be asked for: no other is read. Before the first row.
    ///
    /// # Errors
    /// A column whose cells are neither numbers nor text.
    pub fn select(&mut self, columns: &[usize]) -> Result<()> {
        match &mut self.source {
            Source::Csv(..) => Ok(()),
            Source::Parquet(parquet) => parquet.select(columns).with_context(|| self.file.clone()),
        }
    }

    /// Goes to the next row; false after the last.
    ///
    /// # Errors
    /// What is wrong with the file, and where.
    pub fn advance(&mut self) -> Result<bool> {
        let is_row = match &mut self.source {
            Source::Csv(csv, record, _) => csv.read_record(record).with_context(|| self.file.clone())?,
            Source::Parquet(parquet) => parquet.advance().with_context(|| self.file.clone())?,
        };
        self.count += u64::from(is_row);
        if !is_row {
            self.progress.end();
        } else if self.count.is_multiple_of(STEP) {
            let place = match &self.source {
                Source::Csv(_, _, taken) => taken.get(),
                Source::Parquet(_) => self.count,
            };
            self.progress.at(place, self.count);
        }
        Ok(is_row)
    }

    /// A cell of the row, of a column that was selected.
    pub fn cell(&self, column: usize) -> Cell<'_> {
        match &self.source {
            Source::Csv(_, record, _) => Cell::Text(&record[column]),
            Source::Parquet(parquet) => parquet.cell(column),
        }
    }

    /// What is wrong with a cell of the row, and where it stands.
    pub fn fault(&self, column: &str, why: &Misfit) -> Error {
        let file = &self.file;
        Error::Refused(match &self.source {
            Source::Csv(_, record, _) => {
                let line = record.position().map_or(0, Position::line);
                format!("{file}, line {line}, column {column}: {why}")
            }
            Source::Parquet(_) => format!("{file}, row {}, column {column}: {why}", self.count),
        })
    }
}

/// Takes nothing.
fn begins_as_parquet(bytes: &mut impl BufRead) -> std::io::Result<bool> {
    let start = bytes.fill_buf()?;
    Ok(MAGIC.iter().any(|magic| start.starts_with(magic)))
}

/// Where columns stand, each exactly once.
///
/// # Errors
/// One that is not there, or there twice.
pub fn places(header: &[String], wanted: &[String]) -> Result<Vec<usize>> {
    let place = |name: &String| {
        let mut found = header.iter().enumerate().filter(|(_, column)| *column == name).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => bail!("two columns are called {name}"),
            (None, _) => bail!("there is no column {name}; there are {}", header.join(", ")),
        }
    };
    wanted.iter().map(place).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reporter::Silent;

    #[test]
    fn columns_are_named_once_and_exist() {
        let header: Vec<String> = ["id", "age", "age", "debt"].map(str::to_owned).to_vec();
        let rows: [(&[&str], Result<Vec<usize>, &str>); 4] = [
            (&["debt", "id"], Ok(vec![3, 0])),
            (&[], Ok(vec![])),
            (&["age"], Err("two columns are called age")),
            (&["income"], Err("there is no column income; there are id, age, age, debt")),
        ];
        for (wanted, expected) in rows {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            let found = places(&header, &wanted).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn a_file_that_is_not_what_it_seems_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, b"PAR1 and so on").unwrap();
        let packed = packed.finish().unwrap();
        let rows: [(&str, &[u8], &str); 6] = [
            ("a.csv", b"a;b\n1;2\n", "has one column, called \"a;b\": say --delimiter ';' if that is several"),
            ("b.csv", b"a\tb\n1\t2\n", "say --delimiter $'\\t'"),
            ("c.parquet", b"a,b\n1,2\n", "is no Parquet file, which begins with PAR1"),
            ("d.parquet.gz", &packed, "is a Parquet file that was packed once more: unpack it first"),
            ("e.csv", b"PAR1", "is cut short, or is no file but a pipe"),
            ("f.csv", b"PAREabcdPARE", "is encrypted: write it without"),
        ];
        let written = Written::new(vec![], false, ',').unwrap();
        for (name, bytes, expected) in rows {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let why = Rows::open(&path, &written, &Silent).err().unwrap().told();
            assert!(why.contains(expected), "{name}: {why}");
        }
        // A name that holds the delimiter is quoted, and says nothing of another.
        let path = dir.path().join("g.csv");
        std::fs::write(&path, "\"a,b\"\n1\n").unwrap();
        assert_eq!(Rows::open(&path, &written, &Silent).unwrap().header(), ["a,b"]);
    }
}
