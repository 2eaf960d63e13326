//! A column of a Parquet file: which kinds there are, how the cells of a block are read, and what the others should be written as.

use super::guarded::guarded;
use super::pages::{Held, Pages, refused};
use crate::cells::{Cell, Misfit};
use crate::error::{Context, Result, bail, ensure};
use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::Type;
use std::fs::File;
use std::sync::Arc;

/// How the cells of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
pub struct Column {
    pub name: String,
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

/// How cells are read, or why they are not and what to do.
pub fn kind_of(field: &Type) -> Result<Kind, Misfit> {
    let info = field.get_basic_info();
    if !field.is_primitive() || info.has_repetition() && info.repetition() == Repetition::REPEATED {
        return Err(Misfit::new("holds lists or records: write a column for each of their values"));
    }
    let no_text = || Misfit::new("holds bytes: write them as text, in pandas with .str.decode(\"utf-8\")");
    let a_time = || {
        Misfit::new(
            "holds dates or times, which no model takes: write a number, such as the months before the application",
        )
    };
    let logical = info.logical_type_ref();
    match (logical, info.converted_type()) {
        (Some(LogicalType::Decimal(_)), _) | (_, ConvertedType::DECIMAL) => {
            return Err(Misfit::new("holds decimals: write them in double precision, in pandas with .astype(float)"));
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
        Physical::FIXED_LEN_BYTE_ARRAY if matches!(logical, Some(LogicalType::Float16)) => Err(Misfit::new(
            "holds numbers of half precision: write them in single, in pandas with .astype(\"float32\")",
        )),
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
    pub fn new(name: String, leaf: usize, kind: Kind) -> Self {
        Self { name, leaf, kind, reader: None, places: vec![], cells: Cells::Wholes(vec![]) }
    }

    /// Its cell in a row of the block.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        let Some(place) = self.places[row] else { return Cell::Missing };
        match &self.cells {
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

    /// Goes to a row group.
    pub fn begin(&mut self, file: &Arc<File>, held: &Arc<Held>, group: &RowGroupMetaData, rows: usize) -> Result<()> {
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
    pub fn end(&mut self, held: &Held) -> Result<()> {
        if self.reader.is_none() {
            return Ok(());
        }
        self.fill(1, held)?;
        ensure!(self.places.is_empty(), "is damaged: it has more rows than its row group");
        self.reader = None;
        Ok(())
    }

    /// Reads the next block, of so many rows.
    pub fn read(&mut self, count: usize, held: &Held) -> Result<()> {
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
