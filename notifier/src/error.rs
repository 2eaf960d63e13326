//! What can go wrong with notifier itself. What goes wrong with one delivery is a value: [`crate::deliver::Cause`].

use runtime::task::SpawnError;

/// Why notifier cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A knob or a subscription is wrong.
    #[error("[notifier] {0}")]
    Config(String),
    /// PostgreSQL says no.
    #[error("database: {}", runtime::pg::said(.0))]
    Database(#[from] tokio_postgres::Error),
    /// No session of the pool, or none in time.
    #[error(transparent)]
    Pool(#[from] runtime::pg::NoSession),
    /// The pool cannot be made.
    #[error(transparent)]
    Connect(#[from] runtime::pg::ConnectError),
    /// The HTTP client cannot be made.
    #[error("HTTP client: {0}")]
    Client(#[source] reqwest::Error),
    /// The producer of receipts cannot be made.
    #[error("producer of receipts: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// Metrics are registered twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A task of the worker of a subscription panicked.
    #[error("worker of {subscription}: {source}")]
    Ended {
        /// Of which.
        subscription: String,
        /// The panic.
        source: tokio::task::JoinError,
    },
    /// The loop that reads decisions cannot start.
    #[error(transparent)]
    Loop(#[from] SpawnError),
}

impl Error {
    /// Whether waiting and trying again can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(_) | Self::Pool(_) => true,
            Self::Config(_)
            | Self::Connect(_)
            | Self::Client(_)
            | Self::Kafka(_)
            | Self::Metrics(_)
            | Self::Ended { .. }
            | Self::Loop(_) => false,
        }
    }
}
