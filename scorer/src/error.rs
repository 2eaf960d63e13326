//! Why the worker does not start. Nothing here is about an application.

use runtime::task::SpawnError;
use scoring::{EngineError, LoadError};
use std::path::PathBuf;

/// Why the worker does not start; all are permanent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder cannot be read, or the route of the configuration is not taken.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// The shared scales are not usable.
    #[error("{path}: {cause}")]
    Scales {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: LoadError,
    },
    /// The engine cannot set a proven package up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The loop did not start.
    #[error(transparent)]
    Loop(#[from] SpawnError),
}
