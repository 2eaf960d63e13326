//! The thread behind the HTTP door: it gathers what concurrent requests want written and puts it into one transaction, so that
//! a commit is paid for once. A request hears only after Kafka has its records.

use crate::error::Error;
use crate::metrics::Metrics;
use runtime::kafka::KafkaConfig;
use runtime::stream::{Output, Transactions};
use runtime::task;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Groups that may wait for the thread; with the door's bound on requests this is never the first limit.
const QUEUE: usize = 1024;

/// Knobs of grouping.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// Transactional id without prefix.
    pub id: String,
    /// Milliseconds to wait for company.
    pub wait_ms: u64,
    /// Records of one transaction.
    pub max_records: usize,
    /// Milliseconds of any call to the broker.
    pub timeout_ms: u64,
}

struct Submission {
    records: Vec<Output>,
    done: oneshot::Sender<Result<(), String>>,
}

/// The way to the thread. It ends when the last clone is dropped.
#[derive(Clone)]
pub struct Publisher {
    inbox: SyncSender<Submission>,
}

impl Publisher {
    /// Starts the thread; `ready` hears whether it has a producer.
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

    /// Writes records; returns when Kafka has all of them.
    ///
    /// # Errors
    /// [`Error::Publish`] when the queue is full or the transaction was not committed.
    pub async fn publish(&self, records: Vec<Output>) -> Result<(), Error> {
        let (done, heard) = oneshot::channel();
        self.inbox.try_send(Submission { records, done }).map_err(|error| match error {
            TrySendError::Full(_) => Error::Publish("the queue is full".into()),
            TrySendError::Disconnected(_) => Error::Publish("the publisher has stopped".into()),
        })?;
        match heard.await {
            Ok(result) => result.map_err(Error::Publish),
            Err(_) => Err(Error::Publish("the publisher has stopped".into())),
        }
    }
}

fn serve(
    kafka: &KafkaConfig,
    grouping: &Grouping,
    metrics: &Metrics,
    ready: &impl Fn(bool),
    submissions: &Receiver<Submission>,
) {
    let mut producer = connect(kafka, grouping, ready);
    while let Some(group) = gather(submissions, grouping) {
        if producer.is_none() {
            producer = connect(kafka, grouping, ready);
        }
        let records = group.iter().flat_map(|submission| &submission.records);
        let written = match &mut producer {
            Some(producer) => {
                metrics.grouped(records.clone().count());
                producer.write(records.map(|record| (None, record))).map_err(|error| error.to_string())
            }
            None => Err("kafka is not reachable".to_owned()),
        };
        if let Err(error) = &written {
            tracing::warn!(error, requests = group.len(), "group not written");
        }
        for submission in group {
            if submission.done.send(written.clone()).is_err() {
                tracing::debug!("a requester left before its answer");
            }
        }
    }
}

fn connect(kafka: &KafkaConfig, grouping: &Grouping, ready: &impl Fn(bool)) -> Option<Transactions> {
    let connected = Transactions::connect(kafka, &grouping.id, grouping.timeout_ms);
    ready(connected.is_ok());
    connected.inspect_err(|error| tracing::warn!(%error, "no producer")).ok()
}

/// The first submission, and whatever else comes within the wait; none once every sender is gone.
fn gather(submissions: &Receiver<Submission>, grouping: &Grouping) -> Option<Vec<Submission>> {
    let first = submissions.recv().ok()?;
    let mut records = first.records.len();
    let mut group = vec![first];
    let until = Instant::now() + Duration::from_millis(grouping.wait_ms);
    while records < grouping.max_records {
        match submissions.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(next) => {
                records += next.records.len();
                group.push(next);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission(records: usize) -> Submission {
        let record = Output {
            topic: "t".into(),
            route: runtime::stream::Route::ByKey,
            key: None,
            payload: None,
            headers: Vec::new(),
        };
        Submission { records: vec![record; records], done: oneshot::channel().0 }
    }

    #[test]
    fn a_group_ends_by_size_or_when_nobody_comes() {
        let grouping = Grouping { id: "x".into(), wait_ms: 1, max_records: 5, timeout_ms: 1 };
        let (inbox, submissions) = sync_channel(8);
        for records in [2, 2, 2, 2] {
            assert!(inbox.try_send(submission(records)).is_ok());
        }
        let sizes = |group: Option<Vec<Submission>>| group.map(|group| group.len());
        assert_eq!(sizes(gather(&submissions, &grouping)), Some(3));
        assert_eq!(sizes(gather(&submissions, &grouping)), Some(1));
        drop(inbox);
        assert_eq!(sizes(gather(&submissions, &grouping)), None);
    }
}
