//! Coordinates along a log: each partition's offsets rise, belong to this log, and end where the consumer stands.

use crate::error::Error;
use crate::report::Fault;
use std::collections::HashMap;
use tokio_postgres::Transaction;

/// How far the log's consumer has read, whatever its prefix.
const OFFSETS: &str = "SELECT topic, partition, next_offset, left(consumer, -length('audit-sink')) AS prefix
                       FROM defaultx.stream_offsets WHERE consumer LIKE '%audit-sink'";

/// Where each partition stands.
pub(crate) struct Coordinates {
    log: i32,
    shards: i32,
    newest: HashMap<String, HashMap<i32, i64>>,
    skipped: u64,
}

impl Coordinates {
    pub fn new(log: i32, shards: i32) -> Self {
        Self { log, shards, newest: HashMap::new(), skipped: 0 }
    }

    /// The next entry of the log is of these coordinates.
    pub fn pass(&mut self, topic: &str, partition: i32, offset: i64, seq: i64, faults: &mut Vec<Fault>) {
        let log = self.log;
        if partition.rem_euclid(self.shards.max(1)) != log {
            let why = format!("partition {partition} belongs to another log");
            faults.push(Fault::Entry { log, seq, why });
        }
        if !self.newest.contains_key(topic) {
            self.newest.insert(topic.to_owned(), HashMap::new());
        }
        let Some(partitions) = self.newest.get_mut(topic) else { return };
        match partitions.insert(partition, offset) {
            Some(before) if offset <= before => {
                let why = format!("{topic}/{partition}@{offset} stands behind @{before}");
                faults.push(Fault::Entry { log, seq, why });
            }
            Some(before) => self.skipped += (offset - before - 1) as u64,
            None => {}
        }
    }

    /// The newest offset of a partition so far.
    pub fn newest(&self, topic: &str, partition: i32) -> Option<i64> {
        self.newest.get(topic)?.get(&partition).copied()
    }

    /// Offsets that hold no entry between two that do: transaction markers and aborted records.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What the consumer read belongs to a log that is not there: its rows were taken away, all of them.
    pub async fn headless(
        tx: &Transaction<'_>,
        shards: i32,
        logs: &[i32],
        faults: &mut Vec<Fault>,
    ) -> Result<(), Error> {
        for row in tx.query(OFFSETS, &[]).await? {
            let (topic, partition, next, prefix): (&str, i32, i64, &str) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            let log = partition.rem_euclid(shards.max(1));
            if next > 0 && !logs.contains(&log) {
                let topic = topic.strip_prefix(prefix).unwrap_or(topic).to_owned();
                faults.push(Fault::Offsets { log, topic, partition, next, newest: None });
            }
        }
        Ok(())
    }

    /// The consumer must not have gone further than the entries: the tail would be missing.
    pub(crate) async fn check_offsets(&self, tx: &Transaction<'_>, faults: &mut Vec<Fault>) -> Result<(), Error> {
        for row in tx.query(OFFSETS, &[]).await? {
            let (topic, partition, next, prefix): (&str, i32, i64, &str) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            let topic = topic.strip_prefix(prefix).unwrap_or(topic);
            if partition.rem_euclid(self.shards.max(1)) != self.log {
                continue;
            }
            let newest = self.newest(topic, partition);
            if newest.is_none_or(|newest| newest + 1 != next) {
                let topic = topic.to_owned();
                faults.push(Fault::Offsets { log: self.log, topic, partition, next, newest });
            }
        }
        Ok(())
    }
}
