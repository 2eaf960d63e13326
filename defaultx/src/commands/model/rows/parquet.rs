//! The rows of a Parquet file, a block of a row group at a time. Reads the selected columns only. A file that is damaged or
//! made to do harm is refused: it neither ends the process nor fills its memory.

use super::pages::{Held, Pages, Refused, refused};
use crate::commands::model::cells::Cell;
use anyhow::{Context, Result, bail, ensure};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::Type;
use std::cell::Cell as Slot;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Arc, Once};

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
    kind: Result<Kind, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flag,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Single,
    Double,
    Text,
}

/// A column that was selected.
struct Column {
    name: String,
    leaf: usize,
    kind: Kind,
    reader: Option<ColumnReader>,
    /// Of each row of the block, where its cell is among those that are present.
    places: Vec<Option<usize>>,
    cells: Cells,
}

/// The cells of a block that are present.
enum Cells {
    Flags(Vec<bool>),
    Wholes(Vec<i64>),
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
    /// One text after another, and where each ends.
    Texts(String, Vec<usize>),
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
            let kind = kind.clone().map_err(|why| anyhow::anyhow!("column {name} {why}"))?;
            let (name, leaf) = (name.clone(), *leaf);
            self.selected[*at] = self.columns.len();
            self.columns.push(Column { name, leaf, kind, reader: None, places: vec![], cells: Cells::Wholes(vec![]) });
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
        let column = &self.columns[self.selected[field]];
        let Some(place) = column.places[self.at] else { return Cell::Missing };
        match &column.cells {
            Cells::Flags(cells) => Cell::Flag(cells[place]),
            Cells::Wholes(cells) => Cell::Whole(cells[place]),
            Cells::Singles(cells) => Cell::Single(cells[place]),
            Cells::Doubles(cells) => Cell::Double(cells[place]),
            Cells::Texts(text, ends) => {
                let start = place.checked_sub(1).map_or(0, |before| ends[before]);
                Cell::Text(&text[start..ends[place]])
            }
        }
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

/// How cells are read, or why they are not and what to do.
fn kind_of(field: &Type) -> Result<Kind, String> {
    let info = field.get_basic_info();
    if !field.is_primitive() || info.has_repetition() && info.repetition() == Repetition::REPEATED {
        return Err("holds lists or records: write a column for each of their values".to_owned());
    }
    let no_text = || "holds bytes: write them as text, in pandas with .str.decode(\"utf-8\")".to_owned();
    let a_time = || {
        "holds dates or times, which no model takes: write a number, such as the months before the application"
            .to_owned()
    };
    let logical = info.logical_type_ref();
    match (logical, info.converted_type()) {
        (Some(LogicalType::Decimal(_)), _) | (_, ConvertedType::DECIMAL) => {
            return Err("holds decimals: write them in double precision, in pandas with .astype(float)".to_owned());
        }
        (Some(LogicalType::Date | LogicalType::Time(_) | LogicalType::Timestamp(_)), _)
        | (_, ConvertedType::DATE | ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS)
        | (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS | ConvertedType::INTERVAL) => {
            return Err(a_time());
        }
        _ => {}
    }
    let is_unsigned = match logical {
        Some(LogicalType::Integer(whole)) => !whole.is_signed,
        _ => matches!(
            info.converted_type(),
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        ),
    };
    let is_text = matches!(logical, Some(LogicalType::String | LogicalType::Enum))
        || matches!(info.converted_type(), ConvertedType::UTF8 | ConvertedType::ENUM);
    match field.get_physical_type() {
        Physical::BOOLEAN => Ok(Kind::Flag),
        Physical::INT32 => Ok(if is_unsigned { Kind::UInt32 } else { Kind::Int32 }),
        Physical::INT64 => Ok(if is_unsigned { Kind::UInt64 } else { Kind::Int64 }),
        Physical::FLOAT => Ok(Kind::Single),
        Physical::DOUBLE => Ok(Kind::Double),
        Physical::BYTE_ARRAY if is_text => Ok(Kind::Text),
        Physical::INT96 => Err(a_time()),
        Physical::FIXED_LEN_BYTE_ARRAY if matches!(logical, Some(LogicalType::Float16)) => {
            Err("holds numbers of half precision: write them in single, in pandas with .astype(\"float32\")".to_owned())
        }
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => Err(no_text()),
    }
}

impl Kind {
    /// Bytes of a value in memory.
    fn width(self) -> usize {
        match self {
            Self::Text => size_of::<ByteArray>(),
            _ => size_of::<u64>(),
        }
    }
}

impl Column {
    /// Goes to a row group.
    fn begin(&mut self, file: &Arc<File>, held: &Arc<Held>, group: &RowGroupMetaData, rows: usize) -> Result<()> {
        let part = group.columns().get(self.leaf).context("is damaged: the row group lacks it")?;
        let packed = part.compression();
        if let Compression::BROTLI(_) | Compression::LZO = packed {
            let packed = if packed == Compression::LZO { "lzo" } else { "brotli" };
            bail!("is packed with {packed}: write the file with snappy, zstd, gzip or lz4");
        }
        self.reader = Some(guarded(|| {
            let pages = Pages::of(file, held, part, rows, self.kind.width())?;
            Ok(get_column_reader(part.column_descr_ptr(), Box::new(pages)))
        })?);
        Ok(())
    }

    /// Ends a row group: nothing may be left of it.
    fn end(&mut self, held: &Held) -> Result<()> {
        if self.reader.is_none() {
            return Ok(());
        }
        self.fill(1, held)?;
        ensure!(self.places.is_empty(), "is damaged: it has more rows than its row group");
        self.reader = None;
        Ok(())
    }

    fn read(&mut self, count: usize, held: &Held) -> Result<()> {
        self.fill(count, held)?;
        let found = self.places.len();
        ensure!(found == count, "is damaged: it ends {} rows before its row group", count - found.min(count));
        Ok(())
    }

    /// Up to so many rows.
    fn fill(&mut self, count: usize, held: &Held) -> Result<()> {
        let reader = self.reader.as_mut().context("no row group was begun")?;
        let kind = self.kind;
        let (places, cells) = guarded(|| {
            Ok(match reader {
                ColumnReader::BoolColumnReader(reader) => cells_of(reader, count, |cells| Ok(Cells::Flags(cells)))?,
                ColumnReader::Int32ColumnReader(reader) => cells_of(reader, count, |cells| {
                    let whole = |cell: i32| if kind == Kind::UInt32 { i64::from(cell as u32) } else { i64::from(cell) };
                    Ok(Cells::Wholes(cells.into_iter().map(whole).collect()))
                })?,
                ColumnReader::Int64ColumnReader(reader) => cells_of(reader, count, |cells| match kind {
                    Kind::UInt64 if cells.iter().any(|cell| *cell < 0) => {
                        Err(refused("holds a whole number of 2^63 or more: write it in double precision"))
                    }
                    _ => Ok(Cells::Wholes(cells)),
                })?,
                ColumnReader::FloatColumnReader(reader) => cells_of(reader, count, |cells| Ok(Cells::Singles(cells)))?,
                ColumnReader::DoubleColumnReader(reader) => cells_of(reader, count, |cells| Ok(Cells::Doubles(cells)))?,
                ColumnReader::ByteArrayColumnReader(reader) => cells_of(reader, count, |cells| texts(cells, held))?,
                ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                    return Err(refused("is damaged: it is of another type"));
                }
            })
        })?;
        (self.places, self.cells) = (places, cells);
        Ok(())
    }
}

/// Up to `count` rows of a column: where their cells are, and those that are present.
fn cells_of<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    cells: impl FnOnce(Vec<T::T>) -> parquet::errors::Result<Cells>,
) -> parquet::errors::Result<(Vec<Option<usize>>, Cells)> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (rows, present, _) = reader.read_records(count, Some(&mut levels), None, &mut values)?;
    values.truncate(present);
    let mut next = 0;
    let mut place = |is_present: bool| {
        next += usize::from(is_present);
        is_present.then(|| next - 1)
    };
    // A column that cannot be missing has no levels.
    let places = (0..rows).map(|row| place(levels.get(row).is_none_or(|level| *level > 0))).collect();
    Ok((places, cells(values)?))
}

/// Texts copied out of their pages, which a dictionary may hold once for many rows.
fn texts(cells: Vec<ByteArray>, held: &Held) -> parquet::errors::Result<Cells> {
    let (mut text, mut ends) = (String::new(), Vec::with_capacity(cells.len()));
    for cell in cells {
        held.texts(cell.len())?;
        text.push_str(cell.as_utf8()?);
        ends.push(text.len());
    }
    Ok(Cells::Texts(text, ends))
}

thread_local! {
    /// Whether a panic on this thread is an answer to a file.
    static READS: Slot<bool> = const { Slot::new(false) };
}

/// What the crate says of a file. It panics at some that are damaged, which is then all there is to say.
fn guarded<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let told = take_hook();
        set_hook(Box::new(move |panic| {
            if !READS.get() {
                told(panic)
            }
        }));
    });
    READS.set(true);
    let found = catch_unwind(AssertUnwindSafe(read));
    READS.set(false);
    match found {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(ParquetError::External(why))) if why.is::<Refused>() => bail!("{why}"),
        Ok(Err(why)) => bail!("cannot be read, it may be damaged or cut short: {why}"),
        Err(_) => bail!("is damaged"),
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
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/rows").join(name)).unwrap()
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
            let why = format!("{:#}", rows(&file, Some(&[name])).unwrap_err());
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
        let why = format!("{:#}", rows(&held(&stored("brotli.parquet")), None).unwrap_err());
        assert!(why.contains("column number: is packed with brotli: write the file with snappy"), "{why}");
        let why = format!("{:#}", rows(&held(&stored("delta.parquet")), None).unwrap_err());
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
