//! A steady load, whose decisions are counted while it runs. Judges nothing.

use anyhow::{Result, bail};
use defaultx::reader::follow;
use e2e::traffic::{Sender, Traffic};
use runtime::kafka::KafkaConfig;
use runtime::{clock, task};
use schemas::Topic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Applications that go on being sent.
pub struct Load {
    stop: CancellationToken,
    decided: Arc<AtomicUsize>,
    sending: JoinHandle<Result<usize>>,
    counting: JoinHandle<Result<()>>,
}

impl Load {
    /// Begins.
    ///
    /// # Errors
    /// When the broker cannot be reached, or no thread is to be had.
    pub fn start(kafka: &KafkaConfig, rate: usize) -> Result<Self> {
        let (stop, decided) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
        let (traffic, sender, until) = (Traffic::load(1)?, Sender::connect(kafka, "consistent_random")?, stop.clone());
        let sending = task::thread("load", move || {
            let (started, mut number) = (Instant::now(), 0);
            while !until.is_cancelled() {
                let due = (started.elapsed().as_secs_f64() * rate as f64) as usize;
                while number < due {
                    let event = traffic.event("documents", number, &clock::rfc3339(clock::now()))?;
                    sender.send(&event, Some(&event.application_id))?;
                    number += 1;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            sender.flush()?;
            Ok(number)
        })?;
        let (kafka, into, until) = (kafka.clone(), decided.clone(), stop.clone());
        let counting = task::thread("decisions", move || {
            let topic = kafka.topic(Topic::Decisions.base_name());
            follow(&kafka, [topic.as_ref()], &until, |_| {
                into.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        })?;
        Ok(Self { stop, decided, sending, counting })
    }

    /// Decisions so far.
    pub fn decided(&self) -> usize {
        self.decided.load(Ordering::Relaxed)
    }

    /// Waits until so many more were decided.
    ///
    /// # Errors
    /// When they are not.
    pub fn wait_for(&self, more: usize, what: &str) -> Result<()> {
        let (started, from) = (Instant::now(), self.decided());
        while self.decided() < from + more {
            if started.elapsed() > PATIENCE {
                bail!("{what}: {} of {more} decided within {} s", self.decided() - from, PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Waits until nothing was decided for a while: somebody stands.
    ///
    /// # Errors
    /// When decisions go on.
    pub fn wait_for_standstill(&self) -> Result<()> {
        let (started, mut last) = (Instant::now(), (self.decided(), Instant::now()));
        while last.1.elapsed() < Duration::from_secs(3) {
            if started.elapsed() > PATIENCE {
                bail!("decisions go on where nobody can serve what is in force");
            }
            if self.decided() != last.0 {
                last = (self.decided(), Instant::now());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends it once everything is acknowledged; gives how many were sent.
    ///
    /// # Errors
    /// What ended it before.
    pub fn stop(self) -> Result<usize> {
        self.stop.cancel();
        let counted = self.counting.join().map_err(|_| anyhow::anyhow!("the count panicked"))?;
        counted?;
        self.sending.join().map_err(|_| anyhow::anyhow!("the load panicked"))?
    }
}
