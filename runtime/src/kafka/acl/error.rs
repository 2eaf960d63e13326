//! Why rights were not added.

use super::right::Acl;
use rdkafka::error::KafkaError;

/// Why rights were not added; those before it may be there.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The client or the cluster refuses one.
    #[error("{acl}: {why}")]
    Refused {
        /// Which one.
        acl: Acl,
        /// In its words.
        why: String,
    },
    /// The cluster does not answer.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}
