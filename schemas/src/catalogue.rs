//! Every event type with its published schema, the topics that carry it, and its examples: the contract as data, compiled in, so
//! that validators, tests and tools need no files beside the binary. Judges nothing but what a schema says.

mod entry;
mod events;

pub use entry::{Document, Event, Example, Kind};
pub use events::{EVENTS, SHARED};

use jsonschema::{Registry, Validator};
use serde_json::Value;

/// In front of the file names under `schemas/json/` in every `$id`. Nothing is ever fetched from there.
pub const BASE_URI: &str = "https://schemas.defaultx.example/";

/// Why there is no validator.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Not in [`EVENTS`].
    #[error("there is no event type {0}")]
    UnknownType(String),
    /// A schema file is not JSON.
    #[error("{file} is not JSON: {source}")]
    Json {
        /// The file.
        file: &'static str,
        /// Where.
        source: serde_json::Error,
    },
    /// A schema does not compile, or refers to one that is not here.
    #[error("{file} does not compile: {why}")]
    Schema {
        /// The file.
        file: &'static str,
        /// In the words of the compiler.
        why: String,
    },
}

/// The event type of that name.
pub fn find(event_type: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|event| event.event_type == event_type)
}

/// A validator of an event's body, formats included. Compiling takes milliseconds: build it once.
///
/// # Errors
/// [`CatalogueError`] when there is no such type; otherwise only when a published schema is broken, which a test excludes.
pub fn validator(event_type: &str) -> Result<Validator, CatalogueError> {
    let event = find(event_type).ok_or_else(|| CatalogueError::UnknownType(event_type.to_owned()))?;
    compile(&event.schema)
}

/// A validator of any published schema.
///
/// # Errors
/// [`CatalogueError`] when a published schema is broken.
pub fn compile(document: &Document) -> Result<Validator, CatalogueError> {
    let broken = |why: String| CatalogueError::Schema { file: document.file, why };
    let mut registry = Registry::new();
    for other in documents() {
        registry =
            registry.add(format!("{BASE_URI}{}", other.file), parse(other)?).map_err(|e| broken(e.to_string()))?;
    }
    let registry = registry.prepare().map_err(|e| broken(e.to_string()))?;
    let options = jsonschema::draft202012::options().should_validate_formats(true).should_ignore_unknown_formats(false);
    options.with_registry(&registry).build(&parse(document)?).map_err(|e| broken(e.to_string()))
}

/// Every published schema.
pub fn documents() -> impl Iterator<Item = &'static Document> {
    SHARED.iter().chain(EVENTS.iter().map(|event| &event.schema))
}

fn parse(document: &Document) -> Result<Value, CatalogueError> {
    serde_json::from_str(document.text).map_err(|source| CatalogueError::Json { file: document.file, source })
}
