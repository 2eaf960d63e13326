//! A worker that cannot serve what a control record demands: it holds nobody's partitions, and goes on once somebody has passed the
//! record by.

use crate::assert_once;
use crate::bench::{Bench, Worker, numbers};
use crate::handlers::{AdmitOnce, Number};
use runtime::stream::{
    HandleError, Handler, Input, Outbox, OwnedInput, PASSED_BY, RecordOutcome, View, dead_letter_header,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Remembered once a partition was switched.
const SWITCHED: Number = Number(u32::MAX);

/// Admits numbers once, and is switched by records that only who holds it can serve.
struct Switched {
    admit: AdmitOnce,
    holds: Arc<AtomicBool>,
}

impl Handler for Switched {
    type Key = Number;
    type Value = Number;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, Number, Number>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        self.admit.handle(block, state, out)
    }

    fn control(
        &mut self,
        record: &Input<'_>,
        state: &mut View<'_, Number, Number>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        if !is_switch(record.payload) {
            return self.admit.handle(std::slice::from_ref(record), state, out);
        }
        if !self.holds.load(Ordering::Relaxed) {
            return Err(HandleError::NotReady("it lacks the switch".to_owned()));
        }
        state.put(record.partition, SWITCHED, SWITCHED);
        out.outcome(RecordOutcome::Done("switched"));
        Ok(())
    }

    fn is_demanding(&self) -> bool {
        true
    }

    fn lacks(&mut self, key: &Number, _: &Number) -> Option<String> {
        (*key == SWITCHED && !self.holds.load(Ordering::Relaxed)).then(|| "it lacks the switch".to_owned())
    }
}

fn is_switch(payload: Option<&[u8]>) -> bool {
    payload.is_some_and(|payload| payload.starts_with(b"switch"))
}

fn run(bench: &Bench, instance: &str, holds: &Arc<AtomicBool>) -> Worker {
    let handler = Switched { admit: AdmitOnce { out: bench.topic("out") }, holds: holds.clone() };
    bench.spawn(instance, handler, |spec| {
        spec.changelog = Some(bench.topic("state"));
        spec.control = Some(("sent", "yes"));
    })
}

/// Enough that each partition gets some.
fn switches() -> Vec<Vec<u8>> {
    (0..30).map(|at| format!("switch {at}").into_bytes()).collect()
}

#[test]
fn an_instance_that_lacks_something_leaves_and_another_goes_on() {
    let bench = Bench::start();
    let (lacking, whole) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    bench.publish("in", numbers(0..300));
    let a = run(&bench, "a", &lacking);
    bench.wait_handled(100);
    let b = run(&bench, "b", &whole);
    bench.wait_drained("in");
    bench.publish("in", switches());
    bench.publish("in", numbers(300..600));
    bench.wait_drained("in");
    // Whoever comes later reads what is in force before it joins, and holds nobody up.
    let late = run(&bench, "c", &lacking);
    bench.wait_unready("it lacks the switch; it stays out of its group");
    bench.publish("in", numbers(600..900));
    bench.wait_drained("in");
    lacking.store(true, Ordering::Relaxed);
    b.stop().unwrap();
    bench.publish("in", numbers(900..1_000));
    bench.wait_drained("in");
    a.stop().unwrap();
    late.stop().unwrap();
    assert_once(&bench, 1_000);
}

#[test]
fn what_nobody_can_serve_is_passed_by_at_its_places_and_nowhere_else() {
    let bench = Bench::start();
    let holds = Arc::new(AtomicBool::new(false));
    bench.publish("in", numbers(0..100));
    bench.publish("in", switches());
    bench.publish("in", numbers(100..200));
    let worker = run(&bench, "a", &holds);
    bench.wait_unready("it lacks the switch");
    let is_meant = |record: &OwnedInput| is_switch(record.payload.as_deref());
    let passed: Vec<Vec<u8>> =
        bench.read_all("in").iter().filter(|record| is_meant(record)).map(|r| pass(&bench, r)).collect();
    assert_eq!(passed.len(), 30);
    // One of another group says nothing to this one.
    bench.publish("gaps", vec![br#"{"group":"t.other","topic":"t.in","partition":0,"offset":0}"#.to_vec()]);
    bench.publish("gaps", passed);
    bench.wait_drained("in");
    worker.stop().unwrap();
    assert_once(&bench, 200);
    let dead = bench.read_all("dead");
    let reasons: Vec<_> =
        dead.iter().map(|letter| letter.as_input().header_str(dead_letter_header::REASON).map(str::to_owned)).collect();
    assert_eq!(reasons, vec![Some(PASSED_BY.to_owned()); 30]);
}

fn pass(bench: &Bench, record: &OwnedInput) -> Vec<u8> {
    let OwnedInput { topic, partition, offset, .. } = record;
    let group = bench.topic("admit");
    serde_json::json!({"group": *group, "topic": topic, "partition": partition, "offset": offset.get()})
        .to_string()
        .into_bytes()
}
