//! A place that is lost is never made good by reading on somewhere else: its partition is held, in words, the others go on, and
//! what somebody has put on record is gone on behind.

use crate::bench::{Bench, PARTITIONS, Worker, numbers};
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

/// Runs a worker that finds gaps: it says these words, passes on what other partitions hold, and goes on once all are accepted.
fn held(bench: &Bench, words: &str, gaps: usize) {
    held_by(bench, bench.run_stateless("a"), false, words, gaps);
}

fn held_by(bench: &Bench, worker: Worker, is_stateful: bool, words: &str, gaps: usize) {
    bench.wait_unready(words);
    bench.wait_unready("defaultx gaps accept --group t.admit --topic t.in --partition");
    let found = bench.gaps(is_stateful);
    assert_eq!(found.len(), gaps, "{found:?}");
    found.iter().for_each(|gap| bench.accept(gap));
    assert_eq!(bench.gaps(is_stateful), [], "nothing is left to accept");
    bench.wait_drained("in");
    bench.wait_ready();
    worker.stop().unwrap();
}

fn passed(bench: &Bench) -> usize {
    bench.read_all("out").len()
}

#[test]
fn what_a_group_has_lost_holds_its_partition_alone() {
    let bench = Bench::start();
    bench.publish("in", numbers(0..90));
    let worker = bench.run_stateless("a");
    bench.wait_drained("in");
    worker.stop().unwrap();
    assert_eq!(passed(&bench), 90);

    // Retention overtakes one partition.
    let ends = bench.ends("in");
    bench.publish("in", numbers(90..180));
    let lost = bench.ends("in")[0] - ends[0];
    assert!(lost > 0, "the first partition got some");
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&bench.topic("in"), 0, Offset::End).unwrap();
    bench.admin(async |admin| admin.delete_records(&before, &AdminOptions::new()).await.map(drop).unwrap());
    let found = bench.gaps(false);
    bench.accept_at(&found[0], runtime::clock::now_ms() - 2 * 3_600_000);
    assert_eq!(bench.gaps(false), found, "who accepted a gap two hours ago did not know of this one");
    held(&bench, "were deleted before group t.admit read them", 1);
    let expected = 180 - usize::try_from(lost).unwrap();
    assert_eq!(passed(&bench), expected, "the other partitions were read, each record once");

    // Somebody deletes the group's offsets.
    bench.delete_group();
    held(&bench, "has no offset for it", PARTITIONS as usize);
    let again: i64 = bench.ends("in").iter().sum::<i64>() - bench.ends("in")[0];
    let expected = expected + usize::try_from(again).unwrap();
    assert_eq!(passed(&bench), expected, "accepted from the first record that is there");

    // Another topic under the name. This broker forgets the offsets with the topic.
    bench.remake_topic("in");
    bench.publish("in", numbers(0..600));
    held(&bench, "has no offset for it", PARTITIONS as usize);
    assert_eq!(passed(&bench), expected + 600);

    // The same where offsets outlive their topic, as in a restored cluster: only the topic's id tells.
    bench.delete_group();
    bench.commit_beside("in", 1, "topic_id=AAAAAAAAAAAAAAAAAAAAAA");
    held(&bench, "it is not the topic that group t.admit read", PARTITIONS as usize);
    assert_eq!(passed(&bench), expected + 1_200);

    // Offsets beyond the end: an older copy of the topic.
    bench.delete_group();
    bench.commit_beside("in", 1_000_000, "");
    held(&bench, "and it ends at", PARTITIONS as usize);
    assert_eq!(passed(&bench), expected + 1_200, "it goes on at the end");
}

/// The changelog is lost and its input's offsets are not: a worker that went on would admit everything again.
#[test]
fn a_state_that_is_lost_holds_its_partitions() {
    let bench = Bench::start();
    bench.publish("in", numbers(0..60));
    let worker = bench.run("a");
    bench.wait_drained("in");
    worker.stop().unwrap();
    assert_eq!(bench.gaps(true), [], "a worker that stopped leaves none");
    bench.remake_topic("state");
    bench.publish("in", numbers(0..60));
    held_by(&bench, bench.run("a"), true, "has lost what was handled before", PARTITIONS as usize);
    assert_eq!(passed(&bench), 120, "admitted again, because somebody said so");
}

/// Peak resident bytes of this process, of whatever test.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// A gzip batch of 60 kB that unpacks to 60 MiB, and small ones of the kind: the client would take all of it before anybody sees a
/// byte. It takes none, the partition is held alone, and what was written before and behind is handled.
#[test]
fn batches_that_cannot_be_unpacked_hold_their_partition_alone() {
    let bench = Bench::start();
    let large = vec![b' '; 60 << 20];
    let small = vec![b' '; 4 << 20];
    bench.publish("in", numbers(0..90));
    bench.publish_packed("in", 0, &[large.as_slice()]);
    (0..20).for_each(|_| bench.publish_packed("in", 0, &[small.as_slice(), b"a good record of a bad batch"]));
    bench.publish("in", numbers(90..180));
    bench.publish_packed("in", 0, &[large.as_slice()]);
    bench.publish("in", numbers(180..270));
    let worker = bench.run_stateless("a");
    let ends = bench.ends("in");
    bench.wait_unready("cannot be unpacked: it is damaged or too large");
    bench.wait(|bench| bench.committed()[1..] == ends[1..], "the other partitions are read");
    // Batches side by side are one gap; the records between two gaps are not passed over.
    for gap in [21, 1] {
        bench.wait(|bench| bench.gaps(false).len() == 1, "a gap");
        let found = bench.gaps(false).remove(0);
        let records = if gap == 21 { 41 } else { 1 };
        assert_eq!((found.partition, found.to - found.from.unwrap()), (0, records), "{found:?}");
        bench.accept(&found);
        bench.wait(|bench| bench.committed()[0] >= found.to.get(), "it goes on behind");
    }
    bench.wait_drained("in");
    bench.wait_ready();
    worker.stop().unwrap();
    assert_eq!(passed(&bench), 270, "each record that can be read, once");
    assert!(peak() < 1 << 30, "{} bytes", peak());
}
