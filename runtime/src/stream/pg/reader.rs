//! The reading half: a thread that reads one shard's partitions and makes work of their records, at most two batches ahead of
//! the database. Looks for new topics and partitions while it reads; a topic that is not there is named, a place that was lost
//! is held and named, and the others are read on.

use super::super::clients::whole_ms;
use super::super::meter::Meter;
use super::super::offset::NextOffset;
use super::super::position::{Gap, Lost, Positions, Probe, accepted_gaps, is_unreadable};
use super::super::record::Input;
use super::error::PgError;
use super::places::{Ends, Found, find, is_acceptable, words};
use super::prepare::{Prepare, Preparer};
use super::spec::PgSpec;
use crate::kafka::{self, Asker};
use crate::pg::offsets::{Place, Stand};
use rdkafka::TopicPartitionList;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::types::RDKafkaErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often topics and partitions are looked up.
const LOOK: Duration = Duration::from_secs(5);
/// The longest that is waited for more records behind a full batch.
const BUSY_LINGER: Duration = Duration::from_millis(50);
/// The longest that one may take: nothing is heard meanwhile, neither of records nor of brokers that are gone.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the broker may take to tell.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Work for the database.
pub(super) struct Batch<W> {
    /// What the handler makes of the records.
    pub work: W,
    /// How many records.
    pub records: usize,
    /// Time of the last one, milliseconds since 1970.
    pub newest_ms: i64,
    /// Where each place stands behind them.
    pub ends: BTreeMap<Place, Stand>,
}

/// What the thread hands over.
pub(super) enum Read<W> {
    /// A batch.
    Batch(Batch<W>),
    /// Somebody has accepted the gap at a place: it reads on there.
    Passed(Place, Stand),
    /// What stands in the way of reading everything, in words; empty when nothing does. Told when it changes.
    Obstacles(String),
}

/// One shard's consumer and what it reads.
pub(super) struct Reader<W> {
    pub consumer: BaseConsumer<StatsContext>,
    /// Is asked of topics meanwhile.
    pub asking: Arc<BaseProducer<Asker>>,
    /// Settings of further clients.
    pub client: ClientConfig,
    /// Name of the rows of offsets.
    pub group: String,
    pub spec: Arc<PgSpec>,
    pub shard: u32,
    /// Where the database says that it stood.
    pub stood: BTreeMap<Place, Stand>,
    pub stop: CancellationToken,
    pub prepare: Preparer<W>,
    pub sender: mpsc::Sender<Result<Read<W>, PgError>>,
}

/// What is read.
#[derive(Default)]
struct Holding {
    /// Where reading goes on in each place that is read.
    next: BTreeMap<Place, NextOffset>,
    /// Where each place stands, read or not, once what was handed over is written.
    stood: BTreeMap<Place, Stand>,
    /// Places that must not be read.
    gaps: Vec<Gap>,
    topic_ids: Arc<BTreeMap<String, String>>,
}

/// What was polled, and given to be prepared.
#[derive(Default)]
struct Collected {
    records: usize,
    bytes: usize,
    newest_ms: i64,
    ends: Ends,
    /// The client cannot unpack something, and does not say where.
    unreadable: bool,
}

impl Collected {
    fn is_full(&self, spec: &PgSpec) -> bool {
        self.records >= spec.batch_records || self.bytes >= spec.batch_bytes
    }
}

impl<W> Reader<W> {
    /// Reads until it is told to stop or nobody listens.
    pub fn run(mut self) {
        if let Err(error) = self.read()
            && self.sender.blocking_send(Err(error)).is_err()
        {
            tracing::debug!("reader's owner is gone");
        }
    }

    fn read(&mut self) -> Result<(), PgError> {
        let mut holding = Holding { stood: self.stood.clone(), ..Holding::default() };
        let mut told = self.look(&mut holding)?;
        if !self.hand_over(Read::Obstacles(told.clone())) {
            return Ok(());
        }
        let (mut looked, mut linger) = (Instant::now(), Duration::from_millis(self.spec.linger_ms));
        while !self.stop.is_cancelled() {
            let collected = collect(&self.consumer, &self.spec, linger, self.prepare.as_mut())?;
            // Behind a full batch comes the next one, or the end of what had gathered: no use to wait long for more.
            linger = Duration::from_millis(self.spec.linger_ms);
            if collected.is_full(&self.spec) {
                linger = linger.min(BUSY_LINGER);
            }
            let Collected { records, newest_ms, ends, unreadable, .. } = collected;
            if records > 0 {
                let ends = ends.stands(&holding.topic_ids);
                for (place, stand) in &ends {
                    holding.next.insert(place.clone(), stand.next);
                    holding.stood.insert(place.clone(), stand.clone());
                }
                let batch = Batch { records, newest_ms, ends, work: self.prepare.finish()? };
                if !self.hand_over(Read::Batch(batch)) {
                    return Ok(());
                }
            }
            let has_found = unreadable && self.look_for_unreadable(&mut holding)?;
            if has_found || looked.elapsed() >= LOOK {
                let found =
                    self.look(&mut holding).unwrap_or_else(|error| format!("Kafka does not tell its topics: {error}"));
                if found != told && !self.hand_over(Read::Obstacles(found.clone())) {
                    return Ok(());
                }
                (told, looked) = (found, Instant::now());
            }
        }
        Ok(())
    }

    fn hand_over(&self, read: Read<W>) -> bool {
        self.sender.blocking_send(Ok(read)).is_ok()
    }

    /// Takes up partitions of this shard that are not read yet, where nothing of them is missing; tells what stands in the way.
    fn look(&self, holding: &mut Holding) -> Result<String, KafkaError> {
        let (mut fresh, mut obstacles) = (BTreeSet::new(), Vec::new());
        for topic in &self.spec.topics {
            let metadata = self.asking.client().fetch_metadata(Some(topic), LOOK_TIMEOUT)?;
            let found = metadata.topics().iter().find(|found| found.name() == &**topic);
            let error = found.and_then(|found| found.error()).map(RDKafkaErrorCode::from);
            let partitions = found.map(|found| found.partitions()).unwrap_or_default();
            match error {
                None if !partitions.is_empty() => {}
                None | Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                    obstacles.push(format!("{topic} is not there"))
                }
                Some(error) => obstacles.push(format!("{topic}: {error}")),
            }
            let ours = partitions.iter().filter(|partition| partition.id() as u32 % self.spec.shards == self.shard);
            let led = |partition: &&MetadataPartition| partition.leader() >= 0;
            obstacles
                .extend(ours.clone().filter(|one| !led(one)).map(|one| format!("{topic}/{} has no leader", one.id())));
            // Whoever asks one without a leader what it holds waits, and reads nothing else meanwhile.
            let ours = ours.filter(led).map(|partition| (topic.to_string(), partition.id()));
            fresh.extend(ours.filter(|place| !holding.next.contains_key(place)));
        }
        // Whatever was wrong may have passed: a leader knows more by now, or another copy is whole.
        holding.gaps.retain(|gap| gap.kind == Lost::Unreadable);
        if !holding.gaps.is_empty() {
            let probe = Probe::connect(&self.client, TIMEOUT)?;
            let at = |gap: &Gap| gap.from.unwrap_or(NextOffset::START);
            let stays = |gap: &Gap| !matches!(probe.is_readable(&gap.topic, gap.partition, at(gap)), Ok(true));
            holding.gaps.retain(stays);
        }
        fresh.retain(|place| !holding.gaps.iter().any(|gap| is_of(gap, place)));
        if !fresh.is_empty() {
            let asked = (self.group.as_str(), self.spec.plain.as_slice());
            let Found { positions, unknown } = find(&self.consumer, asked, &fresh, &holding.stood, TIMEOUT)?;
            let mut topic_ids = BTreeMap::clone(&holding.topic_ids);
            topic_ids.extend(positions.topic_ids);
            holding.topic_ids = Arc::new(topic_ids);
            holding.gaps.extend(positions.gaps);
            obstacles.extend(unknown);
            self.tell_passed(holding, &positions.starts);
            self.take_up(holding, positions.starts)?;
        }
        if !holding.gaps.is_empty() {
            let passed = self.pass_accepted(holding);
            obstacles.extend(passed.err().map(|error| format!("{} cannot be read: {error}", self.spec.gaps)));
        }
        obstacles.extend(holding.gaps.iter().map(|gap| words(gap, self.spec.goes_back)));
        Ok(obstacles.join(", "))
    }

    fn take_up(&self, holding: &mut Holding, starts: BTreeMap<Place, NextOffset>) -> Result<(), KafkaError> {
        if starts.is_empty() {
            return Ok(());
        }
        let mut assignment = TopicPartitionList::new();
        for ((topic, partition), start) in &starts {
            assignment.add_partition_offset(topic, *partition, start.to_kafka())?;
        }
        self.consumer.incremental_assign(&assignment)?;
        tracing::info!(worker = self.spec.worker, shard = self.shard, partitions = starts.len(), "partitions taken up");
        holding.next.extend(starts);
        Ok(())
    }

    /// Goes on behind the gaps that somebody has accepted, and tells the database.
    fn pass_accepted(&self, holding: &mut Holding) -> Result<(), KafkaError> {
        let mut accepted = accepted_gaps(&self.client, &self.spec.gaps, TIMEOUT)?;
        accepted.retain(|gap| self.spec.goes_back || !gap.goes_back());
        let acceptable = |gap: &Gap| is_acceptable(gap, self.spec.goes_back);
        let (acceptable, others) = std::mem::take(&mut holding.gaps).into_iter().partition(acceptable);
        let mut positions = Positions::of(acceptable);
        positions.accept(&accepted);
        holding.gaps = others;
        holding.gaps.extend(positions.gaps);
        self.tell_passed(holding, &positions.starts);
        self.take_up(holding, positions.starts)
    }

    /// Tells the database of places where it reads on elsewhere than behind its newest row. Where nobody listens any more, the next
    /// reader asks again.
    fn tell_passed(&self, holding: &mut Holding, starts: &BTreeMap<Place, NextOffset>) {
        for (place, start) in starts {
            let Some(stand) = holding.stood.get_mut(place).filter(|stand| stand.start() != *start) else { continue };
            (stand.reads_on, stand.topic_id) = (Some(*start), holding.topic_ids.get(&place.0).cloned());
            if !self.hand_over(Read::Passed(place.clone(), stand.clone())) {
                return;
            }
        }
    }

    /// Holds the partitions that stand before a batch that the client cannot unpack; whether there are any.
    fn look_for_unreadable(&self, holding: &mut Holding) -> Result<bool, KafkaError> {
        let mut found = Positions::at(holding.next.clone(), BTreeMap::clone(&holding.topic_ids));
        found.probe(&Probe::connect(&self.client, TIMEOUT)?, &self.group);
        let mut held = TopicPartitionList::new();
        for gap in &found.gaps {
            tracing::error!(worker = self.spec.worker, %gap, "a gap");
            held.add_partition(&gap.topic, gap.partition);
            holding.next.retain(|place, _| !is_of(gap, place));
        }
        if held.count() > 0 {
            self.consumer.incremental_unassign(&held)?;
        }
        // What was polled behind such a batch must not be taken for what comes next.
        let mut again = TopicPartitionList::new();
        for ((topic, partition), next) in &holding.next {
            again.add_partition_offset(topic, *partition, next.to_kafka())?;
        }
        if again.count() > 0 {
            for element in self.consumer.seek_partitions(again, TIMEOUT)?.elements() {
                element.error()?;
            }
        }
        holding.gaps.extend(found.gaps);
        Ok(held.count() > 0)
    }
}

fn is_of(gap: &Gap, place: &Place) -> bool {
    gap.topic == place.0 && gap.partition == place.1
}

fn collect<W>(
    consumer: &BaseConsumer<StatsContext>,
    spec: &PgSpec,
    linger: Duration,
    prepare: &mut dyn Prepare<Work = W>,
) -> Result<Collected, PgError> {
    let mut collected = Collected::default();
    let mut until = Instant::now() + Duration::from_millis(100);
    while !collected.is_full(spec) {
        let wait = until.saturating_duration_since(Instant::now());
        match consumer.poll(whole_ms(wait)) {
            Some(Ok(message)) => {
                if collected.records == 0 {
                    until = Instant::now() + linger;
                }
                let record = Input::of(&message);
                prepare.take(&record)?;
                collected.records += 1;
                collected.bytes += record.held_bytes();
                collected.newest_ms = record.timestamp_ms;
                collected.ends.pass(record.topic, record.partition, record.offset);
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error.into()),
            Some(Err(error)) => match error.rdkafka_error_code() {
                // Records were deleted before they were read: the next reader asks anew where it stands.
                Some(RDKafkaErrorCode::AutoOffsetReset) => return Err(error.into()),
                // What comes after it may lie behind what could not be unpacked.
                Some(code) if is_unreadable(code) => {
                    collected.unreadable = true;
                    break;
                }
                _ => tracing::debug!(%error, "poll"),
            },
            None if wait.is_zero() => break,
            None => {}
        }
    }
    Ok(collected)
}

/// Passes the client's statistics on.
pub(super) struct StatsContext(pub Arc<Meter>);

impl rdkafka::ClientContext for StatsContext {
    fn stats(&self, statistics: rdkafka::Statistics) {
        self.0.statistics(&statistics);
    }

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        kafka::line(self.0.worker(), level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        kafka::error(self.0.worker(), &error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for StatsContext {}
