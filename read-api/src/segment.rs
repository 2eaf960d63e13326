//! The bytes of a segment of the audit log, unpacked.

use crate::problem::Problem;
use audit_log::{BadEntry, BadSegment, unpack};

/// Why a segment of the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It cannot be unpacked.
    #[error(transparent)]
    Segment(#[from] BadSegment),
    /// What it holds is no entry.
    #[error(transparent)]
    Entry(#[from] BadEntry),
    /// Whoever read it panicked.
    #[error("panicked")]
    Panicked,
}

/// What `pick` takes of a segment's bytes, or why they cannot be read.
pub(crate) async fn read<T: Send + 'static>(
    body: Vec<u8>,
    raw_bytes: i32,
    pick: impl FnOnce(&[u8]) -> Result<T, BadEntry> + Send + 'static,
) -> Result<T, Unreadable> {
    // Uncompressing is a millisecond of work: off the threads that serve everybody.
    let read = tokio::task::spawn_blocking(move || Ok(pick(&unpack(&body, raw_bytes)?)?)).await;
    read.map_err(|_| Unreadable::Panicked)?
}

pub(crate) fn unreadable(log: i32, first_seq: i64, error: &Unreadable) -> Problem {
    tracing::error!(log, first_seq, %error, "segment of the audit log cannot be read");
    Problem::internal()
}
