//! What holds a worker, and what does not: a source at its dead-letter limit, a record that no broker takes, a state that is full.

use crate::bench::{Bench, numbers};
use runtime::stream::{Offset, Output, Route, TransactionError, Transactions, UNPRODUCIBLE, dead_letter_header};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One source sends what cannot be read. Its topic is paused, every other one goes on, and a worker that starts again goes on
/// behind what it set aside rather than stop at the same record.
#[test]
fn the_dead_letter_limit_pauses_its_own_source_and_a_restart_goes_on() {
    let bench = Bench::start();
    bench.make_topics(&["broken"]);
    bench.publish("broken", (0..2_000).map(|_| b"bad".to_vec()).collect());
    let mut kept = 0;
    for round in 0..2 {
        let worker = bench.run_sources("a", &["in", "broken"]);
        bench.wait_says("paused by the dead-letter limit of dead letters: t.broken");
        bench.publish("in", numbers(round * 100..(round + 1) * 100));
        bench.wait_drained("in");
        worker.stop().unwrap();
        let now = bench.read_all("dead").len();
        assert!(now >= kept + 300 && now < 2_000, "round {round}: {now} dead letters");
        kept = now;
    }
    assert_eq!(bench.read_all("out").len(), 200, "the other source was never held");
}

/// What a record makes is larger than the topic takes, and so is its dead letter: it is found among its neighbours, set aside
/// without its body, and everything else goes on.
#[test]
fn what_no_broker_takes_is_set_aside_alone() {
    let bench = Bench::start();
    bench.make_topics_with(&["wide"], &[("max.message.bytes", "4194304")]);
    let large = vec![7; 3 << 19];
    let mut bodies = numbers(0..40);
    bodies.insert(20, large.clone());
    bench.publish("wide", bodies);
    let worker = bench.run_sources("a", &["wide"]);
    bench.wait_drained("wide");
    worker.stop().unwrap();
    assert_eq!(bench.read_all("out").len(), 40, "every other record, once");
    let dead = bench.read_all("dead");
    assert_eq!(dead.len(), 1);
    let letter = dead[0].as_input();
    assert_eq!(letter.header_str(dead_letter_header::REASON), Some(UNPRODUCIBLE));
    assert_eq!((letter.payload, letter.key, letter.header("sent")), (None, None, None), "cut");
    assert_eq!(letter.header_str(dead_letter_header::LENGTH), Some("1572864"));
    let digest = letter.header_str(dead_letter_header::DIGEST).unwrap();
    assert_eq!(digest, "ba9da5e84967edf1e92e73516f9a6fbe7abe4a29702730110ec78ba94bd316ce");
    let at = (letter.header_str(dead_letter_header::PARTITION), letter.header_str(dead_letter_header::OFFSET));
    let (partition, offset) = (at.0.unwrap().parse().unwrap(), Offset::new(at.1.unwrap().parse().unwrap()));
    let original = bench.read_all("wide").into_iter().find(|r| (r.partition, r.offset) == (partition, offset));
    assert_eq!(original.unwrap().payload, Some(large), "the coordinates lead to the original");
}

/// The client sends nothing more behind a record that failed, so that its queue stays full: the failure counts, not the wait for room.
#[test]
fn a_full_queue_behind_what_no_broker_takes_is_the_fault_of_that_record() {
    let bench = Bench::start();
    bench.make_topics_with(&["narrow"], &[("max.message.bytes", "600000")]);
    // Shorter than the time after which the client gives up what waits in its queue.
    let mut producer = Transactions::connect(&bench.kafka, "narrow", 8_000).unwrap();
    // A broker measures what is packed, and this cannot be.
    let noise = |bytes: usize| -> Vec<u8> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        std::iter::repeat_n((), bytes).scan(1, |state, ()| next(state)).collect()
    };
    let record = |bytes| Output {
        topic: bench.topic("narrow"),
        route: Route::ByKey,
        key: None,
        payload: Some(noise(bytes)),
        headers: vec![],
    };
    let (large, small) = (record(700_000), record(100_000));
    // More than the 64 MiB that wait at most.
    let rest = std::iter::repeat_n((Some(0), &small), 900);
    let failed = producer.write(std::iter::once((Some(0), &large)).chain(rest)).unwrap_err();
    assert!(matches!(failed, TransactionError::Poison(_)), "{failed:?}");
    producer.write([(Some(0), &small)]).unwrap();
    assert_eq!(bench.read_all("narrow").len(), 1, "nothing of the first transaction");
}

/// A full state pauses intake rather than forget; once something expires it goes on by itself.
#[test]
fn a_full_state_waits_until_there_is_worker() {
    let bench = Bench::start();
    let may_forget = Arc::new(AtomicBool::new(false));
    bench.publish("in", numbers(0..60));
    let worker = bench.run_capped("a", 20, &may_forget);
    bench.wait_unready("state cap reached");
    may_forget.store(true, Ordering::Relaxed);
    bench.wait_drained("in");
    bench.wait_ready();
    worker.stop().unwrap();
    assert_eq!(bench.read_all("out").len(), 60);
}
