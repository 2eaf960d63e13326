//! What a record weighs in a batch, where a sender puts most of it into headers.

use crate::bench::{Bench, PATIENCE, numbers};
use crate::handlers::PassOn;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use runtime::stream::{HandleError, Handler, Input, NoState, Outbox, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes everything on, and keeps how many records it was given at once.
struct Counting {
    pass_on: PassOn,
    most: Arc<AtomicUsize>,
}

impl Handler for Counting {
    type Key = NoState;
    type Value = NoState;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, NoState, NoState>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        self.most.fetch_max(block.len(), Ordering::Relaxed);
        self.pass_on.handle(block, state, out)
    }
}

#[test]
fn headers_fill_a_batch() {
    let bench = Bench::start();
    let (producer, topic): (BaseProducer, _) = (bench.kafka.client().create().unwrap(), bench.topic("in"));
    let value = vec![b'x'; 64 << 10];
    for body in numbers(0..120) {
        let headers = OwnedHeaders::new().insert(Header { key: "long", value: Some(&value) });
        producer.send(BaseRecord::to(&topic).partition(0).key(&body).payload(&body).headers(headers)).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let most = Arc::new(AtomicUsize::new(0));
    let counting = Counting { pass_on: PassOn { out: bench.topic("out") }, most: most.clone() };
    let worker = bench.spawn("a", counting, |spec| {
        spec.tuning.batch_bytes = 256 << 10;
        spec.tuning.pace_ms = 1_000;
    });
    bench.wait_drained("in");
    worker.stop().unwrap();
    let most = most.load(Ordering::Relaxed);
    assert!((1..=4).contains(&most), "{most} records of 64 KiB of headers in a batch of 256 KiB");
}
