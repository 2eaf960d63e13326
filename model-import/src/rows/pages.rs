//! The pages of a column of a Parquet file, within what this process may hold of the file at once. A page says itself how
//! large it becomes and how many values it has, and whoever wrote it may have lied.

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most bytes of pages that are held for one block of rows, and as many again of dictionaries.
pub const MOST: u64 = 512 << 20;

/// Why a file is refused that the crate would read.
#[derive(Debug)]
pub struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

/// As the crate passes it on.
pub fn refused(why: impl Into<String>) -> ParquetError {
    ParquetError::External(Box::new(Refused(why.into())))
}

/// What is held of a row group. Its columns share it.
#[derive(Debug, Default)]
pub struct Held {
    pages: AtomicU64,
    dictionaries: AtomicU64,
}

impl Held {
    /// The next block begins: what its predecessor read is let go of.
    pub fn begin(&self) {
        self.pages.store(0, Ordering::Relaxed);
    }

    /// Texts that are copied for the block.
    pub fn texts(&self, bytes: usize) -> Result<()> {
        Self::take(&self.pages, bytes as u64)
    }

    fn take(of: &AtomicU64, bytes: u64) -> Result<()> {
        match of.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) {
            all if all > MOST => Err(refused(format!(
                "takes, with the others, more than {} MiB for a block of rows: write smaller pages and shorter texts",
                MOST >> 20
            ))),
            _ => Ok(()),
        }
    }
}

/// A file whose pages are looked at before they are unpacked.
struct Watched {
    file: Arc<File>,
    held: Arc<Held>,
}

impl Length for Watched {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl ChunkReader for Watched {
    type T = BufReader<File>;

    /// Is asked for where a page begins.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut read = self.file.get_read(start)?;
        let sizes = sizes(read.fill_buf()?).ok_or_else(|| refused("is damaged: a page has no head"))?;
        Held::take(&self.held.pages, sizes[0].max(sizes[1]))?;
        Ok(read)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.file.get_bytes(start, length)
    }
}

/// How large a page is unpacked and packed. Its head is a struct in Thrift's compact form, whose first fields are whole numbers
/// of 32 bits: what it is and these two.
fn sizes(head: &[u8]) -> Option<[u64; 2]> {
    let mut bytes = head.iter();
    let mut field = || {
        // One more than the field before, a whole number of 32 bits.
        bytes.next().filter(|byte| **byte == 0x15)?;
        let mut number = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = bytes.next()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // An odd one is negative.
                return (number & 1 == 0).then_some(number >> 1);
            }
        }
        None
    };
    field()?;
    Some([field()?, field()?])
}

/// A column's pages.
pub struct Pages {
    pages: SerializedPageReader<Watched>,
    held: Arc<Held>,
    /// Of a value of the dictionary once it is read.
    width: u64,
    has_dictionary: bool,
}

impl Pages {
    /// Of a part of the file that lies within it.
    ///
    /// # Errors
    /// A part that does not, or is packed in a way that is not known.
    pub fn of(
        file: &Arc<File>,
        held: &Arc<Held>,
        column: &ColumnChunkMetaData,
        rows: usize,
        width: usize,
    ) -> Result<Self> {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size()).and_then(|end| u64::try_from(end).ok());
        let is_within = start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end <= file.len());
        if !is_within {
            return Err(refused("is damaged: it lies beyond the end of the file"));
        }
        let watched = Watched { file: Arc::clone(file), held: Arc::clone(held) };
        let pages = SerializedPageReader::new(Arc::new(watched), column, rows, None)?;
        Ok(Self { pages, held: Arc::clone(held), width: width as u64, has_dictionary: false })
    }

    fn admitted(&mut self, page: Page) -> Result<Page> {
        if let Page::DictionaryPage { num_values, .. } = &page {
            self.has_dictionary = true;
            Held::take(&self.held.dictionaries, u64::from(*num_values).saturating_mul(self.width))?;
            Held::take(&self.held.dictionaries, page.buffer().len() as u64)?;
            return Ok(page);
        }
        match page.encoding() {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if !self.has_dictionary => {
                Err(refused("is damaged: it has no dictionary"))
            }
            Encoding::RLE_DICTIONARY
            | Encoding::PLAIN_DICTIONARY
            | Encoding::PLAIN
            | Encoding::RLE
            | Encoding::DELTA_BINARY_PACKED
            | Encoding::BYTE_STREAM_SPLIT => Ok(page),
            other => Err(refused(format!("is encoded as {other}: write it plain or with a dictionary"))),
        }
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.map(|page| self.admitted(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_how_large_it_becomes() {
        let rows: [(&[u8], Option<[u64; 2]>); 6] = [
            (&[0x15, 0x00, 0x15, 0x14, 0x15, 0x18, 0x2c], Some([10, 12])),
            (&[0x15, 0x04, 0x15, 0x80, 0x80, 0x80, 0x80, 0x08, 0x15, 0x02], Some([1 << 30, 1])),
            (&[0x15, 0x00, 0x15, 0x13, 0x15, 0x18], None),
            (&[0x15, 0x00, 0x25, 0x14, 0x15, 0x18], None),
            (&[0x15, 0x00, 0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None),
            (&[0x15, 0x00, 0x15], None),
        ];
        for (head, expected) in rows {
            assert_eq!(sizes(head), expected, "{head:x?}");
        }
    }

    #[test]
    fn what_is_held_has_a_bound() {
        let held = Held::default();
        assert!(Held::take(&held.pages, MOST).is_ok());
        let why = Held::take(&held.pages, 1).map_err(|error| error.to_string());
        assert!(why.is_err_and(|why| why.contains("more than 512 MiB for a block of rows: write smaller pages")));
        held.begin();
        assert!(Held::take(&held.pages, MOST).is_ok());
    }
}
