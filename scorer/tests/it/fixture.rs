//! The worker with the repository's packages, and accepted applications as ingest writes them.

use prometheus::Registry;
use runtime::stream::harness::Harness;
use runtime::stream::{Offset, Output, OwnedInput};
use schemas::control::{ACTIVATED, Activation};
use schemas::envelope::header;
use schemas::intake::{ACCEPTED, header as extension};
use schemas::risk::RiskEvent;
use scorer::document::Document;
use scorer::handler::Outlets;
use scorer::library::read_package;
use scorer::metrics::Metrics;
use scorer::{Library, Route, Routes, ScorerHandler};
use scoring::{Model, Scales};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// The route that the deployment ships.
pub const STANDARD: &str = include_str!("../../../routes/standard/1.0.0.toml");

/// The repository's packages; proving them takes a while, so once.
pub fn library() -> Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::read(&models()).unwrap()).clone()
}

/// The repository's packages and copies of them under other names.
pub fn library_with(copies: &[(&str, &str)]) -> Library {
    let scales = Scales::parse(&std::fs::read(models().join("scales.toml")).unwrap()).unwrap();
    let copy = |(package, name): &(&str, &str)| {
        let mut files = read_package(&models().join(package).join("1.0.0")).unwrap();
        let manifest = String::from_utf8(files.manifest).unwrap();
        let own = format!("name = \"{package}\"");
        assert!(manifest.contains(&own));
        files.manifest = manifest.replacen(&own, &format!("name = \"{name}\""), 1).into_bytes();
        Arc::new(Model::load(&files, &scales).unwrap())
    };
    Library::of(library().models().iter().cloned().chain(copies.iter().map(copy)).collect())
}

/// A document with these entries.
pub fn document(name: &str, version: &str, entries: &str) -> String {
    format!("name = \"{name}\"\nversion = \"{version}\"\n{entries}")
}

/// An entry of a document; `more` is appended as it is.
pub fn entry(id: &str, product: &str, champion: &str, more: &str) -> String {
    format!("[[entry]]\nid = \"{id}\"\nproduct = \"{product}\"\nchampion = \"{champion}@1.0.0\"\n{more}\n")
}

/// A worker that holds these routes; the first is in force.
pub fn worker_of(library: Library, documents: &[&str], block: usize) -> Harness<ScorerHandler> {
    Harness::new(handler(library, documents, block))
}

pub fn handler(library: Library, documents: &[&str], block: usize) -> ScorerHandler {
    let routes = documents.iter().map(|text| Route::load(text.as_bytes(), &library).unwrap());
    let routes = Routes::of(routes.collect());
    let metrics = Metrics::new(&Registry::new(), &routes).unwrap();
    let outlets = Outlets { risk: "t.credit.risk.v1".into(), shadow: "t.credit.shadow.v1".into() };
    ScorerHandler::new(library, routes, outlets, block, metrics).unwrap()
}

/// A worker as the deployment ships it.
pub fn worker() -> Harness<ScorerHandler> {
    worker_of(library(), &[STANDARD], 256)
}

/// An output with its partition.
pub type Said = (i32, Output);

/// What decides.
pub fn deciding(outputs: Vec<Said>) -> Vec<Said> {
    outputs.into_iter().filter(|(_, output)| &*output.topic == "t.credit.risk.v1").collect()
}

/// What shadows say.
pub fn shadowing(outputs: Vec<Said>) -> Vec<Said> {
    outputs.into_iter().filter(|(_, output)| &*output.topic == "t.credit.shadow.v1").collect()
}

/// The golden applications of a package, as ingest hands them on.
pub fn applications(package: &str) -> Vec<Value> {
    let path = models().join(package).join("1.0.0/golden.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let strip = |application: &Value| {
        let mut data = application["data"].clone();
        for applicant in data["applicants"].as_array_mut().unwrap() {
            let applicant = applicant.as_object_mut().unwrap();
            let reference = applicant.remove("customer_ref").unwrap();
            applicant.entry("facts").or_insert_with(|| json!({}));
            applicant.insert("subject".into(), json!({"key_id": "k1", "subject": reference}));
        }
        data
    };
    golden["applications"].as_array().unwrap().iter().map(strip).collect()
}

pub fn accepted(data: &Value, partition: i32, offset: i64) -> OwnedInput {
    let payload = serde_json::to_vec(data).unwrap();
    record(ACCEPTED, data["application_id"].as_str().unwrap_or("x"), payload, partition, offset)
}

pub fn record(kind: &str, id: &str, payload: Vec<u8>, partition: i32, offset: i64) -> OwnedInput {
    let event = format!("e-{offset}");
    let key = format!("demo|{id}");
    let headers = [
        (header::SPECVERSION, "1.0"),
        (header::ID, event.as_str()),
        (header::SOURCE, "/defaultx/ingest"),
        (header::TYPE, kind),
        (header::CONTENT_TYPE, "application/json"),
        (header::SUBJECT, id),
        (header::CORRELATION, "c-1"),
        (header::PARTITION_KEY, key.as_str()),
        (header::TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        (extension::TENANT, "demo"),
        (extension::REVISION, "1"),
        (extension::DATA_DIGEST, "aa"),
        (extension::RECEIVED_AT, "1795600000000"),
    ];
    OwnedInput {
        topic: "t.credit.applications.v1".into(),
        partition,
        offset: Offset::new(offset),
        timestamp_ms: 1_795_600_000_500,
        key: Some(key.clone().into_bytes()),
        payload: Some(payload),
        headers: headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec()))).into(),
    }
}

pub fn activation(kind: &str, name: &str, version: &str, digest: &str, partition: i32) -> OwnedInput {
    let body = Activation {
        kind: kind.into(),
        name: name.into(),
        version: version.into(),
        digest: digest.into(),
        activated_by: "tester".into(),
        activated_at: "2026-11-02T09:00:00Z".into(),
        document: None,
        packages: None,
    };
    record(ACTIVATED, name, serde_json::to_vec(&body).unwrap(), partition, 0)
}

/// The record that carries a route, and names the packages of the library that it names.
pub fn carried(document: &str, packages: &[(&str, &str)], partition: i32) -> OwnedInput {
    let Document { name, version, .. } = Document::parse(document).unwrap();
    let body = Activation {
        kind: "route".into(),
        name: name.clone(),
        version,
        digest: domain::Digest::of(document.as_bytes()).to_string(),
        activated_by: "tester".into(),
        activated_at: "2026-11-02T09:00:00Z".into(),
        document: Some(document.into()),
        packages: Some(packages.iter().map(|(package, digest)| ((*package).into(), (*digest).into())).collect()),
    };
    record(ACTIVATED, &name, serde_json::to_vec(&body).unwrap(), partition, 0)
}

pub fn digest_of(package: &str) -> String {
    let manifest = std::fs::read(models().join(package).join("1.0.0/manifest.toml")).unwrap();
    domain::Digest::of(&manifest).to_string()
}

/// The record that puts a route in force.
pub fn activation_of(document: &str, partition: i32) -> OwnedInput {
    let Document { name, version, .. } = Document::parse(document).unwrap();
    activation("route", &name, &version, &domain::Digest::of(document.as_bytes()).to_string(), partition)
}

pub fn event_of(output: &Output) -> RiskEvent {
    serde_json::from_slice(output.payload.as_ref().unwrap()).unwrap()
}
