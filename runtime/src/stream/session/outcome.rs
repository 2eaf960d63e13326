//! What follows from how a transaction ended: fold its overlay in, read its batch again, wait, or end the session.

use super::{Assigned, Consuming, InFlight, Session};
use crate::outage::KAFKA;
use crate::stream::assignment::{Change, Taken};
use crate::stream::committer::TransactionOutcome;
use crate::stream::engine::Engine;
use crate::stream::error::LoopError;
use crate::stream::handler::{Handler, RecordOutcome};
use crate::stream::offset::NextOffset;
use crate::stream::state::Stored;
use crate::warn_unless_away;
use hashbrown::HashMap;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use std::hash::Hash;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// Pause after the first transaction that was refused; it doubles with each that follows, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two tries of a batch.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Session<'_> {
    /// Applies what a rebalance did during the poll, and tells whether there was one.
    pub(super) fn follow_changes<H: Handler>(
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
                TransactionOutcome::Committed { partitions } => self.committed(consumer, engine, batch, partitions)?,
                TransactionOutcome::Revoked(why) => self.aborted(&batch, why),
                TransactionOutcome::Refused(why) => self.aborted(&batch, &why),
                TransactionOutcome::Poison(why) => drop(self.poisoned(engine, &batch, &why)),
                TransactionOutcome::Fenced(why) => return Err(LoopError::Fenced(why)),
                TransactionOutcome::Lost(why) => return Err(Self::lost(engine, &batch, why)),
            }
        }
        for change in changes {
            match change {
                Change::Revoked => {
                    engine.revoke_all();
                    self.gaps.borrow_mut().clear();
                    *self.standing.borrow_mut() = None;
                    *self.waiting.borrow_mut() = TopicPartitionList::new();
                }
                Change::Assigned(Taken { tables, gaps, waiting }) => {
                    *self.waiting.borrow_mut() = waiting;
                    gaps.iter().for_each(|gap| tracing::error!(worker = self.spec.worker, %gap, "a gap"));
                    *self.gaps.borrow_mut() = gaps;
                    tracing::info!(worker = self.spec.worker, partitions = tables.len(), "assigned");
                    tables.into_iter().for_each(|(partition, table)| engine.assign(partition, table));
                }
                Change::Failed(why) => return Err(LoopError::Broken(why)),
            }
        }
        self.meter.state_entries.set(engine.entries() as i64);
        // The client keeps a pause over a new assignment; why it was is no more, or is said below.
        consumer.resume(&self.readable(&consumer.assignment()?)?)?;
        let unread: Vec<String> = self.dead_letter_limits.borrow().paused().map(str::to_owned).collect();
        unread.iter().try_for_each(|topic| self.pause_topic(consumer, topic))?;
        Ok(true)
    }

    /// Waits for the transaction under way. False when it was aborted: the consumer stands at the committed offsets again.
    pub(super) fn settle<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        in_flight: &mut Option<InFlight<H>>,
    ) -> Result<bool, LoopError> {
        let Some(batch) = in_flight.take() else { return Ok(true) };
        match self.result()? {
            TransactionOutcome::Committed { partitions } => {
                self.committed(consumer, engine, batch, partitions)?;
                Ok(true)
            }
            TransactionOutcome::Revoked(why) => {
                self.aborted(&batch, why);
                self.rewind(consumer)?;
                Ok(false)
            }
            TransactionOutcome::Refused(why) => {
                self.aborted(&batch, &why);
                self.wait_out(consumer, &why)?;
                Ok(false)
            }
            TransactionOutcome::Poison(why) => {
                match self.poisoned(engine, &batch, &why) {
                    true => self.rewind(consumer)?,
                    // Nothing smaller is left to try.
                    false => self.wait_out(consumer, &why)?,
                }
                Ok(false)
            }
            TransactionOutcome::Fenced(why) => Err(LoopError::Fenced(why)),
            TransactionOutcome::Lost(why) => Err(Self::lost(engine, &batch, why)),
        }
    }

    /// The session ends; the next one begins with half as many records.
    fn lost<H: Handler>(engine: &mut Engine<H>, batch: &InFlight<H>, why: String) -> LoopError {
        engine.limit = Some((batch.outcomes.len() / 2).max(1));
        LoopError::Broken(why)
    }

    /// Looks for the record that no broker takes: in half as many records, and once it is alone by asking the handler for less.
    /// False when there is nothing left to try.
    fn poisoned<H: Handler>(&self, engine: &mut Engine<H>, batch: &InFlight<H>, why: &str) -> bool {
        self.aborted(batch, why);
        let records = batch.outcomes.len();
        if records > 1 {
            self.limit.set(records / 2);
            return true;
        }
        let Some(place) = batch.first.clone() else { return false };
        let (topic, partition, offset) = &place;
        tracing::error!(
            worker = self.spec.worker,
            topic,
            partition,
            offset = offset.get(),
            why,
            "no broker takes what this record makes"
        );
        engine.set_unproducible(place)
    }

    fn result(&self) -> Result<TransactionOutcome, LoopError> {
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

    fn committed<H: Handler>(
        &self,
        consumer: &Consuming<H>,
        engine: &mut Engine<H>,
        batch: InFlight<H>,
        partitions: usize,
    ) -> Result<(), LoopError> {
        self.meter.ended("committed", batch.since.elapsed());
        self.meter.wrote(partitions);
        self.limit.set(self.limit.get().saturating_mul(2).min(self.spec.tuning.batch_records));
        engine.limit = None;
        if self.refused.replace(0) > 0 {
            self.show_ready("writing again");
        }
        engine.committed(batch.overlay);
        self.meter.state_entries.set(engine.entries() as i64);
        let mut counts: HashMap<&'static str, u64> = HashMap::new();
        for outcome in &batch.outcomes {
            match outcome {
                RecordOutcome::Done(outcome) => *counts.entry(outcome).or_default() += 1,
                RecordOutcome::DeadLetter { reason, .. } | RecordOutcome::Refused { reason, .. } => {
                    *counts.entry("dead_lettered").or_default() += 1;
                    self.meter.dead_letter(reason);
                }
            }
        }
        counts.into_iter().for_each(|(outcome, count)| self.meter.record(outcome, count));
        for (source, outcome) in batch.sources.iter().zip(&batch.outcomes) {
            let Some(topic) = self.spec.inputs.get(*source) else { continue };
            if self.dead_letter_limits.borrow_mut().has_passed(topic, outcome) {
                self.meter.dead_letter_limit_stopped(topic);
                tracing::error!(
                    worker = self.spec.worker,
                    topic = &**topic,
                    "dead-letter limit reached: this topic is paused"
                );
                self.pause_topic(consumer, topic)?;
                self.show_ready("reading");
            }
        }
        Ok(())
    }

    fn aborted<H: Handler>(&self, batch: &InFlight<H>, why: &str) {
        self.meter.ended("aborted", batch.since.elapsed());
        warn_unless_away!(KAFKA, worker = self.spec.worker, records = batch.outcomes.len(), why, "transaction aborted");
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
            self.service
                .health
                .component(self.spec.worker)
                .set_ready(false, format!("transactions are refused: {why}"));
        }
        let held = consumer.assignment()?;
        self.all_are_led(&held)?;
        consumer.pause(&held)?;
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.service.shutdown.is_cancelled() && !consumer.context().has_changed() {
            Self::able(consumer)?;
            drop(consumer.poll(Duration::from_millis(20).min(pause)));
        }
        consumer.resume(&self.readable(&held)?)?;
        if consumer.context().has_changed() {
            return Ok(()); // the new assignment starts from committed offsets
        }
        self.rewind(consumer)
    }

    /// Goes back to the committed offset of every partition held.
    pub(super) fn rewind<K: Stored + Eq + Hash, V: Stored>(&self, consumer: &Assigned<K, V>) -> Result<(), LoopError> {
        let timeout = Duration::from_millis(self.spec.tuning.timeout_ms);
        let held = consumer.assignment()?;
        if held.count() == 0 {
            return Ok(());
        }
        let committed = consumer.committed_offsets(held, timeout)?;
        let mut target = TopicPartitionList::new();
        for element in committed.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let Some(next) = NextOffset::from_kafka(element.offset()) else {
                return Err(LoopError::Broken(format!("the committed offset of {topic}/{partition} is gone")));
            };
            target.add_partition_offset(topic, partition, next.to_kafka())?;
        }
        for element in consumer.seek_partitions(target, timeout)?.elements() {
            element.error()?;
        }
        Ok(())
    }
}
