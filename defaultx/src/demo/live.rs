//! What a sender sees while the stream runs: replies and decisions as they become visible to a `read_committed` reader. For
//! progress, for knowing when to stop waiting, and for latency; the summary counts anew.

use crate::reader::{follow, header};
use anyhow::{Result, bail};
use domain::ReplyStatus;
use rdkafka::message::Message;
use runtime::kafka::KafkaConfig;
use runtime::task;
use schemas::decision::MADE;
use schemas::envelope::header as ce;
use schemas::{Topic, Word, reply};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The share of a reply's body that is looked at.
#[derive(serde::Deserialize)]
struct Status {
    status: Word<ReplyStatus>,
}

/// Counts that grow.
#[derive(Debug, Default)]
pub struct Seen {
    replies: AtomicU64,
    accepted: AtomicU64,
    decided: AtomicU64,
    /// When a decision of an application was first seen, and the newest of all.
    arrivals: Mutex<(HashMap<String, Instant>, Option<Instant>)>,
}

impl Seen {
    /// Replies.
    pub fn replies(&self) -> u64 {
        self.replies.load(Ordering::Relaxed)
    }

    /// Replies that say accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Decisions.
    pub fn decided(&self) -> u64 {
        self.decided.load(Ordering::Relaxed)
    }

    /// When the newest decision was seen.
    pub fn newest_decision(&self) -> Option<Instant> {
        self.lock().1
    }

    /// Milliseconds from when each record was due until its decision was seen, sorted.
    pub(crate) fn latencies_ms(&self, due: &[(String, Instant)]) -> Vec<f64> {
        let arrivals = self.lock();
        let took = |(id, at): &(String, Instant)| arrivals.0.get(id).map(|seen| (*seen - *at).as_secs_f64() * 1000.0);
        let mut all: Vec<f64> = due.iter().filter_map(took).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (HashMap<String, Instant>, Option<Instant>)> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader on a thread of its own.
pub struct Live {
    seen: Arc<Seen>,
    stop: CancellationToken,
    thread: JoinHandle<Result<()>>,
}

impl Live {
    /// Starts to read.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(kafka: &KafkaConfig) -> Result<Self> {
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let (kafka, into, until) = (kafka.clone(), seen.clone(), stop.clone());
        let thread = task::thread("demo-live", move || read(&kafka, &into, &until))?;
        Ok(Self { seen, stop, thread })
    }

    /// What has been seen.
    pub fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// Waits until each of `submitted` records is answered and each accepted application decided.
    ///
    /// # Errors
    /// When nothing moves for `patience`, with what there is.
    pub async fn settled(&self, submitted: u64, patience: Duration) -> Result<()> {
        let mut last = (0, 0, Instant::now());
        loop {
            let (replies, decided) = (self.seen.replies(), self.seen.decided());
            if replies >= submitted && decided >= self.seen.accepted() {
                return Ok(());
            }
            if self.thread.is_finished() {
                bail!("the reader has ended");
            }
            if (replies, decided) != (last.0, last.1) {
                last = (replies, decided, Instant::now());
            } else if last.2.elapsed() > patience {
                bail!("nothing moves: {replies} of {submitted} records answered, {decided} applications decided");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// What ended it before.
    pub fn stop(self) -> Result<Arc<Seen>> {
        self.stop.cancel();
        match self.thread.join() {
            Ok(ended) => ended.map(|()| self.seen),
            Err(_) => bail!("the reader panicked"),
        }
    }
}

fn read(kafka: &KafkaConfig, seen: &Seen, stop: &CancellationToken) -> Result<()> {
    let (replies, decisions) = (kafka.topic(Topic::LoanReplies.base_name()), kafka.topic(Topic::Decisions.base_name()));
    follow(kafka, [replies.as_ref(), decisions.as_ref()], stop, |message| {
        match header(message, ce::TYPE) {
            Some(reply::REPLIED) => {
                let body: Option<Status> = serde_json::from_slice(message.payload().unwrap_or_default()).ok();
                if body.is_some_and(|body| body.status.is(ReplyStatus::Accepted)) {
                    seen.accepted.fetch_add(1, Ordering::Relaxed);
                }
                seen.replies.fetch_add(1, Ordering::Relaxed);
            }
            Some(MADE) => {
                let now = Instant::now();
                let mut arrivals = seen.lock();
                if let Some(id) = header(message, ce::SUBJECT) {
                    arrivals.0.entry(id.to_owned()).or_insert(now);
                }
                arrivals.1 = Some(now);
                drop(arrivals);
                seen.decided.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        Ok(())
    })
}
