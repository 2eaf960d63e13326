//! Why ingest, a batch or an activation does not go on. What is wrong with a record is a [`crate::refusal::Refusal`] instead.

use runtime::task::{SpawnError, WorkerError};
use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration contradicts itself.
    #[error("configuration of ingest: {0}")]
    Config(String),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A mapping file is not one.
    #[error("mapping: {0}")]
    Mapping(String),
    /// A batch file is not what its name says.
    #[error("batch: {0}")]
    Batch(String),
    /// Kafka said no.
    #[error("kafka: {0}")]
    Kafka(#[from] runtime::stream::TransactionError),
    /// The publisher's thread did not start.
    #[error("publishing: {0}")]
    Publish(String),
    /// Metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The door's address or key is no good.
    #[error("door: {0}")]
    Door(String),
    /// A loop did not start.
    #[error(transparent)]
    Loop(#[from] SpawnError),
    /// The door ended.
    #[error(transparent)]
    Ended(#[from] WorkerError),
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Kafka(_) | Self::Publish(_) => true,
            Self::Config(_)
            | Self::File { .. }
            | Self::Mapping(_)
            | Self::Batch(_)
            | Self::Metrics(_)
            | Self::Door(_)
            | Self::Loop(_)
            | Self::Ended(_) => false,
        }
    }
}
