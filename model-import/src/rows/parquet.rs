//! The rows of a Parquet file, a block of a row group at a time. Reads the selected columns only. A file that is damaged or
//! made to do harm is refused: it neither ends the process nor fills its memory.

use super::columns::{Column, Kind, kind_of};
use super::guarded::guarded;
use super::pages::Held;
use crate::cells::{Cell, Misfit};
use crate::error::{Context, Error, Result, bail, ensure};
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::Type;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::sync::Arc;

/// Rows that are held at once.
const BLOCK: usize = 8_192;
/// The most bytes of what a file says of itself.
const MOST_METADATA: u32 = 64 << 20;
/// Length of the metadata and the magic word, at the end of the file.
const TAIL: i64 = 8;
/// The last bytes.
const MAGIC: &[u8] = b"PAR1";

/// A file and the block of rows that is held of it.
pub struct Parquet {
    file: Arc<File>,
    metadata: ParquetMetaData,
    fields: Vec<Field>,
    columns: Vec<Column>,
    /// Of each field, which of the columns it is.
    selected: Vec<usize>,
    held: Arc<Held>,
    /// The row group after the current one.
    group: usize,
    /// Rows of the current row group that are not in the block yet.
    left: usize,
    /// Rows of the block, and which is next.
    block: usize,
    at: usize,
}

/// What a file says of a column.
struct Field {
    name: String,
    /// Among the columns of the row groups, those of lists and records too.
    leaf: usize,
    /// How its cells are read, or why they are not.
    kind: Result<Kind, Misfit>,
}

impl Parquet {
    /// Reads what the file says of itself.
    ///
    /// # Errors
    /// A file that is not of the form.
    pub fn open(mut file: File) -> Result<Self> {
        let from = file
            .seek(SeekFrom::End(-TAIL))
            .context("is cut short, or is no file but a pipe: Parquet is read from its end")?;
        let tail = guarded(|| file.get_bytes(from, TAIL as usize))?;
        match &tail[4..] {
            MAGIC => {}
            b"PARE" => bail!("is encrypted: write it without"),
            _ => bail!("is cut short: it does not end with PAR1, as a Parquet file does"),
        }
        let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
        ensure!(
            length <= MOST_METADATA,
            "says that its metadata takes {length} bytes, more than {} MiB; it may be damaged, or has too many \
             row groups",
            MOST_METADATA >> 20
        );
        // No figure of a column is used, and a damaged one is no reason to refuse the rows.
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let reader = ParquetMetaDataReader::new().with_metadata_options(Some(options));
        let metadata = guarded(|| reader.parse_and_finish(&file))?;
        let schema = metadata.file_metadata().schema_descr();
        let field = |(at, field): (usize, &Arc<Type>)| {
            let leaf = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == at);
            Field { name: field.name().to_owned(), leaf: leaf.unwrap_or_default(), kind: kind_of(field) }
        };
        let fields: Vec<Field> = schema.root_schema().get_fields().iter().enumerate().map(field).collect();
        let selected = vec![usize::MAX; fields.len()];
        let (file, held) = (Arc::new(file), Arc::default());
        Ok(Self { file, metadata, fields, columns: vec![], selected, held, group: 0, left: 0, block: 0, at: 0 })
    }

    /// Names of the columns.
    pub fn header(&self) -> Vec<String> {
        self.fields.iter().map(|field| field.name.clone()).collect()
    }

    /// As many rows as the file says.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or_default()
    }

    /// Says which columns will be asked for, before the first row.
    ///
    /// # Errors
    /// A column of something else than numbers, truths and text.
    pub fn select(&mut self, columns: &[usize]) -> Result<()> {
        for at in columns {
            if self.selected[*at] != usize::MAX {
                continue;
            }
            let Field { name, leaf, kind } = &self.fields[*at];
            let kind = kind.clone().map_err(|why| Error::Refused(format!("column {name} {why}")))?;
            let (name, leaf) = (name.clone(), *leaf);
            self.selected[*at] = self.columns.len();
            self.columns.push(Column::new(name, leaf, kind));
        }
        Ok(())
    }

    /// Goes to the next row; false after the last.
    ///
    /// # Errors
    /// A file that is not as it says.
    pub fn advance(&mut self) -> Result<bool> {
        self.at += 1;
        while self.at >= self.block {
            if self.left == 0 && !self.open_group()? {
                return Ok(false);
            }
            self.read_block()?;
        }
        Ok(true)
    }

    /// A cell of the row, of a column that was selected.
    pub fn cell(&self, field: usize) -> Cell<'_> {
        self.columns[self.selected[field]].cell(self.at)
    }

    /// Begins the next row group; false after the last.
    fn open_group(&mut self) -> Result<bool> {
        for column in &mut self.columns {
            column.end(&self.held).with_context(|| format!("row group {}, column {}", self.group, column.name))?;
        }
        let Some(group) = self.metadata.row_groups().get(self.group) else { return Ok(false) };
        self.group += 1;
        self.left = usize::try_from(group.num_rows()).context("is damaged: a row group has less than no rows")?;
        self.held = Arc::default();
        for column in &mut self.columns {
            column
                .begin(&self.file, &self.held, group, self.left)
                .with_context(|| format!("row group {}, column {}", self.group, column.name))?;
        }
        Ok(true)
    }

    fn read_block(&mut self) -> Result<()> {
        let count = self.left.min(BLOCK);
        self.held.begin();
        for column in &mut self.columns {
            column
                .read(count, &self.held)
                .with_context(|| format!("row group {}, column {}", self.group, column.name))?;
        }
        self.left -= count;
        (self.block, self.at) = (count, 0);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::Path;

    fn held(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn stored(name: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../defaultx/tests/it/rows").join(name)).unwrap()
    }

    /// All rows of a file, all columns or those that are named.
    fn rows(file: &File, names: Option<&[&str]>) -> Result<Vec<Vec<String>>> {
        let mut parquet = Parquet::open(file.try_clone()?)?;
        let header = parquet.header();
        let is_wanted = |at: &usize| names.is_none_or(|names| names.contains(&header[*at].as_str()));
        let columns: Vec<usize> = (0..header.len()).filter(is_wanted).collect();
        parquet.select(&columns)?;
        let mut rows = vec![];
        while parquet.advance()? {
            rows.push(columns.iter().map(|at| format!("{:?}", parquet.cell(*at))).collect());
            ensure!(rows.len() < 100_000, "is of many rows");
        }
        Ok(rows)
    }

    #[test]
    fn cells_are_those_of_the_file() {
        let good = [
            ("flag", ["Flag(true)", "Flag(false)", "Missing"]),
            ("byte", ["Whole(1)", "Whole(-2)", "Missing"]),
            ("short", ["Whole(1)", "Whole(-2)", "Missing"]),
            ("int", ["Whole(2147483647)", "Whole(-2147483648)", "Missing"]),
            ("long", ["Whole(9223372036854775807)", "Whole(-9223372036854775808)", "Missing"]),
            ("unsigned", ["Whole(4294967295)", "Whole(0)", "Missing"]),
            ("long_unsigned", ["Whole(9223372036854775807)", "Whole(0)", "Missing"]),
            ("single", ["Single(0.1)", "Single(NaN)", "Missing"]),
            ("double", ["Double(0.1)", "Double(NaN)", "Missing"]),
            ("text", ["Text(\"own\")", "Text(\"\")", "Missing"]),
            ("large_text", ["Text(\"a much longer text\")", "Text(\"é\")", "Missing"]),
            ("category", ["Text(\"own\")", "Text(\"rent\")", "Missing"]),
            ("nothing", ["Missing", "Missing", "Missing"]),
            ("last", ["Double(1.5)", "Double(2.5)", "Double(3.5)"]),
        ];
        let file = held(&stored("kinds.parquet"));
        for (name, expected) in good {
            let found = rows(&file, Some(&[name])).unwrap();
            assert_eq!(found.concat(), expected, "{name}");
        }
        let bad = [
            ("beyond", "column beyond: holds a whole number of 2^63 or more: write it in double precision"),
            ("date", "column date holds dates or times, which no model takes: write a number"),
            ("instant", "column instant holds dates or times"),
            ("time", "column time holds dates or times"),
            ("span", "column span holds decimals: write them in double precision"),
            ("bytes", "column bytes holds bytes: write them as text"),
            ("half", "column half holds numbers of half precision: write them in single"),
            ("list", "column list holds lists or records: write a column for each of their values"),
            ("record", "column record holds lists or records"),
        ];
        for (name, expected) in bad {
            let why = rows(&file, Some(&[name])).unwrap_err().told();
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn packings_and_encodings_say_the_same_or_are_refused() {
        let expected = rows(&held(&stored("small.parquet")), None).unwrap();
        assert_eq!(
            (expected.len(), expected[0][0].as_str(), expected[1][0].as_str()),
            (24, "Missing", "Double(0.125)")
        );
        for name in ["small-newer.parquet", "small-plain.parquet"] {
            assert_eq!(rows(&held(&stored(name)), None).unwrap(), expected, "{name}");
        }
        let why = rows(&held(&stored("brotli.parquet")), None).unwrap_err().told();
        assert!(why.contains("column number: is packed with brotli: write the file with snappy"), "{why}");
        let why = rows(&held(&stored("delta.parquet")), None).unwrap_err().told();
        assert!(why.contains("column word: is encoded as DELTA_BYTE_ARRAY: write it plain"), "{why}");
    }

    /// Whatever is cut off or changed: rows or an error, no panic, and no more rows than a file of this size can hold.
    #[test]
    fn damaged_files_are_refused_or_read() {
        for name in ["small.parquet", "small-newer.parquet", "small-plain.parquet"] {
            let bytes = stored(name);
            let cut = held(&bytes);
            for length in (0..bytes.len()).rev() {
                cut.set_len(length as u64).unwrap();
                assert!(rows(&cut, None).is_err(), "{name} cut at {length}");
            }
            let file = held(&bytes);
            let put = |at: usize, byte: u8| {
                let mut file = &file;
                file.seek(SeekFrom::Start(at as u64)).unwrap();
                file.write_all(&[byte]).unwrap();
            };
            let mut refused = 0;
            for (at, byte) in bytes.iter().enumerate() {
                for mask in [0x01, 0x02, 0x08, 0x40, 0x80, 0xff] {
                    put(at, byte ^ mask);
                    refused += usize::from(rows(&file, None).is_err());
                }
                put(at, *byte);
            }
            assert!(refused > bytes.len(), "{name}: {refused}");
        }
    }
}
