//! Why a batch is not written.

/// A failure of an apply. The batch is rolled back and read again after a pause.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// From the database.
    #[error("database: {}", crate::pg::said(.0))]
    Database(#[from] tokio_postgres::Error),
    /// From Kafka.
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// Anything else that stands in the way.
    #[error("{0}")]
    Other(String),
}
