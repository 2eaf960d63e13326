//! Why the worker does not start. Nothing here is about an application.

use std::path::PathBuf;

/// Why the worker does not start; all are permanent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of policies, or a file in it, cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The default policy does not pass its checks.
    #[error("policy {name} is not taken:\n{findings}")]
    Rejected {
        /// `name@version`.
        name: String,
        /// Every finding, one a line.
        findings: String,
    },
    /// The default policy is not in the directory.
    #[error("policy {0} is not in the directory")]
    Unknown(String),
    /// Metrics could not be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The loop did not start.
    #[error("{0}")]
    Loop(String),
}
