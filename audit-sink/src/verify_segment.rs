//! PURE. Holds a segment and its entries against the index.

use crate::project::time_of_ms;
use crate::tree::Hash;
use chrono::{DateTime, Utc};
use schemas::Topic;
use schemas::audit_entry::{Codec, Entry};

/// The most that a segment may claim to unpack to, bytes: one record more than a full segment.
const MOST_RAW_BYTES: i32 = 1 << 28;

/// A segment as stored.
pub(crate) struct Stored {
    pub first_seq: i64,
    pub last_seq: i64,
    pub raw_bytes: i32,
    pub body: Vec<u8>,
}

impl Stored {
    /// Entries that it says it holds.
    pub fn len(&self) -> i64 {
        self.last_seq - self.first_seq + 1
    }
}

/// An index row.
pub(crate) struct IndexedEntry {
    pub seq: i64,
    topic: String,
    partition: i32,
    offset: i64,
    at: DateTime<Utc>,
    pub leaf: Vec<u8>,
}

impl IndexedEntry {
    pub fn of_row(row: &tokio_postgres::Row) -> Self {
        Self {
            seq: row.get(0),
            topic: row.get(1),
            partition: row.get(2),
            offset: row.get(3),
            at: row.get(4),
            leaf: row.get(5),
        }
    }
}

/// The entries of a segment, or why they cannot be had.
pub(crate) fn unpack(segment: &Stored) -> Result<Vec<u8>, String> {
    let capacity = usize::try_from(segment.raw_bytes.min(MOST_RAW_BYTES)).map_err(|_| "negative size".to_owned())?;
    let raw =
        zstd::bulk::decompress(&segment.body, capacity).map_err(|error| format!("it does not unpack: {error}"))?;
    if raw.len() != capacity {
        return Err(format!("it unpacks to {} bytes, not {capacity}", raw.len()));
    }
    Ok(raw)
}

/// Where an entry says that its record stood.
pub(crate) struct Place<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// A digest, on a topic whose bodies are logged: no entry could hold the record.
    pub oversized: bool,
}

/// The place of an entry that agrees with its index row.
pub(crate) fn check_entry<'a>(bytes: &'a [u8], leaf: &Hash, row: Option<&IndexedEntry>) -> Result<Place<'a>, String> {
    let entry = Entry::decode(bytes).map_err(|error| error.to_string())?;
    let row = row.ok_or("its index row is missing")?;
    if row.leaf != leaf {
        return Err("its bytes do not have the leaf hash of the index".to_owned());
    }
    let indexed = (row.topic.as_str(), row.partition, row.offset, row.at);
    if indexed != (entry.topic, entry.partition, entry.offset, time_of_ms(entry.timestamp_ms)) {
        return Err(format!("the index says {}/{}@{}", row.topic, row.partition, row.offset));
    }
    let Entry { topic, partition, offset, .. } = entry;
    if entry.codec == Codec::DigestOnly && !is_digest(entry.value.unwrap_or_default()) {
        return Err("what it holds is not a digest".to_owned());
    }
    let is_whole = || Topic::of_name("", topic).is_some_and(Topic::body_is_logged);
    Ok(Place { topic, partition, offset, oversized: entry.codec == Codec::DigestOnly && is_whole() })
}

/// u8 length and name of a key, then a SHA-256.
fn is_digest(value: &[u8]) -> bool {
    value.first().is_some_and(|name| value.len() == 1 + usize::from(*name) + 32)
}
