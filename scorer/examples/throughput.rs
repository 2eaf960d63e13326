//! How many applications a second one core scores, from record to record, without a broker: for profiles, not a gate.
//! `cargo run --release -p scorer --example throughput [-- package[,shadow…] rounds]`

use prometheus::Registry;
use runtime::stream::harness::Harness;
use runtime::stream::{Offset, OwnedInput};
use scorer::handler::Outlets;
use scorer::metrics::Metrics;
use scorer::{Config, Library, Route, Routes, ScorerHandler};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

const BATCH: usize = 2000;

fn main() {
    let packages = std::env::args().nth(1).unwrap_or_else(|| "taiwan-lightgbm".to_owned());
    let mut packages = packages.split(',').map(str::to_owned);
    let package = packages.next().unwrap_or_default();
    let rounds: usize = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(30);
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let library = Library::read(&models).expect("the packages are readable");
    let model = library.models().iter().find(|model| model.manifest().name == package).expect("the package serves");
    let own = format!("{package}@{}", model.manifest().version);
    let shadows: Vec<String> = packages.map(|shadow| format!("{shadow}@1.0.0")).collect();
    let document = format!(
        "name = \"one\"\nversion = \"1.0.0\"\n[[entry]]\nid = \"one\"\nproduct = {:?}\nchampion = {own:?}\nshadows = {shadows:?}\n",
        model.manifest().product
    );
    let beside = shadows.len();
    let routes = Routes::of(vec![Route::load(document.as_bytes(), &library).expect("the route is well formed")]);
    let metrics = Metrics::new(&Registry::new(), &routes);
    let outlets = Outlets { risk: "risk".into(), shadow: "shadow".into() };
    let handler =
        ScorerHandler::new(library, routes, outlets, Config::default().block, metrics.expect("metrics register"));
    let mut worker = Harness::new(handler.expect("the worker starts"));
    let records = records(&models.join(&package).join("1.0.0/golden.json"));
    let input: usize = records.iter().filter_map(|record| record.payload.as_ref()).map(Vec::len).sum();
    let started = Instant::now();
    let mut output = 0;
    for _ in 0..rounds {
        let (_, outputs) = worker.feed(&records).expect("the block is handled");
        output += outputs.iter().filter_map(|(_, output)| output.payload.as_ref()).map(Vec::len).sum::<usize>();
    }
    let seconds = started.elapsed().as_secs_f64();
    let count = (rounds * records.len()) as f64;
    println!(
        "{package} with {beside} shadows: {:.0} applications/s, {:.1} µs each, {} bytes in, {:.0} bytes out",
        count / seconds,
        seconds / count * 1e6,
        input / records.len(),
        output as f64 / count,
    );
}

fn records(golden: &Path) -> Vec<OwnedInput> {
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).expect("golden file")).expect("golden JSON");
    let applications = golden["applications"].as_array().expect("golden applications");
    (0..BATCH).map(|at| record(&applications[at % applications.len()]["data"], at)).collect()
}

fn record(data: &Value, at: usize) -> OwnedInput {
    let mut data = data.clone();
    let applicant = &mut data["applicants"][0];
    let reference = applicant["customer_ref"].take();
    applicant["subject"] =
        json!({"key_id": "k1", "subject": domain::Digest::of(reference.to_string().as_bytes()).to_string()});
    if applicant.get("facts").is_none() {
        applicant["facts"] = json!({});
    }
    let id = data["application_id"].as_str().unwrap_or_default().to_owned();
    let headers = [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", "5d0a1c9e-7d3c-5b0a-9a53-0c2d1f6f7a11".to_owned()),
        ("ce_source", "/defaultx/ingest".to_owned()),
        ("ce_type", "application.accepted.v1".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("ce_subject", id.clone()),
        ("ce_correlationid", "c-0123456789".to_owned()),
        ("ce_causationid", "5d0a1c9e-7d3c-5b0a-9a53-0c2d1f6f7a12".to_owned()),
        ("ce_partitionkey", format!("demo|{id}")),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        ("ce_tenant", "demo".to_owned()),
        ("ce_revision", "1".to_owned()),
        ("ce_datadigest", "0".repeat(64)),
        ("ce_receivedat", "1795600000000".to_owned()),
        ("ce_originid", "o-1".to_owned()),
        ("ce_originchannel", "kafka".to_owned()),
    ];
    OwnedInput {
        topic: "credit.applications.v1".into(),
        partition: (at % 4) as i32,
        offset: Offset::new(at as i64),
        timestamp_ms: 1_795_600_000_500,
        key: Some(format!("demo|{id}").into_bytes()),
        payload: serde_json::to_vec(&data).ok(),
        headers: headers.map(|(name, value)| (name.to_owned(), Some(value.into_bytes()))).into(),
    }
}
