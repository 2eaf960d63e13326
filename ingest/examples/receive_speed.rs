//! How many records a second `receive` and `admit` handle on one core, without a broker: `cargo run --release -p ingest
//! --example receive_speed`. Bodies are the rows of the taiwan set, about 1.7 KB each.

use ingest::batch::rows::Source;
use ingest::mapping::Mapping;
use ingest::{AdmitHandler, Config, Metrics, ReceiveHandler};
use runtime::kafka::KafkaConfig;
use runtime::stream::harness::Harness;
use runtime::stream::{Offset, OwnedInput};
use std::path::Path;
use std::time::Instant;

const BLOCK: usize = 500;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../training/data/taiwan");
    let mapping = Mapping::load(&folder.join("mapping.toml"))?;
    let source = Source::open(&folder.join("taiwan.csv.gz"))?;
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", "a4b0c1d2-0000"),
        ("ce_source", "/los"),
        ("ce_type", "application.submitted.v1"),
        ("content-type", "application/json"),
    ];
    let mut inputs = Vec::new();
    for row in source.rows(Some(&mapping), None, Config::default().max_body_bytes)?.take(20_000) {
        let row = row?;
        inputs.push(OwnedInput {
            topic: "loan.applications.v1".into(),
            offset: Offset::new(row.number as i64),
            timestamp_ms: 1_795_132_800_000,
            payload: Some(row.body),
            headers: headers.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec()))).into(),
            ..OwnedInput::default()
        });
    }
    let bytes: usize = inputs.iter().map(|input| input.payload.as_ref().map_or(0, Vec::len)).sum();
    println!("{} bodies of {} bytes", inputs.len(), bytes / inputs.len());
    let (config, kafka) = (Config::default(), KafkaConfig::default());
    let metrics = Metrics::new(&prometheus::Registry::new())?;
    let mut receive = Harness::new(ReceiveHandler::new(&config, &kafka, metrics.clone())?);
    let mut admit = Harness::new(AdmitHandler::new(&config, &kafka, metrics)?);
    for round in 0..3 {
        let (mut received_s, mut admitted_s) = (0.0, 0.0);
        for block in inputs.chunks(BLOCK) {
            let started = Instant::now();
            let (_, outputs) = receive.feed(block)?;
            received_s += started.elapsed().as_secs_f64();
            let intake: Vec<OwnedInput> = outputs
                .into_iter()
                .filter(|(_, output)| &*output.topic == "credit.intake.v1")
                .map(|(_, output)| OwnedInput {
                    topic: output.topic.to_string(),
                    timestamp_ms: 1_795_132_800_000,
                    key: output.key,
                    payload: output.payload,
                    headers: output.headers.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect(),
                    ..OwnedInput::default()
                })
                .collect();
            let started = Instant::now();
            admit.feed(&intake)?;
            admitted_s += started.elapsed().as_secs_f64();
        }
        let rate = |seconds: f64| inputs.len() as f64 / seconds;
        println!("round {round}: receive {:.0}/s, admit {:.0}/s", rate(received_s), rate(admitted_s));
    }
    Ok(())
}
