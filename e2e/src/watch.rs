//! A reader of committed decisions that runs beside a load: how many have come, and how late each was.

use anyhow::{Result, bail};
use defaultx::reader;
use hdrhistogram::Histogram;
use rdkafka::message::Message;
use runtime::kafka::KafkaConfig;
use runtime::task;
use schemas::Topic;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What has come so far.
#[derive(Debug)]
struct Seen {
    count: usize,
    last: Instant,
    latencies_us: Histogram<u64>,
}

/// When each application was due to be sent, by its number; empty when nobody asks.
pub type Schedule = Arc<Mutex<Vec<Instant>>>;

/// A reader on a thread of its own.
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    thread: std::thread::JoinHandle<Result<()>>,
}

impl Watch {
    /// Starts to read the decisions of a deployment from their beginning.
    ///
    /// # Errors
    /// When no thread is to be had.
    pub fn start(kafka: &KafkaConfig, schedule: Schedule) -> Result<Self> {
        let latencies_us = Histogram::new_with_bounds(1, 600_000_000, 3)?;
        let seen = Arc::new(Mutex::new(Seen { count: 0, last: Instant::now(), latencies_us }));
        let stop = CancellationToken::new();
        let (kafka, told, until) = (kafka.clone(), seen.clone(), stop.clone());
        let body = move || {
            let topic = Topic::Decisions.name(&kafka.topic_prefix);
            reader::follow(&kafka, [topic.as_str()], &until, |message| {
                let now = Instant::now();
                let mut seen = told.lock().unwrap_or_else(PoisonError::into_inner);
                seen.count += 1;
                seen.last = now;
                let schedule = schedule.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(due) = number_of(message.key()).and_then(|number| schedule.get(number)) {
                    seen.latencies_us.saturating_record(now.saturating_duration_since(*due).as_micros() as u64);
                }
                Ok(())
            })
        };
        Ok(Self { seen, stop, thread: task::thread("watch", body)? })
    }

    /// Waits until `count` decisions have come, and gives when the last came.
    ///
    /// # Errors
    /// When none comes for a minute.
    pub fn wait(&self, count: usize) -> Result<Instant> {
        self.wait_within(count, Duration::from_secs(60))
    }

    /// The same with other patience between two decisions.
    ///
    /// # Errors
    /// When none comes for so long.
    pub fn wait_within(&self, count: usize, patience: Duration) -> Result<Instant> {
        loop {
            let (so_far, last) = {
                let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                (seen.count, seen.last)
            };
            if so_far >= count {
                return Ok(last);
            }
            if last.elapsed() > patience {
                bail!("{so_far} of {count} decisions came, then none for {} s", patience.as_secs());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Latency in milliseconds at a quantile, 0..=1.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.latencies_us.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// Ends the reader.
    ///
    /// # Errors
    /// What it met.
    pub fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.thread.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?
    }
}

/// The number at the end of `tenant|run-number`.
pub fn number_of(key: Option<&[u8]>) -> Option<usize> {
    std::str::from_utf8(key?).ok()?.rsplit_once('-')?.1.parse().ok()
}
