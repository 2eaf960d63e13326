//! Finds one entry by the coordinates of its record: the run that holds them, its segment, the entry.

use crate::error::Error;
use crate::segment::Stored;
use audit_log::{Entry, Hash, entries, leaf_hash};
use tokio_postgres::GenericClient;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Log.
    pub log: i32,
    /// Sequence number.
    pub seq: i64,
    /// Topic, without prefix.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Leaf hash of its bytes.
    pub leaf: Hash,
    /// Its bytes, as [`Entry`] reads them.
    pub bytes: Vec<u8>,
}

/// The entry of a record; `None` where the log has none. The topic has no prefix.
///
/// # Errors
/// The database's, or [`Error::Broken`] when the segment cannot be read.
pub async fn find(
    client: &impl GenericClient,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<Found>, Error> {
    let query = format!(
        "SELECT {}, s.log FROM (
             SELECT log, first_seq AS seq, first_offset FROM defaultx.audit_runs
             WHERE topic = $1 AND partition = $2 AND last_offset >= $3 ORDER BY last_offset LIMIT 1
         ) r CROSS JOIN LATERAL (
             SELECT * FROM defaultx.audit_segments s WHERE s.log = r.log AND s.first_seq <= r.seq
             ORDER BY s.first_seq DESC LIMIT 1
         ) s WHERE r.first_offset <= $3",
        Stored::COLUMNS
    );
    let Some(row) = client.query_opt(&query, &[&topic, &partition, &offset]).await? else { return Ok(None) };
    let (segment, log): (_, i32) = (Stored::of_row(&row), row.get(4));
    let broken = |why: String| Error::Broken { log, why: format!("segment at {}: {why}", segment.first_seq) };
    let raw = segment.unpack().map_err(|error| broken(error.to_string()))?;
    for (seq, bytes) in (segment.first_seq..).zip(entries(&raw)) {
        let bytes = bytes.map_err(|error| broken(error.to_string()))?;
        let entry = Entry::decode(bytes)?;
        if (entry.topic, entry.partition, entry.offset) == (topic, partition, offset) {
            let (topic, leaf, bytes) = (topic.to_owned(), leaf_hash(bytes), bytes.to_vec());
            return Ok(Some(Found { log, seq, topic, partition, offset, leaf, bytes }));
        }
    }
    Ok(None)
}
