//! Why the worker does not start. Nothing here is about an application.

use scoring::{EngineError, LoadError};
use std::path::PathBuf;

/// Why the worker does not start; all are permanent.
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
    /// The route of the configuration is not taken.
    #[error("{path}: {why}")]
    Route {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, each with its entry and key.
        why: String,
    },
    /// The route of the configuration is not there.
    #[error("route = {default:?} names no document: there is none at <name>/<version>.toml under {folder}")]
    NoRoute {
        /// `name@version`.
        default: String,
        /// The routes' folder.
        folder: PathBuf,
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
