//! Why there is no session.

use super::words::said;

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No database is configured, or its URL does not parse.
    #[error("[database] url: {0}")]
    Url(String),
    /// Without TLS over a network.
    #[error(
        "[database] url leads to {0} without TLS: add ?sslmode=require or set ssl_ca_location; where the network is trusted as a whole, \
         [database] allow_plaintext_to_database = true takes it"
    )]
    Plaintext(String),
    /// TLS is wanted and its authorities cannot be read.
    #[error("TLS to PostgreSQL: {0}")]
    Tls(String),
    /// The server refuses or cannot be reached.
    #[error("connecting to PostgreSQL: {}", said(.0))]
    Connect(#[from] tokio_postgres::Error),
    /// The pool cannot be made.
    #[error("pool of PostgreSQL sessions: {0}")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// Its metrics cannot be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}
