//! The consumer's side of a rebalance: what must happen before partitions go and before they are read.

use super::committer::Gate;
use super::leaders::{Partitioned, leaderless};
use super::meter::Meter;
use super::offset::NextOffset;
use super::position::{self, Gap, LEADER_CATCHES_UP_WITHIN, Positions, Question};
use super::restore::{Apply, Changelog, restore};
use super::state::Stored;
use crate::kafka::{self, Isolation, Plain, PlainConsumer, reader};
use hashbrown::HashMap;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The client's name for a session that ran out, in its log; it tells nobody in any other way.
const SESSION_TIMED_OUT: &str = "SESSTMOUT";

/// Between two tries to read what a new leader does not show yet.
const LEADER_IS_ASKED_EVERY: Duration = Duration::from_millis(200);

/// What a rebalance did, told to the loop after the poll in which it happened.
pub(crate) enum Change<K, V> {
    Revoked,
    Assigned(Taken<K, V>),
    /// The restore failed; the loop must start again with new clients.
    Failed(String),
}

/// What was taken over.
pub(crate) struct Taken<K, V> {
    /// The tables of what may be read, by partition.
    pub tables: HashMap<i32, HashMap<K, V>>,
    /// What may not be read until somebody accepts it.
    pub gaps: Vec<Gap>,
    /// Partitions that wait for a leader.
    pub waiting: TopicPartitionList,
}

/// The consumer's context.
pub(crate) struct Assignment<K, V> {
    pub gate: Arc<Gate>,
    pub meter: Arc<Meter>,
    /// Configuration of plain clients on the same cluster, and the changelog's topic where the worker has state.
    pub plain: ClientConfig,
    pub changelog: Option<Arc<str>>,
    /// Whether what it reads is written in transactions alone.
    pub in_transactions: bool,
    /// Topics that need a leader in the partition of a number, for it to be read.
    pub partitioned: Partitioned,
    pub restore_timeout: Duration,
    /// Of a call that must not hold the rest of the take-over.
    pub call_timeout: Duration,
    /// The group, and the topic of accepted gaps.
    pub group: Arc<str>,
    pub gaps: Arc<str>,
    /// The ids of the topics held.
    pub topic_ids: Mutex<BTreeMap<String, String>>,
    pub changes: Mutex<Vec<Change<K, V>>>,
    /// Whether this member's session ran out without a word from the coordinator, and it has not been assigned anything since.
    pub session_lost: AtomicBool,
}

impl<K: Stored + Eq + Hash, V: Stored> Assignment<K, V> {
    /// Puts the ids of topics beside offsets that are going to be committed.
    pub fn mark(&self, offsets: &mut TopicPartitionList) {
        let ids = self.topic_ids.lock().unwrap_or_else(PoisonError::into_inner);
        position::mark(offsets, &ids, self.changelog.as_deref());
    }

    /// Where the group stands in partitions held, by offsets that it has committed.
    pub fn positions(&self, committed: &TopicPartitionList) -> Positions {
        let topic_ids = self.topic_ids.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let place = |element: &TopicPartitionListElem<'_>| {
            Some(((element.topic().to_owned(), element.partition()), NextOffset::from_kafka(element.offset())?))
        };
        Positions::at(committed.elements().iter().filter_map(place).collect(), topic_ids)
    }

    /// The changes since the last call, in order.
    pub(crate) fn take_changes(&self) -> Vec<Change<K, V>> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there are changes to take.
    pub fn has_changed(&self) -> bool {
        !self.changes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether this member's session ran out, as far as the client's log was polled.
    pub(crate) fn has_lost_session(&self) -> bool {
        self.session_lost.load(Ordering::Relaxed)
    }

    /// What an operator can do where waiting did not help.
    fn advice(&self, error: &KafkaError) -> String {
        match (&self.changelog, error.rdkafka_error_code()) {
            (Some(topic), Some(RDKafkaErrorCode::OperationTimedOut)) => format!(
                "; if a transaction of {topic} hangs, `kafka-transactions.sh find-hanging` names it; read ADR 12 before you \
                 `abort` it, because records that were committed would be gone"
            ),
            _ => String::new(),
        }
    }

    fn tell(&self, change: Change<K, V>) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }

    fn take_over(
        &self,
        consumer: &BaseConsumer<Self>,
        tpl: &TopicPartitionList,
    ) -> Result<(TopicPartitionList, Change<K, V>), String> {
        let started = Instant::now();
        let told = |error: KafkaError| format!("restore: {error}{}", self.advice(&error));
        let (led, waiting) = self.led(consumer, tpl).map_err(told)?;
        let committed = stable_committed(consumer, &led, self.restore_timeout).map_err(told)?;
        let question = Question {
            group: &self.group,
            changelog: self.changelog.as_deref(),
            in_transactions: self.in_transactions,
            patience: LEADER_CATCHES_UP_WITHIN,
            timeout: self.restore_timeout,
        };
        let mut positions = position::find(consumer, &committed, question).map_err(told)?;
        let mut tables = HashMap::new();
        if let Some(topic) = &self.changelog {
            let state_id = positions.topic_ids.get(&**topic).cloned();
            let asked = (&committed, state_id.as_deref());
            let mut reader = Reader::new(&self.plain, topic, asked, self.restore_timeout).map_err(told)?;
            // A gap may be accepted below, so that its table is needed as well.
            for element in committed.elements() {
                let (place, partition) = ((element.topic().to_owned(), element.partition()), element.partition());
                let restored = restore::<K, V, _>(&mut reader, partition).map_err(told)?;
                if restored.unreadable > 0 {
                    // Left out, it would be forgotten: what it remembers would be handled again.
                    let count = restored.unreadable;
                    return Err(format!(
                        "restore: {count} entries of {topic}/{partition} are of no form that this version reads"
                    ));
                }
                let [committed, position] = [restored.next_offset, restored.position].map(|at| at.map(NextOffset::get));
                tracing::debug!(partition, committed, position, "restored");
                positions.hold_state(&self.group, &place, topic, restored.position);
                tables.insert(partition, restored.table);
            }
        }
        if !positions.gaps.is_empty() {
            // Where nobody can be heard nothing is accepted, and the other partitions go on.
            match position::accepted_gaps(&self.plain, &self.gaps, self.call_timeout) {
                Ok(accepted) => positions.accept(&accepted),
                Err(error) => tracing::error!(topic = &*self.gaps, %error, "accepted gaps cannot be read"),
            }
        }
        if !positions.moved.is_empty() {
            // From now on they are committed like any other, and no offset means that one was lost.
            let first = positions.moved().map_err(told)?;
            consumer.commit(&first, CommitMode::Sync).map_err(|error| format!("the first offsets: {error}"))?;
        }
        let mut readable = TopicPartitionList::new();
        for ((topic, partition), start) in &positions.starts {
            readable.add_partition_offset(topic, *partition, start.to_kafka()).map_err(told)?;
            tables.entry(*partition).or_default();
        }
        tables.retain(|partition, _| positions.starts.keys().any(|(_, readable)| readable == partition));
        *self.topic_ids.lock().unwrap_or_else(PoisonError::into_inner) = positions.topic_ids;
        self.meter.restored(started.elapsed());
        Ok((readable, Change::Assigned(Taken { tables, gaps: positions.gaps, waiting })))
    }

    /// Those of the partitions that can be worked on, and those that wait for a leader.
    fn led(
        &self,
        consumer: &BaseConsumer<Self>,
        tpl: &TopicPartitionList,
    ) -> Result<(TopicPartitionList, TopicPartitionList), KafkaError> {
        let lacking = leaderless(consumer.client(), &self.partitioned, self.restore_timeout)?;
        let (mut led, mut waiting) = (TopicPartitionList::new(), TopicPartitionList::new());
        for element in tpl.elements() {
            let list = if lacking.of(element.topic(), element.partition()).is_some() { &mut waiting } else { &mut led };
            list.add_partition(element.topic(), element.partition());
        }
        Ok((led, waiting))
    }
}

/// Committed offsets, asked until no open transaction holds one.
fn stable_committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    tpl: &TopicPartitionList,
    timeout: Duration,
) -> Result<TopicPartitionList, KafkaError> {
    // With isolation.level=read_committed the client asks with RequireStable and retries on UNSTABLE_OFFSET_COMMIT.
    consumer.committed_offsets(tpl.clone(), timeout)
}

impl<K: Stored + Eq + Hash, V: Stored> ClientContext for Assignment<K, V> {
    fn stats(&self, statistics: Statistics) {
        self.meter.statistics(&statistics);
    }

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        if fac == SESSION_TIMED_OUT {
            self.session_lost.store(true, Ordering::Relaxed);
        }
        kafka::line(self.meter.worker(), level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        kafka::error(self.meter.worker(), &error, reason);
    }
}

impl<K: Stored + Eq + Hash, V: Stored> ConsumerContext for Assignment<K, V> {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, tpl: &mut TopicPartitionList) {
        self.meter.rebalanced();
        if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            match self.take_over(consumer, tpl) {
                Ok((readable, change)) => {
                    self.session_lost.store(false, Ordering::Relaxed);
                    self.tell(change);
                    if let Err(error) = consumer.assign(&readable) {
                        self.tell(Change::Failed(format!("assign: {error}")));
                    }
                }
                Err(why) => self.tell(Change::Failed(why)),
            }
        } else {
            self.gate.revoke(consumer.assignment_lost());
            self.tell(Change::Revoked);
            if let Err(error) = consumer.unassign() {
                self.tell(Change::Failed(format!("unassign: {error}")));
            }
        }
    }
}

/// The restore's questions, asked of a real broker.
struct Reader {
    topic: Arc<str>,
    committed: HashMap<i32, Option<NextOffset>>,
    promised: HashMap<i32, NextOffset>,
    /// Until when leaders may not know of everything that they hold; none before one has shown too little.
    leaders_until: Option<Instant>,
    uncommitted: PlainConsumer,
    reader: PlainConsumer,
    deadline: Instant,
    timeout: Duration,
}

impl Reader {
    fn new(
        plain: &ClientConfig,
        topic: &Arc<str>,
        (committed, state_id): (&TopicPartitionList, Option<&str>),
        timeout: Duration,
    ) -> Result<Self, KafkaError> {
        let client = |isolation| -> Result<PlainConsumer, KafkaError> {
            let mut config = reader(plain, &format!("{topic}-restore"), isolation);
            config.set("enable.partition.eof", "true");
            config.set("auto.offset.reset", "earliest").set("queued.max.messages.kbytes", "8192");
            // A partition is read right after another: its turn must not wait for a fetch that waits for more of the last one.
            config.set("fetch.wait.max.ms", "10").set("fetch.queue.backoff.ms", "10");
            config.create_with_context(Plain)
        };
        let offsets = committed.elements().into_iter().map(|e| (e.partition(), NextOffset::from_kafka(e.offset())));
        let promised =
            committed.elements().into_iter().filter_map(|e| Some((e.partition(), position::promised(&e, state_id)?)));
        Ok(Self {
            topic: topic.clone(),
            committed: offsets.collect(),
            promised: promised.collect(),
            leaders_until: None,
            uncommitted: client(Isolation::Uncommitted)?,
            reader: client(Isolation::Committed)?,
            deadline: Instant::now() + timeout,
            timeout,
        })
    }
}

impl Changelog for Reader {
    type Error = KafkaError;

    fn stable_committed(&mut self, partition: i32) -> Result<Option<NextOffset>, KafkaError> {
        Ok(self.committed.get(&partition).copied().flatten())
    }

    fn high_watermark(&mut self, partition: i32) -> Result<NextOffset, KafkaError> {
        Ok(NextOffset::new(self.uncommitted.fetch_watermarks(&self.topic, partition, self.timeout)?.1))
    }

    fn last_stable(&mut self, partition: i32) -> Result<NextOffset, KafkaError> {
        Ok(NextOffset::new(self.reader.fetch_watermarks(&self.topic, partition, self.timeout)?.1))
    }

    fn pause(&mut self) -> Result<(), KafkaError> {
        if Instant::now() > self.deadline {
            return Err(KafkaError::Global(RDKafkaErrorCode::OperationTimedOut));
        }
        std::thread::sleep(Duration::from_millis(2));
        Ok(())
    }

    fn promised(&mut self, partition: i32) -> Option<NextOffset> {
        self.promised.get(&partition).copied()
    }

    fn wait_for_leader(&mut self) -> bool {
        // Once for all partitions: the group waits meanwhile.
        let until = *self.leaders_until.get_or_insert_with(|| Instant::now() + LEADER_CATCHES_UP_WITHIN);
        std::thread::sleep(LEADER_IS_ASKED_EVERY);
        Instant::now() < until
    }

    fn read_committed(&mut self, partition: i32, apply: &mut Apply<'_>) -> Result<(), KafkaError> {
        let mut tpl = TopicPartitionList::new();
        tpl.add_partition_offset(&self.topic, partition, Offset::Beginning)?;
        self.reader.assign(&tpl)?;
        loop {
            match self.reader.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => apply(message.key().unwrap_or_default(), message.payload()),
                // The end of the partition for this isolation level is its last stable offset, which is past the mark.
                Some(Err(KafkaError::PartitionEOF(at))) if at == partition => return Ok(()),
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
                // Whatever else it is, the client mends it by itself, or the deadline passes.
                Some(Err(_)) | None => self.pause()?,
            }
        }
    }
}
