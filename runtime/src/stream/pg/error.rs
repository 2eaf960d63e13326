//! Why a batch is not written, and whether writing it is tried again.

use crate::pg::{ConnectError, said};

/// What ends a writer's session. The batch is rolled back.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// No session.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// From the database.
    #[error("database: {}", said(.0))]
    Database(#[from] tokio_postgres::Error),
    /// From Kafka.
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// Another instance holds the lease.
    #[error("another instance has taken this shard over")]
    Lost,
    /// Somebody else wrote offsets of this shard.
    #[error("another writer moved an offset of this one: it is a zombie")]
    Zombie,
    /// The thread that reads is gone.
    #[error("its reader has ended")]
    ReaderEnded,
    /// There is no thread to read on.
    #[error("starting its reader: {0}")]
    Thread(#[from] std::io::Error),
    /// The thread that asks the cluster panicked.
    #[error("asking the cluster: {0}")]
    Asking(#[from] tokio::task::JoinError),
    /// What the handler itself finds in the way.
    #[error(transparent)]
    Handler(Box<dyn std::error::Error + Send + Sync>),
}

impl PgError {
    /// Whether a new session may get further. What never does is a knob of this process, which nobody changes while it runs.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_transient(),
            Self::Database(_)
            | Self::Kafka(_)
            | Self::Lost
            | Self::Zombie
            | Self::ReaderEnded
            | Self::Thread(_)
            | Self::Asking(_)
            | Self::Handler(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knob_is_not_tried_again() {
        let rows = [
            (PgError::Connect(ConnectError::Url("is not set".to_owned())), false),
            (PgError::Connect(ConnectError::Plaintext("db.example".to_owned())), false),
            (PgError::Connect(ConnectError::Tls("ca.pem: no such file".to_owned())), true),
            (PgError::Lost, true),
        ];
        for (error, is_transient) in rows {
            assert_eq!(error.is_transient(), is_transient, "{error}");
        }
    }
}
