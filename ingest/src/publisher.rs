//! The thread behind the HTTP door: it puts what concurrent requests want written into one transaction, so that a commit is paid
//! for once. Nobody waits for company: what comes while a transaction is under way goes into the next. A request hears only after
//! Kafka has its records.

use crate::error::Error;
use crate::metrics::Metrics;
use runtime::kafka::KafkaConfig;
use runtime::outage::KAFKA;
use runtime::stream::{Output, TransactionError, Transactions};
use runtime::task;
use runtime::warn_unless_away;
use schemas::Topic;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;

/// Groups that may wait for the thread; with the door's bound on requests this is never the first limit.
const QUEUE: usize = 1024;
/// Between two tries to reach Kafka while nobody asks for anything.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Between two looks for the brokers while nobody sends, and the longest that one may take.
const LOOKS_EVERY: Duration = Duration::from_secs(3);

/// Knobs of grouping.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// Transactional id without prefix, before the number of a producer.
    pub id: String,
    /// Records of one transaction.
    pub max_records: usize,
    /// Milliseconds of any call to the broker.
    pub timeout_ms: u64,
}

struct Submission {
    /// The records of each are written together or not at all.
    units: Vec<Vec<Output>>,
    /// Dropped with the records.
    _held: Held,
    done: oneshot::Sender<Vec<Result<(), Unwritten>>>,
}

impl Submission {
    fn records(&self) -> usize {
        self.units.iter().map(Vec::len).sum()
    }
}

/// Why the records of a unit are not in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unwritten {
    /// A record of it is larger than its topic allows: the same unit will be refused again.
    TooLarge,
    /// Whatever else; the same request may be taken later.
    Failed(String),
}

/// What a request takes of the door's limits. The records count until they are written, also when their sender has left.
type Held = Arc<dyn Send + Sync>;

/// The way to the thread. It ends when the last clone is dropped.
#[derive(Clone)]
pub struct Publisher {
    inbox: SyncSender<Submission>,
}

impl Publisher {
    /// Starts the thread; `ready` hears whether it has a producer that writes.
    ///
    /// # Errors
    /// [`Error::Publish`] when no thread is to be had.
    pub fn start(
        kafka: KafkaConfig,
        grouping: Grouping,
        metrics: Metrics,
        ready: impl Fn(bool) + Send + 'static,
    ) -> Result<(Self, std::thread::JoinHandle<()>), Error> {
        let (inbox, submissions) = sync_channel(QUEUE);
        let body = move || serve(&kafka, &grouping, &metrics, &ready, &submissions);
        let handle = task::thread("door-publish", body).map_err(|error| Error::Publish(error.to_string()))?;
        Ok((Self { inbox }, handle))
    }

    /// Writes units of records; returns when Kafka has all that it takes, and says of each unit whether it is written: one that no
    /// broker takes is not, and its neighbours are. `held` is kept until they are written or given up.
    ///
    /// # Errors
    /// [`Error::Publish`] when the queue is full or a transaction was not committed. Some units may be written all the same.
    pub async fn publish(
        &self,
        units: Vec<Vec<Output>>,
        held: Arc<impl Send + Sync + 'static>,
    ) -> Result<Vec<bool>, Error> {
        let (done, heard) = oneshot::channel();
        self.inbox.try_send(Submission { units, _held: held, done }).map_err(|error| match error {
            TrySendError::Full(_) => Error::Publish("the queue is full".into()),
            TrySendError::Disconnected(_) => Error::Publish("the publisher has stopped".into()),
        })?;
        let written = heard.await.map_err(|_| Error::Publish("the publisher has stopped".into()))?;
        let told = written.into_iter().map(|unit| match unit {
            Ok(()) => Ok(true),
            Err(Unwritten::TooLarge) => Ok(false),
            Err(Unwritten::Failed(why)) => Err(Error::Publish(why)),
        });
        told.collect()
    }
}

fn serve(
    kafka: &KafkaConfig,
    grouping: &Grouping,
    metrics: &Metrics,
    ready: &impl Fn(bool),
    submissions: &Receiver<Submission>,
) {
    // They take turns: a broker refuses a producer that has just committed for as long as it writes its markers (ADR 9).
    let mut producers = [0, 1].map(|turn| {
        let id = format!("{}-{turn}", grouping.id);
        Transactions::new(kafka, &id, grouping.timeout_ms)
    });
    let asked = kafka.topic(Topic::Intake.base_name());
    let mut is_ready = false;
    loop {
        if !is_ready {
            // Nobody may come to a door that is not ready, so it does not wait for a request to find out that it is again.
            let connected = producers.iter_mut().try_for_each(Transactions::reconnect);
            let connected = connected.inspect_err(|error| warn_unless_away!(KAFKA, %error, "no producer")).is_ok();
            // A producer that is there may have lost its brokers.
            is_ready = connected && producers[0].reaches_brokers(&asked, LOOKS_EVERY);
            ready(is_ready);
        }
        let patience = if is_ready { LOOKS_EVERY } else { RETRY_EVERY };
        let group = match gather(submissions, grouping, Some(patience)) {
            Ok(group) => group,
            Err(RecvTimeoutError::Timeout) => {
                // An outage must not wait for a request that finds it out.
                is_ready = is_ready && producers[0].reaches_brokers(&asked, LOOKS_EVERY);
                ready(is_ready);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        metrics.grouped(group.iter().map(Submission::records).sum());
        let one = &mut |records: Records<'_>| {
            producers.rotate_left(1);
            producers[0].write(records.map(|record| (None, record)))
        };
        let units: Vec<&[Output]> = group.iter().flat_map(|one| &one.units).map(Vec::as_slice).collect();
        let mut all = write(one, &units).into_iter();
        for submission in group {
            let written: Vec<_> = all.by_ref().take(submission.units.len()).collect();
            if let Some(Err(Unwritten::Failed(error))) = written.iter().find(|unit| is_failed(unit)) {
                tracing::warn!(error, "a request was not written");
                is_ready = false;
            }
            if submission.done.send(written).is_err() {
                tracing::debug!("a requester left before its answer");
            }
        }
        if !is_ready {
            ready(false);
        }
    }
}

fn is_failed(unit: &Result<(), Unwritten>) -> bool {
    matches!(unit, Err(Unwritten::Failed(_)))
}

type Records<'r> = Box<dyn Iterator<Item = &'r Output> + 'r>;

/// Writes units in one transaction. Where they hold a record that no broker takes, half of them is tried, so that nobody is refused
/// for a neighbour.
fn write(
    one: &mut impl FnMut(Records<'_>) -> Result<(), TransactionError>,
    units: &[&[Output]],
) -> Vec<Result<(), Unwritten>> {
    let result = match one(Box::new(units.iter().copied().flatten())) {
        Ok(()) => Ok(()),
        Err(TransactionError::Poison(_)) if units.len() > 1 => {
            let (left, right) = units.split_at(units.len() / 2);
            let mut written = write(one, left);
            written.extend(write(one, right));
            return written;
        }
        Err(TransactionError::Poison(_)) => Err(Unwritten::TooLarge),
        Err(error) => Err(Unwritten::Failed(error.to_string())),
    };
    vec![result; units.len()]
}

/// The first submission, and whatever else is there.
///
/// # Errors
/// `Disconnected` once every sender is gone, `Timeout` when nobody came within `patience`; without one it waits.
fn gather(
    submissions: &Receiver<Submission>,
    grouping: &Grouping,
    patience: Option<Duration>,
) -> Result<Vec<Submission>, RecvTimeoutError> {
    let first = match patience {
        Some(patience) => submissions.recv_timeout(patience)?,
        None => submissions.recv().map_err(|_| RecvTimeoutError::Disconnected)?,
    };
    let mut records = first.records();
    let mut group = vec![first];
    while records < grouping.max_records
        && let Ok(next) = submissions.try_recv()
    {
        records += next.records();
        group.push(next);
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(records: usize) -> Vec<Output> {
        let record = Output {
            topic: "t".into(),
            route: runtime::stream::Route::ByKey,
            key: None,
            payload: None,
            headers: Vec::new(),
        };
        vec![record; records]
    }

    fn submission(records: usize) -> Submission {
        Submission { units: vec![unit(records)], _held: Arc::new(()), done: oneshot::channel().0 }
    }

    #[test]
    fn nobody_is_refused_for_a_neighbour() {
        use rdkafka::error::{KafkaError, RDKafkaErrorCode};
        let units = [1, 1, 3, 1, 1].map(unit);
        let units = units.each_ref().map(Vec::as_slice);
        let mut tries = 0;
        let mut one = |records: Records<'_>| {
            tries += 1;
            // A unit of three records stands for one that is too large.
            let is_poison = records.count() >= 3;
            let error = KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge);
            if is_poison { Err(TransactionError::Poison(error)) } else { Ok(()) }
        };
        let written = write(&mut one, &units);
        let refused: Vec<_> = written.iter().map(|result| *result == Err(Unwritten::TooLarge)).collect();
        assert_eq!(refused, [false, false, true, false, false]);
        assert!(tries > 1);
        let mut away = |_: Records<'_>| Err(TransactionError::Refused(KafkaError::Canceled));
        assert!(write(&mut away, &units).iter().all(|result| matches!(result, Err(Unwritten::Failed(_)))));
    }

    #[test]
    fn a_group_ends_by_size_or_when_nobody_comes() {
        let grouping = Grouping { id: "x".into(), max_records: 5, timeout_ms: 1 };
        let (inbox, submissions) = sync_channel(8);
        for records in [2, 2, 2, 2] {
            assert!(inbox.try_send(submission(records)).is_ok());
        }
        let size = |patience| gather(&submissions, &grouping, patience).map(|group| group.len());
        assert_eq!(size(None), Ok(3));
        assert_eq!(size(Some(Duration::ZERO)), Ok(1));
        assert_eq!(size(Some(Duration::ZERO)), Err(RecvTimeoutError::Timeout));
        drop(inbox);
        assert_eq!(size(None), Err(RecvTimeoutError::Disconnected));
    }
}
