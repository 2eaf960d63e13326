//! One session of the loop, from new clients to their end: collect, handle, hand over, wait. Its one rule is the order of those
//! steps: nothing of batch N+1 is produced, and no overlay folded in, before the commit of batch N has returned.
//!
//! [`collecting`] says what the next transaction takes, [`membership`] whether the group still counts this member in, [`outcome`]
//! what follows from how a transaction ended, [`holds`] when the worker stands still, [`standing`] what it does before what it
//! cannot serve.

mod collecting;
mod holds;
mod membership;
mod outcome;
mod standing;
mod trouble;

use self::collecting::{Batch, Polled, Source, collect};
pub(super) use self::holds::CUT_OFF;
use self::trouble::{Complaint, Standing};
use super::assignment::Assignment;
use super::clients::{self, whole_ms};
use super::committer::{Committer, Gate, Job, Letter, PRODUCERS, TransactionOutcome};
use super::dead_letter_limit::DeadLetterLimits;
use super::engine::{DeadLetter, Engine, Place, Prepared, changelog, place_of};
use super::error::LoopError;
use super::handler::{Handler, RecordOutcome};
use super::meter::Meter;
use super::offset::NextOffset;
use super::position::{Gap, STATE_POSITION};
use super::producer::{Producer, settings};
use super::record::{Input, OwnedInput};
use super::spec::LoopSpec;
use super::state::Overlay;
use crate::clock;
use crate::service::ServiceContext;
use crate::task;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use std::cell::{Cell, RefCell};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type Consuming<H> = Assigned<<H as Handler>::Key, <H as Handler>::Value>;
type Assigned<K, V> = BaseConsumer<Assignment<K, V>>;

/// The clients of a session, and how far it is.
pub(super) struct Session<'a> {
    spec: &'a LoopSpec,
    service: &'a ServiceContext,
    meter: &'a Arc<Meter>,
    /// Of each topic of the deployment.
    partitions: i32,
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
    /// No broker is up.
    cut_off: Cell<bool>,
    /// Before what the handler cannot serve.
    standing: RefCell<Option<Standing>>,
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
            partitions,
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
            cut_off: Cell::new(false),
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
        engine.spread_over(self.partitions);
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
            let batch = Batch::of(self.limit.get(), self.spec.tuning.batch_bytes);
            let batch = collect(&mut Polling { session: self, consumer, engine, in_flight: &mut in_flight }, batch)?;
            self.hear_no_more();
            self.look_for_brokers();
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

    fn hand_over<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        prepared: Prepared<H::Key, H::Value>,
        inputs: &[Input<'_>],
    ) -> Result<InFlight<H>, LoopError> {
        let first = inputs.first().map(place_of);
        let mut offsets = TopicPartitionList::new();
        for ((topic, partition), next) in &prepared.offsets {
            offsets.add_partition_offset(topic, *partition, next.to_kafka())?;
        }
        consumer.context().mark(&mut offsets);
        let dead_letters = prepared.dead_letters.into_iter();
        let letter = |d: DeadLetter| Letter::new(OwnedInput::from(&inputs[d.index]), d.reason, d.detail, d.cut);
        let dead_letters = dead_letters.map(letter).collect();
        let group = consumer.group_metadata().ok_or_else(|| LoopError::Broken("no group metadata".to_owned()))?;
        let changelog = match self.spec.changelog {
            Some(_) => {
                let position = |(place, next): (&(String, i32), &NextOffset)| {
                    (place.1, STATE_POSITION.to_vec(), Some(next.to_changelog().to_vec()))
                };
                changelog(&prepared.overlay).into_iter().chain(prepared.offsets.iter().map(position)).collect()
            }
            None => Vec::new(),
        };
        self.gate.open();
        self.begun.set(Instant::now());
        let job = Job { outputs: prepared.outputs, dead_letters, changelog, offsets, group };
        self.jobs.send(job).map_err(|_| LoopError::Broken("the committing thread is gone".to_owned()))?;
        let sources = match self.spec.limits_dead_letters {
            true => inputs.iter().map(|input| self.source_of(input.topic)).collect(),
            false => Vec::new(),
        };
        Ok(InFlight { overlay: prepared.overlay, outcomes: prepared.outcomes, sources, first, since: Instant::now() })
    }

    fn source_of(&self, topic: &str) -> usize {
        self.spec.inputs.iter().position(|input| **input == *topic).unwrap_or_default()
    }
}

/// The consumer, and the transaction behind which it is polled.
struct Polling<'c, 's, H: Handler> {
    session: &'s Session<'s>,
    consumer: &'c Consuming<H>,
    engine: &'s mut Engine<H>,
    in_flight: &'s mut Option<InFlight<H>>,
}

impl<'c, H: Handler> Source for Polling<'c, '_, H> {
    type Record = BorrowedMessage<'c>;
    type Error = LoopError;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn poll(&mut self, wait: Duration) -> Polled<BorrowedMessage<'c>> {
        match self.consumer.poll(whole_ms(wait)) {
            Some(Ok(message)) => {
                let bytes = Input::of(&message).held_bytes();
                Polled::Record(message, bytes)
            }
            Some(Err(error)) => {
                self.session.complain(&error);
                Polled::Word
            }
            None => Polled::Nothing,
        }
    }

    fn has_changed(&self) -> bool {
        self.consumer.context().has_changed()
    }

    fn is_unreadable(&self) -> bool {
        self.session.unreadable.get()
    }

    fn next_turn(&self) -> Instant {
        self.session.begun.get() + Duration::from_millis(self.session.spec.tuning.pace_ms)
    }

    fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    fn settle(&mut self) -> Result<bool, LoopError> {
        self.session.settle(self.consumer, self.engine, self.in_flight)
    }
}

fn inputs<'m>(batch: &'m [BorrowedMessage<'_>]) -> Vec<Input<'m>> {
    batch.iter().map(Input::of).collect()
}
