//! What a worker says of itself while no broker answers.

use crate::bench::{Bench, numbers};
use local::Ending;
use std::time::{Duration, Instant};

/// As the pages promise it.
const SOON: Duration = Duration::from_secs(10);

/// Nothing to read and nobody to read from look alike; a worker must not call the second one ready.
#[test]
fn a_worker_without_work_is_not_ready_soon_after_the_brokers_are_gone_and_is_again() {
    let mut bench = Bench::start();
    bench.publish("in", numbers(0..100));
    let worker = bench.run("a");
    bench.wait_drained("in");
    bench.wait_ready();
    bench.stack.stop_broker(Ending::Kill).unwrap();
    let gone = Instant::now();
    bench.wait_unready("kafka is not reachable");
    assert!(gone.elapsed() < SOON, "{:?}", gone.elapsed());
    bench.stack.start_broker().unwrap();
    bench.wait_ready();
    bench.publish("in", numbers(100..200));
    bench.wait_drained("in");
    worker.stop().unwrap();
    crate::assert_once(&bench, 200);
}
