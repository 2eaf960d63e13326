//! Partitions that nobody leads. What a worker reads from a partition it writes to the partition of the same number, and its state
//! beside it; where one of them has no leader, that input waits alone, and the others go on. To write there all the same would
//! hold a transaction of them all until it times out.

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::KafkaError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Topics of whose partitions a worker needs the one that it reads, or the one of that number.
#[derive(Debug, Clone)]
pub(crate) struct Partitioned {
    /// What it reads: each for itself.
    pub inputs: Vec<Arc<str>>,
    /// What it writes, for each of them.
    pub written: Vec<Arc<str>>,
}

/// What no leader was found for: each topic that lacks one, with how many partitions it has, and which those are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaderless {
    inputs: Lacking,
    written: Lacking,
}

type Lacking = BTreeMap<Arc<str>, (i32, Vec<i32>)>;

/// Asks the cluster. A topic that is not there is no case for this: whoever reads or writes it says so.
///
/// # Errors
/// When the cluster does not answer in time.
pub(crate) fn leaderless<C: ClientContext>(
    client: &Client<C>,
    topics: &Partitioned,
    timeout: Duration,
) -> Result<Leaderless, KafkaError> {
    let lacking = |names: &[Arc<str>]| -> Result<Lacking, KafkaError> {
        let mut found = Lacking::new();
        for name in names {
            let metadata = client.fetch_metadata(Some(name), timeout)?;
            let partitions = metadata.topics().first().map(|topic| topic.partitions()).unwrap_or_default();
            let lacking: Vec<i32> = partitions.iter().filter(|one| one.leader() < 0).map(|one| one.id()).collect();
            if !lacking.is_empty() {
                found.insert(name.clone(), (i32::try_from(partitions.len()).unwrap_or(i32::MAX), lacking));
            }
        }
        Ok(found)
    };
    Ok(Leaderless { inputs: lacking(&topics.inputs)?, written: lacking(&topics.written)? })
}

impl Leaderless {
    /// Topic and partition for whose sake a partition of an input must wait, if there is one. An input may have more partitions than
    /// what is written (see `partition_of`).
    pub fn of(&self, input: &str, partition: i32) -> Option<(&str, i32)> {
        if let Some((name, (_, lacking))) = self.inputs.get_key_value(input)
            && lacking.contains(&partition)
        {
            return Some((name, partition));
        }
        self.written.iter().find_map(|(topic, (count, lacking))| {
            let same = partition.rem_euclid(*count);
            lacking.contains(&same).then_some((&**topic, same))
        })
    }
}

/// A partition of an input that waits, in words.
pub(crate) fn words(input: &str, partition: i32, (topic, lacking): (&str, i32)) -> String {
    match (input, partition) == (topic, lacking) {
        true => format!("{input}/{partition} waits: it has no leader"),
        false => format!("{input}/{partition} waits: {topic}/{lacking} has no leader"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_waits_for_the_partition_of_its_number() {
        let lacking = |name: &str, count, which: i32| Lacking::from([(name.into(), (count, vec![which]))]);
        let found = Leaderless { inputs: lacking("in", 8, 6), written: lacking("out", 3, 1) };
        let of = |partition| found.of("in", partition);
        assert_eq!([of(0), of(2), of(3)], [None; 3]);
        assert_eq!([of(1), of(4), of(7)], [Some(("out", 1)); 3], "wider than what is written");
        assert_eq!(of(6), Some(("in", 6)));
        assert_eq!(found.of("another", 6), None, "an input does not wait for another");
        assert_eq!(found.of("another", 1), Some(("out", 1)));
        assert_eq!(words("in", 4, ("out", 1)), "in/4 waits: out/1 has no leader");
        assert_eq!(words("in", 6, ("in", 6)), "in/6 waits: it has no leader");
    }
}
