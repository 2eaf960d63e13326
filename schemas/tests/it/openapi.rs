//! The OpenAPI documents of the two HTTP servers: every reference leads somewhere, every operation says who may ask, and every
//! parameter what it is. The attack suite (`e2e/attacks`) reads its operations, roles and parameters from here.

use super::upkeep::collect_references;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 2] = ["door.json", "read-api.json"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// (path, method, operation) of a document.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// What a reference within a document points to.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("references resolve"),
        None => value,
    }
}

/// Calls `visit` with every object that has a schema and examples of it: (pointer, schema, example).
fn each_example(value: &Value, at: &str, visit: &mut dyn FnMut(&str, &Value, &Value)) {
    if let Some(schema) = value.get("schema") {
        value.get("example").into_iter().for_each(|example| visit(at, schema, example));
        for (name, example) in value.get("examples").and_then(Value::as_object).into_iter().flatten() {
            visit(&format!("{at}/examples/{name}"), schema, &example["value"]);
        }
    }
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| each_example(inner, &format!("{at}/{name}"), visit))
        }
        Value::Array(items) => items.iter().for_each(|inner| each_example(inner, at, visit)),
        _ => {}
    }
}

/// A validator of a schema that stands in a document.
fn within(document: &Value, schema: &Value) -> jsonschema::Validator {
    let whole = serde_json::json!({ "components": document["components"], "allOf": [schema] });
    jsonschema::draft202012::options().should_validate_formats(true).build(&whole).expect("schemas compile")
}

#[test]
fn every_example_of_the_door_is_one() {
    let document = schemas::openapi::door().expect("published files are whole");
    let mut count = 0;
    each_example(&document, "", &mut |at, schema, example| {
        let faults: Vec<String> = within(&document, schema).iter_errors(example).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{at}: {faults:?}");
        count += 1;
    });
    assert!(count > 30, "{count}");
    let lines = &document["paths"]["/v1/applications"]["post"]["requestBody"]["content"]["application/x-ndjson"];
    let lines = lines["examples"]["two"]["value"].as_str().expect("lines").lines();
    let body = schemas::catalogue::validator(schemas::application::SUBMITTED).expect("compiles");
    assert_eq!(lines.filter(|line| serde_json::from_str(line).is_ok_and(|line| body.is_valid(&line))).count(), 2);
}

/// Each answer of the door has examples; a problem's word and status are those of the answer.
#[test]
fn every_answer_of_the_door_has_examples() {
    let document = schemas::openapi::door().expect("published files are whole");
    for (path, method, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let place = format!("{method} {path}: {status}");
            let (media_type, content) = resolved(&document, response)["content"]
                .as_object()
                .and_then(|content| content.iter().next())
                .unwrap_or_else(|| panic!("{place} has no content"));
            let examples = content["examples"].as_object().unwrap_or_else(|| panic!("{place} has no example"));
            assert!(!examples.is_empty(), "{place}");
            for (word, example) in examples.iter().filter(|_| media_type == "application/problem+json") {
                let problem = &example["value"];
                assert_eq!(problem["type"], format!("urn:defaultx:problem:{word}"), "{place}");
                assert!(status == "default" || status == &problem["status"].to_string(), "{place}: {word}");
            }
        }
    }
}

#[test]
fn every_reference_of_the_documents_leads_somewhere() {
    for name in DOCUMENTS {
        let document = read(&folder().join(name));
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{name}");
        let mut references = BTreeSet::new();
        collect_references(&document, &mut references);
        assert!(!references.is_empty(), "{name}");
        for reference in references {
            let (file, pointer) = reference.split_once('#').unwrap_or((&reference, ""));
            let target = if file.is_empty() { document.clone() } else { read(&folder().join(file)) };
            assert!(target.pointer(pointer).is_some(), "{name}: {reference}");
        }
    }
}

#[test]
fn every_operation_says_who_may_ask_and_what_it_takes() {
    let mut ids = BTreeSet::new();
    for name in DOCUMENTS {
        let document = read(&folder().join(name));
        let operations = operations(&document);
        assert!(!operations.is_empty(), "{name}");
        for (path, method, operation) in operations {
            let place = format!("{name}: {method} {path}");
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{place} has no id"));
            assert!(ids.insert(id.to_owned()), "{place}: {id} is there twice");
            assert!(operation["summary"].is_string(), "{place} does not say what it does");
            let security = operation.get("security").unwrap_or(&document["security"]);
            let alternatives = security.as_array().expect("security");
            assert!(!alternatives.is_empty(), "{place} names nobody who may ask");
            // What the models read is told to everybody.
            let is_public = path.starts_with("/v1/products");
            assert_eq!(is_public, alternatives == &[serde_json::json!({})], "{place}: who may ask");
            for alternative in alternatives.iter().filter(|_| !is_public) {
                let roles = alternative["token"].as_array().unwrap_or_else(|| panic!("{place}: {alternative}"));
                assert_eq!(roles.len(), 1, "{place}: one role an alternative, each of which opens it alone");
            }
            // 207 is a success and a refusal.
            let taken = operation["responses"].as_object().expect("responses").keys();
            let taken = taken.filter(|status| status.starts_with('2') && *status != "207");
            assert_eq!(taken.count(), 1, "{place}: one success");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let parameter = resolved(&document, parameter);
                assert!(parameter["description"].is_string(), "{place}: {} is not described", parameter["name"]);
            }
        }
    }
}
