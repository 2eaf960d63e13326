//! The OpenAPI document of the HTTP door in one piece. The published file (`openapi/door.json`) refers to the JSON Schemas and
//! examples beside it; what the door serves stands alone, so that it holds them.

use crate::catalogue::{self, CatalogueError, Document, EVENTS};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const DOOR: Document = Document { file: "openapi/door.json", text: include_str!("../openapi/door.json") };
/// In front of what the file refers to.
const SCHEMAS: &str = "../json/";
const EXAMPLES: &str = "../examples/";
/// Where schemas stand in the document.
const COMPONENTS: &str = "#/components/schemas/";

/// The document that the door serves.
///
/// # Errors
/// [`CatalogueError`] when a published file is broken, which a test excludes.
pub fn door() -> Result<Value, CatalogueError> {
    let mut document = parsed(&DOOR)?;
    let mut wanted = BTreeSet::new();
    each_object(&mut document, &mut |object| {
        point(object, SCHEMAS, None, &mut wanted);
        show(object)
    })?;
    let mut held = BTreeSet::new();
    while let Some(file) = wanted.iter().find(|file| !held.contains(*file)).cloned() {
        let name = stem(&file).to_owned();
        let missing = || broken(format!("there is no schema {file}"));
        let mut schema = parsed(catalogue::documents().find(|one| one.file == file).ok_or_else(missing)?)?;
        each_object(&mut schema, &mut |object| {
            point(object, "", Some(&name), &mut wanted);
            Ok(())
        })?;
        let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
        let members = schema.as_object_mut().map(std::mem::take).unwrap_or_default();
        // An id would be the base of every reference below it.
        let kept = members.into_iter().filter(|(name, _)| name != "$id" && name != "$schema");
        schemas
            .ok_or_else(|| broken("it has no components/schemas".to_owned()))?
            .insert(name, Value::Object(kept.collect()));
        held.insert(file);
    }
    Ok(document)
}

/// Makes the reference of an object, where it has one to a file, one within the document. A reference without a file is one into
/// the schema `own`, and left alone without.
fn point(object: &mut Map<String, Value>, folder: &str, own: Option<&str>, wanted: &mut BTreeSet<String>) {
    let Some(Value::String(reference)) = object.get_mut("$ref") else { return };
    let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    let name = match (file.strip_prefix(folder), own) {
        (Some(""), Some(own)) => own.to_owned(),
        (Some(file), _) if !file.is_empty() => {
            wanted.insert(file.to_owned());
            stem(file).to_owned()
        }
        _ => return,
    };
    *reference = format!("{COMPONENTS}{name}{pointer}");
}

/// Puts an example's value where the file only says where it is.
fn show(object: &mut Map<String, Value>) -> Result<(), CatalogueError> {
    let Some(place) = object.get("externalValue").and_then(Value::as_str) else { return Ok(()) };
    let parts = place.strip_prefix(EXAMPLES).and_then(|place| place.strip_suffix(".json")?.split_once('/'));
    let found = parts.and_then(|(event_type, name)| {
        let event = EVENTS.iter().find(|event| event.event_type == event_type)?;
        event.examples.iter().find(|example| example.name == name)
    });
    let text = found.ok_or_else(|| broken(format!("there is no example {place}")))?.text;
    let value = serde_json::from_str(text).map_err(|source| CatalogueError::Json { file: DOOR.file, source })?;
    object.remove("externalValue");
    object.insert("value".to_owned(), value);
    Ok(())
}

/// Calls `visit` with every object, outermost first.
fn each_object(
    value: &mut Value,
    visit: &mut dyn FnMut(&mut Map<String, Value>) -> Result<(), CatalogueError>,
) -> Result<(), CatalogueError> {
    match value {
        Value::Object(object) => {
            visit(object)?;
            object.values_mut().try_for_each(|inner| each_object(inner, visit))
        }
        Value::Array(items) => items.iter_mut().try_for_each(|inner| each_object(inner, visit)),
        _ => Ok(()),
    }
}

fn parsed(document: &Document) -> Result<Value, CatalogueError> {
    serde_json::from_str(document.text).map_err(|source| CatalogueError::Json { file: document.file, source })
}

fn stem(file: &str) -> &str {
    file.strip_suffix(".json").unwrap_or(file)
}

fn broken(why: String) -> CatalogueError {
    CatalogueError::Schema { file: DOOR.file, why }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_stands_alone() {
        let mut document = door().unwrap();
        let (whole, mut references) = (document.clone(), 0);
        each_object(&mut document, &mut |object| {
            assert!(!object.contains_key("externalValue") && !object.contains_key("$id"));
            if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                references += 1;
                let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads out"));
                assert!(whole.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            Ok(())
        })
        .unwrap();
        assert!(references > 50, "{references}");
        assert!(whole["components"]["schemas"]["common.v1"]["$defs"].is_object());
    }
}
