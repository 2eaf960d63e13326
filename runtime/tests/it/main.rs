//! The loop against a real broker: rebalances, a zombie, a broker that dies, poison. Whatever happens, a plain
//! `read_committed` reader finds every key admitted once.
#![allow(clippy::unwrap_used)]

mod bench;
mod certificates;
mod gaps;
mod handlers;
mod holds;
mod leaders;
mod outage;
mod rebalance;
mod rights;
mod standing;
mod weights;

use bench::{Bench, PATIENCE, numbers};
use local::Ending;
use rdkafka::producer::Producer as _;
use runtime::stream::meter::{LAG_RECORDS, STABLE_OFFSET_STUCK_SECONDS};
use runtime::stream::{Output, Route, Transactions, dead_letter_header};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// As the loop's member has it.
const SESSION: Duration = Duration::from_secs(10);

/// Admissions by key, as a reader of committed records sees them.
pub fn admissions(bench: &Bench, topic: &str) -> BTreeMap<u32, usize> {
    let mut seen = BTreeMap::new();
    for record in bench.read_all(topic) {
        *seen.entry(u32::from_be_bytes(record.payload.unwrap().try_into().unwrap())).or_default() += 1;
    }
    seen
}

pub(crate) fn assert_once(bench: &Bench, keys: u32) {
    assert_once_in(bench, "out", keys);
}

pub(crate) fn assert_once_in(bench: &Bench, topic: &str, keys: u32) {
    let seen = admissions(bench, topic);
    let doubled: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "admitted more than once: {doubled:?}");
    assert_eq!(seen.len(), keys as usize, "every key is admitted");
}

#[test]
fn each_key_is_admitted_once_through_everything() {
    let mut bench = Bench::start();
    bench.publish("in", numbers(0..4_000));
    let a = bench.run("a");
    bench.wait_handled(1_000);
    let b = bench.run("b");
    bench.publish("in", numbers(2_000..6_000));
    bench.wait_handled(5_000);

    // A second owner under a's name: a is a zombie from now on and must end with an error.
    let successor = bench.run("a");
    bench.publish("in", numbers(5_000..8_000));
    let error = a.join().unwrap_err().to_string();
    assert!(error.contains("another instance runs under this id"), "{error}");

    bench.stack.restart_broker(Ending::Kill).unwrap();
    bench.publish("in", numbers(0..10_000));
    bench.wait_drained("in");
    b.stop().unwrap();
    bench.publish("in", numbers(9_000..11_000));
    bench.wait_drained("in");
    successor.stop().unwrap();
    assert_once(&bench, 11_000);
}

/// A broker that is away for longer than a session lasts, in the middle of a transaction. The client fences such a member by
/// itself; the worker must not take that for a successor and end.
#[test]
fn a_broker_that_is_long_away_fences_nobody() {
    let mut bench = Bench::start();
    bench.publish("in", numbers(0..20_000));
    let worker = bench.run("a");
    bench.wait_handled(1_000);
    bench.stack.stop_broker(Ending::Kill).unwrap();
    std::thread::sleep(SESSION + Duration::from_secs(2));
    bench.stack.start_broker().unwrap();
    bench.wait_drained("in");
    worker.stop().unwrap();
    assert_once(&bench, 20_000);
}

/// Owners come and go over a backlog. They restore nothing, so that records come right behind the assignment, in the same look
/// for a batch; nothing forgives them a second pass.
#[test]
fn a_rebalance_with_a_backlog_skips_nothing() {
    let bench = Bench::start();
    let mut published = 0;
    for round in 0..4 {
        bench.publish("in", numbers(published..published + 3_000));
        published += 3_000;
        let first = bench.run_stateless("a");
        bench.wait_handled(i64::from(round) * 3_000 + 500);
        let second = bench.run_stateless("b");
        bench.wait_drained("in");
        second.stop().unwrap();
        first.stop().unwrap();
    }
    assert_once(&bench, published);
}

#[test]
fn poison_is_set_aside_byte_for_byte_and_the_stream_goes_on() {
    let bench = Bench::start();
    let mut records = numbers(0..500);
    records.insert(250, b"poison".to_vec());
    bench.publish("in", records);
    let worker = bench.run("a");
    bench.wait_drained("in");
    worker.stop().unwrap();
    assert_once(&bench, 500);
    let dead = bench.read_all("dead");
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].payload.as_deref(), Some(b"poison".as_slice()));
    assert_eq!(dead[0].key.as_deref(), Some(b"poison".as_slice()));
    let input = dead[0].as_input();
    assert_eq!(input.header("sent"), Some(b"yes".as_slice()), "the sender's headers stay");
    assert_eq!(input.header_str(dead_letter_header::REASON), Some(runtime::stream::HANDLER_FAILED));
    assert_eq!(input.header_str(dead_letter_header::TOPIC), Some(bench.topic("in").as_ref()));
}

/// A call that timed out stays the client's current one, which refuses every later one, also when the broker is back at once;
/// and what the broker aborts meanwhile is fenced. Whoever writes groups of records must get over both by itself.
#[test]
fn a_producer_gets_over_a_broker_that_was_frozen() {
    let mut bench = Bench::start();
    let mut producer = Transactions::connect(&bench.kafka, "door", 5_000).unwrap();
    let topic = bench.topic("out");
    let output = |n: u32| Output {
        topic: topic.clone(),
        route: Route::ByKey,
        key: Some(n.to_be_bytes().to_vec()),
        payload: Some(n.to_be_bytes().to_vec()),
        headers: vec![],
    };
    let mut write = |n| producer.write([(None, &output(n))]);
    write(0).unwrap();
    for (n, away) in [(1, Duration::ZERO), (3, SESSION + Duration::from_secs(2))] {
        bench.stack.pause_broker().unwrap();
        assert!(write(n).is_err(), "nobody acknowledges");
        std::thread::sleep(away);
        bench.stack.resume_broker().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while let Err(error) = write(n + 1) {
            assert!(!error.to_string().contains("Conflicting"), "a producer that is stuck was kept: {error}");
            assert!(Instant::now() < until, "still refused: {error}");
        }
    }
    let seen = admissions(&bench, "out");
    let sure: Vec<_> = [0, 2, 4].iter().map(|n| seen.get(n).copied()).collect();
    assert_eq!(sure, [Some(1); 3], "{seen:?}");
}

/// A broker that refuses is neither poison nor a reason to spin: the worker says what is wrong, and goes on when it is mended.
#[test]
fn a_topic_that_is_not_there_holds_the_worker_until_it_is() {
    let bench = Bench::start();
    bench.publish("in", numbers(0..500));
    let worker = bench.run_into("a", "missing");
    bench.wait_unready("transactions are refused");
    assert!(bench.read_all("dead").is_empty(), "nothing is set aside");
    bench.make_topics(&["missing"]);
    bench.wait_drained("in");
    bench.wait_ready();
    worker.stop().unwrap();
    assert_once_in(&bench, "missing", 500);
}

/// A sender may keep its transaction open for as long as it likes, and nobody reads past it. The gauges must not call that
/// being at the end, and must say which partition it is.
#[test]
fn a_senders_open_transaction_is_lag_and_names_its_partition() {
    let bench = Bench::start();
    bench.publish("in", numbers(0..300));
    let worker = bench.run("a");
    bench.wait_drained("in");
    let sender = bench.open_transaction("in", 1, &numbers(300..301)[0]);
    bench.publish("in", numbers(301..600));
    let held =
        |worker: &bench::Worker| (worker.by_partition(LAG_RECORDS), worker.by_partition(STABLE_OFFSET_STUCK_SECONDS));
    bench.wait(
        |_| matches!(held(&worker), ([free, lag, other], [still, stuck, quiet]) if lag > 1.0 && stuck > 0.0 && [free, other, still, quiet] == [0.0; 4]),
        "one partition is held, the others are read",
    );
    sender.commit_transaction(PATIENCE).unwrap();
    bench.publish("in", numbers(600..900));
    bench.wait_drained("in");
    bench.wait(|_| held(&worker) == ([0.0; 3], [0.0; 3]), "nothing is held any more");
    worker.stop().unwrap();
    assert_once(&bench, 900);
}
