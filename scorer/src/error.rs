//! Why the room does not start. Nothing here is about an application.

use scoring::{EngineError, LoadError};
use std::path::PathBuf;

/// Why the room does not start; all are permanent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The shared scales are not usable.
    #[error("{path}: {source}")]
    Scales {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LoadError,
    },
    /// A package of the route did not prove itself.
    #[error("package {package} does not serve: {source}")]
    Package {
        /// `name@version`.
        package: String,
        /// What is wrong and where.
        source: LoadError,
    },
    /// The route names a package that is not there, or not for that product.
    #[error("route of {product}: {why}")]
    Route {
        /// The product.
        product: String,
        /// What is wrong.
        why: String,
    },
    /// The engine cannot set a proven package up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The loop did not start.
    #[error("{0}")]
    Loop(String),
}
