//! What a worker tells its loop, and the loop's knobs.

use super::leaders::Partitioned;
use serde::Deserialize;
use std::sync::Arc;

/// Knobs of one loop.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tuning {
    /// Most records in a transaction. Larger ones spread the cost of a commit, smaller ones wait less.
    pub batch_records: usize,
    /// Most bytes of input in a transaction.
    pub batch_bytes: usize,
    /// Shortest time between the beginnings of two transactions, milliseconds, while there is work; what comes after a longer
    /// pause is written at once. More saves processor time of workers and broker, less saves latency.
    pub pace_ms: u64,
    /// Milliseconds that any call to the broker may take.
    pub timeout_ms: u64,
    /// Milliseconds that taking over partitions may take.
    pub restore_timeout_ms: u64,
    /// Share of dead letters, in percent of the newest `dead_letter_limit_window` records of an input topic, that pauses that topic, where a
    /// worker reads what senders write. 100 never pauses it.
    pub dead_letter_limit_percent: u32,
    /// Records over which the share is taken; fewer never pause a topic.
    pub dead_letter_limit_window: usize,
    /// Entries of state at which intake pauses rather than forget. At most 100 bytes each.
    pub state_cap: usize,
    /// Kilobytes that the consumer may fetch ahead.
    pub fetch_ahead_kb: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            batch_records: 2000,
            batch_bytes: 8 << 20,
            pace_ms: 30,
            timeout_ms: 8_000,
            restore_timeout_ms: 120_000,
            dead_letter_limit_percent: 50,
            dead_letter_limit_window: 2000,
            state_cap: 5_000_000,
            fetch_ahead_kb: 8192,
        }
    }
}

/// What a worker tells the loop.
#[derive(Debug, Clone)]
pub struct LoopSpec {
    /// Names the consumer group, the transactional id and the metrics' label.
    pub worker: &'static str,
    /// Input topics, with prefix.
    pub inputs: Vec<Arc<str>>,
    /// Topics that the handler writes in the partition that it reads, with prefix: while one of those has no leader, the partition of
    /// the input waits alone.
    pub writes: Vec<Arc<str>>,
    /// Changelog topic, with prefix, where the handler keeps state.
    pub changelog: Option<Arc<str>>,
    /// Topic of accepted gaps, with prefix: what somebody has put on record is not waited for (see [`super::position`]).
    pub gaps: Arc<str>,
    /// Dead-letter topic, with prefix.
    pub dead_letters: Arc<str>,
    /// Header and prefix of its value that mark control records.
    pub control: Option<(&'static str, &'static str)>,
    /// Whether an input topic is one sender's, so that the dead-letter limit pauses it. Behind the first worker records
    /// of all senders stand in the same topics, and pausing one would stop them all.
    pub limits_dead_letters: bool,
    /// Knobs.
    pub tuning: Tuning,
}

impl LoopSpec {
    /// Whether what it reads is written in transactions alone; what senders write is not.
    pub(crate) fn in_transactions(&self) -> bool {
        !self.limits_dead_letters
    }

    /// Topics whose partitions need a leader for that of an input to be read.
    pub(crate) fn partitioned(&self) -> Partitioned {
        let written = self.writes.iter().chain(&self.changelog).chain([&self.dead_letters]);
        Partitioned { inputs: self.inputs.clone(), written: written.cloned().collect() }
    }
}
