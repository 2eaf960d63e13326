//! What a worker that writes PostgreSQL tells the loop.

use std::sync::Arc;

/// What a worker tells the loop.
#[derive(Debug, Clone)]
pub struct PgSpec {
    /// Names the metrics' label and the rows of `stream_offsets`.
    pub worker: &'static str,
    /// Input topics, with prefix.
    pub topics: Vec<Arc<str>>,
    /// Those of them that are not written in transactions alone (see [`PgGroup`](super::PgGroup)).
    pub plain: Vec<Arc<str>>,
    /// Topic of accepted gaps, with prefix.
    pub gaps: Arc<str>,
    /// Whether a place may be read a second time, where its topic was made anew or is an older copy (see [`PgGroup`](super::PgGroup)).
    pub goes_back: bool,
    /// Shards; a partition belongs to shard (partition mod shards). Fixed for the life of a prefix.
    pub shards: u32,
    /// Most records in a transaction.
    pub batch_records: usize,
    /// Most bytes of records in a transaction, headers and keys included.
    pub batch_bytes: usize,
    /// Milliseconds to wait for more records once there is one, but for those behind a full batch.
    pub linger_ms: u64,
}
