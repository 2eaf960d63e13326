//! Upkeep of the schemas themselves: every field is described, every struct's field is in its schema, and what senders write
//! is the same in the strict schema of applications as in the open definitions that later events use.

use super::structs::round_trip;
use schemas::catalogue::{EVENTS, Kind, documents};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn parsed() -> BTreeMap<&'static str, Value> {
    documents().map(|d| (d.file, serde_json::from_str(d.text).unwrap_or_else(|e| panic!("{}: {e}", d.file)))).collect()
}

/// Calls `visit` with every schema that a `properties` names, at any depth, with its path.
fn each_property(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            visit(&format!("{path}/{name}"), property);
        }
    }
    match schema {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| each_property(inner, &format!("{path}/{name}"), visit))
        }
        Value::Array(items) => items.iter().for_each(|inner| each_property(inner, path, visit)),
        _ => {}
    }
}

#[test]
fn every_field_is_described() {
    for (file, schema) in parsed() {
        assert!(schema["description"].is_string(), "{file} does not say what it is");
        each_property(&schema, "", &mut |path, property| {
            // A condition repeats a field to test its value.
            let is_condition = path.split('/').any(|part| part == "if");
            assert!(is_condition || property["description"].is_string(), "{file}{path} has no description");
        });
    }
}

#[test]
fn every_reference_resolves_and_every_id_is_the_file_name() {
    let documents = parsed();
    for (file, schema) in &documents {
        assert_eq!(schema["$id"], format!("{}{file}", schemas::catalogue::BASE_URI));
        let mut references = BTreeSet::new();
        collect_references(schema, &mut references);
        for reference in references {
            let (target, pointer) = reference.split_once('#').unwrap_or((&reference, ""));
            let target = if target.is_empty() { file } else { target };
            let document = documents.get(target).unwrap_or_else(|| panic!("{file} refers to {reference}"));
            assert!(document.pointer(pointer).is_some(), "{file} refers to {reference}");
        }
    }
}

pub fn collect_references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                into.insert(reference.clone());
            }
            fields.values().for_each(|inner| collect_references(inner, into));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_references(inner, into)),
        _ => {}
    }
}

#[test]
fn no_struct_writes_a_field_that_its_schema_does_not_name() {
    let documents = parsed();
    for event in EVENTS {
        for example in event.examples.iter().filter(|example| example.kind() != Kind::Bad) {
            let body = round_trip(event.event_type, example.text).unwrap_or_else(|error| panic!("{error}"));
            let root = (event.schema.file, &documents[event.schema.file]);
            assert_named(&body, &[root], &documents, &format!("{}/{}", event.event_type, example.name));
        }
    }
}

type Place<'a> = (&'a str, &'a Value);

/// Every schema that applies to a value in one of `places`, references and combinations followed.
fn applying<'a>(places: &[Place<'a>], documents: &'a BTreeMap<&'static str, Value>) -> Vec<Place<'a>> {
    let mut all = Vec::new();
    let mut open: Vec<Place<'a>> = places.to_vec();
    while let Some((file, schema)) = open.pop() {
        all.push((file, schema));
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let (target, pointer) = reference.split_once('#').unwrap_or((reference, ""));
            let file = if target.is_empty() { file } else { target };
            let (file, document) = documents.get_key_value(file).expect("references resolve");
            open.push((file, document.pointer(pointer).expect("references resolve")));
        }
        for key in ["allOf", "anyOf", "prefixItems"] {
            let inner = schema.get(key).and_then(Value::as_array).into_iter().flatten();
            open.extend(inner.filter(|_| key != "prefixItems").map(|inner| (file, inner)));
        }
    }
    all
}

fn assert_named(value: &Value, places: &[Place<'_>], documents: &BTreeMap<&'static str, Value>, path: &str) {
    let applying = applying(places, documents);
    match value {
        Value::Object(fields) => {
            let named: Vec<Place<'_>> =
                applying.iter().filter_map(|(file, schema)| Some((*file, schema.get("properties")?))).collect();
            if named.is_empty() {
                return; // free by the contract: attributes, identity, protected, fields
            }
            for (name, inner) in fields {
                let places: Vec<Place<'_>> = named.iter().filter_map(|(file, p)| Some((*file, p.get(name)?))).collect();
                assert!(!places.is_empty(), "{path}/{name} is in the struct and not in the schema");
                assert_named(inner, &places, documents, &format!("{path}/{name}"));
            }
        }
        Value::Array(items) => {
            let places: Vec<Place<'_>> =
                applying.iter().filter_map(|(file, schema)| Some((*file, schema.get("items")?))).collect();
            items.iter().for_each(|item| assert_named(item, &places, documents, path));
        }
        _ => {}
    }
}

/// Without what makes a definition strict: closed objects and lists of words.
fn opened(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let strict = ["additionalProperties", "enum", "pattern", "examples", "description"];
            let reference = |name: &str, v: &Value| match (name, v.as_str()) {
                ("$ref", Some(text)) => Value::from(text.trim_start_matches("common.v1.json")),
                _ => opened(v),
            };
            let kept = fields.iter().filter(|(name, v)| !strict.contains(&name.as_str()) || v.is_object());
            Value::Object(kept.map(|(name, v)| (name.clone(), reference(name, v))).collect())
        }
        Value::Array(items) => items.iter().map(opened).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_passes_in_is_what_passes_on() {
    let documents = parsed();
    let (strict, open) = (&documents["application.submitted.v1.json"]["$defs"], &documents["common.v1.json"]["$defs"]);
    let shared: Vec<&String> =
        strict.as_object().expect("definitions").keys().filter(|name| *name != "applicant").collect();
    assert!(shared.len() > 10, "{shared:?}");
    for name in shared {
        assert_eq!(opened(&strict[name]), opened(&open[name]), "{name}");
    }
}
