//! The room with the repository's packages, and accepted applications as ingest writes them.

use prometheus::Registry;
use runtime::stream::harness::Harness;
use runtime::stream::{Output, OwnedInput};
use schemas::control::{ACTIVATED, Activation};
use schemas::envelope::header;
use schemas::intake::{ACCEPTED, header as extension};
use scorer::handler::Outlets;
use scorer::metrics::Metrics;
use scorer::{Config, Library, Routes, ScorerHandler};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

pub fn room(config: &Config) -> Harness<ScorerHandler> {
    let routes = Routes::new(&config.route, &config.challengers, &config.shadows).unwrap();
    let metrics = Metrics::new(&Registry::new(), routes.products().iter().map(|r| r.product.as_str())).unwrap();
    let library = Library::read(&models()).unwrap();
    let outlets = Outlets { risk: "t.credit.risk.v1".into(), shadow: "t.credit.shadow.v1".into() };
    Harness::new(ScorerHandler::new(library, routes, outlets, config.block, metrics).unwrap())
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
        offset,
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
    };
    record(ACTIVATED, name, serde_json::to_vec(&body).unwrap(), partition, 0)
}

pub fn digest_of(package: &str) -> String {
    let manifest = std::fs::read(models().join(package).join("1.0.0/manifest.toml")).unwrap();
    domain::Digest::of(&manifest).to_string()
}
