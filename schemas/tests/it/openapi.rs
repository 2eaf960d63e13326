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
            for alternative in alternatives {
                let roles = alternative["token"].as_array().unwrap_or_else(|| panic!("{place}: {alternative}"));
                assert_eq!(roles.len(), 1, "{place}: one role an alternative, each of which opens it alone");
            }
            let taken = operation["responses"].as_object().expect("responses").keys();
            assert_eq!(taken.filter(|status| status.starts_with('2')).count(), 1, "{place}: one success");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{place}: {} is not described", parameter["name"]);
            }
        }
    }
}
