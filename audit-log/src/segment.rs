//! PURE. Segments as they are stored: packed with zstd, and unpacked again within a bound.

use crate::error::Error;
use crate::seal::Segment;
use zstd::bulk::Compressor;

/// The most that a segment may claim to unpack to, bytes: one record more than a full segment.
const MOST_RAW_BYTES: i32 = 1 << 28;

/// A segment as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub first_seq: i64,
    pub last_seq: i64,
    pub raw_bytes: i32,
    pub body: Vec<u8>,
}

impl Stored {
    /// The columns of a row, in this order.
    pub const COLUMNS: &str = "first_seq, last_seq, raw_bytes, body";

    /// From a row of [`Self::COLUMNS`].
    pub fn of_row(row: &tokio_postgres::Row) -> Self {
        Self { first_seq: row.get(0), last_seq: row.get(1), raw_bytes: row.get(2), body: row.get(3) }
    }

    /// Entries that it says it holds.
    pub fn len(&self) -> i64 {
        self.last_seq - self.first_seq + 1
    }

    /// The bytes of its entries, or why they cannot be had.
    pub fn unpack(&self) -> Result<Vec<u8>, String> {
        let capacity = usize::try_from(self.raw_bytes.min(MOST_RAW_BYTES)).map_err(|_| "negative size".to_owned())?;
        let raw =
            zstd::bulk::decompress(&self.body, capacity).map_err(|error| format!("it does not unpack: {error}"))?;
        if raw.len() != capacity {
            return Err(format!("it unpacks to {} bytes, not {capacity}", raw.len()));
        }
        Ok(raw)
    }
}

/// Packs segments one after another.
pub(crate) struct Packer(Compressor<'static>);

impl Packer {
    /// At a level of zstd.
    pub fn new(level: i32) -> Result<Self, Error> {
        Compressor::new(level).map(Self).map_err(Error::Zstd)
    }

    /// The segment as it is stored.
    pub fn pack(&mut self, segment: &Segment) -> Result<Stored, Error> {
        let body = self.0.compress(&segment.raw).map_err(Error::Zstd)?;
        let Segment { first_seq, last_seq, raw } = segment;
        // The writer closes a segment far below two gigabytes.
        Ok(Stored { first_seq: *first_seq as i64, last_seq: *last_seq as i64, raw_bytes: raw.len() as i32, body })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_comes_back_or_says_why_not() {
        let segment = Segment { first_seq: 3, last_seq: 4, raw: b"as it was".repeat(9) };
        let stored = Packer::new(1).unwrap().pack(&segment).unwrap();
        assert_eq!((stored.len(), stored.unpack()), (2, Ok(segment.raw)));
        for (raw_bytes, why) in [(80, "does not unpack"), (82, "unpacks to 81 bytes"), (-1, "negative size")] {
            let wrong = Stored { raw_bytes, ..stored.clone() }.unpack().unwrap_err();
            assert!(wrong.contains(why), "{wrong}");
        }
    }
}
