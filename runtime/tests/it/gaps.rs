//! A place that is lost is never made good by reading on somewhere else: its partition is held, in words, the others go on, and
//! what somebody has put on record is gone on behind.

use crate::bench::{Bench, PARTITIONS, Room, numbers};
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

/// Runs a worker that finds gaps: it says these words, passes on what other partitions hold, and goes on once all are accepted.
fn held(bench: &Bench, words: &str, gaps: usize) {
    held_by(bench, bench.run_stateless("a"), false, words, gaps);
}

fn held_by(bench: &Bench, room: Room, is_stateful: bool, words: &str, gaps: usize) {
    bench.wait_unready(words);
    bench.wait_unready("defaultx gaps accept --group t.admit --topic t.in --partition");
    let found = bench.gaps(is_stateful);
    assert_eq!(found.len(), gaps, "{found:?}");
    found.iter().for_each(|gap| bench.accept(gap));
    assert_eq!(bench.gaps(is_stateful), [], "nothing is left to accept");
    bench.wait_drained("in");
    bench.wait_ready();
    room.stop().unwrap();
}

fn passed(bench: &Bench) -> usize {
    bench.read_all("out").len()
}

#[test]
fn what_a_group_has_lost_holds_its_partition_alone() {
    let bench = Bench::start();
    bench.publish("in", numbers(0..90));
    let room = bench.run_stateless("a");
    bench.wait_drained("in");
    room.stop().unwrap();
    assert_eq!(passed(&bench), 90);

    // Retention overtakes one partition.
    let ends = bench.ends("in");
    bench.publish("in", numbers(90..180));
    let lost = bench.ends("in")[0] - ends[0];
    assert!(lost > 0, "the first partition got some");
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&bench.topic("in"), 0, Offset::End).unwrap();
    bench.admin(async |admin| admin.delete_records(&before, &AdminOptions::new()).await.map(drop).unwrap());
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
    let room = bench.run("a");
    bench.wait_drained("in");
    room.stop().unwrap();
    assert_eq!(bench.gaps(true), [], "a worker that stopped leaves none");
    bench.remake_topic("state");
    bench.publish("in", numbers(0..60));
    held_by(&bench, bench.run("a"), true, "has lost what was handled before", PARTITIONS as usize);
    assert_eq!(passed(&bench), 120, "admitted again, because somebody said so");
}
