//! What the fuzz targets of records, requests and files try, without their eye on coverage: the same changes of the published
//! examples, the same in every run. Whoever reads a record's topic answers it, and the log has an entry of it; an event and a row
//! are taken or refused; nobody panics.

#[path = "../../../fuzz/src/document.rs"]
#[allow(dead_code)] // the packages' part has TOML
mod document;
#[path = "../../../fuzz/src/parts.rs"]
#[allow(dead_code)] // nobody here has one input of bytes
mod parts;
#[path = "../../../fuzz/src/ways_in.rs"]
mod ways_in;
#[path = "../../../fuzz/src/workers.rs"]
mod workers;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::Topic;
use schemas::catalogue::EVENTS;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use ways_in::{Door, Files};
use workers::{Workers, record};

/// Changed records of each example on each of its topics.
const TRIES: u64 = 60;
/// Changes of each record.
const CHANGES: usize = 3;

/// Every published example as a record of every topic that carries it.
fn seeds() -> Vec<Vec<Vec<u8>>> {
    let place = |topic: &Topic| Topic::ALL.iter().position(|known| known == topic).unwrap() as u8;
    let of_event = |event: &'static schemas::catalogue::Event| {
        let carried = event.topics.iter().flat_map(|topic| event.examples.iter().map(move |example| (topic, example)));
        carried.map(move |(topic, example)| {
            let headers = [
                ("ce_specversion", "1.0"),
                ("ce_id", "1"),
                ("ce_source", "/los"),
                ("ce_type", event.event_type),
                ("content-type", "application/json"),
                ("ce_tenant", "demo"),
                ("ce_revision", "1"),
                ("ce_datadigest", "ab"),
                ("ce_originchannel", "kafka"),
            ];
            let fixed = [vec![place(topic), 0], b"demo|a-1".to_vec(), example.text.as_bytes().to_vec()];
            let flat = headers.iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value.as_bytes().to_vec()]);
            fixed.into_iter().chain(flat).collect()
        })
    };
    EVENTS.iter().flat_map(of_event).collect()
}

/// Bytes of one part are other bytes.
fn garbled(parts: &mut [Vec<u8>], rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..parts.len());
    let part = &mut parts[at];
    match part.len() {
        0 => part.push(rng.random()),
        length => part[rng.random_range(0..length)] = rng.random(),
    }
}

/// A seed with some changes, the same for the same numbers.
fn changed(seed: &[Vec<u8>], number: usize, attempt: u64) -> Vec<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(((number as u64) << 32) | attempt);
    let mut changed = seed.to_vec();
    for _ in 0..CHANGES {
        match parts::changed(changed.clone(), &mut rng) {
            Some(parts) if rng.random_bool(0.8) && !parts.is_empty() => changed = parts,
            _ => garbled(&mut changed, &mut rng),
        }
    }
    changed
}

/// Every seed with every number of changes.
fn every(seeds: &[Vec<Vec<u8>>], mut take: impl FnMut(&[Vec<u8>])) {
    for (number, seed) in seeds.iter().enumerate() {
        for attempt in 0..TRIES {
            let parts = changed(seed, number, attempt);
            let taken = catch_unwind(AssertUnwindSafe(|| take(&parts)));
            assert!(taken.is_ok(), "seed {number}, attempt {attempt}: {parts:?}");
        }
    }
}

#[test]
fn changed_records_are_answered_by_whoever_reads_their_topic() {
    let (mut workers, seeds) = (Workers::new(), seeds());
    assert!(seeds.len() > 50, "{}", seeds.len());
    every(&seeds, |parts| workers.take(&record(parts)));
}

/// Bodies that senders may send.
fn sent() -> impl Iterator<Item = &'static str> {
    let events = EVENTS.iter().filter(|event| event.topics == [Topic::LoanApplications]);
    events.flat_map(|event| event.examples).map(|example| example.text)
}

#[test]
fn changed_requests_are_taken_or_refused() {
    let request = |body: String, content_type: &str| {
        let headers = ["content-type", content_type, "idempotency-key", "k", "ce-type", "application.submitted.v1"];
        std::iter::once(body.into_bytes()).chain(headers.map(|text| text.as_bytes().to_vec())).collect::<Vec<_>>()
    };
    let one = sent().map(|body| request(body.to_owned(), "application/json"));
    let lines = sent().map(|body| request(format!("{}\n", body.replace('\n', " ")).repeat(3), "application/x-ndjson"));
    let seeds: Vec<_> = one.chain(lines).collect();
    assert!(seeds.len() > 20, "{}", seeds.len());
    let door = Door::new();
    every(&seeds, |parts| door.take(parts));
}

#[test]
fn changed_files_are_taken_or_refused_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(dir.path());
    let packed = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let mut csv = Vec::new();
    let data = std::fs::File::open(e2e::stage::root().join("training/data/south_german/south_german.csv.gz")).unwrap();
    flate2::read::GzDecoder::new(data).take(2_000).read_to_end(&mut csv).unwrap();
    let lines: String = sent().map(|body| body.replace('\n', " ") + "\n").collect();
    let seeds = [
        vec![vec![0], csv.clone()],
        vec![vec![1], lines.clone().into_bytes()],
        vec![vec![2], packed(&csv)],
        vec![vec![3], packed(lines.as_bytes())],
    ];
    every(&seeds, |parts| files.take(&parts.concat()));
}
