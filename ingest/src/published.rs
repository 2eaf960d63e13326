//! The slow path: where a refused body offends against the published JSON Schemas, so that a sender mends everything at once.
//! Never decides whether a body is refused, and tells pointers only: the schemas' own messages hold values.

use crate::error::Error;
use crate::strict::node::push_step;
use crate::strict::{Node, from_node};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use schemas::application::{SUBMITTED, WITHDRAWN};
use serde_json::Value;

/// At most so many pointers are told.
const MAX_POINTERS: usize = 16;

/// Validators of what senders may send.
pub struct Published {
    submitted: Validator,
    withdrawn: Validator,
}

impl Published {
    /// Compiles the schemas.
    ///
    /// # Errors
    /// [`Error::Config`] when one does not compile.
    pub fn new() -> Result<Self, Error> {
        let compiled = |event_type| {
            schemas::catalogue::validator(event_type).map_err(|error| Error::Config(format!("schema: {error}")))
        };
        Ok(Self { submitted: compiled(SUBMITTED)?, withdrawn: compiled(WITHDRAWN)? })
    }

    /// Every place in `data` at which the schema of the event type objects.
    pub fn pointers(&self, event_type: &str, data: &Node<'_>) -> Vec<String> {
        let validator = if event_type == WITHDRAWN { &self.withdrawn } else { &self.submitted };
        let Ok(data) = from_node::<Value>(data) else { return Vec::new() };
        validator.iter_errors(&data).flat_map(|error| places(&error)).take(MAX_POINTERS).collect()
    }
}

/// A missing or unknown member is told by its own place, not its parent's.
fn places(error: &ValidationError<'_>) -> Vec<String> {
    let parent = error.instance_path().to_string();
    let below = |step: &str| {
        let mut pointer = parent.clone();
        push_step(&mut pointer, step);
        pointer
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected.iter().map(|name| below(name)).collect(),
        ValidationErrorKind::Required { property } => property.as_str().map(below).into_iter().collect(),
        _ => vec![parent],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::strict::parse;

    #[test]
    fn every_place_is_told() {
        let text = br#"{"tenant":"bank","application_id":7,"withdrawn_at":"noon","why":1}"#;
        let mut found = Published::new().unwrap().pointers(WITHDRAWN, &parse(text, 8).unwrap());
        found.sort();
        found.dedup();
        assert_eq!(found, ["/application_id", "/why", "/withdrawn_at"]);
    }
}
