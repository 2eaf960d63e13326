//! The producing half of the loop: a thread that owns the transactional producers and turns one prepared batch after another
//! into one transaction each. The consuming half handles the next batch meanwhile, and nothing of it gets here before the
//! result of the last one went back.
//!
//! The producers take turns, because a broker that has answered a commit still has to write its markers, and refuses the same
//! producer's next transaction until then. Never are two transactions open at once (ADR 9).

use super::record::{Output, OwnedInput, Route};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks for acknowledgements: short beside a transaction, long beside a look.
const REST: Duration = Duration::from_micros(500);

/// What one transaction holds.
pub(crate) struct Job {
    pub outputs: Vec<(i32, Output)>,
    pub dead_letters: Vec<(OwnedInput, &'static str, String)>,
    pub changelog: Vec<(i32, Vec<u8>, Option<Vec<u8>>)>,
    pub offsets: TopicPartitionList,
    pub group: ConsumerGroupMetadata,
}

/// How a transaction ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Committed,
    /// Nothing of it is visible; read the batch again.
    Aborted(String),
    /// Another instance runs under this transactional id.
    Fenced(String),
    /// The producer is of no more use; start again with new clients.
    Broken(String),
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
    pub fn open_seconds(&self) -> f64 {
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

/// Producers that take turns.
pub(crate) const PRODUCERS: usize = 2;

/// Owns the producers.
pub(crate) struct Committer {
    producers: [BaseProducer; PRODUCERS],
    gate: Arc<Gate>,
    room: &'static str,
    changelog_topic: Arc<str>,
    dead_letter_topic: Arc<str>,
    timeout: Duration,
}

/// Headers that a dead letter carries beside its own.
pub mod dead_letter_header {
    /// A stable word.
    pub const REASON: &str = "dl_reason";
    /// The room that set it aside.
    pub const STAGE: &str = "dl_stage";
    /// For people; never values.
    pub const DETAIL: &str = "dl_detail";
    /// Topic of the original, with the deployment's prefix.
    pub const TOPIC: &str = "dl_topic";
    /// Partition of the original.
    pub const PARTITION: &str = "dl_partition";
    /// Offset of the original.
    pub const OFFSET: &str = "dl_offset";
}

impl Committer {
    pub fn new(
        producers: [BaseProducer; PRODUCERS],
        gate: Arc<Gate>,
        room: &'static str,
        (changelog_topic, dead_letter_topic): (Arc<str>, Arc<str>),
        timeout: Duration,
    ) -> Self {
        Self { producers, gate, room, changelog_topic, dead_letter_topic, timeout }
    }

    /// Runs one job to its end and lets a waiting revoke go on. The next job is another producer's turn.
    pub fn run(&mut self, job: &Job) -> Ended {
        let ended = Turn { producer: &self.producers[0], committer: self }.transact(job);
        self.producers.rotate_left(1);
        self.gate.close();
        ended
    }
}

/// One transaction of one producer.
struct Turn<'c> {
    producer: &'c BaseProducer,
    committer: &'c Committer,
}

impl Turn<'_> {
    fn transact(&self, job: &Job) -> Ended {
        let begun = Instant::now();
        let began = self.again(|| self.producer.begin_transaction());
        if let Err(error) = began.and_then(|()| self.produce(job)).and_then(|()| self.flush()) {
            return self.give_up(error);
        }
        let flushed = begun.elapsed();
        if !self.committer.gate.may_send_offsets() {
            return self.abort("partitions revoked before offsets were sent".to_owned());
        }
        let sent =
            self.again(|| self.producer.send_offsets_to_transaction(&job.offsets, &job.group, self.committer.timeout));
        if let Err(error) = sent {
            return self.give_up(error);
        }
        let offsets_sent = begun.elapsed();
        if !self.committer.gate.may_commit() {
            return self.abort("assignment lost before the commit".to_owned());
        }
        match self.again(|| self.producer.commit_transaction(self.committer.timeout)) {
            Ok(()) => {
                let (room, records, committed) = (self.committer.room, job.outputs.len(), begun.elapsed());
                tracing::debug!(room, records, ?flushed, ?offsets_sent, ?committed, "transaction");
                Ended::Committed
            }
            Err(error) => self.give_up(error),
        }
    }

    fn produce(&self, job: &Job) -> Result<(), KafkaError> {
        for (partition, output) in &job.outputs {
            let record = BaseRecord::<[u8], [u8]>::to(&output.topic);
            let record = match output.route {
                Route::Same => record.partition(*partition),
                Route::ByKey => record,
            };
            let headers = output
                .headers
                .iter()
                .fold(OwnedHeaders::new_with_capacity(output.headers.len()), |headers, (key, value)| {
                    headers.insert(Header { key, value: Some(value) })
                });
            self.send(with_body(record.headers(headers), output.key.as_deref(), output.payload.as_deref()))?;
        }
        for (partition, key, value) in &job.changelog {
            let record = BaseRecord::<[u8], [u8]>::to(&self.committer.changelog_topic).partition(*partition);
            self.send(with_body(record, Some(key), value.as_deref()))?;
        }
        for (input, reason, detail) in &job.dead_letters {
            let headers = self.dead_letter_headers(input, reason, detail);
            let record = BaseRecord::<[u8], [u8]>::to(&self.committer.dead_letter_topic)
                .partition(input.partition)
                .headers(headers);
            self.send(with_body(record, input.key.as_deref(), input.payload.as_deref()))?;
        }
        Ok(())
    }

    fn dead_letter_headers(&self, input: &OwnedInput, reason: &str, detail: &str) -> OwnedHeaders {
        let (partition, offset) = (input.partition.to_string(), input.offset.to_string());
        let own = [
            (dead_letter_header::REASON, reason),
            (dead_letter_header::STAGE, self.committer.room),
            (dead_letter_header::DETAIL, detail),
            (dead_letter_header::TOPIC, &input.topic),
            (dead_letter_header::PARTITION, &partition),
            (dead_letter_header::OFFSET, &offset),
        ];
        let original = input
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
        own.into_iter().fold(original, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }

    /// Sends one record, making room in the queue when it is full.
    fn send(&self, record: BaseRecord<'_, [u8], [u8]>) -> Result<(), KafkaError> {
        let mut record = record;
        let started = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if started.elapsed() < self.committer.timeout =>
                {
                    self.producer.poll(Duration::from_millis(5));
                    record = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Waits until the broker has acknowledged every record. The client's own flush sleeps 100 ms out once it has begun to
    /// wait, several times what a whole transaction takes.
    fn flush(&self) -> Result<(), KafkaError> {
        let started = Instant::now();
        while self.producer.in_flight_count() > 0 {
            if started.elapsed() > self.committer.timeout {
                return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
            }
            self.take_reports();
        }
        Ok(())
    }

    /// Takes the delivery reports that are there, and rests where there are none. The client's poll is asked not to wait: it
    /// counts in whole milliseconds and spins through what is left of the last one.
    fn take_reports(&self) {
        let before = self.producer.in_flight_count();
        self.producer.poll(Duration::ZERO);
        if self.producer.in_flight_count() == before {
            std::thread::sleep(REST);
        }
    }

    /// The same call again while the client says that it may be retried.
    fn again(&self, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        let started = Instant::now();
        loop {
            match call() {
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && started.elapsed() < self.committer.timeout =>
                {
                    tracing::debug!(room = self.committer.room, error = error.string(), "transaction call retried");
                }
                other => return other,
            }
        }
    }

    /// Runs a call that waits for delivery reports, and takes them meanwhile: an abort purges what is on its way, and does
    /// not end before each purged record was reported.
    fn polled<T>(&self, call: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.take_reports();
                }
            });
            let result = call();
            done.store(true, Ordering::Relaxed);
            result
        })
    }

    fn give_up(&self, error: KafkaError) -> Ended {
        match &error {
            KafkaError::Transaction(inner) if is_fenced(inner.code()) => Ended::Fenced(error.to_string()),
            KafkaError::Transaction(inner) if inner.is_fatal() => Ended::Broken(error.to_string()),
            KafkaError::Transaction(inner) if !inner.txn_requires_abort() && !inner.is_retriable() => {
                Ended::Broken(error.to_string())
            }
            _ => self.abort(error.to_string()),
        }
    }

    fn abort(&self, why: String) -> Ended {
        match self.polled(|| self.again(|| self.producer.abort_transaction(self.committer.timeout))) {
            Ok(()) => Ended::Aborted(why),
            Err(KafkaError::Transaction(error)) if is_fenced(error.code()) => Ended::Fenced(error.string()),
            Err(error) => Ended::Broken(format!("{why}; then the abort failed: {error}")),
        }
    }
}

/// Whether an error says that another producer or member has taken this one's id.
pub(crate) fn is_fenced(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::FencedInstanceId)
}

fn with_body<'a>(
    record: BaseRecord<'a, [u8], [u8]>,
    key: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
) -> BaseRecord<'a, [u8], [u8]> {
    let record = match key {
        Some(key) => record.key(key),
        None => record,
    };
    match payload {
        Some(payload) => record.payload(payload),
        None => record,
    }
}
