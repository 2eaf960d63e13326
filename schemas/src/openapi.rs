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
        point(object, None, &mut wanted);
        show(object)
    })?;
    let mut schemas = Map::new();
    while let Some(place) = wanted.iter().find(|place| !schemas.contains_key(&place.name())).cloned() {
        let missing = || broken(format!("there is no schema {}#{}", place.file, place.pointer));
        let file = catalogue::documents().find(|one| one.file == place.file).ok_or_else(missing)?;
        let mut schema = parsed(file)?.pointer_mut(&place.pointer).map(Value::take).ok_or_else(missing)?;
        if let Some(members) = schema.as_object_mut() {
            // An id would be the base of every reference below it; a definition that is wanted stands for itself.
            members.retain(|name, _| !["$id", "$schema", "$defs"].contains(&name.as_str()));
        }
        each_object(&mut schema, &mut |object| {
            point(object, Some(&place.file), &mut wanted);
            Ok(())
        })?;
        schemas.insert(place.name(), schema);
    }
    let held = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    held.ok_or_else(|| broken("it has no components/schemas".to_owned()))?.extend(schemas);
    Ok(document)
}

/// Where a schema is published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: String,
    /// Into the file; empty for all of it.
    pointer: String,
}

impl Place {
    /// Its name among the components: `common.v1.identifier` for `common.v1.json#/$defs/identifier`.
    fn name(&self) -> String {
        let stem = self.file.strip_suffix(".json").unwrap_or(&self.file);
        let step = self.pointer.strip_prefix("/$defs").unwrap_or(&self.pointer).replace('/', ".");
        format!("{stem}{step}")
    }
}

/// Makes the reference of an object to a published schema one to a component. `within` is the file that the object is in; none: the
/// document, whose references within itself stay.
fn point(object: &mut Map<String, Value>, within: Option<&str>, wanted: &mut BTreeSet<Place>) {
    let Some(Value::String(reference)) = object.get_mut("$ref") else { return };
    let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    let file = match (file, within) {
        ("", None) => return,
        ("", Some(within)) => within,
        (file, _) => file.strip_prefix(SCHEMAS).unwrap_or(file),
    };
    let place = Place { file: file.to_owned(), pointer: pointer.to_owned() };
    *reference = format!("{COMPONENTS}{}", place.name());
    wanted.insert(place);
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
        let schemas = whole["components"]["schemas"].as_object().unwrap();
        assert!(schemas["application.submitted.v1"]["$defs"].is_null() && schemas["common.v1.identifier"].is_object());
        for name in schemas.keys() {
            assert!(whole.to_string().contains(&format!("{COMPONENTS}{name}\"")), "{name} is of no use");
        }
    }
}
