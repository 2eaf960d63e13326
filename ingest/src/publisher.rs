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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

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
    /// Milliseconds of any call to the broker, and of a request until it hears what became of its records.
    pub timeout_ms: u64,
}

struct Submission {
    /// The records of each are written together or not at all.
    units: Vec<Vec<Output>>,
    /// Whether the thread has begun to write them, or the requester has given up: whoever is first.
    decided: Arc<AtomicBool>,
    /// Dropped with the records.
    _held: Held,
    done: oneshot::Sender<Vec<Result<(), Unwritten>>>,
}

impl Submission {
    fn records(&self) -> usize {
        self.units.iter().map(Vec::len).sum()
    }

    /// Whether the records are to be written; no once the requester has given up.
    fn begin(&self) -> bool {
        is_first(&self.decided)
    }
}

fn is_first(decided: &AtomicBool) -> bool {
    !decided.swap(true, Ordering::AcqRel)
}

/// Why a request has no records in Kafka, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpublished {
    /// None is there, and none will be.
    #[error("nothing is written: {0}")]
    Nothing(String),
    /// Some or all may be there, or come to be.
    #[error("what is written is not known: {0}")]
    Unknown(String),
}

/// Why the records of a unit are not in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unwritten {
    /// A record of it is larger than its topic allows: the same unit will be refused again.
    TooLarge,
    /// Whatever else; the same request may be taken later.
    Failed(Unpublished),
}

impl From<TransactionError> for Unwritten {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Poison(_) => Self::TooLarge,
            // Aborted.
            TransactionError::Refused(_) => Self::Failed(Unpublished::Nothing(error.to_string())),
            // A commit may have gone through before its answer was lost.
            TransactionError::Lost(_) | TransactionError::Fenced(_) => {
                Self::Failed(Unpublished::Unknown(error.to_string()))
            }
        }
    }
}

/// What a request takes of the door's limits. The records count until they are written, also when their sender has left.
type Held = Arc<dyn Send + Sync>;

/// The way to the thread. It ends when the last clone is dropped.
#[derive(Clone)]
pub struct Publisher {
    inbox: SyncSender<Submission>,
    patience: Duration,
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
        let patience = Duration::from_millis(grouping.timeout_ms);
        let body = move || serve(&kafka, &grouping, &metrics, &ready, &submissions);
        let handle = task::thread("door-publish", body).map_err(|error| Error::Publish(error.to_string()))?;
        Ok((Self { inbox, patience }, handle))
    }

    /// Writes units of records; returns when Kafka has all that it takes, and says of each unit whether it is written: one that no
    /// broker takes is not, and its neighbours are. `held` is kept until they are written or given up.
    ///
    /// # Errors
    /// [`Unpublished`] when the queue is full, a transaction was not committed, or Kafka did not answer in time.
    pub async fn publish(
        &self,
        units: Vec<Vec<Output>>,
        held: Arc<impl Send + Sync + 'static>,
    ) -> Result<Vec<bool>, Unpublished> {
        let (done, heard) = oneshot::channel();
        let decided = Arc::new(AtomicBool::new(false));
        let stopped = || "the publisher has stopped".to_owned();
        let submission = Submission { units, decided: decided.clone(), _held: held, done };
        self.inbox.try_send(submission).map_err(|error| match error {
            TrySendError::Full(_) => Unpublished::Nothing("the queue is full".to_owned()),
            TrySendError::Disconnected(_) => Unpublished::Nothing(stopped()),
        })?;
        match timeout(self.patience, heard).await {
            Ok(Ok(written)) => told(written),
            Ok(Err(_)) => Err(Unpublished::Unknown(stopped())),
            Err(_) if is_first(&decided) => Err(Unpublished::Nothing("Kafka was not reached in time".to_owned())),
            Err(_) => Err(Unpublished::Unknown("Kafka did not answer in time".to_owned())),
        }
    }
}

/// What a requester hears of its units.
fn told(written: Vec<Result<(), Unwritten>>) -> Result<Vec<bool>, Unpublished> {
    let is_any_there = written.contains(&Ok(()));
    let is_there = |unit: Result<(), Unwritten>| match unit {
        Ok(()) => Ok(true),
        Err(Unwritten::TooLarge) => Ok(false),
        Err(Unwritten::Failed(Unpublished::Nothing(why))) if is_any_there => Err(Unpublished::Unknown(why)),
        Err(Unwritten::Failed(why)) => Err(why),
    };
    let unknown = |unit: &Result<(), Unwritten>| matches!(unit, Err(Unwritten::Failed(Unpublished::Unknown(_))));
    match written.iter().position(unknown) {
        Some(at) => written.into_iter().nth(at).into_iter().map(is_there).collect(),
        None => written.into_iter().map(is_there).collect(),
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
        let mut group = match gather(submissions, grouping, Some(patience)) {
            Ok(group) => group,
            Err(RecvTimeoutError::Timeout) => {
                // An outage must not wait for a request that finds it out.
                is_ready = is_ready && producers[0].reaches_brokers(&asked, LOOKS_EVERY);
                ready(is_ready);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // Nobody's records are begun before there is a producer: who gives up meanwhile knows that nothing is written.
        let is_connected = connected(&mut producers[0]);
        if is_connected.is_ok() {
            group.retain(Submission::begin);
            metrics.grouped(group.iter().map(Submission::records).sum());
        }
        let one = &mut |records: Records<'_>| {
            is_connected.clone()?;
            let written = connected(&mut producers[0])
                .and_then(|()| producers[0].write(records.map(|record| (None, record))).map_err(Unwritten::from));
            producers.rotate_left(1);
            written
        };
        let units: Vec<&[Output]> = group.iter().flat_map(|one| &one.units).map(Vec::as_slice).collect();
        let mut all = if units.is_empty() { Vec::new() } else { write(one, &units) }.into_iter();
        for submission in group {
            let written: Vec<_> = all.by_ref().take(submission.units.len()).collect();
            if let Some(Err(Unwritten::Failed(error))) = written.iter().find(|unit| is_failed(unit)) {
                tracing::warn!(%error, "a request was not written");
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

/// A producer that is connected; without one nothing is written.
fn connected(producer: &mut Transactions) -> Result<(), Unwritten> {
    producer.reconnect().map_err(|error| Unwritten::Failed(Unpublished::Nothing(error.to_string())))
}

fn is_failed(unit: &Result<(), Unwritten>) -> bool {
    matches!(unit, Err(Unwritten::Failed(_)))
}

type Records<'r> = Box<dyn Iterator<Item = &'r Output> + 'r>;

/// Writes units in one transaction. Where they hold a record that no broker takes, half of them is tried, so that nobody is refused
/// for a neighbour.
fn write(
    one: &mut impl FnMut(Records<'_>) -> Result<(), Unwritten>,
    units: &[&[Output]],
) -> Vec<Result<(), Unwritten>> {
    let result = match one(Box::new(units.iter().copied().flatten())) {
        Err(Unwritten::TooLarge) if units.len() > 1 => {
            let (left, right) = units.split_at(units.len() / 2);
            let mut written = write(one, left);
            written.extend(write(one, right));
            return written;
        }
        result => result,
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
#[allow(clippy::unwrap_used)]
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
        let decided = Arc::new(AtomicBool::new(false));
        Submission { units: vec![unit(records)], decided, _held: Arc::new(()), done: oneshot::channel().0 }
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
            if is_poison { Err(TransactionError::Poison(error).into()) } else { Ok(()) }
        };
        let written = write(&mut one, &units);
        let refused: Vec<_> = written.iter().map(|result| *result == Err(Unwritten::TooLarge)).collect();
        assert_eq!(refused, [false, false, true, false, false]);
        assert!(tries > 1);
        let mut away = |_: Records<'_>| Err(TransactionError::Refused(KafkaError::Canceled).into());
        assert!(write(&mut away, &units).iter().all(|result| matches!(result, Err(Unwritten::Failed(_)))));
    }

    #[test]
    fn nothing_is_written_only_where_that_is_known() {
        use rdkafka::error::KafkaError::Canceled;
        let lost = || Err(Unwritten::from(TransactionError::Lost(Canceled)));
        let refused = || Err(Unwritten::from(TransactionError::Refused(Canceled)));
        let rows = [
            (vec![Ok(()), Err(Unwritten::TooLarge)], Ok(vec![true, false])),
            (vec![refused(), refused()], Err("nothing")),
            (vec![Err(Unwritten::TooLarge), refused()], Err("nothing")),
            (vec![refused(), Ok(())], Err("what is written is not known")),
            (vec![refused(), lost()], Err("what is written is not known")),
            (vec![Err(TransactionError::Fenced(Canceled).into())], Err("what is written is not known")),
        ];
        for (written, expected) in rows {
            let found = told(written.clone()).map_err(|error| error.to_string());
            match (found, expected) {
                (Err(found), Err(expected)) => assert!(found.starts_with(expected), "{found}"),
                (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{written:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_request_hears_in_time_and_what_it_gave_up_is_not_begun() {
        let (inbox, submissions) = sync_channel(8);
        let publisher = Publisher { inbox, patience: Duration::from_millis(20) };
        let gone = publisher.publish(vec![unit(1)], Arc::new(())).await;
        assert!(matches!(gone, Err(Unpublished::Nothing(_))), "{gone:?}");
        assert!(!submissions.try_recv().unwrap().begin(), "its requester was told that nothing is written");
        let (begun, taken) = oneshot::channel();
        let thread = task::thread("a-broker", move || {
            let submission = submissions.recv().unwrap();
            assert!(submission.begin());
            let _ended = taken.blocking_recv();
        })
        .unwrap();
        let publisher = Publisher { patience: Duration::from_millis(500), ..publisher };
        let unknown = publisher.publish(vec![unit(1)], Arc::new(())).await;
        assert!(matches!(unknown, Err(Unpublished::Unknown(_))), "{unknown:?}");
        drop::<oneshot::Sender<()>>(begun);
        thread.join().unwrap();
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
