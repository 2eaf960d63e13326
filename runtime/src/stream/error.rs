//! Why a loop ends, and what its owner does then: stop, stay away for a while, or begin again.

use super::producer::is_fenced;
use rdkafka::error::KafkaError;

/// Why a loop ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoopError {
    #[error(
        "another instance runs under this id, and this one ends: give each of two an id of its own with --instance N ({0})"
    )]
    Fenced(String),
    #[error("{0}")]
    Lacking(String),
    #[error("{0}")]
    Broken(String),
}

impl From<KafkaError> for LoopError {
    fn from(error: KafkaError) -> Self {
        match &error {
            KafkaError::Transaction(inner) if is_fenced(inner.code()) => Self::Fenced(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}
