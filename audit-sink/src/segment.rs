//! A segment as a row of its table.

use crate::seal::Segment;
use audit_log::{BadSegment, Packed, Packer, unpack};

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

    /// Packs what was sealed.
    pub fn pack(segment: &Segment, packer: &mut Packer) -> Result<Self, BadSegment> {
        let Packed { raw_bytes, body } = packer.pack(&segment.raw)?;
        Ok(Self { first_seq: segment.first_seq as i64, last_seq: segment.last_seq as i64, raw_bytes, body })
    }

    /// From a row of [`Self::COLUMNS`].
    pub fn of_row(row: &tokio_postgres::Row) -> Self {
        Self { first_seq: row.get(0), last_seq: row.get(1), raw_bytes: row.get(2), body: row.get(3) }
    }

    /// The number behind its last entry; `None` where it says none that there can be.
    pub fn end(&self) -> Option<i64> {
        self.last_seq.checked_add(1).filter(|end| *end > self.first_seq)
    }

    /// Entries that it says it holds.
    pub fn len(&self) -> i64 {
        self.last_seq - self.first_seq + 1
    }

    /// The bytes of its entries, or why they cannot be had.
    pub fn unpack(&self) -> Result<Vec<u8>, BadSegment> {
        unpack(&self.body, self.raw_bytes)
    }
}
