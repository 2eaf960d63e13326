//! The loop itself: collect, handle, hand over, wait. Its one rule is the order of those steps: nothing of batch N+1 is
//! produced, and no overlay folded in, before the commit of batch N has returned.

use super::assignment::{Assignment, Change};
use super::clients;
use super::committer::{Committer, Ended, Gate, Job, PRODUCERS};
use super::engine::{Engine, Prepared, changelog};
use super::flood::Flood;
use super::handler::{HandleError, Handler, Verdict};
use super::meter::Meter;
use super::producer::{Producer, is_fenced};
use super::record::{Input, OwnedInput};
use super::state::{Overlay, Stored};
use crate::clock;
use crate::shell::Shell;
use crate::task::{self, RoomHandle};
use hashbrown::HashMap;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;
use std::cell::Cell;
use std::hash::Hash;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Four heartbeats: by then the coordinator has told a member that another one joined under its name.
const USURPER_SHOWS_WITHIN: Duration = Duration::from_secs(4);
/// A broker that is up tells its metadata sooner.
const BROKER_ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// Nothing but what has been queued already is waited for.
const LOG_IS_READ_WITHIN: Duration = Duration::from_secs(1);

/// Pause after the first transaction that was refused; it doubles with each that follows, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two tries of a batch.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Knobs of one loop.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tuning {
    /// Most records in a transaction. Larger ones spread the cost of a commit, smaller ones wait less.
    pub batch_records: usize,
    /// Most bytes of input in a transaction.
    pub batch_bytes: usize,
    /// Milliseconds to wait for more records once there is one.
    pub linger_ms: u64,
    /// Milliseconds that any call to the broker may take.
    pub timeout_ms: u64,
    /// Milliseconds that taking over partitions may take.
    pub restore_timeout_ms: u64,
    /// Share of dead letters, in percent of the newest `flood_window` records, that stops the room. 100 never stops it.
    pub flood_percent: u32,
    /// Records over which the share is taken; fewer never stop the room.
    pub flood_window: usize,
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
            linger_ms: 2,
            timeout_ms: 8_000,
            restore_timeout_ms: 120_000,
            flood_percent: 50,
            flood_window: 2000,
            state_cap: 5_000_000,
            fetch_ahead_kb: 8192,
        }
    }
}

/// What a room tells the loop.
#[derive(Debug, Clone)]
pub struct LoopSpec {
    /// Names the consumer group, the transactional id and the metrics' label.
    pub room: &'static str,
    /// Input topics, with prefix.
    pub inputs: Vec<Arc<str>>,
    /// Changelog topic, with prefix, where the handler keeps state.
    pub changelog: Option<Arc<str>>,
    /// Dead-letter topic, with prefix.
    pub dead_letters: Arc<str>,
    /// Header and prefix of its value that mark control records.
    pub control: Option<(&'static str, &'static str)>,
    /// Knobs.
    pub tuning: Tuning,
}

/// Why a loop ended before it was told to.
#[derive(Debug, thiserror::Error)]
enum LoopError {
    #[error("another instance runs under this id: {0}")]
    Fenced(String),
    #[error("{0}")]
    Broken(String),
}

impl From<KafkaError> for LoopError {
    fn from(error: KafkaError) -> Self {
        match &error {
            KafkaError::Transaction(inner) if is_fenced(inner.code()) => Self::Fenced(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

/// Starts the loop on threads of its own. It ends well when the shell shuts down, and with an error when it is fenced; after
/// any other failure it starts again with new clients.
///
/// # Errors
/// When a room with state has several inputs, metrics are registered twice, or no thread is to be had.
pub fn spawn_loop<H: Handler + 'static>(spec: LoopSpec, handler: H, shell: &Shell) -> Result<RoomHandle, String> {
    if spec.changelog.is_some() && spec.inputs.len() != 1 {
        return Err(format!("{}: a room with keyed state has exactly one input topic", spec.room));
    }
    let meter = Arc::new(Meter::new(&shell.registry, spec.room).map_err(|e| e.to_string())?);
    let shell = shell.clone();
    let name = spec.room;
    let handle = task::thread(name, move || supervise(&spec, handler, &shell, &meter)).map_err(|e| e.to_string())?;
    Ok(RoomHandle::thread(name, handle))
}

fn supervise<H: Handler>(spec: &LoopSpec, handler: H, shell: &Shell, meter: &Arc<Meter>) -> Result<(), String> {
    let component = shell.health.component(spec.room);
    let mut engine = Engine::new(handler, spec.control);
    let mut backoff = Duration::from_millis(100);
    loop {
        let started = Instant::now();
        engine.revoke_all();
        match Life::begin(spec, shell, meter).and_then(|life| life.live(&mut engine)) {
            Ok(()) => {
                component.set_ready(false, "stopped");
                return Ok(());
            }
            Err(error @ LoopError::Fenced(_)) => {
                meter.fenced.inc();
                component.set_ready(false, "fenced");
                tracing::error!(room = spec.room, %error, "fenced");
                return Err(format!("{}: {error}", spec.room));
            }
            Err(LoopError::Broken(why)) => {
                meter.restarts.inc();
                component.set_ready(false, "restarting");
                tracing::warn!(room = spec.room, why, "room starts again");
            }
        }
        if started.elapsed() > Duration::from_secs(30) {
            backoff = Duration::from_millis(100);
        }
        std::thread::sleep(backoff);
        backoff = (backoff * 2).min(Duration::from_secs(5));
        if shell.shutdown.is_cancelled() {
            return Ok(());
        }
    }
}

type Consuming<H> = Assigned<<H as Handler>::Key, <H as Handler>::Value>;
type Assigned<K, V> = BaseConsumer<Assignment<K, V>>;

/// One life of the loop: from new clients to their end.
struct Life<'a> {
    spec: &'a LoopSpec,
    shell: &'a Shell,
    meter: &'a Arc<Meter>,
    gate: Arc<Gate>,
    jobs: SyncSender<Job>,
    ended: Receiver<Ended>,
    committer: std::thread::JoinHandle<()>,
    /// Transactions in a row that were refused.
    refused: Cell<u32>,
}

/// The batch whose transaction is under way.
struct InFlight<H: Handler> {
    overlay: Overlay<H::Key, H::Value>,
    verdicts: Vec<Verdict>,
    since: Instant,
}

impl<'a> Life<'a> {
    fn begin(spec: &'a LoopSpec, shell: &'a Shell, meter: &'a Arc<Meter>) -> Result<Self, LoopError> {
        let timeout = Duration::from_millis(spec.tuning.timeout_ms);
        let producer = |turn: usize| {
            let id = shell.kafka.topic(&format!("{}-{}-{turn}", spec.room, shell.instance));
            Producer::connect(&shell.kafka, &id, timeout)
        };
        // All of them before anything is restored: whatever a predecessor left open under any of its ids has ended by then.
        let producers: [Producer; PRODUCERS] = [producer(0)?, producer(1)?];
        let gate = Gate::new();
        let topics = (spec.changelog.clone().unwrap_or_else(|| "".into()), spec.dead_letters.clone());
        let mut committer = Committer::new(producers, gate.clone(), spec.room, topics, shell.kafka.partitions);
        let (jobs, inbox) = sync_channel::<Job>(1);
        let (outbox, ended) = sync_channel(1);
        let body = move || {
            for job in inbox {
                if outbox.send(committer.run(&job)).is_err() {
                    return;
                }
            }
        };
        let committer = task::thread(&format!("{}-commit", spec.room), body)
            .map_err(|error| LoopError::Broken(error.to_string()))?;
        Ok(Self { spec, shell, meter, gate, jobs, ended, committer, refused: Cell::new(0) })
    }

    fn live<H: Handler>(self, engine: &mut Engine<H>) -> Result<(), LoopError> {
        let consumer: Consuming<H> = clients::consumer(self.shell, self.spec).create_with_context(Assignment {
            gate: self.gate.clone(),
            meter: self.meter.clone(),
            plain: self.shell.kafka.client(),
            changelog: self.spec.changelog.clone(),
            restore_timeout: Duration::from_millis(self.spec.tuning.restore_timeout_ms),
            changes: Mutex::default(),
            session_lost: AtomicBool::new(false),
        })?;
        let inputs: Vec<&str> = self.spec.inputs.iter().map(AsRef::as_ref).collect();
        consumer.subscribe(&inputs)?;
        let result = self.cycle(&consumer, engine).map_err(|error| {
            let (LoopError::Fenced(why) | LoopError::Broken(why)) = error;
            if self.is_usurped(&consumer) { LoopError::Fenced(why) } else { LoopError::Broken(why) }
        });
        // Closing the consumer may call back for a revoke; the gate is idle by now, so that it returns at once.
        drop(consumer);
        drop(self.jobs);
        if self.committer.join().is_err() {
            return Err(LoopError::Broken("the committing thread panicked".to_owned()));
        }
        result
    }

    /// Whether another instance holds this one's group membership, asked before new clients would take its ids from it. A
    /// producer is also fenced when its transaction timed out while the broker was away, and a zombie may meet any other
    /// error first; only the membership tells. While the broker is away nobody can tell, and nothing else can be done.
    fn is_usurped<K: Stored + Eq + Hash, V: Stored>(&self, consumer: &Assigned<K, V>) -> bool {
        let mut heard: Option<Instant> = None;
        loop {
            if let Some((code, _)) = consumer.client().fatal_error() {
                return is_fenced(code) && !Self::has_lost_session(consumer);
            }
            if self.shell.shutdown.is_cancelled() || heard.is_some_and(|at| at.elapsed() > USURPER_SHOWS_WITHIN) {
                return false;
            }
            drop(consumer.poll(Duration::from_millis(100)));
            let answers =
                || consumer.fetch_metadata(self.spec.inputs.first().map(AsRef::as_ref), BROKER_ANSWERS_WITHIN);
            if heard.is_none() && answers().is_ok() {
                heard = Some(Instant::now());
            }
        }
    }

    /// Whether this member's session had run out before the coordinator fenced it. Such a member forgets its member id and
    /// goes on beating without one until its partitions are given back; the coordinator takes it for a stranger under a name
    /// that is taken (librdkafka issue 3437). Nobody has to be there: the room starts again, and a usurper, if there is one,
    /// is fenced by that and ends.
    fn has_lost_session<K: Stored + Eq + Hash, V: Stored>(consumer: &Assigned<K, V>) -> bool {
        let until = Instant::now() + LOG_IS_READ_WITHIN;
        // The log waits to be polled like everything else.
        while Instant::now() < until && consumer.poll(Duration::from_millis(50)).is_some() {}
        consumer.context().has_lost_session()
    }

    /// Whether the consumer can go on. A fatal error stays with the client: as a polled event it would be seen once, and not
    /// at all behind a rebalance.
    fn able<K: Stored + Eq + Hash, V: Stored>(consumer: &Assigned<K, V>) -> Result<(), LoopError> {
        match consumer.client().fatal_error() {
            Some((_, why)) => Err(LoopError::Broken(why)),
            None => Ok(()),
        }
    }

    fn cycle<H: Handler>(&self, consumer: &Consuming<H>, engine: &mut Engine<H>) -> Result<(), LoopError> {
        let component = self.shell.health.component(self.spec.room);
        let mut flood = Flood::new(self.spec.tuning.flood_window, self.spec.tuning.flood_percent);
        let mut in_flight: Option<InFlight<H>> = None;
        while !self.shell.shutdown.is_cancelled() {
            Self::able(consumer)?;
            let batch = self.collect(consumer, in_flight.is_some());
            let changed = self.follow_changes(consumer, engine, &mut in_flight)?;
            if changed {
                component.set_ready(true, "assigned");
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
            if flood.is_over(&prepared.verdicts) {
                return self.hold(consumer, &component);
            }
            self.meter.age(inputs.last().map_or(0, |r| r.timestamp_ms), clock::now_ms());
            let stopped = prepared.stopped.clone();
            if !prepared.verdicts.is_empty() {
                in_flight = Some(self.hand_over(consumer, prepared, &inputs)?);
            }
            if let Some(error) = stopped {
                self.settle(consumer, engine, &mut in_flight)?;
                self.wait_and_rewind(consumer, &component, &error)?;
            }
            self.respect_cap(consumer, engine, &mut in_flight, &component)?;
        }
        self.settle(consumer, engine, &mut in_flight)?;
        Ok(())
    }

    /// Polls until the batch is full, or the linger has passed. While a commit is under way it goes on collecting. Ends at a
    /// rebalance with nothing: what was collected is of the old assignment, which the new one reads again from its committed
    /// offsets; a record polled after it would be of the new one and must not be dropped with the rest.
    fn collect<'c, K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &'c Assigned<K, V>,
        committing: bool,
    ) -> Vec<BorrowedMessage<'c>> {
        let tuning = &self.spec.tuning;
        let mut batch = Vec::with_capacity(tuning.batch_records.min(4096));
        let mut bytes = 0;
        let mut until = Instant::now() + Duration::from_millis(if committing { tuning.linger_ms } else { 100 });
        while batch.len() < tuning.batch_records && bytes < tuning.batch_bytes {
            let wait = until.saturating_duration_since(Instant::now());
            let polled = consumer.poll(wait);
            if consumer.context().has_changed() {
                return Vec::new();
            }
            match polled {
                Some(Ok(message)) => {
                    if batch.is_empty() {
                        until = Instant::now() + Duration::from_millis(tuning.linger_ms);
                    }
                    bytes += message.payload_len() + message.key_len();
                    batch.push(message);
                }
                Some(Err(error)) => tracing::debug!(room = self.spec.room, %error, "poll"),
                None if wait.is_zero() => break,
                None => {}
            }
        }
        batch
    }

    /// Applies what a rebalance did during the poll, and tells whether there was one.
    fn follow_changes<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
    ) -> Result<bool, LoopError> {
        let changes = consumer.context().take_changes();
        if changes.is_empty() {
            return Ok(false);
        }
        // The callback has waited for the transaction, so that its result is here. A rewind would be wrong now: the new
        // assignment starts from committed offsets already.
        if let Some(batch) = in_flight.take() {
            match self.result()? {
                Ended::Committed => self.committed(engine, batch),
                Ended::Revoked(why) => self.aborted(&batch, why),
                Ended::Refused(why) => self.aborted(&batch, &why),
                Ended::Fenced(why) => return Err(LoopError::Fenced(why)),
                Ended::Lost(why) => return Err(LoopError::Broken(why)),
            }
        }
        for change in changes {
            match change {
                Change::Revoked => engine.revoke_all(),
                Change::Assigned(tables) => {
                    tracing::info!(room = self.spec.room, partitions = tables.len(), "assigned");
                    tables.into_iter().for_each(|(partition, table)| engine.assign(partition, table));
                }
                Change::Failed(why) => return Err(LoopError::Broken(why)),
            }
        }
        self.meter.state_entries.set(engine.entries() as i64);
        Ok(true)
    }

    /// Waits for the transaction under way. False when it was aborted: the consumer stands at the committed offsets again.
    fn settle<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
    ) -> Result<bool, LoopError> {
        let Some(batch) = in_flight.take() else { return Ok(true) };
        match self.result()? {
            Ended::Committed => {
                self.committed(engine, batch);
                Ok(true)
            }
            Ended::Revoked(why) => {
                self.aborted(&batch, why);
                self.rewind(consumer)?;
                Ok(false)
            }
            Ended::Refused(why) => {
                self.aborted(&batch, &why);
                self.wait_out(consumer, &why)?;
                Ok(false)
            }
            Ended::Fenced(why) => Err(LoopError::Fenced(why)),
            Ended::Lost(why) => Err(LoopError::Broken(why)),
        }
    }

    fn result(&self) -> Result<Ended, LoopError> {
        loop {
            match self.ended.recv_timeout(Duration::from_millis(250)) {
                Ok(ended) => {
                    self.meter.open_transaction.set(0.0);
                    return Ok(ended);
                }
                Err(RecvTimeoutError::Timeout) => self.meter.open_transaction.set(self.gate.open_seconds()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(LoopError::Broken("the committing thread is gone".to_owned()));
                }
            }
        }
    }

    fn committed<H: Handler>(&self, engine: &mut Engine<H>, batch: InFlight<H>) {
        self.meter.ended("committed", batch.since.elapsed());
        if self.refused.replace(0) > 0 {
            self.shell.health.component(self.spec.room).set_ready(true, "writing again");
        }
        engine.committed(batch.overlay);
        self.meter.state_entries.set(engine.entries() as i64);
        let mut counts: HashMap<&'static str, u64> = HashMap::new();
        for verdict in &batch.verdicts {
            match verdict {
                Verdict::Done(outcome) => *counts.entry(outcome).or_default() += 1,
                Verdict::DeadLetter { reason, .. } => {
                    *counts.entry("dead_lettered").or_default() += 1;
                    self.meter.dead_letter(reason);
                }
            }
        }
        counts.into_iter().for_each(|(outcome, count)| self.meter.record(outcome, count));
    }

    fn aborted<H: Handler>(&self, batch: &InFlight<H>, why: &str) {
        self.meter.ended("aborted", batch.since.elapsed());
        tracing::warn!(room = self.spec.room, records = batch.verdicts.len(), why, "transaction aborted");
    }

    /// A transaction was refused. The same batch is read again after a pause that grows while this goes on; until a commit the
    /// worker is not ready. The group is heard meanwhile, so that the partitions stay.
    fn wait_out<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        why: &str,
    ) -> Result<(), LoopError> {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.refused.get().min(16)).min(LONGEST_PAUSE);
        self.refused.set(self.refused.get().saturating_add(1));
        if self.refused.get() > 1 {
            self.shell.health.component(self.spec.room).set_ready(false, format!("transactions are refused: {why}"));
        }
        let held = consumer.assignment()?;
        consumer.pause(&held)?;
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.shell.shutdown.is_cancelled() && !consumer.context().has_changed() {
            Self::able(consumer)?;
            drop(consumer.poll(Duration::from_millis(20).min(pause)));
        }
        consumer.resume(&held)?;
        if consumer.context().has_changed() {
            return Ok(()); // the new assignment starts from committed offsets
        }
        self.rewind(consumer)
    }

    fn hand_over<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        prepared: Prepared<H::Key, H::Value>,
        inputs: &[Input<'_>],
    ) -> Result<InFlight<H>, LoopError> {
        let mut offsets = TopicPartitionList::new();
        for ((topic, partition), next) in &prepared.offsets {
            offsets.add_partition_offset(topic, *partition, Offset::Offset(*next))?;
        }
        let dead_letters = prepared.dead_letters.into_iter();
        let dead_letters = dead_letters.map(|d| (OwnedInput::from(&inputs[d.index]), d.reason, d.detail)).collect();
        let group = consumer.group_metadata().ok_or_else(|| LoopError::Broken("no group metadata".to_owned()))?;
        let changelog = match self.spec.changelog {
            Some(_) => changelog(&prepared.overlay),
            None => Vec::new(),
        };
        self.gate.open();
        let job = Job { outputs: prepared.outputs, dead_letters, changelog, offsets, group };
        self.jobs.send(job).map_err(|_| LoopError::Broken("the committing thread is gone".to_owned()))?;
        Ok(InFlight { overlay: prepared.overlay, verdicts: prepared.verdicts, since: Instant::now() })
    }

    /// Goes back to the committed offset of every partition held.
    fn rewind<K: Stored + Eq + Hash, V: Stored>(&self, consumer: &Assigned<K, V>) -> Result<(), LoopError> {
        let timeout = Duration::from_millis(self.spec.tuning.timeout_ms);
        let held = consumer.assignment()?;
        if held.count() == 0 {
            return Ok(());
        }
        let committed = consumer.committed_offsets(held, timeout)?;
        let mut target = TopicPartitionList::new();
        for element in committed.elements() {
            let offset = match element.offset() {
                Offset::Offset(offset) => Offset::Offset(offset),
                _ => Offset::Beginning,
            };
            target.add_partition_offset(element.topic(), element.partition(), offset)?;
        }
        for element in consumer.seek_partitions(target, timeout)?.elements() {
            element.error()?;
        }
        Ok(())
    }

    /// Waits until the handler may go on, and reads again from where it stopped.
    fn wait_and_rewind<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        component: &crate::health::Component,
        error: &HandleError,
    ) -> Result<(), LoopError> {
        tracing::error!(room = self.spec.room, %error, "room waits");
        component.set_ready(false, error.to_string());
        std::thread::sleep(Duration::from_millis(500));
        self.rewind(consumer)?;
        component.set_ready(true, "reading again");
        Ok(())
    }

    /// The flood limit was reached: nothing of this batch is kept, and the room stands still until someone looks.
    fn hold<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        component: &crate::health::Component,
    ) -> Result<(), LoopError> {
        self.meter.flood_stopped.set(1);
        component.set_ready(false, "flood limit of dead letters reached");
        tracing::error!(room = self.spec.room, "flood limit of dead letters reached: room stopped");
        consumer.pause(&consumer.assignment()?)?;
        self.idle_until(consumer, || false)
    }

    /// Pauses intake while the state is full, rather than forget an application.
    fn respect_cap<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
        component: &crate::health::Component,
    ) -> Result<(), LoopError> {
        if engine.entries() < self.spec.tuning.state_cap {
            return Ok(());
        }
        self.settle(consumer, engine, in_flight)?;
        self.meter.state_paused.set(1);
        component.set_ready(false, "state cap reached: intake paused");
        tracing::error!(room = self.spec.room, cap = self.spec.tuning.state_cap, "state cap reached: intake paused");
        consumer.pause(&consumer.assignment()?)?;
        self.idle_until(consumer, || false)
    }

    /// Keeps the group membership alive without reading, until told to stop, a condition holds, or partitions move.
    fn idle_until<K: Stored + Eq + Hash, V: Stored>(
        &self,
        consumer: &Assigned<K, V>,
        done: impl Fn() -> bool,
    ) -> Result<(), LoopError> {
        while !self.shell.shutdown.is_cancelled() && !done() {
            Self::able(consumer)?;
            drop(consumer.poll(Duration::from_millis(200)));
            for change in consumer.context().take_changes() {
                if matches!(change, Change::Assigned(_)) {
                    consumer.pause(&consumer.assignment()?)?;
                }
            }
        }
        Ok(())
    }
}

fn inputs<'m>(batch: &'m [BorrowedMessage<'_>]) -> Vec<Input<'m>> {
    batch.iter().map(super::record::borrowed).collect()
}
