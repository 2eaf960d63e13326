//! What the fuzz target of records tries, without its eye on coverage: the same changes of the published examples, the same in
//! every run. Whoever reads the topic answers each of them, and the log has an entry of it; nobody panics.

#[path = "../../../fuzz/src/document.rs"]
#[allow(dead_code)] // the packages' part has TOML
mod document;
#[path = "../../../fuzz/src/parts.rs"]
#[allow(dead_code)] // nobody here has one input of bytes
mod parts;
#[path = "../../../fuzz/src/workers.rs"]
mod workers;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::Topic;
use schemas::catalogue::EVENTS;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

#[test]
fn changed_records_are_answered_by_whoever_reads_their_topic() {
    let mut workers = Workers::new();
    let seeds = seeds();
    assert!(seeds.len() > 50, "{}", seeds.len());
    for (number, seed) in seeds.iter().enumerate() {
        for attempt in 0..TRIES {
            let mut rng = ChaCha8Rng::seed_from_u64(((number as u64) << 32) | attempt);
            let mut changed = seed.clone();
            for _ in 0..CHANGES {
                match parts::changed(changed.clone(), &mut rng) {
                    Some(parts) if rng.random_bool(0.8) && !parts.is_empty() => changed = parts,
                    _ => garbled(&mut changed, &mut rng),
                }
            }
            let record = record(&changed);
            let taken = catch_unwind(AssertUnwindSafe(|| workers.take(&record)));
            assert!(taken.is_ok(), "seed {number}, attempt {attempt}: {record:?}");
        }
    }
}
