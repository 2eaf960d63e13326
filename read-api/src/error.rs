//! Why the worker does not start. What goes wrong with a single request is a problem, not one of these.

/// Any of them is permanent: a human must change something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A knob that cannot be used.
    #[error("[read-api] {0}")]
    Config(String),
    /// The address cannot be bound.
    #[error("[read-api] listen {address}: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// From the operating system.
        source: std::io::Error,
    },
    /// The database's address cannot be used.
    #[error(transparent)]
    Database(#[from] runtime::pg::ConnectError),
    /// Metrics are registered twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}
