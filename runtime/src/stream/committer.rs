//! The producing half of the loop: a thread that owns the transactional producers and turns one prepared batch after another
//! into one transaction each. The consuming half handles the next batch meanwhile, and nothing of it gets here before the
//! result of the last one went back.
//!
//! The producers take turns, because a broker that has answered a commit still has to write its markers, and refuses the same
//! producer's next transaction until then. Never are two transactions open at once (ADR 9).

use super::producer::{Outgoing, Producer, TransactionError, headers, partition_of};
use super::record::{Output, OwnedInput, Route};
use crate::kafka::MESSAGE_MAX_BYTES;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// What one transaction holds.
pub(crate) struct Job {
    pub outputs: Vec<(i32, Output)>,
    pub dead_letters: Vec<Letter>,
    pub changelog: Vec<(i32, Vec<u8>, Option<Vec<u8>>)>,
    pub offsets: TopicPartitionList,
    pub group: ConsumerGroupMetadata,
}

/// A record to set aside.
pub(crate) struct Letter {
    pub input: OwnedInput,
    pub reason: &'static str,
    pub detail: String,
    /// Without body, key and headers: no broker takes it with them. Digest and length say what they were, the coordinates where
    /// it stands.
    pub cut: bool,
}

impl Letter {
    /// A letter that would be too large for any topic of ours is cut before a broker has to refuse it.
    pub fn new(input: OwnedInput, reason: &'static str, detail: String, cut: bool) -> Self {
        let cut = cut || input.size() > MESSAGE_MAX_BYTES as usize - ROOM_FOR_HEADERS;
        Self { input, reason, detail, cut }
    }
}

/// What a dead letter's own headers may take.
const ROOM_FOR_HEADERS: usize = 64 << 10;

/// How a transaction ended.
#[derive(Debug)]
pub(crate) enum TransactionOutcome {
    /// All of it is visible.
    Committed {
        /// Partitions that it wrote to.
        partitions: usize,
    },
    /// Partitions moved before it was done. Nothing of it is visible; whoever owns them reads the batch again.
    Revoked(&'static str),
    /// The broker or the network refused it. Nothing of it is visible; read the batch again after a pause.
    Refused(String),
    /// A record of it is taken by no broker. Nothing of it is visible; smaller batches tell which one.
    Poison(String),
    /// Another instance runs under this transactional id.
    Fenced(String),
    /// The producer is of no more use, and what became of the transaction is unknown: start again with new clients.
    Lost(String),
}

impl From<TransactionError> for TransactionOutcome {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Fenced(_) => Self::Fenced(error.to_string()),
            TransactionError::Refused(_) => Self::Refused(error.to_string()),
            TransactionError::Poison(_) => Self::Poison(error.to_string()),
            TransactionError::Lost(_) => Self::Lost(error.to_string()),
        }
    }
}

/// Where the transaction stands, as the rebalance callback must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Producing,
    OffsetsSent,
}

#[derive(Debug)]
struct Progress {
    phase: Phase,
    revoked: bool,
    lost: bool,
    since: Option<Instant>,
}

/// Shared between the two halves.
pub(crate) struct Gate {
    progress: Mutex<Progress>,
    idle: Condvar,
}

impl Gate {
    pub fn new() -> Arc<Self> {
        let progress = Progress { phase: Phase::Idle, revoked: false, lost: false, since: None };
        Arc::new(Self { progress: Mutex::new(progress), idle: Condvar::new() })
    }

    /// Called by the consuming half before it hands a job over.
    pub fn open(&self) {
        let mut progress = self.lock();
        *progress = Progress { phase: Phase::Producing, revoked: false, lost: false, since: Some(Instant::now()) };
    }

    /// Called in the rebalance callback: a transaction whose offsets are not yet sent will abort, one whose offsets are sent
    /// may finish unless the assignment is lost. Returns when none is open.
    pub fn revoke(&self, lost: bool) {
        let mut progress = self.lock();
        progress.revoked = true;
        progress.lost |= lost;
        while progress.phase != Phase::Idle {
            progress = self.idle.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Seconds for which the present transaction has been open.
    pub(crate) fn open_seconds(&self) -> f64 {
        self.lock().since.map_or(0.0, |since| since.elapsed().as_secs_f64())
    }

    /// Whether the offsets may be sent; from here on a plain revoke waits for the commit.
    fn may_send_offsets(&self) -> bool {
        let mut progress = self.lock();
        if progress.revoked {
            return false;
        }
        progress.phase = Phase::OffsetsSent;
        true
    }

    fn may_commit(&self) -> bool {
        !self.lock().lost
    }

    fn close(&self) {
        let mut progress = self.lock();
        progress.phase = Phase::Idle;
        progress.since = None;
        self.idle.notify_all();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the gate however a transaction ends, by a panic too: a revoke that waits for it must not wait for ever.
struct Closing<'g>(&'g Gate);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Producers that take turns.
pub(crate) const PRODUCERS: usize = 2;

/// Owns the producers.
pub(crate) struct Committer {
    producers: [Producer; PRODUCERS],
    gate: Arc<Gate>,
    worker: &'static str,
    changelog_topic: Arc<str>,
    dead_letter_topic: Arc<str>,
    /// Partitions of each topic of ours.
    partitions: i32,
}

/// Headers that a dead letter carries beside its own.
pub mod dead_letter_header {
    /// A stable word.
    pub const REASON: &str = "dl_reason";
    /// The worker that set it aside.
    pub const STAGE: &str = "dl_stage";
    /// For people; never values.
    pub const DETAIL: &str = "dl_detail";
    /// Topic of the original, with the deployment's prefix.
    pub const TOPIC: &str = "dl_topic";
    /// Partition of the original.
    pub const PARTITION: &str = "dl_partition";
    /// Offset of the original.
    pub const OFFSET: &str = "dl_offset";
    /// Bytes of the original's value, where the letter is cut: without its value, key and headers.
    pub const LENGTH: &str = "dl_length";
    /// SHA-256 of the original's value, hexadecimal, where the letter is cut.
    pub const DIGEST: &str = "dl_digest";
}

impl Committer {
    pub fn new(
        producers: [Producer; PRODUCERS],
        gate: Arc<Gate>,
        worker: &'static str,
        (changelog_topic, dead_letter_topic): (Arc<str>, Arc<str>),
        partitions: i32,
    ) -> Self {
        Self { producers, gate, worker, changelog_topic, dead_letter_topic, partitions }
    }

    /// Runs one job to its end and lets a waiting revoke go on. The next job is another producer's turn.
    pub fn run(&mut self, job: &Job) -> TransactionOutcome {
        let _closes = Closing(&self.gate);
        let ended = Turn { producer: &self.producers[0], committer: self }.transact(job);
        self.producers.rotate_left(1);
        ended
    }
}

/// One transaction of one producer.
struct Turn<'c> {
    producer: &'c Producer,
    committer: &'c Committer,
}

impl Turn<'_> {
    fn transact(&self, job: &Job) -> TransactionOutcome {
        let begun = Instant::now();
        let produced = self.producer.begin().and_then(|()| self.produce(job)).and_then(|()| self.producer.flush());
        if let Err(error) = produced {
            return self.producer.give_up(error).into();
        }
        let flushed = begun.elapsed();
        if !self.committer.gate.may_send_offsets() {
            return self.revoked("partitions revoked before offsets were sent");
        }
        // What a worker forgets while it reads nothing moves no offset.
        if job.offsets.count() > 0
            && let Err(error) = self.producer.send_offsets(&job.offsets, &job.group)
        {
            return self.producer.give_up(error).into();
        }
        let offsets_sent = begun.elapsed();
        if !self.committer.gate.may_commit() {
            return self.revoked("assignment lost before the commit");
        }
        match self.producer.commit() {
            Ok(()) => {
                let (worker, records, committed) = (self.committer.worker, job.outputs.len(), begun.elapsed());
                let partitions = self.producer.partitions_written();
                tracing::debug!(worker, records, partitions, ?flushed, ?offsets_sent, ?committed, "transaction");
                TransactionOutcome::Committed { partitions }
            }
            Err(error) => self.producer.give_up(error).into(),
        }
    }

    fn produce(&self, job: &Job) -> Result<(), TransactionError> {
        let partitions = self.committer.partitions;
        for (partition, output) in &job.outputs {
            let all = output.headers.iter().map(|(name, value)| (*name, Some(value.as_slice())));
            let record = Outgoing {
                topic: &output.topic,
                partition: partition_of(output.route, *partition, partitions),
                key: output.key.as_deref(),
                payload: output.payload.as_deref(),
            };
            self.producer.send(record, headers(all))?;
        }
        for (partition, key, value) in &job.changelog {
            let topic = &self.committer.changelog_topic;
            let record = Outgoing { topic, partition: Some(*partition), key: Some(key), payload: value.as_deref() };
            self.producer.send(record, None)?;
        }
        job.dead_letters.iter().try_for_each(|letter| self.set_aside(letter))
    }

    fn set_aside(&self, letter: &Letter) -> Result<(), TransactionError> {
        let Letter { input, reason, detail, cut } = letter;
        let record = Outgoing {
            topic: &self.committer.dead_letter_topic,
            partition: partition_of(Route::Same, input.partition, self.committer.partitions),
            key: input.key.as_deref().filter(|_| !cut),
            payload: input.payload.as_deref().filter(|_| !cut),
        };
        let body = input.payload.as_deref().unwrap_or_default();
        let (partition, offset) = (input.partition.to_string(), input.offset.to_string());
        let mut own = vec![
            (dead_letter_header::REASON, *reason),
            (dead_letter_header::STAGE, self.committer.worker),
            (dead_letter_header::DETAIL, detail),
            (dead_letter_header::TOPIC, &input.topic),
            (dead_letter_header::PARTITION, &partition),
            (dead_letter_header::OFFSET, &offset),
        ];
        let of_body = cut.then(|| (body.len().to_string(), format!("{:x}", Sha256::digest(body))));
        if let Some((length, digest)) = &of_body {
            own.extend([(dead_letter_header::LENGTH, length.as_str()), (dead_letter_header::DIGEST, digest.as_str())]);
        }
        let original = input.headers.iter().filter(|_| !cut);
        let original = original.map(|(name, value)| (name.as_str(), value.as_deref()));
        let own = own.into_iter().map(|(name, value)| (name, Some(value.as_bytes())));
        self.producer.send(record, headers(original.chain(own)))
    }

    fn revoked(&self, why: &'static str) -> TransactionOutcome {
        match self.producer.abort() {
            Ok(()) => TransactionOutcome::Revoked(why),
            Err(error) => error.into(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_transaction_lets_a_revoke_go_on() {
        let gate = Gate::new();
        gate.open();
        let panicking = gate.clone();
        let body = move || {
            let _closes = Closing(&panicking);
            panic!("in the middle of a transaction");
        };
        let thread = crate::task::thread("commit", body).unwrap();
        gate.revoke(false);
        assert!(thread.join().is_err());
    }
}
