//! One session of the loop, from new clients to their end: collect, handle, hand over, wait. Its one rule is the order of those
//! steps: nothing of batch N+1 is produced, and no overlay folded in, before the commit of batch N has returned.
//!
//! [`membership`] tells whether the group still counts this member in, [`outcome`] what follows from how a transaction ended,
//! [`holds`] when the worker stands still, [`standing`] what it does before what it cannot serve.

mod holds;
mod membership;
mod outcome;
mod standing;

use self::holds::Complaint;
use self::standing::Standing;
pub(super) use self::standing::lacking;
use super::assignment::Assignment;
use super::clients::{self, whole_ms};
use super::committer::{Committer, Gate, Job, Letter, PRODUCERS, TransactionOutcome};
use super::dead_letter_limit::DeadLetterLimits;
use super::engine::{DeadLetter, Engine, Place, Prepared, changelog, place_of};
use super::handler::{Handler, RecordOutcome};
use super::meter::Meter;
use super::position::{Gap, STATE_POSITION};
use super::producer::{Producer, settings};
use super::record::{Input, OwnedInput};
use super::run::LoopError;
use super::spec::LoopSpec;
use super::state::{Overlay, Stored};
use crate::clock;
use crate::service::ServiceContext;
use crate::task;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use std::cell::{Cell, RefCell};
use std::hash::Hash;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The longest that a worker without records waits for one before it looks at all else.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

type Consuming<H> = Assigned<<H as Handler>::Key, <H as Handler>::Value>;
type Assigned<K, V> = BaseConsumer<Assignment<K, V>>;

/// The clients of a session, and how far it is.
pub(super) struct Session<'a> {
    spec: &'a LoopSpec,
    service: &'a ServiceContext,
    meter: &'a Arc<Meter>,
    gate: Arc<Gate>,
    jobs: SyncSender<Job>,
    ended: Receiver<TransactionOutcome>,
    committer: std::thread::JoinHandle<()>,
    /// Transactions in a row that were refused.
    refused: Cell<u32>,
    /// When the newest transaction began.
    begun: Cell<Instant>,
    /// Most records of a batch: fewer than configured while a record that no broker takes is looked for.
    limit: Cell<usize>,
    /// The state is full and nothing is read.
    full: Cell<bool>,
    dead_letter_limits: RefCell<DeadLetterLimits>,
    /// Partitions of ours that must not be read, those that wait for a leader, and when they were last looked at.
    gaps: RefCell<Vec<Gap>>,
    waiting: RefCell<TopicPartitionList>,
    /// The last look found a partition without a leader among those that are read.
    lacks: Cell<bool>,
    looked: Cell<Instant>,
    /// A partition no longer holds what comes next.
    out_of_place: Cell<bool>,
    /// The client cannot unpack something, and does not say where.
    unreadable: Cell<bool>,
    complaint: RefCell<Option<Complaint>>,
    /// Before what the handler cannot serve.
    standing: RefCell<Option<Standing>>,
}

/// Records that are collected for a transaction.
struct Batch<'c> {
    records: Vec<BorrowedMessage<'c>>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl<'c> Batch<'c> {
    fn of(most: usize, most_bytes: usize) -> Self {
        Self { records: Vec::with_capacity(most.min(256)), bytes: 0, most, most_bytes }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= self.most || self.bytes >= self.most_bytes
    }

    fn push(&mut self, record: BorrowedMessage<'c>) {
        self.bytes += record.payload_len() + record.key_len();
        self.records.push(record);
    }
}

/// The batch whose transaction is under way.
struct InFlight<H: Handler> {
    overlay: Overlay<H::Key, H::Value>,
    outcomes: Vec<RecordOutcome>,
    /// Input topic of each outcome, by its number in the specification; empty where dead_letter_limits pause nothing.
    sources: Vec<usize>,
    /// The first record; none where nothing was read.
    first: Option<Place>,
    since: Instant,
}

impl<'a> Session<'a> {
    pub(super) fn begin(
        spec: &'a LoopSpec,
        service: &'a ServiceContext,
        meter: &'a Arc<Meter>,
    ) -> Result<Self, LoopError> {
        let timeout = Duration::from_millis(spec.tuning.timeout_ms);
        let producer = |turn: usize| {
            let id = service.kafka.topic(&format!("{}-{}-{turn}", spec.worker, service.instance));
            Producer::connect(settings(&service.kafka), &id, timeout)
        };
        // All of them before anything is restored: whatever a predecessor left open under any of its ids has ended by then.
        let producers: [Producer; PRODUCERS] = [producer(0)?, producer(1)?];
        // Every topic of ours has as many, and this one is anybody's. Without it a session does not begin.
        let partitions = producers[0].partitions(&spec.dead_letters).map_err(|error| {
            LoopError::Broken(format!("{}: {error}; `defaultx topics apply` makes what is missing", spec.dead_letters))
        })?;
        let gate = Gate::new();
        let topics = (spec.changelog.clone().unwrap_or_else(|| "".into()), spec.dead_letters.clone());
        let mut committer = Committer::new(producers, gate.clone(), spec.worker, topics, partitions);
        let (jobs, inbox) = sync_channel::<Job>(1);
        let (outbox, ended) = sync_channel(1);
        let body = move || {
            for job in inbox {
                if outbox.send(committer.run(&job)).is_err() {
                    return;
                }
            }
        };
        let committer = task::thread(&format!("{}-commit", spec.worker), body)
            .map_err(|error| LoopError::Broken(error.to_string()))?;
        Ok(Self {
            spec,
            service,
            meter,
            gate,
            jobs,
            ended,
            committer,
            refused: Cell::new(0),
            begun: Cell::new(Instant::now()),
            limit: Cell::new(spec.tuning.batch_records),
            full: Cell::new(false),
            dead_letter_limits: RefCell::new(DeadLetterLimits::new(
                spec.tuning.dead_letter_limit_window,
                spec.tuning.dead_letter_limit_percent,
            )),
            gaps: RefCell::default(),
            waiting: RefCell::new(TopicPartitionList::new()),
            lacks: Cell::new(false),
            looked: Cell::new(Instant::now()),
            out_of_place: Cell::new(false),
            unreadable: Cell::new(false),
            complaint: RefCell::default(),
            standing: RefCell::default(),
        })
    }

    pub(super) fn run<H: Handler>(self, engine: &mut Engine<H>) -> Result<(), LoopError> {
        let consumer: Consuming<H> = clients::consumer(self.service, self.spec).create_with_context(Assignment {
            gate: self.gate.clone(),
            meter: self.meter.clone(),
            plain: self.service.kafka.client(),
            changelog: self.spec.changelog.clone(),
            in_transactions: self.spec.in_transactions(),
            partitioned: self.spec.partitioned(),
            restore_timeout: Duration::from_millis(self.spec.tuning.restore_timeout_ms),
            call_timeout: Duration::from_millis(self.spec.tuning.timeout_ms),
            group: self.service.kafka.topic(self.spec.worker),
            gaps: self.spec.gaps.clone(),
            topic_ids: Mutex::default(),
            changes: Mutex::default(),
            session_lost: AtomicBool::new(false),
        })?;
        let inputs: Vec<&str> = self.spec.inputs.iter().map(AsRef::as_ref).collect();
        self.limit.set(engine.limit.unwrap_or(self.spec.tuning.batch_records));
        consumer.subscribe(&inputs)?;
        let result = self.cycle(&consumer, engine).map_err(|error| match error {
            LoopError::Lacking(_) => error,
            LoopError::Fenced(why) | LoopError::Broken(why) if self.is_usurped(&consumer) => LoopError::Fenced(why),
            LoopError::Fenced(why) | LoopError::Broken(why) => LoopError::Broken(why),
        });
        // Closing the consumer may call back for a revoke; the gate is idle by now, so that it returns at once.
        drop(consumer);
        drop(self.jobs);
        if self.committer.join().is_err() {
            return Err(LoopError::Broken("the committing thread panicked".to_owned()));
        }
        result
    }

    fn cycle<H: Handler>(&self, consumer: &Consuming<H>, engine: &mut Engine<H>) -> Result<(), LoopError> {
        let mut in_flight: Option<InFlight<H>> = None;
        while !self.service.shutdown.is_cancelled() {
            Self::able(consumer)?;
            if self.unreadable.replace(false) {
                self.look_for_unreadable(consumer, engine, &mut in_flight)?;
            }
            let batch = self.collect(consumer, engine, &mut in_flight)?;
            self.hear_no_more();
            self.look_for_places(consumer, engine, &mut in_flight)?;
            let changed = self.follow_changes(consumer, engine, &mut in_flight)?;
            if changed {
                self.show_ready("assigned");
                continue;
            }
            if batch.is_empty() {
                self.settle(consumer, engine, &mut in_flight)?;
                continue;
            }
            let (inputs, started) = (inputs(&batch), Instant::now());
            let prepared = engine.prepare(&inputs, in_flight.as_ref().map(|f| &f.overlay));
            self.meter.handled(inputs.len(), started.elapsed());
            if !self.settle(consumer, engine, &mut in_flight)? {
                continue; // the batch before was aborted, and this one was handled on top of it
            }
            self.meter.age(inputs.last().map_or(0, |r| r.timestamp_ms), clock::now_ms());
            let stopped = prepared.stopped.clone().zip(inputs.get(prepared.outcomes.len()).map(place_of));
            self.walk_on(&prepared.offsets);
            if !prepared.outcomes.is_empty() {
                in_flight = Some(self.hand_over(consumer, prepared, &inputs)?);
            }
            if let Some((error, place)) = stopped {
                self.settle(consumer, engine, &mut in_flight)?;
                self.stand(consumer, engine, &error, place)?;
            }
            self.respect_cap(consumer, engine, &mut in_flight)?;
        }
        self.settle(consumer, engine, &mut in_flight)?;
        Ok(())
    }

    /// What the next transaction takes. While one is under way, all that comes until it has ended, since nothing can be written
    /// before; a full batch is handled beside it. Otherwise what comes until the pace allows another. Ends at a rebalance with
    /// nothing: what was collected is of the old assignment, which the new one reads again from its committed offsets; a record
    /// polled after it would be of the new one and must not be dropped with the rest.
    fn collect<'c, H: Handler>(
        &self,
        consumer: &'c Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
    ) -> Result<Vec<BorrowedMessage<'c>>, LoopError> {
        let mut batch = Batch::of(self.limit.get(), self.spec.tuning.batch_bytes);
        self.take(consumer, &mut batch, Instant::now());
        if consumer.context().has_changed() {
            return Ok(Vec::new()); // how the transaction ended is for who follows the change: to go back would be wrong now
        }
        if in_flight.is_some() && !batch.is_full() && !self.settle(consumer, engine, in_flight)? {
            return Ok(Vec::new()); // it was aborted, and the consumer stands at its beginning
        }
        if in_flight.is_none() && batch.records.is_empty() {
            self.take_first(consumer, &mut batch);
        }
        if in_flight.is_none() && !batch.records.is_empty() {
            self.take(consumer, &mut batch, self.begun.get() + Duration::from_millis(self.spec.tuning.pace_ms));
        }
        Ok(if consumer.context().has_changed() { Vec::new() } else { batch.records })
    }

    /// Waits a while for a record.
    fn take_first<'c, K: Stored + Eq + Hash, V: Stored>(&self, consumer: &'c Assigned<K, V>, batch: &mut Batch<'c>) {
        let until = Instant::now() + LONGEST_WAIT;
        while batch.records.is_empty() && self.may_take(consumer) {
            let wait = until.saturating_duration_since(Instant::now());
            if !self.take_one(consumer, batch, wait) && wait.is_zero() {
                return;
            }
        }
    }

    /// Takes what is there, and what comes until then, unless the batch is full before.
    fn take<'c, K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &'c Assigned<K, V>,
        batch: &mut Batch<'c>,
        until: Instant,
    ) {
        while !batch.is_full() && self.may_take(consumer) {
            let wait = until.saturating_duration_since(Instant::now());
            if !self.take_one(consumer, batch, wait) && wait.is_zero() {
                return;
            }
        }
    }

    /// What comes after something that could not be unpacked may lie behind it.
    fn may_take<K: Stored + Eq + Hash, V: Stored>(&self, consumer: &Assigned<K, V>) -> bool {
        !self.unreadable.get() && !consumer.context().has_changed()
    }

    /// Polls once; whether anything came of it.
    fn take_one<'c, K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &'c Assigned<K, V>,
        batch: &mut Batch<'c>,
        wait: Duration,
    ) -> bool {
        match consumer.poll(whole_ms(wait)) {
            Some(Ok(message)) if !consumer.context().has_changed() => batch.push(message),
            Some(Ok(_)) => {}
            Some(Err(error)) => self.complain(&error),
            None => return false,
        }
        true
    }

    fn hand_over<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        prepared: Prepared<H::Key, H::Value>,
        inputs: &[Input<'_>],
    ) -> Result<InFlight<H>, LoopError> {
        let first = inputs.first().map(|input| (input.topic.to_owned(), input.partition, input.offset));
        let mut offsets = TopicPartitionList::new();
        for ((topic, partition), next) in &prepared.offsets {
            offsets.add_partition_offset(topic, *partition, Offset::Offset(*next))?;
        }
        consumer.context().mark(&mut offsets);
        let dead_letters = prepared.dead_letters.into_iter();
        let letter = |d: DeadLetter| Letter::new(OwnedInput::from(&inputs[d.index]), d.reason, d.detail, d.cut);
        let dead_letters = dead_letters.map(letter).collect();
        let group = consumer.group_metadata().ok_or_else(|| LoopError::Broken("no group metadata".to_owned()))?;
        let changelog = match self.spec.changelog {
            Some(_) => {
                let position = |(place, next): (&(String, i32), &i64)| {
                    (place.1, STATE_POSITION.to_vec(), Some(next.to_be_bytes().to_vec()))
                };
                changelog(&prepared.overlay).into_iter().chain(prepared.offsets.iter().map(position)).collect()
            }
            None => Vec::new(),
        };
        self.gate.open();
        self.begun.set(Instant::now());
        let job = Job { outputs: prepared.outputs, dead_letters, changelog, offsets, group };
        self.jobs.send(job).map_err(|_| LoopError::Broken("the committing thread is gone".to_owned()))?;
        let sources = match self.spec.pauses_floods {
            true => inputs.iter().map(|input| self.source_of(input.topic)).collect(),
            false => Vec::new(),
        };
        Ok(InFlight { overlay: prepared.overlay, outcomes: prepared.outcomes, sources, first, since: Instant::now() })
    }

    fn source_of(&self, topic: &str) -> usize {
        self.spec.inputs.iter().position(|input| **input == *topic).unwrap_or_default()
    }
}

fn inputs<'m>(batch: &'m [BorrowedMessage<'_>]) -> Vec<Input<'m>> {
    batch.iter().map(Input::of).collect()
}
