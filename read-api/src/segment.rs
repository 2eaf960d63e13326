//! The bytes of a segment of the audit log, unpacked.

use crate::problem::Problem;

/// The most that a segment may claim to unpack to, in bytes: a full segment and the largest record behind it.
const SEGMENT_BYTES_MAX: i32 = 1 << 26;

/// What `pick` takes of a segment's bytes, or why they cannot be read.
pub(crate) async fn read<T: Send + 'static>(
    body: Vec<u8>,
    raw_bytes: i32,
    pick: impl FnOnce(&[u8]) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    // Uncompressing is a millisecond of work: off the threads that serve everybody.
    let read = tokio::task::spawn_blocking(move || pick(&unpack(&body, raw_bytes)?)).await;
    read.map_err(|_| "panicked".to_owned())?
}

pub(crate) fn unreadable(log: i32, first_seq: i64, error: &str) -> Problem {
    tracing::error!(log, first_seq, error, "segment of the audit log cannot be read");
    Problem::internal()
}

/// The bytes of a segment.
pub(crate) fn unpack(body: &[u8], raw_bytes: i32) -> Result<Vec<u8>, String> {
    let capacity = usize::try_from(raw_bytes.min(SEGMENT_BYTES_MAX)).map_err(|error| error.to_string())?;
    zstd::bulk::decompress(body, capacity).map_err(|error| error.to_string())
}
