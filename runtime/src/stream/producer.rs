//! The one transactional producer: begin, send, flush, offsets, commit, abort, one reading of what the client says about them,
//! and a pause between two tries. A worker's committer, the door, a batch, an activation and a redrive all write through it.

use super::record::Route;
use crate::ffi::QueueSignal;
use crate::kafka::{self, KafkaConfig, writer};
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The longest between two looks for acknowledgements. The client signals when some are there.
const LONGEST_REST: Duration = Duration::from_millis(10);
/// Between the first two tries of a call that the client calls retriable; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause between two tries of a call.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// Until a record that failed is reported, at most.
const REPORT_FOLLOWS: Duration = Duration::from_secs(1);
/// Calls that an abort may take, of which each has its part of the time.
const ABORT_PARTS: u32 = 8;

/// Why a transaction did not go through, by what its owner must do next.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// Another producer runs under this transactional id. Nothing of this transaction is visible.
    #[error("fenced: {0}")]
    Fenced(#[source] KafkaError),
    /// The broker or the network refused; after an abort nothing is visible, and the same producer may try again later.
    #[error("{0}")]
    Refused(#[source] KafkaError),
    /// A record that no broker takes, today or tomorrow. After an abort nothing is visible; the same records fail again.
    #[error("{0}")]
    Poison(#[source] KafkaError),
    /// The client no longer says where it stands: the outcome of the transaction is unknown, or the call is still under way
    /// inside the client and refuses every other. Only new clients, and offsets asked stable, tell what is true.
    #[error("the producer must be replaced: {0}")]
    Lost(#[source] KafkaError),
}

impl TransactionError {
    /// What the client said.
    pub fn into_source(self) -> KafkaError {
        match self {
            Self::Fenced(error) | Self::Refused(error) | Self::Poison(error) | Self::Lost(error) => error,
        }
    }

    /// Sorts an error of any call but the commit.
    pub(crate) fn of(error: KafkaError) -> Self {
        match &error {
            KafkaError::Transaction(inner) if is_fenced(inner.code()) => Self::Fenced(error),
            // A call that timed out is kept by the client as the current one: every later call is a conflict with it.
            KafkaError::Transaction(inner) if inner.is_fatal() || is_stuck(inner.code()) => Self::Lost(error),
            KafkaError::Transaction(inner) if !inner.txn_requires_abort() && !inner.is_retriable() => Self::Lost(error),
            KafkaError::MessageProduction(code) if is_poison(*code) => Self::Poison(error),
            _ => Self::Refused(error),
        }
    }

    /// Sorts an error of a commit: unless the broker demands an abort, nobody here knows whether it went through.
    fn of_commit(error: KafkaError) -> Self {
        match &error {
            KafkaError::Transaction(inner) if is_fenced(inner.code()) => Self::Fenced(error),
            KafkaError::Transaction(inner) if inner.txn_requires_abort() && !inner.is_fatal() => Self::Refused(error),
            _ => Self::Lost(error),
        }
    }
}

/// Whether an error says that another producer or member has taken this one's id.
pub(crate) fn is_fenced(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::FencedInstanceId)
}

/// Whether an error says that the record itself is at fault. A closed list: whatever else a broker says may pass, and waiting
/// loses nothing, while a record set aside for an outage would.
fn is_poison(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidRecord
    )
}

/// Whether an error says that a call is still under way inside the client.
fn is_stuck(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::Conflict)
}

/// Whether a record was only thrown out of the queue behind another one that failed, which may be reported after it.
fn is_purged(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
}

/// A record to produce. Borrows everything.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub topic: &'a str,
    /// `None` goes where murmur2 of the key says, as with Java's default partitioner.
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub payload: Option<&'a [u8]>,
}

/// A producer under a transactional id, for one owner and one open transaction at a time.
pub(crate) struct Producer {
    /// Given when there are acknowledgements. Dropped before the client.
    signal: QueueSignal,
    inner: BaseProducer<Reports>,
    timeout: Duration,
}

impl Producer {
    /// Connects and takes the transactional id over: whoever ran under it before is fenced, and what it left open has ended.
    pub fn connect(mut settings: ClientConfig, id: &str, timeout: Duration) -> Result<Self, KafkaError> {
        let inner: BaseProducer<Reports> =
            settings.set("transactional.id", id).create_with_context(Reports::default())?;
        inner.init_transactions(timeout)?;
        Ok(Self { signal: QueueSignal::of(inner.client()), inner, timeout })
    }

    /// Whether the client goes on: an error that it calls fatal stays with it.
    pub(crate) fn is_usable(&self) -> bool {
        self.inner.client().fatal_error().is_none()
    }

    pub fn begin(&self) -> Result<(), TransactionError> {
        self.inner.context().clear();
        self.again(|| self.inner.begin_transaction()).map_err(TransactionError::of)
    }

    /// How many partitions a topic has.
    pub fn partitions(&self, topic: &str) -> Result<i32, KafkaError> {
        let metadata = self.inner.client().fetch_metadata(Some(topic), self.timeout)?;
        match metadata.topics().first().map_or(0, |topic| topic.partitions().len()) {
            0 => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)),
            count => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
        }
    }

    /// Whether a broker answers.
    pub(crate) fn reaches_brokers(&self, topic: &str, timeout: Duration) -> bool {
        let answered = self.inner.client().fetch_metadata(Some(topic), timeout).is_ok();
        if answered {
            kafka::reached();
        }
        answered
    }

    /// Queues one record, making room in the queue when it is full.
    ///
    /// # Errors
    /// That of an earlier record, where the queue is full behind it or the client takes no other: it sends nothing more of such a
    /// transaction, so that no room is made any more. That the queue has stayed full for the whole time-out.
    pub fn send(&self, record: Outgoing<'_>, headers: Option<OwnedHeaders>) -> Result<(), TransactionError> {
        let mut queued = BaseRecord::<[u8], [u8]>::to(record.topic);
        queued.headers = headers;
        queued.partition = record.partition;
        queued.key = record.key;
        queued.payload = record.payload;
        let started = Instant::now();
        loop {
            match self.inner.send(queued) {
                Ok(()) => return Ok(()),
                Err((error, back)) => {
                    self.inner.poll(Duration::from_millis(5));
                    if let Some(earlier) = self.inner.context().first_failure().filter(|known| !is_purged(known)) {
                        return Err(TransactionError::of(earlier));
                    }
                    let patience = match &error {
                        KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => self.timeout,
                        // The client refuses what follows a record that failed, and reports that record a moment later.
                        KafkaError::MessageProduction(RDKafkaErrorCode::State) => REPORT_FOLLOWS.min(self.timeout),
                        _ => return Err(TransactionError::of(error)),
                    };
                    if started.elapsed() >= patience {
                        return Err(TransactionError::of(error));
                    }
                    queued = back;
                }
            }
        }
    }

    /// Waits until the broker has acknowledged every record. The client's own flush sleeps 100 ms out once it has begun to
    /// wait, several times what a whole transaction takes.
    ///
    /// # Errors
    /// The first record that the broker did not take, or that not all were acknowledged in time.
    pub fn flush(&self) -> Result<(), TransactionError> {
        let started = Instant::now();
        // The client sends nothing more of a transaction in which a record has failed; what waits is for the abort to purge.
        let is_told = || match self.inner.context().first_failure() {
            Some(known) => !is_purged(&known) || started.elapsed() > REPORT_FOLLOWS,
            None => false,
        };
        while self.inner.in_flight_count() > 0 && !is_told() {
            if started.elapsed() > self.timeout {
                return Err(TransactionError::Refused(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)));
            }
            self.take_reports();
        }
        match self.inner.context().first_failure() {
            Some(error) => Err(TransactionError::of(error)),
            None => Ok(()),
        }
    }

    /// Partitions to which the present transaction has written.
    pub(crate) fn partitions_written(&self) -> usize {
        self.inner.context().reported().places.len()
    }

    pub(crate) fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        let call = || self.inner.send_offsets_to_transaction(offsets, group, self.timeout);
        self.again(call).map_err(TransactionError::of)
    }

    pub fn commit(&self) -> Result<(), TransactionError> {
        self.again(|| self.inner.commit_transaction(self.timeout)).map_err(TransactionError::of_commit)
    }

    /// Aborts. The client purges what is on its way and does not return before each purged record was reported, so reports
    /// are taken meanwhile.
    pub fn abort(&self) -> Result<(), TransactionError> {
        let done = AtomicBool::new(false);
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.take_reports();
                }
            });
            let result = self.abort_in_parts();
            done.store(true, Ordering::Relaxed);
            self.signal.wake();
            result
        });
        result.map_err(|error| match TransactionError::of(error) {
            // Without its abort a transaction is neither here nor there.
            TransactionError::Refused(error) | TransactionError::Poison(error) => TransactionError::Lost(error),
            other @ (TransactionError::Fenced(_) | TransactionError::Lost(_)) => other,
        })
    }

    /// Ends a transaction that met an error, and gives the error that counts. Only one that was refused can be aborted by this
    /// producer; any other has ended, or is out of its hands.
    pub(crate) fn give_up(&self, error: TransactionError) -> TransactionError {
        match error {
            TransactionError::Refused(_) | TransactionError::Poison(_) => match self.abort() {
                Ok(()) => error,
                Err(second) => {
                    tracing::warn!(%error, %second, "a transaction was refused, and its abort failed");
                    second
                }
            },
            TransactionError::Fenced(_) | TransactionError::Lost(_) => error,
        }
    }

    /// Takes the delivery reports that are there, and waits for the client's signal where there are none.
    fn take_reports(&self) {
        let before = self.inner.in_flight_count();
        self.inner.poll(Duration::ZERO);
        if self.inner.in_flight_count() == before {
            // Not every event of the queue is a report, so that a signal or its absence says nothing by itself.
            let _signalled = self.signal.wait(LONGEST_REST);
        }
    }

    /// Each call purges what waits, and then waits for what is on its way. Of a record that failed in the middle of others some come back
    /// into the queue behind the purge, and only the next call purges those.
    fn abort_in_parts(&self) -> Result<(), KafkaError> {
        let (started, part) = (Instant::now(), self.timeout / ABORT_PARTS);
        loop {
            match self.again(|| self.inner.abort_transaction(part)) {
                Err(KafkaError::Transaction(error))
                    if error.is_retriable()
                        && error.code() == RDKafkaErrorCode::OperationTimedOut
                        && started.elapsed() < self.timeout =>
                {
                    tracing::debug!(error = error.string(), "abort goes on");
                }
                other => return other,
            }
        }
    }

    /// The same call again, after a pause, while the client says that it may be retried. A call that timed out has had its time,
    /// and one behind it is refused for as long as the client likes.
    fn again(&self, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match call() {
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && !is_stuck(error.code()) && started.elapsed() < self.timeout =>
                {
                    tracing::debug!(error = error.string(), "transaction call retried");
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }
}

/// What exactly once asks of a producer, and what keeps a transaction short.
pub(crate) fn settings(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = writer(&kafka.client());
    config
        // A batch is whole before its partitions are registered, so that there is nothing to linger for.
        .set("linger.ms", "1")
        .set("retry.backoff.ms", "5")
        .set("transaction.timeout.ms", "10000")
        .set("message.timeout.ms", "9000")
        .set("queue.buffering.max.messages", "200000")
        .set("queue.buffering.max.kbytes", "65536")
        .set("batch.num.messages", "10000")
        .set("batch.size", "524288");
    config
}

/// What the broker said of the records of a transaction.
#[derive(Default)]
struct Reports(Mutex<Reported>);

#[derive(Default)]
struct Reported {
    /// The first record that it did not take; one that was thrown out behind another counts only until that one is reported.
    failed: Option<KafkaError>,
    /// Where it put the others.
    places: BTreeSet<(String, i32)>,
}

impl Reports {
    fn clear(&self) {
        *self.reported() = Reported::default();
    }

    fn first_failure(&self) -> Option<KafkaError> {
        self.reported().failed.clone()
    }

    fn reported(&self) -> MutexGuard<'_, Reported> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        kafka::line("", level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        kafka::late_error(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut reported = self.reported();
        match result {
            Err((error, _)) => {
                if reported.failed.as_ref().is_none_or(is_purged) {
                    reported.failed = Some(error.clone());
                }
            }
            Ok(message) => {
                let (topic, partition) = (message.topic(), message.partition());
                if !reported.places.iter().any(|place| place.1 == partition && place.0 == topic) {
                    reported.places.insert((topic.to_owned(), partition));
                }
            }
        }
    }
}

/// Headers as the client takes them.
pub(crate) fn headers<'a>(all: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Option<OwnedHeaders> {
    let empty = OwnedHeaders::new_with_capacity(all.size_hint().0);
    Some(all.fold(empty, |headers, (key, value)| headers.insert(Header { key, value })))
}

/// The partition that an output goes to, in topics of ours, which have `partitions` each. A sender's topic may have more: what
/// belongs to its record, an answer or a dead letter, then goes to the partition modulo their count.
pub(crate) fn partition_of(route: Route, input_partition: i32, partitions: i32) -> Option<i32> {
    match route {
        Route::Same => Some(input_partition.rem_euclid(partitions.max(1))),
        Route::ByKey => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_record_of_a_wider_topic_has_a_partition() {
        let rows = [
            (Route::Same, 0, 6, Some(0)),
            (Route::Same, 5, 6, Some(5)),
            (Route::Same, 7, 6, Some(1)),
            (Route::Same, 13, 1, Some(0)),
            (Route::ByKey, 7, 6, None),
        ];
        for (route, input, partitions, expected) in rows {
            assert_eq!(partition_of(route, input, partitions), expected, "{route:?} {input} of {partitions}");
        }
    }

    #[test]
    fn only_what_is_the_records_own_fault_is_poison() {
        use RDKafkaErrorCode as Code;
        let rows = [
            (Code::MessageSizeTooLarge, true),
            (Code::MessageBatchTooLarge, true),
            (Code::InvalidRecord, true),
            (Code::TopicAuthorizationFailed, false),
            (Code::UnknownTopicOrPartition, false),
            (Code::UnknownPartition, false),
            (Code::MessageTimedOut, false),
            (Code::KafkaStorageError, false),
            (Code::NotEnoughReplicas, false),
        ];
        for (code, expected) in rows {
            let error = TransactionError::of(KafkaError::MessageProduction(code));
            assert_eq!(matches!(error, TransactionError::Poison(_)), expected, "{code:?}");
        }
    }

    #[test]
    fn an_error_outside_the_transaction_is_refused_and_one_of_a_commit_is_lost() {
        let error = || KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);
        assert!(matches!(TransactionError::of(error()), TransactionError::Refused(_)));
        assert!(matches!(TransactionError::of_commit(error()), TransactionError::Lost(_)));
    }
}
