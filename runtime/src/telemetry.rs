//! Structured logs on standard error, set up once for each process. Messages are lower-case fragments; values stand in fields.

use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter {filter:?}: {source}")]
    Filter {
        /// As given.
        filter: String,
        /// Where and what.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Another subscriber is in place.
    #[error("logs are set up already: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Whether a filter can be used.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn check(filter: &str) -> Result<(), TelemetryError> {
    parsed(filter).map(drop)
}

fn parsed(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

/// Sets logs up for the process. `filter` is like `info,runtime=debug`.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(format: Format, filter: &str) -> Result<(), TelemetryError> {
    let filter = parsed(filter)?;
    // Colours are for whoever looks: in a file they are noise. https://no-color.org
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    // Whoever read them may be gone: what cannot be written is lost, and nothing else.
    let lines = lines.log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Text => registry.with(lines.compact()).try_init()?,
        Format::Json => registry.with(lines.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}
