//! Partitions that move while a transaction is under way: it is aborted, what was collected behind it is dropped, and whoever owns a
//! partition now reads it again.

use crate::assert_once_in;
use crate::bench::{Bench, PARTITIONS, PATIENCE, Worker, numbers};
use crate::handlers::PassOn;
use rdkafka::consumer::{BaseConsumer, Consumer};
use runtime::stream::{HandleError, Handler, Input, NoState, Outbox, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

/// By then a client has fetched what lies ready. Were it slower, less would be collected.
const FETCHED: Duration = Duration::from_secs(1);
/// Two heartbeats: by then a member has heard that its group shares anew. Were it slower, it would hear later.
const HEARD: Duration = Duration::from_secs(2);
/// Of the topic that is written: a transaction can begin before the topic is there, and ends once it is.
const LATE: &str = "late";

/// Blocks that members have begun, and how many of them may be handled.
#[derive(Default)]
struct Gate {
    begun: AtomicUsize,
    open: AtomicUsize,
    /// Of each topic, as members were told.
    partitions: AtomicI32,
}

struct Gated {
    gate: Arc<Gate>,
    pass_on: PassOn,
}

impl Handler for Gated {
    type Key = NoState;
    type Value = NoState;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, NoState, NoState>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let number = self.gate.begun.fetch_add(1, Ordering::SeqCst) + 1;
        while self.gate.open.load(Ordering::SeqCst) < number {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.pass_on.handle(block, state, out)
    }

    fn spread_over(&mut self, partitions: i32) {
        self.gate.partitions.store(partitions, Ordering::SeqCst);
    }
}

fn member(bench: &Bench, instance: &str, gate: &Arc<Gate>) -> Worker {
    let handler = Gated { gate: gate.clone(), pass_on: PassOn { out: bench.topic(LATE) } };
    bench.spawn(instance, handler, |spec| spec.writes = vec![bench.topic(LATE)])
}

/// What the coordinator says of the group, and how many members it has.
fn group(bench: &Bench) -> (String, usize) {
    let client: BaseConsumer = bench.kafka.client().create().unwrap();
    let groups = client.fetch_group_list(Some(&bench.topic("admit")), PATIENCE).unwrap();
    let group = &groups.groups()[0];
    (group.state().to_owned(), group.members().len())
}

/// Partitions move before the transaction's offsets are sent: it is aborted, and all is read again, with what was collected behind it.
#[test]
fn a_transaction_that_partitions_were_taken_from_is_read_again_by_their_owner() {
    let (bench, gate) = (Bench::start(), Arc::new(Gate::default()));
    bench.publish("in", numbers(0..1));
    let first = member(&bench, "a", &gate);
    bench.wait(|_| gate.begun.load(Ordering::SeqCst) == 1, "a record is handled");
    bench.publish("in", numbers(1..150));
    std::thread::sleep(FETCHED);
    let second = member(&bench, "b", &gate);
    bench.wait(|bench| group(bench).0 == "PreparingRebalance", "the group shares anew");
    std::thread::sleep(HEARD);
    gate.open.store(1, Ordering::SeqCst);
    bench.create_topics(&[LATE], &[]);
    bench.wait(|bench| group(bench) == ("Stable".to_owned(), 2), "each has partitions");
    // Whatever was in hand would be handled now, and its offsets would be those of a member.
    gate.open.store(usize::MAX, Ordering::SeqCst);
    bench.wait_drained("in");
    first.stop().unwrap();
    second.stop().unwrap();
    assert_once_in(&bench, LATE, 150);
    assert_eq!(gate.partitions.load(Ordering::SeqCst), PARTITIONS, "members know how many partitions there are");
}
