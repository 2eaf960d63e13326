//! Why the worker does not start. Nothing here is about an application.

use runtime::task::SpawnError;

/// Why the worker does not start; all are permanent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of policies cannot be read, or the default policy cannot be used.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// Metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The loop did not start.
    #[error(transparent)]
    Loop(#[from] SpawnError),
}
