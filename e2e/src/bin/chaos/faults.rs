//! What breaks, in one order for every run: between two faults workers are killed, for a while or once.

use crate::args::Args;
use crate::senders::honest_topic;
use anyhow::{Context, Result};
use e2e::hostile;
use e2e::stage::{Stage, Versions, root};
use e2e::supervisor::Supervisor;
use e2e::traffic::Traffic;
use indicatif::{ProgressBar, ProgressStyle};
use local::Ending;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The workers that may freeze: those whose zombie would double a decision.
const FREEZABLE: usize = 6;
/// Rows of the batch file.
const BATCH_ROWS: usize = 300;
/// Tries of a command beside the load: a broker that just came back may still refuse it.
const TRIES: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// A file is sent; the second time it is the same one.
    Batch,
    /// The next version of the policy is put in force.
    Policy,
    /// The next version of the route is put in force.
    Route,
    /// Hostile records.
    Hostile,
    /// A worker freezes, and a replacement comes.
    Freeze,
    /// It wakes beside its replacement.
    Thaw,
    /// The broker freezes and goes on.
    BrokerFrozen,
    /// The broker is killed, and comes back after a while.
    BrokerGone,
    /// The database is killed, and comes back.
    DatabaseKilled,
    /// Dead letters of this reason are published again.
    Redrive(&'static str),
}

/// A frozen worker sleeps over the broker's time in frost: whoever wakes it finds its session gone.
const SCRIPT: &[Fault] = &[
    Fault::Batch,
    Fault::Policy,
    Fault::Hostile,
    Fault::Freeze,
    Fault::BrokerFrozen,
    Fault::Thaw,
    Fault::DatabaseKilled,
    Fault::Redrive("unknown_event_type"),
    Fault::Route,
    Fault::Batch,
    Fault::BrokerGone,
    Fault::Redrive("conflict"),
    Fault::Hostile,
];

/// What was done.
#[derive(Debug, Default)]
pub struct Struck {
    /// Workers killed.
    pub kills: u32,
    /// Hostile records written.
    pub hostile: usize,
    /// When the broker answered again after it had been frozen or gone.
    pub broker_back: Vec<Instant>,
    /// Faults, in their order.
    pub faults: Vec<String>,
}

/// Breaks things.
pub struct Striker<'a> {
    stage: &'a mut Stage,
    stack: &'a mut Supervisor,
    args: &'a Args,
    traffic: &'a Traffic,
    versions: &'a Versions,
    file: PathBuf,
    rng: ChaCha8Rng,
    bar: ProgressBar,
    started: Instant,
    struck: Struck,
}

impl<'a> Striker<'a> {
    /// Prepares what it needs.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn new(
        stage: &'a mut Stage,
        stack: &'a mut Supervisor,
        args: &'a Args,
        traffic: &'a Traffic,
        versions: &'a Versions,
    ) -> Result<Self> {
        let file = stage.dir().join("batch.ndjson");
        let rows: Vec<_> = traffic.events("batch", 0..BATCH_ROWS)?.into_iter().map(|event| event.body).collect();
        std::fs::write(&file, rows.join(&b'\n'))?;
        let bar = ProgressBar::new(SCRIPT.len() as u64);
        bar.set_style(ProgressStyle::with_template("{elapsed} [{bar:40}] {msg}")?);
        let rng = ChaCha8Rng::seed_from_u64(args.seed);
        let (started, struck) = (Instant::now(), Struck::default());
        Ok(Self { stage, stack, args, traffic, versions, file, rng, bar, started, struck })
    }

    /// Goes through the script: spread over the time, or one fault after the other.
    ///
    /// # Errors
    /// When something does not come back.
    pub fn strike(mut self) -> Result<Struck> {
        let seconds = if self.args.brief { 0.0 } else { self.args.seconds as f64 };
        for (at, fault) in SCRIPT.iter().enumerate() {
            self.kill_until(seconds * (at + 1) as f64 / (SCRIPT.len() + 1) as f64)?;
            let began = Instant::now();
            self.inflict(*fault).with_context(|| format!("{fault:?}"))?;
            let told = format!(
                "{fault:?} at {} s for {} ms",
                began.duration_since(self.started).as_secs(),
                began.elapsed().as_millis()
            );
            self.bar.println(&told);
            self.struck.faults.push(told);
            self.bar.inc(1);
        }
        self.kill_until(seconds)?;
        self.bar.finish();
        Ok(self.struck)
    }

    /// Kills one worker at least, and goes on until so many seconds are over.
    fn kill_until(&mut self, seconds: f64) -> Result<()> {
        let pause_ms = if self.args.brief { 300..900 } else { 2_000..5_000 };
        loop {
            std::thread::sleep(Duration::from_millis(self.rng.random_range(pause_ms.clone())));
            self.stack.tend()?;
            let name = self.stack.kill(self.rng.random_range(0..self.stack.len()))?;
            self.struck.kills += 1;
            self.bar.set_message(format!("{} kills, last {name}", self.struck.kills));
            if self.started.elapsed().as_secs_f64() >= seconds {
                return Ok(());
            }
        }
    }

    fn inflict(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Batch => self.command(&["batch", &text(&self.file)]),
            Fault::Policy => {
                let (file, scales) = (text(&self.versions.policy), text(&root().join("models/scales.toml")));
                self.command(&["policy", "activate", &file, "--scales", &scales, "--by", "chaos"])
            }
            Fault::Route => {
                let route = self.versions.route_name.clone();
                // A scorer that was frozen or lost its broker may not have announced itself again yet.
                self.command(&["route", "activate", &route, "--by", "chaos", "--unasked"])
            }
            Fault::Redrive(reason) => self.command(&["dead-letters", "redrive", "--reason", reason, "--by", "chaos"]),
            Fault::Hostile => {
                let topic = honest_topic(self.stage);
                let round = self.struck.hostile;
                let partition = self.rng.random_range(0..self.stage.kafka.partitions);
                self.struck.hostile += hostile::sprinkle(&self.stage.kafka, &topic, partition, self.traffic, round)?;
                Ok(())
            }
            Fault::Freeze => self.stack.freeze(self.rng.random_range(0..FREEZABLE)).map(drop),
            Fault::Thaw => self.stack.thaw(),
            Fault::BrokerFrozen => {
                self.stage.stack.pause_broker()?;
                self.wait(self.args.frozen_seconds)?;
                self.stage.stack.resume_broker()?;
                self.struck.broker_back.push(Instant::now());
                Ok(())
            }
            Fault::BrokerGone => {
                self.stage.stack.stop_broker(Ending::Kill)?;
                self.wait(self.args.outage_seconds)?;
                self.stage.stack.start_broker()?;
                self.struck.broker_back.push(Instant::now());
                Ok(())
            }
            Fault::DatabaseKilled => {
                self.stage.stack.stop_database(Ending::Kill)?;
                Ok(self.stage.stack.start_database()?)
            }
        }
    }

    /// An orchestrator goes on starting what ends by itself.
    fn wait(&mut self, seconds: u64) -> Result<()> {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(seconds) {
            std::thread::sleep(Duration::from_millis(500));
            self.stack.tend()?;
        }
        Ok(())
    }

    /// Runs a command of the product beside the load; each may be said again.
    fn command(&mut self, words: &[&str]) -> Result<()> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.stack.command(words) {
                Ok(said) => {
                    self.bar.println(said.trim());
                    return Ok(());
                }
                Err(error) if tried < TRIES => self.bar.println(format!("{error:#}")),
                Err(error) => return Err(error),
            }
            self.wait(1)?;
        }
    }
}

fn text(path: &std::path::Path) -> String {
    path.display().to_string()
}
